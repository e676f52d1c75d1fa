//! What is in force, and when.

use std::net::Ipv4Addr;

use policy::Subject;
use tokio::sync::watch;

use super::*;
use crate::token::{Family, FamilyKind, Grant, Kind};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn alice() -> Subject {
    Subject::User("alice".to_owned())
}

fn id() -> TokenId {
    TokenId::random().unwrap()
}

fn kept() -> (Arc<State>, tempfile::TempDir) {
    sample::kept(Arc::new(Clock::start()))
}

/// Whether a token of alice's is void, which was made with a credential that was shown at 0.
fn is_void(state: &State, token: &TokenId) -> bool {
    state.revocations(|revocations, _| revocations.refuse([token], &alice(), at(0)))
}

#[tokio::test]
async fn what_is_revoked_is_in_force_when_that_returns() {
    let (state, _folder) = kept();
    let (token, other) = (id(), id());
    let revocation = Revocation::Id { id: token.clone(), until: at(100) };
    state.revoke(revocation, at(1)).await.unwrap();
    assert!(is_void(&state, &token));
    assert!(!is_void(&state, &other));
    state.revoke(Revocation::Subject(alice(), at(2)), at(2)).await.unwrap();
    assert!(is_void(&state, &other));
}

#[tokio::test]
async fn a_family_that_ends_takes_those_along_that_come_from_it() {
    let (state, _folder) = kept();
    let parent = family();
    let child = Family { parent: Some(parent.id.clone()), ..family() };
    for family in [parent.clone(), child.clone()] {
        state.ask(|store| async move { store.add_family(&family, None).await }).await.unwrap();
    }
    let revocation = Revocation::Id { id: parent.id.clone(), until: parent.ends_at };
    assert_eq!(state.revoke(revocation, at(1)).await.unwrap(), 2);
    assert!(is_void(&state, &parent.id) && is_void(&state, &child.id));
}

#[tokio::test]
async fn a_service_is_known_when_adding_it_returns() {
    let (state, _folder) = kept();
    assert!(!state.is_enabled("ci/build"));
    assert!(state.add_service("ci/test", at(0)).await.unwrap());
    assert!(state.add_service("ci/build", at(1)).await.unwrap());
    assert!(!state.add_service("ci/build", at(2)).await.unwrap());
    assert!(state.is_enabled("ci/build"));
    assert_eq!(state.service("ci/build").unwrap().made_at, at(1));
    let names: Vec<_> = state.services().into_iter().map(|service| service.name).collect();
    assert_eq!(names, ["ci/build", "ci/test"]);
    assert!(state.set_service_disabled("ci/build", true).await.unwrap());
    assert!(!state.is_enabled("ci/build") && state.is_enabled("ci/test"));
    assert!(state.set_service_disabled("ci/build", false).await.unwrap());
    assert!(state.is_enabled("ci/build"));
    assert!(!state.set_service_disabled("nobody", true).await.unwrap());
}

#[tokio::test]
async fn what_another_process_wrote_is_known_after_a_look() {
    let (state, _folder) = kept();
    let token = id();
    let revocation = Revocation::Id { id: token.clone(), until: at(100) };
    // Past what this process knows, as another one would.
    state.ask(|store| async move { store.revoke(&revocation, at(1)).await }).await.unwrap();
    state.ask(|store| async move { store.add_service("ci/build", at(1)).await }).await.unwrap();
    assert!(!is_void(&state, &token) && !state.is_enabled("ci/build"));
    state.look().await.unwrap();
    assert!(is_void(&state, &token) && state.is_enabled("ci/build"));
    // A look that finds nothing new takes nothing away.
    state.look().await.unwrap();
    assert!(is_void(&state, &token) && state.is_enabled("ci/build"));
}

#[tokio::test]
async fn what_is_known_is_known_after_a_restart() {
    let (state, folder) = kept();
    let token = id();
    let revocation = Revocation::Id { id: token.clone(), until: at(100) };
    state.revoke(revocation, at(1)).await.unwrap();
    state.add_service("ci/build", at(1)).await.unwrap();
    drop(state);
    let state = sample::kept_in(&folder, Arc::new(Clock::start()));
    assert!(is_void(&state, &token) && state.is_enabled("ci/build"));
}

#[tokio::test]
async fn only_what_could_not_hold_any_more_is_forgotten() {
    let (state, _folder) = kept();
    let (old, young) = (id(), id());
    for (id, until) in [(&old, at(10)), (&young, at(30))] {
        state.revoke(Revocation::Id { id: id.clone(), until }, at(1)).await.unwrap();
    }
    state.add_service("ci/build", at(1)).await.unwrap();
    let known = state.revocations(|_, sequence| sequence);
    state.forget(at(20)).await;
    assert!(!is_void(&state, &old) && is_void(&state, &young));
    assert!(state.is_enabled("ci/build"));
    assert_eq!(state.revocations(|_, sequence| sequence), known);
}

#[tokio::test]
async fn a_use_is_noted_until_it_is_written_down() {
    let (state, _folder) = kept();
    let family = family();
    let (name, kept) = (family.id.clone(), family.clone());
    state.ask(|store| async move { store.add_family(&kept, None).await }).await.unwrap();
    let last = LastUse { at: at(5), from: Ipv4Addr::LOCALHOST.into() };
    state.note_use(&family.id, last);
    assert_eq!(state.noted_use(&family.id), Some(last));
    state.write_down().await.unwrap();
    assert_eq!(state.noted_use(&family.id), None);
    let found = state.ask(|store| async move { store.family(&name).await }).await.unwrap();
    assert_eq!(found.unwrap().last_use, Some(last));
}

#[tokio::test]
async fn what_cannot_be_written_down_is_kept_for_the_next_time() {
    let state = sample::absent();
    let (family, last) = (id(), LastUse { at: at(5), from: Ipv4Addr::LOCALHOST.into() });
    state.note_use(&family, last);
    assert!(state.write_down().await.is_err());
    assert_eq!(state.noted_use(&family), Some(last));
}

#[tokio::test]
async fn what_is_known_may_be_believed_for_a_while_after_the_last_look() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    assert!(sample::absent_for(minutes(4), minutes(5)).is_fresh());
    let state = sample::absent_for(minutes(6), minutes(5));
    assert!(!state.is_fresh());
    assert!(state.look().await.is_err());
    assert!(!state.is_fresh());
}

#[tokio::test]
async fn the_clock_starts_no_earlier_than_the_state_last_was() {
    let (state, folder) = kept();
    let later = Timestamp::now() + Duration::from_secs(7 * 24 * 3600);
    state.ask(move |store| async move { store.set_latest_time(later).await }).await.unwrap();
    drop(state);
    let clock = Arc::new(Clock::start());
    assert!(clock.now() < later);
    let state = sample::kept_in(&folder, Arc::clone(&clock));
    // It is kept to the millisecond.
    assert!(clock.now().as_millisecond() >= later.as_millisecond());
    assert!(clock.ahead().is_some());
    // What is written down from now on is no earlier either.
    state.write_down().await.unwrap();
    let latest = state.ask(|store| async move { store.latest_time().await }).await.unwrap();
    assert!(latest.unwrap().as_millisecond() >= later.as_millisecond());
}

fn family() -> Family {
    Family {
        id: id(),
        kind: FamilyKind::Rotating,
        grant: Grant::unlimited(alice(), Kind::User, at(0)),
        audience: None,
        access_ttl: Duration::from_secs(3600),
        made_at: at(0),
        made_by: "user:alice".to_owned(),
        comment: String::new(),
        parent: None,
        ends_at: at(10_000),
        idle: None,
        last_use: None,
        revoked_at: None,
    }
}

/// What is revoked at another replica is in force here within a second, also while last uses are
/// being written.
#[tokio::test]
async fn a_long_write_keeps_nobody_from_looking() {
    let (state, looks) = sample::that_writes_for_ever();
    let (_stop, stopped) = watch::channel(false);
    let following = tokio::spawn(state.follow(stopped));
    let looked = async {
        while looks.load(Ordering::Relaxed) < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), looked).await.unwrap();
    following.abort();
}
