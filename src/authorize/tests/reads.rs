use super::*;
use crate::inventory::{Journal, Lesson};

async fn all(requests: &[&str]) -> String {
    let world = World::new().await;
    let mut told = Vec::new();
    for request in requests {
        told.push(world.everybody(request).await);
    }
    told.join("\n")
}

#[tokio::test]
async fn what_is_known_to_be_readable_asks_nobody() {
    let world = World::new().await;
    for who in ["a-whole", "b-tags", "c-but", "g-attach"] {
        for request in [
            "GET team/app/manifests/v1",
            "HEAD team/app/manifests/MULTI",
            "GET team/app/manifests/ARM",
            "GET team/app/blobs/BASE-LAYER",
            "GET team/app/referrers/TWO",
            "GET team/app/manifests/FALLBACK",
            "GET team/app/manifests/SIGNATURE",
            "GET team/app/blobs/SIGNED",
        ] {
            let told = world.ask(&user(who), request).await;
            assert!(told.starts_with("plain") || told.starts_with("artifact"), "{who}: {told}");
        }
    }
    assert_eq!(world.fake.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn whoever_pushes_is_told_of_what_is_known_and_of_nothing_else() {
    let world = World::new().await;
    let pushes = token("b-tags", &[Action::Pull, Action::Create, Action::Overwrite]);
    for (request, found) in [
        ("HEAD team/app/blobs/BASE-LAYER", true),
        ("HEAD team/app/blobs/DEV-LAYER", false),
        ("HEAD team/app/blobs/NOTHING", false),
        ("HEAD team/app/manifests/DEV", false),
        ("HEAD team/app/manifests/NOTHING", false),
    ] {
        assert_eq!(world.ask(&pushes, request).await == "plain", found, "{request}");
    }
    assert_eq!(world.fake.lines(), Vec::<String>::new(), "a push costs no further request");
    world.ask(&pushes, "GET team/app/blobs/NOTHING").await;
    assert!(!world.fake.lines().is_empty());
}

#[tokio::test]
async fn tags_are_read_by_policy() {
    let told = all(&[
        "GET team/app/manifests/v2",
        "GET team/app/manifests/dev",
        "HEAD team/app/manifests/v2",
        "HEAD team/app/manifests/dev",
        "GET team/app/manifests/v99",
    ])
    .await;
    insta::assert_snapshot!(told, @r#"
    GET team/app/manifests/v2
      a-whole b-tags c-but g-attach h-delete: plain, by CALLER
      d-push e-create f-move z-none: 403 DENIED: pull of team/app:v2 is denied: no rule allows user:CALLER to pull team/app:v2
    GET team/app/manifests/dev
      a-whole: plain, by CALLER
      b-tags d-push e-create f-move g-attach h-delete z-none: 403 DENIED: pull of team/app:dev is denied: no rule allows user:CALLER to pull team/app:dev
      c-but: 403 DENIED: pull of team/app:dev is denied: rule `CALLER-dev` (policy.yaml:6) denies pull
    HEAD team/app/manifests/v2
      a-whole b-tags c-but g-attach h-delete: plain, by CALLER
      d-push e-create f-move: plain
      z-none: 403 DENIED: pull of team/app:v2 is denied: no rule allows user:CALLER to pull team/app:v2
    HEAD team/app/manifests/dev
      a-whole: plain, by CALLER
      b-tags c-but g-attach: 404 MANIFEST_UNKNOWN: manifest unknown
      d-push e-create f-move: plain
      h-delete z-none: 403 DENIED: pull of team/app:dev is denied: no rule allows user:CALLER to pull team/app:dev
    GET team/app/manifests/v99
      a-whole b-tags c-but g-attach h-delete: plain, by CALLER
      d-push e-create f-move z-none: 403 DENIED: pull of team/app:v99 is denied: no rule allows user:CALLER to pull team/app:v99
    "#);
}

#[tokio::test]
async fn digests_are_read_through_tags() {
    let told = all(&[
        "GET team/app/manifests/TWO",
        "HEAD team/app/manifests/ARM",
        "GET team/app/manifests/DEV",
        "HEAD team/app/manifests/DEV",
        "GET team/app/manifests/HIDDEN",
        "GET team/app/manifests/THREE",
        "GET team/app/manifests/LOOSE",
        "GET team/app/manifests/NOTHING",
    ])
    .await;
    insta::assert_snapshot!(told, @r#"
    GET team/app/manifests/TWO
      a-whole b-tags c-but g-attach h-delete: plain
      d-push e-create f-move: 404 MANIFEST_UNKNOWN: manifest unknown
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    HEAD team/app/manifests/ARM
      a-whole b-tags c-but g-attach h-delete: plain
      d-push e-create f-move: 404 MANIFEST_UNKNOWN: manifest unknown
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET team/app/manifests/DEV
      a-whole: plain
      b-tags c-but d-push e-create f-move g-attach h-delete: 404 MANIFEST_UNKNOWN: manifest unknown
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    HEAD team/app/manifests/DEV
      a-whole: plain
      b-tags c-but d-push e-create f-move g-attach h-delete: 404 MANIFEST_UNKNOWN: manifest unknown
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET team/app/manifests/HIDDEN
      a-whole: plain
      b-tags c-but d-push e-create f-move g-attach h-delete: 404 MANIFEST_UNKNOWN: manifest unknown
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET team/app/manifests/THREE
      a-whole b-tags c-but g-attach h-delete: plain
      d-push e-create f-move: 404 MANIFEST_UNKNOWN: manifest unknown
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET team/app/manifests/LOOSE
      a-whole c-but: plain
      b-tags d-push e-create f-move g-attach h-delete: 404 MANIFEST_UNKNOWN: manifest unknown
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET team/app/manifests/NOTHING
      a-whole c-but: plain
      b-tags d-push e-create f-move g-attach h-delete: 404 MANIFEST_UNKNOWN: manifest unknown
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    "#);
}

#[tokio::test]
async fn blobs_are_read_through_manifests() {
    let told = all(&[
        "GET team/app/blobs/BASE-LAYER",
        "GET team/app/blobs/DEV-LAYER",
        "HEAD team/app/blobs/DEV-LAYER",
        "GET team/app/blobs/NOTHING",
        "HEAD team/app/blobs/NOTHING",
    ])
    .await;
    insta::assert_snapshot!(told, @r#"
    GET team/app/blobs/BASE-LAYER
      a-whole b-tags c-but g-attach h-delete: plain
      d-push e-create f-move: 404 BLOB_UNKNOWN: blob unknown to registry
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET team/app/blobs/DEV-LAYER
      a-whole: plain
      b-tags c-but d-push e-create f-move g-attach h-delete: 404 BLOB_UNKNOWN: blob unknown to registry
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    HEAD team/app/blobs/DEV-LAYER
      a-whole: plain
      b-tags c-but d-push e-create f-move g-attach h-delete z-none: 404 BLOB_UNKNOWN: blob unknown to registry
    GET team/app/blobs/NOTHING
      a-whole c-but: plain
      b-tags d-push e-create f-move g-attach h-delete: 404 BLOB_UNKNOWN: blob unknown to registry
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    HEAD team/app/blobs/NOTHING
      a-whole c-but: plain
      b-tags d-push e-create f-move g-attach h-delete z-none: 404 BLOB_UNKNOWN: blob unknown to registry
    "#);
}

#[tokio::test]
async fn artifacts_are_read_through_their_images() {
    let told = all(&[
        "GET team/app/manifests/SIGNATURE",
        "GET team/app/blobs/SIGNED",
        "GET team/app/manifests/DEV-SIGNATURE",
        "GET team/app/manifests/FALLBACK",
        "HEAD team/app/manifests/FALLBACK",
        "GET team/app/manifests/COSIGNED",
        "GET team/app/referrers/TWO",
        "GET team/app/referrers/DEV",
        "GET team/app/referrers/NOTHING",
    ])
    .await;
    insta::assert_snapshot!(told, @r#"
    GET team/app/manifests/SIGNATURE
      a-whole b-tags c-but g-attach h-delete: plain
      d-push e-create f-move: 404 MANIFEST_UNKNOWN: manifest unknown
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET team/app/blobs/SIGNED
      a-whole b-tags c-but g-attach h-delete: plain
      d-push e-create f-move: 404 BLOB_UNKNOWN: blob unknown to registry
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET team/app/manifests/DEV-SIGNATURE
      a-whole: plain
      b-tags c-but d-push e-create f-move g-attach h-delete: 404 MANIFEST_UNKNOWN: manifest unknown
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET team/app/manifests/FALLBACK
      a-whole c-but: plain, by CALLER
      b-tags g-attach h-delete: artifact only
      d-push e-create f-move z-none: 403 DENIED: pull of team/app:FALLBACK is denied: no rule allows user:CALLER to pull team/app:FALLBACK
    HEAD team/app/manifests/FALLBACK
      a-whole c-but: plain, by CALLER
      b-tags g-attach h-delete: artifact only
      d-push e-create f-move: plain
      z-none: 403 DENIED: pull of team/app:FALLBACK is denied: no rule allows user:CALLER to pull team/app:FALLBACK
    GET team/app/manifests/COSIGNED
      a-whole b-tags c-but g-attach h-delete: plain
      d-push e-create f-move: 404 MANIFEST_UNKNOWN: manifest unknown
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET team/app/referrers/TWO
      a-whole b-tags c-but g-attach h-delete: plain
      d-push e-create f-move: 404 MANIFEST_UNKNOWN: manifest unknown
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET team/app/referrers/DEV
      a-whole: plain
      b-tags c-but d-push e-create f-move g-attach h-delete: 404 MANIFEST_UNKNOWN: manifest unknown
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET team/app/referrers/NOTHING
      a-whole: plain
      b-tags c-but d-push e-create f-move g-attach h-delete: 404 MANIFEST_UNKNOWN: manifest unknown
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    "#);
}

#[tokio::test]
async fn lists_are_for_those_who_may_read_something() {
    let told =
        all(&["GET team/app/tags/list", "HEAD team/app/tags/list?n=1", "GET _catalog"]).await;
    insta::assert_snapshot!(told, @r#"
    GET team/app/tags/list
      a-whole b-tags c-but g-attach h-delete: plain
      d-push e-create f-move: 404 NAME_UNKNOWN: repository name not known to registry
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    HEAD team/app/tags/list?n=1
      a-whole b-tags c-but g-attach h-delete: plain
      d-push e-create f-move: 404 NAME_UNKNOWN: repository name not known to registry
      z-none: 403 DENIED: pull of team/app is denied: no rule allows user:CALLER to pull team/app as a whole
    GET _catalog
      a-whole b-tags c-but d-push e-create f-move g-attach h-delete z-none: plain
    "#);
}

#[tokio::test]
async fn who_has_no_right_hears_the_same_of_what_is_there_and_what_is_not() {
    let world = World::new().await;
    for (there, absent) in [
        ("GET team/app/manifests/DEV", "GET team/app/manifests/NOTHING"),
        ("HEAD team/app/manifests/DEV", "HEAD team/app/manifests/NOTHING"),
        ("GET team/app/blobs/DEV-LAYER", "GET team/app/blobs/NOTHING"),
        ("GET team/app/referrers/DEV", "GET team/app/referrers/NOTHING"),
        ("DELETE team/app/manifests/HIDDEN", "DELETE team/app/manifests/NOTHING"),
    ] {
        for who in ["b-tags", "g-attach", "h-delete", "z-none"] {
            let (there, absent) =
                (world.ask(&user(who), there).await, world.ask(&user(who), absent).await);
            assert_eq!(there, absent, "{who}");
        }
    }
}

#[tokio::test]
async fn own_content_is_readable_for_a_day_to_whom_has_a_right_there() {
    let mut world = World::new().await;
    let app = repository("team/app");
    for who in ["d-push", "z-none"] {
        let subject = user(who).caller.subject;
        world.inventory.saw_push(&app, &subject, &blob("own"), world.now);
    }
    let asked = ["GET team/app/manifests/OWN", "GET team/app/blobs/OWN", "HEAD team/app/blobs/OWN"];
    for request in asked {
        assert_eq!(world.ask(&user("d-push"), request).await, "plain");
        assert_ne!(world.ask(&user("e-create"), request).await, "plain", "it is another's");
        assert_ne!(world.ask(&user("z-none"), request).await, "plain", "it has no right any more");
    }
    let service = Principal {
        caller: Caller { subject: Subject::Service("d-push".to_owned()), ..user("").caller },
        ..user("")
    };
    assert_ne!(world.ask(&service, asked[0]).await, "plain", "a name is not the caller");
    world.now += DAY;
    for request in asked {
        assert_ne!(world.ask(&user("d-push"), request).await, "plain");
    }
}

#[tokio::test]
async fn a_tag_that_policy_closes_vouches_no_more() {
    let mut world = World::new().await;
    let request = "GET team/app/manifests/TWO";
    assert_eq!(world.ask(&user("b-tags"), request).await, "plain");
    world.policy = policy(&POLICY.replace("team/app:v*", "team/app:v1"));
    assert_ne!(world.ask(&user("b-tags"), request).await, "plain");
    world.policy = policy(POLICY);
    *world.shelf.lock().unwrap() = Shelf::default();
    assert_eq!(world.ask(&user("b-tags"), request).await, "plain", "it lingers");
    world.now += DAY;
    assert_ne!(world.ask(&user("b-tags"), request).await, "plain", "nobody saw it for a day");
}

/// Tells nothing, and never comes to an end.
struct Hung;

#[async_trait::async_trait]
impl Journal for Hung {
    fn learned(&self, _: &RepositoryName, _: &Lesson) {}

    async fn recall(&self, _: &RepositoryName, _: Option<Timestamp>) -> Option<Vec<Lesson>> {
        std::future::pending().await
    }

    async fn settle(&self) {}
}

#[tokio::test]
async fn a_state_that_hangs_keeps_nobody_waiting_who_needs_no_look_up() {
    let mut world = World::new().await;
    world.inventory = Inventory::new(*world.inventory.settings(), Arc::new(Hung));
    world.content.learn(&world.inventory, world.now);
    let (b_tags, a_whole) = (user("b-tags"), user("a-whole"));
    let mut waiting = pin!(world.ask(&b_tags, "GET team/app/manifests/NOTHING"));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending(), "this one needs it");
    let others = async {
        for (who, request) in [
            (&b_tags, "GET team/app/manifests/v2"),
            (&b_tags, "GET team/app/manifests/TWO"),
            (&b_tags, "GET team/app/blobs/BASE-LAYER"),
            (&a_whole, "GET team/app/manifests/NOTHING"),
            (&a_whole, "DELETE team/app/manifests/TWO"),
        ] {
            let told = world.ask(who, request).await;
            assert!(told.starts_with("plain"), "{request}: {told}");
        }
    };
    tokio::time::timeout(Duration::from_secs(60), others).await.unwrap();
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
}
