use super::*;
use crate::content::samples::{image_about, index_about};

fn own(world: &World, who: &str, content: &[&str]) {
    for name in content {
        let subject = user(who).caller.subject;
        world.inventory.saw_push(&repository("team/app"), &subject, &blob(name), world.now);
    }
}

/// Everybody has uploaded what the sample is made of.
fn everybody_owns(world: &World, content: &[&str]) {
    for who in CALLERS {
        own(world, who, content);
    }
}

#[tokio::test]
async fn uploads_are_for_writers() {
    let world = World::new().await;
    let told = [
        world.everybody("POST team/app/blobs/uploads/").await,
        world.everybody("POST team/app/blobs/uploads/?digest=NOTHING").await,
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    POST team/app/blobs/uploads/
      a-whole b-tags c-but d-push e-create f-move g-attach: plain
      h-delete z-none: 403 DENIED: create of team/app is denied: no rule allows user:CALLER to create team/app as a whole
    POST team/app/blobs/uploads/?digest=NOTHING
      a-whole b-tags c-but d-push e-create f-move g-attach: plain
      h-delete z-none: 403 DENIED: create of team/app is denied: no rule allows user:CALLER to create team/app as a whole
    "#);
}

#[tokio::test]
async fn what_cannot_be_read_is_not_mounted() {
    let world = World::new().await;
    let mut told = Vec::new();
    for request in [
        "POST team/other/blobs/uploads/?mount=BASE-LAYER&from=team/app",
        "POST team/other/blobs/uploads/?mount=DEV-LAYER&from=team/app",
        "POST team/other/blobs/uploads/?mount=DEV-LAYER",
        "POST team/app/blobs/uploads/?mount=NOTHING&from=team/other",
    ] {
        told.push(world.everybody(request).await);
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    POST team/other/blobs/uploads/?mount=BASE-LAYER&from=team/app
      a-whole b-tags c-but g-attach h-delete: plain
      d-push e-create f-move z-none: plain, as /v2/team/other/blobs/uploads/
    POST team/other/blobs/uploads/?mount=DEV-LAYER&from=team/app
      a-whole: plain
      b-tags c-but d-push e-create f-move g-attach h-delete z-none: plain, as /v2/team/other/blobs/uploads/
    POST team/other/blobs/uploads/?mount=DEV-LAYER
      a-whole b-tags c-but d-push e-create f-move g-attach h-delete z-none: plain, as /v2/team/other/blobs/uploads/
    POST team/app/blobs/uploads/?mount=NOTHING&from=team/other
      a-whole b-tags c-but d-push e-create f-move g-attach: plain
      h-delete z-none: 403 DENIED: create of team/app is denied: no rule allows user:CALLER to create team/app as a whole
    "#);
}

#[tokio::test]
async fn an_upload_goes_on_for_whoever_began_it_while_it_may_write() {
    let world = World::new().await;
    let sealed = |who: &str, name: &str| {
        let upload = SealedUpload {
            location: "/v2/there?state=1".to_owned(),
            subject: format!("user:{who}"),
            repository: repository(name),
            started: Timestamp::now(),
        };
        world.seal.seal_upload(&upload).unwrap()
    };
    let of_pusher = sealed("d-push", "team/app");
    let unknown = "404 BLOB_UPLOAD_UNKNOWN: blob upload unknown to registry";
    for (method, query) in [("GET", ""), ("PATCH", ""), ("PUT", "?digest=NOTHING"), ("DELETE", "")]
    {
        let request = format!("{method} team/app/blobs/uploads/{of_pusher}{query}");
        assert_eq!(world.ask(&user("d-push"), &request).await, "upload at /v2/there?state=1");
        assert_eq!(world.ask(&user("a-whole"), &request).await, unknown);
        let denied = world.ask(&user("z-none"), &request).await;
        assert!(denied.starts_with("403 DENIED"), "{denied}");
        let elsewhere = format!("{method} team/other/blobs/uploads/{of_pusher}{query}");
        assert_eq!(world.ask(&user("d-push"), &elsewhere).await, unknown);
        let made_up = format!("{method} team/app/blobs/uploads/made-up{query}");
        assert_eq!(world.ask(&user("d-push"), &made_up).await, unknown);
        let lost =
            format!("{method} team/app/blobs/uploads/{}{query}", sealed("z-none", "team/app"));
        assert_eq!(world.ask(&user("z-none"), &lost).await, denied, "the right was lost meanwhile");
    }
}

#[tokio::test]
async fn a_tag_is_created_or_moved_by_the_right_to_do_so() {
    let world = World::new().await;
    everybody_owns(&world, &["own config", "base"]);
    let new = image("own config", &["base"]);
    let mut told = Vec::new();
    for request in
        ["PUT team/app/manifests/v99", "PUT team/app/manifests/v2", "PUT team/app/manifests/dev"]
    {
        told.push(world.everybody_puts(request, &new).await);
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    PUT team/app/manifests/v99
      a-whole b-tags c-but d-push: manifest, lock shared, by CALLER
      e-create: manifest, lock alone, by CALLER
      f-move g-attach h-delete z-none: 403 DENIED: create of team/app:v99 is denied: no rule allows user:CALLER to create team/app:v99
    PUT team/app/manifests/v2
      a-whole b-tags c-but d-push: manifest, lock shared, by CALLER
      e-create: 403 DENIED: overwrite of team/app:v2 is denied: no rule allows user:CALLER to overwrite team/app:v2
      f-move: manifest, lock alone, by CALLER
      g-attach h-delete z-none: 403 DENIED: create of team/app:v2 is denied: no rule allows user:CALLER to create team/app:v2
    PUT team/app/manifests/dev
      a-whole d-push: manifest, lock shared, by CALLER
      b-tags g-attach h-delete z-none: 403 DENIED: create of team/app:dev is denied: no rule allows user:CALLER to create team/app:dev
      c-but: 403 DENIED: create of team/app:dev is denied: rule `CALLER-dev` (policy.yaml:6) denies create
      e-create: 403 DENIED: overwrite of team/app:dev is denied: no rule allows user:CALLER to overwrite team/app:dev
      f-move: manifest, lock alone, by CALLER
    "#);
}

#[tokio::test]
async fn the_same_content_once_more_moves_nothing() {
    let world = World::new().await;
    everybody_owns(&world, &["two", "base", "two layer"]);
    let told = world.everybody_puts("PUT team/app/manifests/v2", &world.content.two).await;
    insta::assert_snapshot!(told, @r#"
    PUT team/app/manifests/v2
      a-whole b-tags c-but d-push: manifest, lock shared, by CALLER
      e-create f-move: manifest, lock alone, by CALLER
      g-attach h-delete z-none: 403 DENIED: create of team/app:v2 is denied: no rule allows user:CALLER to create team/app:v2
    "#);
}

#[tokio::test]
async fn every_tag_of_a_push_by_digest_is_authorized() {
    let world = World::new().await;
    everybody_owns(&world, &["two", "base", "two layer"]);
    let mut told = Vec::new();
    for request in [
        "PUT team/app/manifests/TWO",
        "PUT team/app/manifests/TWO?tag=v98&tag=v99",
        "PUT team/app/manifests/TWO?tag=v98&tag=dev",
    ] {
        told.push(world.everybody_puts(request, &world.content.two).await);
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    PUT team/app/manifests/TWO
      a-whole b-tags c-but d-push e-create f-move: manifest
      g-attach: 403 DENIED: create of team/app:TWO is denied: the action `attach` is for signatures, SBOMs and attestations; this is none of them
      h-delete z-none: 403 DENIED: create of team/app is denied: no rule allows user:CALLER to create team/app as a whole
    PUT team/app/manifests/TWO?tag=v98&tag=v99
      a-whole b-tags c-but d-push: manifest, lock shared, by CALLER
      e-create: manifest, lock alone, by CALLER
      f-move g-attach h-delete z-none: 403 DENIED: create of team/app:v98 is denied: no rule allows user:CALLER to create team/app:v98
    PUT team/app/manifests/TWO?tag=v98&tag=dev
      a-whole d-push: manifest, lock shared, by CALLER
      b-tags: 403 DENIED: create of team/app:dev is denied: no rule allows user:CALLER to create team/app:dev
      c-but: 403 DENIED: create of team/app:dev is denied: rule `CALLER-dev` (policy.yaml:6) denies create
      e-create: 403 DENIED: overwrite of team/app:dev is denied: no rule allows user:CALLER to overwrite team/app:dev
      f-move g-attach h-delete z-none: 403 DENIED: create of team/app:v98 is denied: no rule allows user:CALLER to create team/app:v98
    "#);
}

#[tokio::test]
async fn bytes_that_are_not_what_they_are_called_are_refused() {
    let world = World::new().await;
    let told = world.put(&user("a-whole"), "PUT team/app/manifests/DEV", &world.content.two).await;
    assert_eq!(told, "400 DIGEST_INVALID: the manifest's digest is TWO, not DEV");
    let mut sample = world.content.two.clone();
    sample.bytes = b"{}".to_vec();
    let told = world.put(&user("a-whole"), "PUT team/app/manifests/v9", &sample).await;
    assert!(told.starts_with("400 MANIFEST_INVALID: the manifest is invalid: "), "{told}");
    // Who may not write there is not told what is wrong with it.
    let told = world.put(&user("z-none"), "PUT team/app/manifests/v9", &sample).await;
    assert!(told.starts_with("403 DENIED"), "{told}");
}

#[tokio::test]
async fn no_writer_makes_readable_what_it_cannot_read() {
    let world = World::new().await;
    own(&world, "b-tags", &["own config", "own layer"]);
    own(&world, "d-push", &["own config", "own layer"]);
    let content = &world.content;
    let attacks = [
        image("hidden", &["own layer"]),
        image("own config", &["own layer", "hidden layer"]),
        image("own config", &["dev layer"]),
        index(&[&content.hidden]),
        index(&[&content.dev_multi]),
        index(&[&content.dev]),
        index(&[&content.dev_signature]),
        index(&[&image("own config", &["never pushed"])]),
        signature("dev layer", None),
        signature("signature of dev", None),
    ];
    for attack in &attacks {
        for request in ["PUT team/app/manifests/v9", "PUT team/app/manifests/v9?"] {
            let target = request.trim_end_matches('?');
            for who in ["b-tags", "d-push"] {
                let told = world.put(&user(who), target, attack).await;
                assert!(
                    told.starts_with("404 MANIFEST_BLOB_UNKNOWN: the manifest names "),
                    "{told}"
                );
            }
        }
        let by_digest = format!("PUT team/app/manifests/{}", attack.digest);
        let told = world.put(&user("b-tags"), &by_digest, attack).await;
        assert!(told.starts_with("404 MANIFEST_BLOB_UNKNOWN: the manifest names "), "{told}");
    }
    let honest = image("own config", &["own layer"]);
    let told = world.put(&user("b-tags"), "PUT team/app/manifests/v9", &honest).await;
    assert_eq!(told, "manifest, lock shared, by CALLER");
    // What was read may be used again.
    let again = image("own config", &["base"]);
    let told = world.put(&user("b-tags"), "PUT team/app/manifests/v9", &again).await;
    assert_eq!(told, "manifest, lock shared, by CALLER");
}

#[tokio::test]
async fn what_has_a_subject_needs_the_right_to_attach_to_it() {
    let world = World::new().await;
    everybody_owns(&world, &["{}", "note", "own config", "own layer"]);
    let (two, dev, absent) =
        (&world.content.two.digest, &world.content.dev.digest, blob("nothing"));
    let mut told = Vec::new();
    for (name, sample) in [
        ("a note on two", signature("note", Some(two))),
        ("a note on dev", signature("note", Some(dev))),
        ("a note on nothing", signature("note", Some(&absent))),
        ("an image on two", image_about("own config", &["own layer"], Some(two))),
        ("an index on two", index_about(&[&world.content.signature], Some(two))),
    ] {
        told.push(name.to_owned());
        let request = format!("PUT team/app/manifests/{}", sample.digest);
        let outcome = world.everybody_puts(&request, &sample).await;
        told.push(outcome.replace(&sample.digest.to_string(), "IT"));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    a note on two
    PUT team/app/manifests/IT
      a-whole b-tags c-but g-attach: manifest
      d-push e-create f-move: 403 DENIED: attach of team/app@TWO is denied: a manifest with a `subject` needs the action `attach` on that image
      h-delete z-none: 403 DENIED: create of team/app is denied: no rule allows user:CALLER to create team/app as a whole
    a note on dev
    PUT team/app/manifests/IT
      a-whole: manifest
      b-tags c-but d-push e-create f-move g-attach: 403 DENIED: attach of team/app@DEV is denied: a manifest with a `subject` needs the action `attach` on that image
      h-delete z-none: 403 DENIED: create of team/app is denied: no rule allows user:CALLER to create team/app as a whole
    a note on nothing
    PUT team/app/manifests/IT
      a-whole b-tags c-but g-attach: manifest
      d-push e-create f-move: 403 DENIED: attach of team/app@NOTHING is denied: a manifest with a `subject` needs the action `attach` on that image
      h-delete z-none: 403 DENIED: create of team/app is denied: no rule allows user:CALLER to create team/app as a whole
    an image on two
    PUT team/app/manifests/IT
      a-whole b-tags c-but: manifest
      d-push e-create f-move: 403 DENIED: attach of team/app@TWO is denied: a manifest with a `subject` needs the action `attach` on that image
      g-attach: 403 DENIED: create of team/app:IT is denied: the action `attach` is for signatures, SBOMs and attestations; this is none of them
      h-delete z-none: 403 DENIED: create of team/app is denied: no rule allows user:CALLER to create team/app as a whole
    an index on two
    PUT team/app/manifests/IT
      a-whole b-tags c-but g-attach: manifest
      d-push e-create f-move: 404 MANIFEST_BLOB_UNKNOWN: the manifest names SIGNATURE, which is not in this repository
      h-delete z-none: 403 DENIED: create of team/app is denied: no rule allows user:CALLER to create team/app as a whole
    "#);
}

#[tokio::test]
async fn a_fallback_tag_is_set_by_the_right_to_attach() {
    let world = World::new().await;
    everybody_owns(&world, &["{}", "note", "own config", "own layer"]);
    let of_dev = world.content.fallback_of(&world.content.dev);
    let put_of_dev = format!("PUT team/app/manifests/{of_dev}");
    let mut told = Vec::new();
    for (request, sample) in [
        ("PUT team/app/manifests/FALLBACK", signature("note", None)),
        ("PUT team/app/manifests/FALLBACK", image("own config", &["own layer"])),
        ("PUT team/app/manifests/FALLBACK", index(&[&world.content.signature])),
        (put_of_dev.as_str(), signature("note", None)),
    ] {
        told.push(world.everybody_puts(request, &sample).await.replace(&of_dev, "FALLBACK-OF-DEV"));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    PUT team/app/manifests/FALLBACK
      a-whole c-but d-push: manifest, lock shared, by CALLER
      b-tags g-attach: 403 DENIED: overwrite of team/app:FALLBACK is denied: the action `attach` adds to what is there, and this would take something away: read the tag again and keep what it lists
      e-create: 403 DENIED: overwrite of team/app:FALLBACK is denied: no rule allows user:CALLER to overwrite team/app:FALLBACK
      f-move: manifest, lock alone, by CALLER
      h-delete z-none: 403 DENIED: create of team/app:FALLBACK is denied: no rule allows user:CALLER to create team/app:FALLBACK
    PUT team/app/manifests/FALLBACK
      a-whole c-but d-push: manifest, lock shared, by CALLER
      b-tags g-attach: 403 DENIED: create of team/app:FALLBACK is denied: the action `attach` is for signatures, SBOMs and attestations; this is none of them
      e-create: 403 DENIED: overwrite of team/app:FALLBACK is denied: no rule allows user:CALLER to overwrite team/app:FALLBACK
      f-move: manifest, lock alone, by CALLER
      h-delete z-none: 403 DENIED: create of team/app:FALLBACK is denied: no rule allows user:CALLER to create team/app:FALLBACK
    PUT team/app/manifests/FALLBACK
      a-whole c-but: manifest, lock shared, by CALLER
      b-tags g-attach: 403 DENIED: overwrite of team/app:FALLBACK is denied: the action `attach` adds to what is there, and this would take something away: read the tag again and keep what it lists
      d-push e-create f-move: 404 MANIFEST_BLOB_UNKNOWN: the manifest names SIGNATURE, which is not in this repository
      h-delete z-none: 403 DENIED: create of team/app:FALLBACK is denied: no rule allows user:CALLER to create team/app:FALLBACK
    PUT team/app/manifests/FALLBACK-OF-DEV
      a-whole c-but d-push: manifest, lock shared, by CALLER
      b-tags f-move g-attach h-delete z-none: 403 DENIED: create of team/app:FALLBACK-OF-DEV is denied: no rule allows user:CALLER to create team/app:FALLBACK-OF-DEV
      e-create: manifest, lock alone, by CALLER
    "#);
}

#[tokio::test]
async fn two_racing_pushes_cannot_both_create() {
    let world = World::new().await;
    everybody_owns(&world, &["own config", "base"]);
    let (one, two) = (image("own config", &["base"]), image("own config", &[]));
    let creator = user("e-create");
    let operation = world.operation("PUT team/app/manifests/v99");
    let judge = async |sample: &Sample| {
        let pending = put_manifest(world.question(&creator), operation.clone()).await.unwrap();
        pending.judge(sample.bytes.clone().into(), None).await
    };
    let permit = judge(&one).await.unwrap();
    let mut second = std::pin::pin!(judge(&two));
    let waits = tokio::time::timeout(Duration::from_millis(100), second.as_mut()).await;
    assert!(waits.is_err(), "it waits for the first");
    let shelf = world.shelf.lock().unwrap().clone();
    *world.shelf.lock().unwrap() = shelf.tagged("team/app", "v99", &one);
    drop(permit);
    assert!(matches!(second.await, Err(Refusal::Denied { action: Action::Overwrite, .. })));
}

#[tokio::test]
async fn a_look_that_fails_allows_nothing() {
    let world = World::new().await;
    everybody_owns(&world, &["own config", "base"]);
    let broken = Fake::start(|_| crate::upstream::fake::Reply::new(500, "")).await;
    let silent = Fake::start(|_| crate::upstream::fake::Reply::new(200, "")).await;
    for fake in [&broken, &silent] {
        let upstream = Arc::new(fake.upstream());
        let creator = user("e-create");
        let question = Question { upstream: &upstream, ..world.question(&creator) };
        let operation = world.operation("PUT team/app/manifests/v99");
        let pending = put_manifest(question, operation).await.unwrap();
        let bytes = image("own config", &["base"]).bytes;
        assert!(matches!(pending.judge(bytes.into(), None).await, Err(Refusal::Upstream(_))));
    }
}

#[tokio::test]
async fn a_manifest_that_nobody_judged_is_not_permitted() {
    let world = World::new().await;
    let told = world.ask(&user("a-whole"), "PUT team/app/manifests/v2").await;
    assert_eq!(told, "500 UNKNOWN: internal error (request r1)");
}
