//! A grant for the whole repository with some tags denied.

use super::*;
use crate::content::samples::image_with;

/// All but `dev*`.
fn but_dev(tag: &Tag) -> Sight {
    if tag.as_str().starts_with("dev") { Sight::Closed } else { Sight::Open }
}

impl World {
    async fn reads_but_dev(&self, digest: &Digest) -> bool {
        self.asks(digest, but_dev, true).await.unwrap()
    }
}

fn content() -> (Shelf, [Sample; 6]) {
    let (open, loose) = (image("open", &["base"]), image("loose", &["loose layer"]));
    let (dev, child) = (image("dev", &["base", "dev layer"]), image("child", &["child layer"]));
    let (devs, of_dev) = (index(&[&child]), signature("of dev", Some(&dev.digest)));
    let shelf = Shelf::default()
        .tagged(APP, "v1", &open)
        .untagged(APP, &loose)
        .tagged(APP, "dev", &dev)
        .tagged(APP, "dev-multi", &devs)
        .untagged(APP, &child)
        .untagged(APP, &of_dev);
    (shelf, [open, loose, dev, child, devs, of_dev])
}

#[tokio::test]
async fn what_no_denied_tag_vouches_for_is_readable() {
    let (shelf, [open, loose, dev, child, devs, of_dev]) = content();
    let readable =
        [&open.digest, &loose.digest, &blob("loose layer"), &blob("base"), &blob("nothing")];
    for digest in readable {
        assert!(World::new(shelf.clone()).await.reads_but_dev(digest).await, "{digest}");
    }
    let denied = [
        &dev.digest,
        &blob("dev layer"),
        &devs.digest,
        &child.digest,
        &blob("child layer"),
        &of_dev.digest,
    ];
    for digest in denied {
        assert!(!World::new(shelf.clone()).await.reads_but_dev(digest).await, "{digest}");
    }
}

#[tokio::test]
async fn what_may_be_denied_content_by_another_algorithm_is_not_readable() {
    let by_512 = |text: &str| crate::content::digest(oci::Algorithm::Sha512, text.as_bytes());
    let (shelf, _) = content();
    let world = World::new(shelf).await;
    // A registry may serve it by both, and only the other one is named.
    assert!(!world.reads_but_dev(&by_512("dev layer")).await);
    assert!(world.reads_but_dev(&blob("loose layer")).await);
    // No tag is denied, so none denies it.
    let open = Shelf::default().tagged(APP, "v1", &image("open", &["base"]));
    assert!(World::new(open).await.reads_but_dev(&by_512("dev layer")).await);
    // The other way round.
    let dev = image_with(&by_512("dev layer"), &["base"]);
    let shelf = Shelf::default()
        .tagged(APP, "dev", &dev)
        .tagged(APP, "v1", &image("open", &["base"]))
        .untagged(APP, &image("loose", &["loose layer"]));
    let world = World::new(shelf).await;
    assert!(!world.reads_but_dev(&blob("dev layer")).await);
    assert!(!world.reads_but_dev(&blob("loose layer")).await, "it cannot be told");
    assert!(world.reads_but_dev(&blob("base")).await, "an open tag vouches for it");
}

#[tokio::test]
async fn open_tags_are_looked_at_only_for_what_is_denied() {
    let (shelf, _) = content();
    let world = World::new(shelf).await;
    let mut seen = 0;
    assert!(world.reads_but_dev(&blob("loose layer")).await);
    let lines = world.lines(&mut seen);
    assert!(!lines.contains(&"GET manifests/v1".to_owned()), "{lines:#?}");
    assert!(world.reads_but_dev(&blob("base")).await);
    let lines = world.lines(&mut seen);
    assert!(lines.contains(&"GET manifests/v1".to_owned()), "{lines:#?}");
}

#[tokio::test]
async fn a_denied_tag_that_is_not_understood_may_hold_anything() {
    let (shelf, [_, loose, ..]) = content();
    for wrong in [Reply::new(200, "{}"), Reply::new(200, r#"{"schemaVersion":1}"#)] {
        let world = World::with(Settings::default(), shelf.clone(), move |asked, reply| {
            if asked.target.ends_with("/dev") { wrong.clone() } else { reply }
        })
        .await;
        assert!(!world.reads_but_dev(&loose.digest).await);
        assert!(world.reads_but_dev(&blob("base")).await, "an open tag vouches for it");
    }
}

#[tokio::test]
async fn a_denied_tag_is_looked_at_again_before_it_is_said_to_hold_nothing() {
    let (shelf, [_, loose, ..]) = content();
    let mut world = World::new(shelf.clone()).await;
    assert!(world.reads_but_dev(&loose.digest).await);
    world.change(|_| shelf.tagged(APP, "dev-2", &loose));
    assert!(world.reads_but_dev(&loose.digest).await, "that was found out just now");
    world.later(31);
    assert!(!world.reads_but_dev(&loose.digest).await);
}

#[tokio::test]
async fn what_a_client_was_shown_is_not_taken_for_all_that_a_denied_tag_is() {
    let (shelf, [_, _, dev, child, devs, _]) = content();
    let world = World::new(shelf).await;
    let (dev_tag, multi) = (Tag::new("dev").unwrap(), Tag::new("dev-multi").unwrap());
    // Converted by an old `Accept`: the child in place of the index.
    world.inventory.saw_tag(&repository(), &multi, &child.digest, world.now);
    world.inventory.saw_tag(&repository(), &dev_tag, &dev.digest, world.now);
    assert!(!world.reads_but_dev(&devs.digest).await);
    // Nor after it was looked at.
    world.inventory.saw_tag(&repository(), &multi, &child.digest, world.now);
    assert!(!world.reads_but_dev(&devs.digest).await);
}

#[tokio::test]
async fn the_blob_of_an_artifact_of_a_denied_image_is_found_by_the_list_of_referrers() {
    let (shelf, [.., of_dev]) = content();
    let subject = image("dev", &["base", "dev layer"]).digest;
    let listed = of_dev.digest.to_string();
    let world = World::with(Settings::default(), shelf, move |asked, reply| {
        let Some((_, about)) = asked.target.split_once("/referrers/") else { return reply };
        let referrers =
            if about == subject.to_string() { vec![json!({"digest": listed})] } else { vec![] };
        Reply::new(200, json!({ "manifests": referrers }).to_string())
    })
    .await;
    assert!(!world.reads_but_dev(&blob("of dev")).await);
    assert!(world.reads_but_dev(&blob("loose layer")).await);
}

/// What a registry says to a GET of this digest as a manifest and as a blob, while it fails to give
/// it as a manifest.
async fn failing(shelf: Shelf, digest: &Digest, as_blob: Reply) -> (World, Arc<Mutex<bool>>) {
    let fails = Arc::new(Mutex::new(true));
    let (failing, text) = (Arc::clone(&fails), digest.to_string());
    let world = World::with(Settings::default(), shelf, move |asked, reply| {
        if asked.target.ends_with(&format!("/blobs/{text}")) {
            return as_blob.clone();
        }
        match asked.target.ends_with(&text) && *failing.lock().unwrap() {
            true => Reply::new(500, "{}"),
            false => reply,
        }
    })
    .await;
    (world, fails)
}

#[tokio::test]
async fn a_manifest_that_the_registry_fails_to_give_is_not_taken_for_a_blob() {
    let (shelf, [.., of_dev]) = content();
    // It serves manifests as blobs, too.
    let as_blob = Reply::new(200, of_dev.bytes.clone());
    let (world, fails) = failing(shelf, &of_dev.digest, as_blob).await;
    for _ in 0..2 {
        let failed = world.asks(&of_dev.digest, but_dev, true).await.unwrap_err();
        assert!(matches!(failed, Undecided::Upstream(Error::Unavailable { .. })), "{failed}");
    }
    // Nor after it failed in front of somebody to whom that makes no difference.
    assert!(!world.reads(&of_dev.digest).await);
    assert!(world.asks(&of_dev.digest, but_dev, true).await.is_err());
    *fails.lock().unwrap() = false;
    assert!(!world.reads_but_dev(&of_dev.digest).await);
}

#[tokio::test]
async fn a_blob_that_the_registry_fails_to_give_as_a_manifest_is_read_at_the_first_try() {
    let large = || Reply::in_pieces(200, |number| (number < 100_000).then(|| vec![b'x'; 1 << 10]));
    let whole: [&[u8]; 2] = [b"loose layer", b" {\"os\":\"linux\"}"];
    let whole = whole.map(|bytes| (bytes, Reply::new(200, bytes)));
    for (bytes, reply) in whole.into_iter().chain([(&b"a large one"[..], large())]) {
        let digest = crate::content::digest(oci::Algorithm::Sha256, bytes);
        let (world, _) = failing(content().0, &digest, reply).await;
        assert!(world.reads_but_dev(&digest).await, "{digest}");
        let mut seen = 0;
        world.lines(&mut seen);
        assert!(world.reads_but_dev(&digest).await);
        assert!(world.lines(&mut seen).is_empty(), "it is known to be a blob");
        assert!(!world.reads(&digest).await);
    }
}

#[tokio::test]
async fn what_the_registry_gives_neither_as_a_manifest_nor_as_a_blob_stays_unknown() {
    let digest = blob("loose layer");
    let replies = [
        Reply::new(404, "{}"),
        Reply::new(500, "{}"),
        Reply::new(200, "{\"not\": \"what was asked for\"}"),
        Reply::in_pieces(200, |number| (number < 5000).then(|| vec![b'{'; 1 << 10])),
    ];
    for reply in replies {
        let (world, _) = failing(content().0, &digest, reply).await;
        world.asks(&digest, but_dev, true).await.unwrap_err();
    }
}

#[tokio::test]
async fn an_index_of_blobs_is_no_failure() {
    // As BuildKit writes its cache, in front of a registry that fails where blobs are asked for as
    // manifests.
    let layer = Sample { digest: blob("cached"), ..image("any", &[]) };
    let shelf = content().0.tagged(APP, "dev-cache", &index(&[&layer]));
    let (world, _) = failing(shelf, &layer.digest, Reply::new(200, "cached")).await;
    assert!(!world.reads_but_dev(&layer.digest).await, "the index names it");
    assert!(world.reads_but_dev(&blob("loose layer")).await);
}
