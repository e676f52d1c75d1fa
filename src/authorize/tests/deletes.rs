use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::upstream::fake::{Asked, Reply};

#[tokio::test]
async fn a_tag_is_deleted_by_the_right_to_it() {
    let world = World::new().await;
    let told = [
        world.everybody("DELETE team/app/manifests/v2").await,
        world.everybody("DELETE team/app/manifests/dev").await,
        world.everybody("DELETE team/app/blobs/BASE-LAYER").await,
    ];
    assert_eq!(world.fake.lines(), Vec::<String>::new());
    insta::assert_snapshot!(told.join("\n"), @r#"
    DELETE team/app/manifests/v2
      a-whole b-tags c-but h-delete: plain, lock alone, by CALLER
      d-push e-create f-move g-attach z-none: 403 DENIED: delete of team/app:v2 is denied: no rule allows user:CALLER to delete team/app:v2
    DELETE team/app/manifests/dev
      a-whole: plain, lock alone, by CALLER
      b-tags d-push e-create f-move g-attach h-delete z-none: 403 DENIED: delete of team/app:dev is denied: no rule allows user:CALLER to delete team/app:dev
      c-but: 403 DENIED: delete of team/app:dev is denied: rule `CALLER-dev` (policy.yaml:6) denies delete
    DELETE team/app/blobs/BASE-LAYER
      a-whole: plain, by CALLER
      b-tags d-push e-create f-move g-attach h-delete z-none: 403 DENIED: delete of team/app is denied: no rule allows user:CALLER to delete team/app as a whole
      c-but: 403 DENIED: delete of team/app@BASE-LAYER is denied: a blob may belong to any tag, and some tags here may not be deleted
    "#);
}

#[tokio::test]
async fn a_digest_is_deleted_by_the_right_to_all_that_needs_it() {
    let world = World::new().await;
    let mut told = Vec::new();
    for digest in ["TWO", "THREE", "DEV", "AMD", "ARM", "HIDDEN", "LOOSE", "NOTHING"] {
        told.push(world.everybody(&format!("DELETE team/app/manifests/{digest}")).await);
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    DELETE team/app/manifests/TWO
      a-whole b-tags c-but h-delete: plain, lock alone
      d-push e-create f-move g-attach z-none: 403 DENIED: delete of team/app is denied: no rule allows user:CALLER to delete team/app as a whole
    DELETE team/app/manifests/THREE
      a-whole: plain, lock alone
      b-tags c-but h-delete: 403 DENIED: delete of team/app@THREE is denied: deleting by digest removes every tag that points at it, and an index loses what it names; not all of them may be deleted. Delete by tag instead
      d-push e-create f-move g-attach z-none: 403 DENIED: delete of team/app is denied: no rule allows user:CALLER to delete team/app as a whole
    DELETE team/app/manifests/DEV
      a-whole: plain, lock alone
      b-tags c-but h-delete: 404 MANIFEST_UNKNOWN: manifest unknown
      d-push e-create f-move g-attach z-none: 403 DENIED: delete of team/app is denied: no rule allows user:CALLER to delete team/app as a whole
    DELETE team/app/manifests/AMD
      a-whole c-but: plain, lock alone
      b-tags h-delete: 403 DENIED: delete of team/app@AMD is denied: deleting by digest removes every tag that points at it, and an index loses what it names; not all of them may be deleted. Delete by tag instead
      d-push e-create f-move g-attach z-none: 403 DENIED: delete of team/app is denied: no rule allows user:CALLER to delete team/app as a whole
    DELETE team/app/manifests/ARM
      a-whole: plain, lock alone
      b-tags c-but h-delete: 403 DENIED: delete of team/app@ARM is denied: deleting by digest removes every tag that points at it, and an index loses what it names; not all of them may be deleted. Delete by tag instead
      d-push e-create f-move g-attach z-none: 403 DENIED: delete of team/app is denied: no rule allows user:CALLER to delete team/app as a whole
    DELETE team/app/manifests/HIDDEN
      a-whole: plain, lock alone
      b-tags c-but h-delete: 404 MANIFEST_UNKNOWN: manifest unknown
      d-push e-create f-move g-attach z-none: 403 DENIED: delete of team/app is denied: no rule allows user:CALLER to delete team/app as a whole
    DELETE team/app/manifests/LOOSE
      a-whole c-but: plain, lock alone
      b-tags h-delete: 404 MANIFEST_UNKNOWN: manifest unknown
      d-push e-create f-move g-attach z-none: 403 DENIED: delete of team/app is denied: no rule allows user:CALLER to delete team/app as a whole
    DELETE team/app/manifests/NOTHING
      a-whole: plain, lock alone
      b-tags c-but h-delete: 404 MANIFEST_UNKNOWN: manifest unknown
      d-push e-create f-move g-attach z-none: 403 DENIED: delete of team/app is denied: no rule allows user:CALLER to delete team/app as a whole
    "#);
}

#[tokio::test]
async fn an_artifact_is_deleted_by_the_right_to_its_image() {
    let world = World::new().await;
    let mut told = Vec::new();
    for digest in ["SIGNATURE", "DEV-SIGNATURE", "COSIGNED"] {
        told.push(world.everybody(&format!("DELETE team/app/manifests/{digest}")).await);
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    DELETE team/app/manifests/SIGNATURE
      a-whole b-tags c-but h-delete: plain, lock alone
      d-push e-create f-move g-attach z-none: 403 DENIED: delete of team/app is denied: no rule allows user:CALLER to delete team/app as a whole
    DELETE team/app/manifests/DEV-SIGNATURE
      a-whole: plain, lock alone
      b-tags c-but h-delete: 404 MANIFEST_UNKNOWN: manifest unknown
      d-push e-create f-move g-attach z-none: 403 DENIED: delete of team/app is denied: no rule allows user:CALLER to delete team/app as a whole
    DELETE team/app/manifests/COSIGNED
      a-whole c-but: plain, lock alone
      b-tags h-delete: 403 DENIED: delete of team/app@COSIGNED is denied: deleting by digest removes every tag that points at it, and an index loses what it names; not all of them may be deleted. Delete by tag instead
      d-push e-create f-move g-attach z-none: 403 DENIED: delete of team/app is denied: no rule allows user:CALLER to delete team/app as a whole
    "#);
}

#[tokio::test]
async fn a_signature_that_was_never_seen_is_looked_at_before_it_is_deleted() {
    let world = World::new().await;
    let of_signature = signature("of it", Some(&world.content.dev_signature.digest));
    let shelf = world.shelf.lock().unwrap().clone();
    *world.shelf.lock().unwrap() = shelf.untagged("team/app", &of_signature);
    let unseen =
        Inventory::new(Settings { linger: DAY, ..Settings::default() }, Arc::new(Forgetful));
    let who = user("c-but");
    for (name, is_allowed) in [
        ("SIGNATURE".to_owned(), true),
        ("LOOSE".to_owned(), true),
        ("DEV-SIGNATURE".to_owned(), false),
        (of_signature.digest.to_string(), false),
    ] {
        let operation = world.operation(&format!("DELETE team/app/manifests/{name}"));
        let question = Question { inventory: &unseen, ..world.question(&who) };
        assert_eq!(authorize(question, operation).await.is_ok(), is_allowed, "{name}");
    }
}

#[tokio::test]
async fn what_one_pushed_and_nobody_tagged_one_may_delete_for_a_day() {
    let mut world = World::new().await;
    let (app, who) = (repository("team/app"), user("h-delete"));
    let request = "DELETE team/app/manifests/LOOSE";
    let unknown = "404 MANIFEST_UNKNOWN: manifest unknown";
    assert_eq!(world.ask(&who, request).await, unknown);
    world.inventory.saw_push(&app, &who.caller.subject, &world.content.loose.digest, world.now);
    assert_eq!(world.ask(&who, request).await, "plain, lock alone");
    // But not what others rely on.
    world.inventory.saw_push(&app, &who.caller.subject, &world.content.hidden.digest, world.now);
    let told = world.ask(&who, "DELETE team/app/manifests/HIDDEN").await;
    assert!(told.starts_with("403 DENIED"), "{told}");
    world.now += DAY;
    assert_eq!(world.ask(&who, request).await, unknown);
}

#[tokio::test]
async fn the_upstream_is_asked_and_not_what_was_seen_earlier() {
    let world = World::new().await;
    let who = user("h-delete");
    let request = "DELETE team/app/manifests/TWO";
    assert_eq!(world.ask(&who, request).await, "plain, lock alone");
    let shelf = world.shelf.lock().unwrap().clone();
    *world.shelf.lock().unwrap() = shelf.tagged("team/app", "dev-new", &world.content.two);
    let told = world.ask(&who, request).await;
    assert!(told.starts_with("403 DENIED"), "{told}");
}

#[tokio::test]
async fn what_is_written_while_the_tags_are_looked_at_counts() {
    let world = World::new().await;
    let locks = Arc::new(Locks::default());
    let shelf = Mutex::new(world.content.shelf());
    let (writers, two) = (Arc::clone(&locks), world.content.two.clone());
    let wrote = AtomicBool::new(false);
    let fake = Fake::start(move |asked| {
        let mut shelf = shelf.lock().unwrap();
        let reply = shelf.answer(asked);
        if asked.target.contains("/tags/list") && !wrote.swap(true, Ordering::Relaxed) {
            // Somebody writes as soon as the list is read.
            let app = repository("team/app");
            let mut cx = Context::from_waker(Waker::noop());
            assert!(pin!(writers.share(&app)).poll(&mut cx).is_ready(), "nobody waits for a look");
            *shelf = shelf.clone().tagged("team/app", "dev-new", &two);
        }
        reply
    })
    .await;
    let upstream = Arc::new(fake.upstream());
    let who = user("h-delete");
    let operation = world.operation("DELETE team/app/manifests/TWO");
    let question = Question { upstream: &upstream, locks: &locks, ..world.question(&who) };
    let outcome = authorize(question, operation.clone()).await;
    let told = world.told(&who, &operation, &outcome);
    assert!(told.starts_with("403 DENIED"), "{told}");
}

#[tokio::test]
async fn a_look_at_the_tags_waits_for_who_is_writing() {
    let world = World::new().await;
    let who = user("h-delete");
    let writing = world.locks.share(&repository("team/app")).await.unwrap();
    let mut asking = pin!(world.ask(&who, "DELETE team/app/manifests/TWO"));
    let waits = tokio::time::timeout(Duration::from_millis(500), asking.as_mut()).await;
    assert!(waits.is_err(), "it waits for the writer");
    let shelf = world.shelf.lock().unwrap().clone();
    *world.shelf.lock().unwrap() = shelf.tagged("team/app", "dev-new", &world.content.two);
    drop(writing);
    let told = asking.await;
    assert!(told.starts_with("403 DENIED"), "{told}");
}

/// What the deleter of `v*` is told of a digest by an upstream that answers so.
async fn behind(answer: impl Fn(&Asked, Reply) -> Reply + Send + Sync + 'static) -> String {
    let world = World::new().await;
    let shelf = world.content.shelf();
    let fake = Fake::start(move |asked| answer(asked, shelf.answer(asked))).await;
    let upstream = Arc::new(fake.upstream());
    // Of all that is there, this alone is known already.
    let (app, two) = (repository("team/app"), &world.content.two);
    let inventory = Inventory::new(*world.inventory.settings(), Arc::new(Forgetful));
    inventory.saw_manifest(&app, &two.digest, &two.manifest);
    inventory.saw_tag(&app, &Tag::new("v2").unwrap(), &two.digest, world.now);
    let who = user("h-delete");
    let operation = world.operation("DELETE team/app/manifests/TWO");
    let question = Question { upstream: &upstream, inventory: &inventory, ..world.question(&who) };
    let outcome = authorize(question, operation.clone()).await;
    world.told(&who, &operation, &outcome)
}

#[tokio::test]
async fn what_the_upstream_does_not_say_well_allows_nothing() {
    assert_eq!(behind(|_, reply| reply).await, "plain, lock alone");
    let failed =
        "502 UNAVAILABLE: the registry behind the gate did not answer as it should (request r1)";
    let is_list = |asked: &Asked| asked.target.contains("/tags/list");
    let is_head = |asked: &Asked| asked.method == "HEAD" && asked.target.contains("/dev");
    let is_index = |asked: &Asked| asked.method == "GET" && asked.target.contains("/manifests/");
    for status in [401, 403, 429, 500, 503] {
        for wrong in [is_list, is_head, is_index] {
            let told = behind(move |asked, reply| match wrong(asked) {
                true => Reply::new(status, "{}"),
                false => reply,
            });
            assert_eq!(told.await, failed, "{status}");
        }
    }
    let bodies = [r#"{"tags":["v2"]"#, "", r#"{"tags":"v2"}"#, r#"{"tags":[1]}"#];
    for body in bodies {
        let told = behind(move |asked, reply| match is_list(asked) {
            true => Reply::new(200, body),
            false => reply,
        });
        assert_eq!(told.await, failed, "{body}");
    }
    let told = behind(move |asked, reply| match is_head(asked) {
        true => Reply::new(200, "").with("docker-content-digest", "sha256:1"),
        false => reply,
    });
    assert_eq!(told.await, failed, "no digest");
    let told = behind(move |asked, reply| match is_index(asked) {
        true => Reply::manifest(&index(&[])),
        false => reply,
    });
    assert_eq!(told.await, failed, "another manifest than was asked for");
}

#[tokio::test]
async fn a_list_that_goes_on_in_a_way_that_is_not_understood_is_not_its_end() {
    for link in [
        "<team/app/tags/list?last=v2>; rel=\"next\"",
        "<?last=v2>; rel=\"next\"",
        "<team>; rel=\"next\"",
        "/v2/team/app/tags/list?last=v2; rel=\"next\"",
        "</v2/team/app/tags/list?last=v 2>; rel=\"next\"",
        "</v2/team/app/tags/list?last=v2; rel=\"next\"",
    ] {
        let told = behind(move |asked, reply| match asked.target.contains("/tags/list") {
            true => Reply::new(200, r#"{"tags":["v2"]}"#).with("link", link),
            false => reply,
        });
        assert!(told.await.starts_with("502 UNAVAILABLE"), "{link}");
    }
}

#[tokio::test]
async fn a_list_is_read_to_its_end() {
    for link in [
        "</v2/team/app/tags/list?last=v2>; rel=\"next\"",
        "<http://elsewhere.example/v2/team/app/tags/list?last=v2>; rel=next",
        "</v2/team/app/tags/list>; rel=\"prev\", </v2/team/app/tags/list?last=v2>; rel=\"next\"",
    ] {
        let told = behind(move |asked, reply| match asked.target.as_str() {
            "/v2/team/app/tags/list" => Reply::new(200, r#"{"tags":["v2"]}"#).with("link", link),
            "/v2/team/app/tags/list?last=v2" => Reply::new(200, r#"{"tags":["dev-same"]}"#),
            target if target.ends_with("/dev-same") => {
                Reply::new(200, "").with("docker-content-digest", Content::new().two.digest)
            }
            _ => reply,
        });
        let told = told.await;
        assert!(told.starts_with("403 DENIED"), "{link}: {told}");
    }
}

#[tokio::test]
async fn a_question_that_costs_too_much_is_not_answered() {
    let settings = Settings { linger: DAY, max_requests: 4, ..Settings::default() };
    let world = World::with(settings).await;
    let told = world.ask(&user("h-delete"), "DELETE team/app/manifests/TWO").await;
    assert!(told.starts_with("503 UNAVAILABLE"), "{told}");
    assert_eq!(world.fake.asked().len(), 4);
    let told = world.ask(&user("a-whole"), "DELETE team/app/manifests/TWO").await;
    assert_eq!(told, "plain, lock alone", "it costs nothing with the right to all");
}
