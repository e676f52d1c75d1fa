use std::fs;
use std::path::PathBuf;

use policy::Subject;
use tempfile::TempDir;

use super::super::sample::{Gate, at, here};
use super::super::{PeerToken, Settings};
use super::*;
use crate::clock::Clock;
use crate::jwks::JwksLocation;
use crate::state::sample;
use crate::store::Revoked;
use crate::token::{InvalidToken, TokenId};

/// A gate that is trusted and followed, with its keys in a file.
struct Scene {
    eu: Gate,
    state: Arc<State>,
    peers: Peers,
    follower: Follower,
    token: String,
    family: TokenId,
    folder: TempDir,
    kept: TempDir,
}

impl Scene {
    fn new() -> Self {
        let (state, kept) = sample::kept(Arc::new(Clock::start()));
        Self::with(Gate::new("eu"), state, kept)
    }

    fn with(eu: Gate, state: Arc<State>, kept: TempDir) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.json");
        fs::write(&file, eu.ring.jwks().to_string()).unwrap();
        let settings = Settings { jwks: JwksLocation::File(file), ..eu.settings() };
        let peers = Peers::new([settings], &here()).unwrap();
        let peer = Arc::clone(&peers.peers[0]);
        let follower = Follower::new(peer, Arc::clone(&state), Arc::new(|| at(0)));
        let order = eu.order();
        let family = order.family.clone().unwrap();
        let token = eu.token(order);
        Self { eu, state, peers, follower, token, family, folder, kept }
    }

    /// The gate here starts again, with the state it had.
    fn restarted(self) -> Self {
        Self::with(self.eu, self.state, self.kept)
    }

    /// The highest number of a list that the state remembers.
    async fn remembered(&self) -> Option<Sequence> {
        self.state.ask(|store| async move { store.peer_sequence("eu").await }).await.unwrap()
    }

    fn keys(&self) -> PathBuf {
        self.folder.path().join("keys.json")
    }

    fn list(&self, sequence: i64, revoked: Vec<Revoked>) -> String {
        self.eu.list(revoked, sequence).sign(&self.eu.ring).unwrap()
    }

    async fn hears(&mut self, sequence: i64, revoked: Vec<Revoked>) -> Result<(), Failure> {
        let list = self.list(sequence, revoked);
        self.follower.hear(&list).await
    }

    fn held(&self) -> Result<PeerToken, PeerError> {
        self.peers.verify(&self.token, at(0))
    }
}

fn alice(seconds: i64) -> Revoked {
    Revoked::Subject(Subject::User("alice".to_owned()), at(seconds))
}

#[tokio::test]
async fn what_is_told_counts_at_once() {
    let mut scene = Scene::new();
    assert_eq!(scene.held().unwrap_err(), PeerError::Unheard);
    scene.hears(1, vec![]).await.unwrap();
    assert_eq!(scene.held().unwrap().groups, ["builders"]);
    let revoked = Revoked::Id { id: scene.family.clone(), until: at(3600) };
    scene.hears(2, vec![revoked]).await.unwrap();
    assert_eq!(scene.held().unwrap_err(), PeerError::Revoked);
    scene.hears(3, vec![]).await.unwrap();
    assert!(scene.held().is_ok(), "only the last list counts");
}

#[tokio::test]
async fn an_older_list_makes_the_gate_untrusted_until_it_has_caught_up() {
    let mut scene = Scene::new();
    scene.hears(7, vec![alice(0)]).await.unwrap();
    let told = scene.hears(6, vec![]).await;
    assert!(matches!(told, Err(Failure::Backwards { told: Sequence(6), seen: Sequence(7) })));
    assert_eq!(scene.held().unwrap_err(), PeerError::RolledBack);
    scene.hears(6, vec![]).await.unwrap_err();
    assert_eq!(scene.held().unwrap_err(), PeerError::RolledBack);
    scene.hears(7, vec![]).await.unwrap();
    assert!(scene.held().is_ok());
}

#[tokio::test]
async fn an_older_list_is_noticed_after_a_restart_too() {
    let mut scene = Scene::new();
    scene.hears(7, vec![]).await.unwrap();
    assert_eq!(scene.remembered().await, Some(Sequence(7)));
    let mut scene = scene.restarted();
    assert_eq!(scene.held().unwrap_err(), PeerError::Unheard);
    scene.hears(6, vec![]).await.unwrap_err();
    assert_eq!(scene.held().unwrap_err(), PeerError::RolledBack);
    scene.hears(7, vec![]).await.unwrap();
    assert!(scene.held().is_ok());
}

#[tokio::test]
async fn without_the_state_no_first_list_is_taken_and_a_later_one_is() {
    let mut scene = Scene::new();
    scene.follower.state = sample::absent();
    scene.hears(7, vec![]).await.unwrap_err();
    assert_eq!(scene.held().unwrap_err(), PeerError::Unheard, "who knows what was seen before");
    scene.follower.state = Arc::clone(&scene.state);
    scene.hears(7, vec![]).await.unwrap();
    scene.follower.state = sample::absent();
    scene.hears(8, vec![alice(0)]).await.unwrap_err();
    assert_eq!(scene.held().unwrap_err(), PeerError::Revoked);
    scene.follower.state = Arc::clone(&scene.state);
    scene.hears(8, vec![alice(0)]).await.unwrap();
    assert_eq!(scene.remembered().await, Some(Sequence(8)), "remembered later");
}

#[tokio::test]
async fn what_is_no_list_of_that_gate_changes_nothing() {
    let mut scene = Scene::new();
    scene.hears(7, vec![alice(0)]).await.unwrap();
    let stranger = Gate::new("eu");
    let forged = stranger.list(vec![], 9).sign(&stranger.ring).unwrap();
    let other = Gate::new("us").list(vec![], 9).sign(&scene.eu.ring).unwrap();
    let old = RevocationList::new(&scene.eu.url, [], [], Sequence(9), at(-601));
    let old = old.sign(&scene.eu.ring).unwrap();
    let token = scene.token.clone();
    for text in ["", "{}", "a.b.c", &forged, &other, &old, &token] {
        assert!(matches!(scene.follower.hear(text).await, Err(Failure::List(_))), "{text}");
        assert_eq!(scene.held().unwrap_err(), PeerError::Revoked);
    }
    assert_eq!(scene.remembered().await, Some(Sequence(7)));
}

#[tokio::test]
async fn a_key_that_the_gate_withdraws_checks_nothing_any_more() {
    let mut scene = Scene::new();
    scene.hears(7, vec![]).await.unwrap();
    assert!(scene.held().is_ok());
    let new = Gate::new("eu");
    fs::write(scene.keys(), new.ring.jwks().to_string()).unwrap();
    // The file is looked at again a second later.
    scene.follower.clock = Arc::new(|| at(1));
    let list = new.list(vec![], 8).sign(&new.ring).unwrap();
    scene.follower.hear(&list).await.unwrap();
    assert_eq!(scene.held().unwrap_err(), PeerError::Token(InvalidToken::Key));
    assert!(scene.peers.verify(&new.token(new.order()), at(0)).is_ok());
}

#[tokio::test]
async fn a_gate_without_a_list_is_followed_for_its_keys() {
    let mut scene = Scene::new();
    let settings = scene.peers.peers[0].settings().clone();
    let peers = Peers::new([Settings { revocations: None, ..settings }], &here()).unwrap();
    scene.follower =
        Follower::new(Arc::clone(&peers.peers[0]), Arc::clone(&scene.state), Arc::new(|| at(0)));
    assert_eq!(peers.verify(&scene.token, at(0)).unwrap_err(), PeerError::NoKeys);
    scene.follower.look().await.unwrap();
    assert!(peers.verify(&scene.token, at(0)).is_ok());
}

#[tokio::test]
async fn the_keys_of_a_gate_without_a_list_serve_for_a_day_and_no_longer() {
    let mut scene = Scene::new();
    let settings = scene.peers.peers[0].settings().clone();
    let peers = Peers::new([Settings { revocations: None, ..settings }], &here()).unwrap();
    scene.follower =
        Follower::new(Arc::clone(&peers.peers[0]), Arc::clone(&scene.state), Arc::new(|| at(0)));
    scene.follower.look().await.unwrap();
    let keys = fs::read(scene.keys()).unwrap();
    fs::remove_file(scene.keys()).unwrap();
    const DAY: i64 = 86_400;
    scene.follower.clock = Arc::new(|| at(DAY - 60));
    scene.follower.look().await.unwrap();
    assert!(peers.verify(&scene.token, at(0)).is_ok());
    scene.follower.clock = Arc::new(|| at(DAY));
    assert!(matches!(scene.follower.look().await, Err(Failure::Keys(_))));
    assert_eq!(peers.verify(&scene.token, at(0)).unwrap_err(), PeerError::NoKeys);
    fs::write(scene.keys(), keys).unwrap();
    scene.follower.clock = Arc::new(|| at(DAY + 60));
    scene.follower.look().await.unwrap();
    assert!(peers.verify(&scene.token, at(0)).is_ok());
}

#[tokio::test]
async fn people_are_told_since_when_a_gate_does_not_answer_and_when_it_is_asked_again() {
    let mut scene = Scene::new();
    let settings = scene.peers.peers[0].settings().clone();
    let peers = Peers::new([Settings { revocations: None, ..settings }], &here()).unwrap();
    let peer = Arc::clone(&peers.peers[0]);
    scene.follower = Follower::new(peer, Arc::clone(&scene.state), Arc::new(|| at(0)));
    let looks = || peers.states(at(0)).remove(0).looks;
    assert_eq!(looks(), None, "it was not asked yet");
    let keys = fs::read(scene.keys()).unwrap();
    fs::remove_file(scene.keys()).unwrap();
    for seconds in [0, 20] {
        scene.follower.clock = Arc::new(move || at(seconds));
        let pause = scene.follower.look_and_tell().await;
        let Looks { at: asked, next_at, failing } = looks().unwrap();
        assert_eq!((asked, next_at), (at(seconds), at(seconds) + pause));
        let (since, why) = failing.unwrap();
        assert_eq!(since, at(0), "since the first time");
        assert!(why.contains("cannot read the file"), "{why}");
    }
    fs::write(scene.keys(), keys).unwrap();
    scene.follower.clock = Arc::new(|| at(40));
    scene.follower.look_and_tell().await;
    assert_eq!(looks().unwrap().failing, None);
}

#[tokio::test]
async fn a_gate_that_cannot_be_reached_stays_unheard() {
    let mut scene = Scene::new();
    let settings = scene.peers.peers[0].settings().clone();
    let nowhere = HttpsUrl::new("https://127.0.0.1:1/list").unwrap();
    let settings = Settings { revocations: Some(nowhere), ..settings };
    let peers = Peers::new([settings], &here()).unwrap();
    scene.follower.peer = Arc::clone(&peers.peers[0]);
    assert!(matches!(scene.follower.look().await, Err(Failure::Fetch(_))));
    assert_eq!(peers.verify(&scene.token, at(0)).unwrap_err(), PeerError::Unheard);
}

#[tokio::test]
async fn the_tasks_end_with_whoever_holds_them() {
    let scene = Scene::new();
    let clock: Now = Arc::new(|| at(0));
    let polling = scene.peers.follow(&Handle::current(), &scene.state, &clock);
    let task = polling.0[0].clone();
    assert!(!task.is_finished());
    drop(polling);
    while !task.is_finished() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn the_pause_grows_with_failures_up_to_a_minute() {
    let poll = Duration::from_secs(5);
    for (failures, longest) in
        [(0, 5), (1, 10), (2, 20), (3, 40), (4, 60), (40, 60), (u32::MAX, 60)]
    {
        let longest = Duration::from_secs(longest);
        for _ in 0..20 {
            let pause = pause(poll, failures);
            assert!(pause <= longest && pause >= longest.mul_f64(0.79), "{failures} {pause:?}");
        }
    }
    assert!(pause(Duration::from_secs(120), 5) > Duration::from_secs(90));
}
