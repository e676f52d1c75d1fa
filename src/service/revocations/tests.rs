use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::*;
use crate::clock::Clock;
use crate::state::sample;
use crate::store::{Revocation, Sequence};
use crate::token::{Family, FamilyKind, Kind};

const START: i64 = 1_800_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).unwrap()
}

fn issuer() -> PublicUrl {
    PublicUrl::new("https://eu.example:5443").unwrap()
}

fn user(name: &str) -> Subject {
    Subject::User(name.to_owned())
}

struct Scene {
    state: Arc<State>,
    ring: Arc<KeyRing>,
    alice_is_gone: Arc<AtomicBool>,
    bob_is_disabled: Arc<AtomicBool>,
    now: Arc<AtomicI64>,
    router: Router,
    _folder: Option<TempDir>,
}

fn scene() -> Scene {
    let (state, folder) = sample::kept(Arc::new(Clock::start()));
    with(state, Some(folder))
}

fn with(state: Arc<State>, folder: Option<TempDir>) -> Scene {
    let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let ring = Arc::new(KeyRing::new(der.as_ref(), []).unwrap());
    let alice_is_gone = Arc::new(AtomicBool::new(false));
    let bob_is_disabled = Arc::new(AtomicBool::new(false));
    let now = Arc::new(AtomicI64::new(0));
    let (keys, time) = (Arc::clone(&ring), Arc::clone(&now));
    let (gone, disabled) = (Arc::clone(&alice_is_gone), Arc::clone(&bob_is_disabled));
    let subjects = Subjects {
        disabled: Box::new(move || {
            disabled.load(Ordering::Relaxed).then(|| user("bob")).into_iter().collect()
        }),
        stands: Box::new(move |grant| {
            grant.subject != user("alice") || !gone.load(Ordering::Relaxed)
        }),
    };
    let feed = Feed::new(
        Arc::clone(&state),
        issuer(),
        Box::new(move || Arc::clone(&keys)),
        subjects,
        Arc::new(move || at(time.load(Ordering::Relaxed))),
    );
    let router = router(Arc::new(feed));
    Scene { state, ring, alice_is_gone, bob_is_disabled, now, router, _folder: folder }
}

impl Scene {
    async fn ask(&self) -> (u16, HeaderMap, String) {
        let request = Request::get("/.well-known/revocations");
        let request = request.body(axum::body::Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn list(&self) -> RevocationList {
        let (status, _, text) = self.ask().await;
        assert_eq!(status, 200, "{text}");
        let now = at(self.now.load(Ordering::Relaxed));
        RevocationList::verify(&text, self.ring.verifying(), issuer().as_str(), now).unwrap()
    }

    fn later(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }

    async fn revoke(&self, what: Revocation) {
        self.state.revoke(what, at(0)).await.unwrap();
    }

    async fn family(&self, name: &str, audience: Option<&str>) -> TokenId {
        let id = TokenId::random().unwrap();
        let family = Family {
            id: id.clone(),
            kind: FamilyKind::Access,
            grant: Grant::unlimited(user(name), Kind::User, at(0)),
            audience: audience.map(str::to_owned),
            access_ttl: Duration::from_secs(3600),
            made_at: at(0),
            made_by: format!("user:{name}"),
            comment: String::new(),
            parent: None,
            ends_at: at(3600),
            idle: None,
            last_use: None,
            revoked_at: None,
        };
        self.state.ask(|store| async move { store.add_family(&family, None).await }).await.unwrap();
        id
    }
}

fn revokes(list: &RevocationList, id: &TokenId) -> bool {
    list.revokes("user:nobody", at(0), [id])
}

#[tokio::test]
async fn the_list_comes_as_a_jwt_that_may_be_kept_for_five_seconds() {
    let scene = scene();
    let (status, headers, _) = scene.ask().await;
    assert_eq!(status, 200);
    assert_eq!(headers["content-type"], "application/jwt");
    assert_eq!(headers["cache-control"], "max-age=5");
    assert_eq!(scene.list().await.sequence(), Sequence(0));
}

#[tokio::test]
async fn what_is_revoked_is_in_the_next_list() {
    let scene = scene();
    let family = scene.family("bob", Some("us.example")).await;
    let token = TokenId::random().unwrap();
    let list = scene.list().await;
    for id in [&family, &token] {
        assert!(!revokes(&list, id));
        scene.revoke(Revocation::Id { id: id.clone(), until: at(3600) }).await;
    }
    scene.revoke(Revocation::Subject(user("carol"), at(-5))).await;
    scene.revoke(Revocation::Everything(at(-100))).await;
    scene.later(1);
    let next = scene.list().await;
    assert!(next.sequence() > list.sequence());
    assert!(revokes(&next, &family) && revokes(&next, &token));
    assert!(next.revokes("user:carol", at(-5), []) && !next.revokes("user:carol", at(-4), []));
    assert!(next.revokes("user:nobody", at(-100), []));
    assert!(!next.revokes("user:nobody", at(-99), []));
}

#[tokio::test]
async fn the_families_of_who_is_gone_are_in_the_list_though_nobody_revoked_them() {
    let scene = scene();
    let mut alices = Vec::new();
    for _ in 0..=PAGE {
        alices.push(scene.family("alice", Some("us.example")).await);
    }
    let bobs = scene.family("bob", Some("us.example")).await;
    let list = scene.list().await;
    assert!(!alices.iter().any(|id| revokes(&list, id)));
    scene.alice_is_gone.store(true, Ordering::Relaxed);
    scene.later(1);
    let list = scene.list().await;
    assert!(alices.iter().all(|id| revokes(&list, id)), "also beyond the first page");
    assert!(!revokes(&list, &bobs));
    // Who is back has their tokens back: nothing was revoked.
    scene.alice_is_gone.store(false, Ordering::Relaxed);
    scene.later(1);
    assert!(!revokes(&scene.list().await, &alices[0]));
}

#[tokio::test]
async fn everything_of_who_is_disabled_is_in_the_list_until_they_are_not() {
    let scene = scene();
    let told = |list: &RevocationList| list.revokes("user:bob", at(0), []);
    assert!(!told(&scene.list().await));
    scene.bob_is_disabled.store(true, Ordering::Relaxed);
    scene.later(1);
    let list = scene.list().await;
    assert!(told(&list) && !list.revokes("user:alice", at(0), []));
    scene.bob_is_disabled.store(false, Ordering::Relaxed);
    scene.later(1);
    assert!(!told(&scene.list().await));
}

#[tokio::test]
async fn one_list_serves_all_who_ask_within_a_second() {
    let scene = scene();
    let (_, _, first) = scene.ask().await;
    scene.revoke(Revocation::Everything(at(0))).await;
    assert_eq!(scene.ask().await.2, first);
    // A clock that is set back does not keep it alive.
    scene.later(-10);
    assert_ne!(scene.ask().await.2, first);
}

#[tokio::test]
async fn without_the_state_there_is_no_list() {
    let scene = with(sample::absent(), None);
    let (status, headers, body) = scene.ask().await;
    assert_eq!((status, headers["cache-control"].to_str().unwrap()), (503, "no-store"));
    assert!(!body.contains("absent"), "{body}");
}

#[tokio::test]
async fn the_list_is_read_and_nothing_else() {
    let scene = scene();
    let request =
        Request::post("/.well-known/revocations").body(axum::body::Body::empty()).unwrap();
    let response = scene.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 405);
}
