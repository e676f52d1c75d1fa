//! Deleting by digest, where only some tags are one's own to delete.

use super::{blob_at, manifest_at};
use crate::support::client::Client;
use crate::support::images::{Image, Index};
use crate::support::scene::Scene;

/// devon has all rights on `dev-*`, and alice on everything.
const POLICY: &str = r#"
rules:
  - {name: owner, subjects: [user:alice], images: ["team/**"], allow: [all]}
  - {name: developer, subjects: [user:devon], images: ["team/app:dev-*"], allow: [all]}
"#;

fn scene() -> (Scene, Client, Client) {
    let scene = Scene::new(POLICY, &[("alice", &[]), ("devon", &[])]);
    let (alice, devon) = (scene.client("alice"), scene.client("devon"));
    (scene, alice, devon)
}

fn is_stored(scene: &Scene, digest: &str) -> bool {
    scene.stored("team/app", digest).is_some()
}

#[test]
fn what_one_pushed_without_a_tag_one_may_take_away_and_nobody_elses() {
    let (scene, alice, devon) = scene();
    let (own, theirs) = (Image::oci("own"), Image::oci("theirs"));
    devon.push("team/app", own.digest(), &own);
    alice.push("team/app", theirs.digest(), &theirs);
    devon.delete(&manifest_at(theirs.digest())).expect(404);
    assert!(is_stored(&scene, theirs.digest()));
    devon.delete(&manifest_at(own.digest())).expect(202);
    assert!(!is_stored(&scene, own.digest()));
    devon.get(&manifest_at(own.digest())).expect(404);
    // Once somebody relies on it, it is no longer the pusher's alone.
    let relied = Image::oci("relied on");
    devon.push("team/app", relied.digest(), &relied);
    alice.put_manifest("team/app", "prod", &relied.manifest).expect(201);
    devon.delete(&manifest_at(relied.digest())).expect(403);
    assert!(is_stored(&scene, relied.digest()));
    // Blobs belong to nobody in particular.
    devon.delete(&blob_at(&own.layers[0].digest)).expect(403);
}

#[test]
fn an_index_goes_with_the_right_to_its_tags_and_its_children_with_the_right_to_all_that_hold_them()
{
    let (scene, alice, devon) = scene();
    let (dev, prod) = (Index::oci("dev"), Index::oci("prod"));
    alice.push_index("team/app", "dev-1", &dev);
    alice.push_index("team/app", "prod", &prod);
    devon.get(&manifest_at("dev-1")).expect(200);
    for child in &prod.images {
        devon.delete(&manifest_at(child.digest())).expect(404);
        assert!(is_stored(&scene, child.digest()));
    }
    devon.delete(&manifest_at(&prod.manifest.digest)).expect(404);
    // A child of both is kept for the one that devon may not touch.
    let shared = &prod.images[0];
    alice.put_manifest("team/app", "dev-2", &shared.manifest).expect(201);
    devon.get(&manifest_at("dev-2")).expect(200);
    devon.delete(&manifest_at(shared.digest())).expect(403);
    assert!(is_stored(&scene, shared.digest()));
    devon.delete(&manifest_at(&dev.manifest.digest)).expect(202);
    assert_eq!(scene.stored("team/app", "dev-1"), None);
    assert!(is_stored(&scene, &prod.manifest.digest));
}

#[test]
fn an_artifact_goes_with_the_right_to_its_image() {
    let (scene, alice, devon) = scene();
    let (dev, prod) = (Image::oci("dev"), Image::oci("prod"));
    alice.push("team/app", "dev-1", &dev);
    alice.push("team/app", "prod", &prod);
    let [of_dev, of_prod] = [&dev, &prod].map(|image| {
        let artifact = Image::artifact("signature", &image.manifest);
        alice.push("team/app", artifact.digest(), &artifact);
        artifact
    });
    devon.get(&manifest_at("dev-1")).expect(200);
    devon.get(&manifest_at(of_dev.digest())).expect(200);
    devon.delete(&manifest_at(of_prod.digest())).expect(404);
    assert!(is_stored(&scene, of_prod.digest()));
    devon.delete(&manifest_at(of_dev.digest())).expect(202);
    assert!(!is_stored(&scene, of_dev.digest()));
    assert!(is_stored(&scene, dev.digest()));
}
