use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use policy::Subject;
use tokio::runtime::Handle;
use tower::ServiceExt as _;

use super::*;
use crate::clock::Clock;
use crate::store::sample::SampleStore;
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
    store: Arc<SampleStore>,
    ring: Arc<KeyRing>,
    alice_is_gone: Arc<AtomicBool>,
    now: Arc<AtomicI64>,
    router: Router,
}

async fn scene() -> Scene {
    let store = Arc::new(SampleStore::default());
    let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let ring = Arc::new(KeyRing::new(der.as_ref(), []).unwrap());
    let alice_is_gone = Arc::new(AtomicBool::new(false));
    let now = Arc::new(AtomicI64::new(0));
    let clock = Arc::new(Clock::start());
    let long = Duration::from_secs(300);
    let state =
        State::start(Arc::clone(&store) as _, Handle::current(), clock, long).await.unwrap();
    let (keys, gone, time) = (Arc::clone(&ring), Arc::clone(&alice_is_gone), Arc::clone(&now));
    let feed = Feed::new(
        state,
        issuer(),
        Box::new(move || Arc::clone(&keys)),
        Box::new(move |grant| grant.subject != user("alice") || !gone.load(Ordering::Relaxed)),
        Box::new(move || at(time.load(Ordering::Relaxed))),
    );
    Scene { store, ring, alice_is_gone, now, router: router(Arc::new(feed)) }
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

    fn revoke(&self, revoked: Revoked) {
        self.store.revoked.lock().unwrap().push(revoked);
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
        self.store.add_family(&family, None).await.unwrap();
        id
    }
}

fn revokes(list: &RevocationList, id: &TokenId) -> bool {
    list.revokes("user:nobody", at(0), [id])
}

#[tokio::test]
async fn the_list_comes_as_a_jwt_that_may_be_kept_for_five_seconds() {
    let scene = scene().await;
    let (status, headers, _) = scene.ask().await;
    assert_eq!(status, 200);
    assert_eq!(headers["content-type"], "application/jwt");
    assert_eq!(headers["cache-control"], "max-age=5");
    assert_eq!(scene.list().await.sequence(), Sequence(0));
}

#[tokio::test]
async fn what_is_revoked_is_in_the_next_list_if_it_concerns_others() {
    let scene = scene().await;
    let for_others = scene.family("bob", Some("us.example")).await;
    let for_us = scene.family("bob", None).await;
    let token = TokenId::random().unwrap();
    let list = scene.list().await;
    for id in [&for_others, &for_us, &token] {
        assert!(!revokes(&list, id));
        scene.revoke(Revoked::Id { id: id.clone(), until: at(3600) });
    }
    scene.revoke(Revoked::Subject(user("carol"), at(-5)));
    scene.later(1);
    let list = scene.list().await;
    assert_eq!(list.sequence(), Sequence(4));
    assert!(revokes(&list, &for_others) && revokes(&list, &token));
    assert!(!revokes(&list, &for_us), "others have no token of that family");
    assert!(list.revokes("user:carol", at(-5), []) && !list.revokes("user:carol", at(-4), []));

    // What was read once is not read again, and not forgotten either.
    scene.revoke(Revoked::Everything(at(-100)));
    scene.later(1);
    let list = scene.list().await;
    assert!(revokes(&list, &for_others) && list.revokes("user:carol", at(-5), []));
    assert!(list.revokes("user:nobody", at(-100), []));
    scene.later(3600 + 600);
    assert!(!revokes(&scene.list().await, &for_others), "it has ended by itself");
}

#[tokio::test]
async fn the_families_of_who_is_gone_are_in_the_list_though_nobody_revoked_them() {
    let scene = scene().await;
    let mut alices = Vec::new();
    for _ in 0..=PAGE {
        alices.push(scene.family("alice", Some("us.example")).await);
    }
    let bobs = scene.family("bob", Some("us.example")).await;
    let local = scene.family("alice", None).await;
    let list = scene.list().await;
    assert!(!alices.iter().any(|id| revokes(&list, id)));
    scene.alice_is_gone.store(true, Ordering::Relaxed);
    scene.later(1);
    let list = scene.list().await;
    assert!(alices.iter().all(|id| revokes(&list, id)), "also beyond the first page");
    assert!(!revokes(&list, &bobs) && !revokes(&list, &local));
    // Who is back has their tokens back: nothing was revoked.
    scene.alice_is_gone.store(false, Ordering::Relaxed);
    scene.later(1);
    assert!(!revokes(&scene.list().await, &alices[0]));
}

#[tokio::test]
async fn one_list_serves_all_who_ask_within_a_second() {
    let scene = scene().await;
    let (_, _, first) = scene.ask().await;
    let asked = scene.store.asked.load(Ordering::Relaxed);
    scene.revoke(Revoked::Everything(at(0)));
    assert_eq!(scene.ask().await.2, first);
    assert_eq!(scene.store.asked.load(Ordering::Relaxed), asked);
    // Neither does a clock that is set back keep it alive.
    scene.later(-10);
    assert_ne!(scene.ask().await.2, first);
}

#[tokio::test]
async fn without_the_state_there_is_no_list_and_nothing_is_lost_by_that() {
    let scene = scene().await;
    let id = scene.family("bob", Some("us.example")).await;
    scene.revoke(Revoked::Id { id: id.clone(), until: at(3600) });
    scene.store.away.store(true, Ordering::Relaxed);
    let (status, headers, body) = scene.ask().await;
    assert_eq!((status, headers["cache-control"].to_str().unwrap()), (503, "no-store"));
    assert!(!body.contains("sample"), "{body}");
    scene.store.away.store(false, Ordering::Relaxed);
    assert!(revokes(&scene.list().await, &id));
}

#[tokio::test]
async fn the_list_is_read_and_nothing_else() {
    let scene = scene().await;
    let request =
        Request::post("/.well-known/revocations").body(axum::body::Body::empty()).unwrap();
    let response = scene.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 405);
}
