//! Images on their way from one repository to another by skopeo, and out of it.

use crate::support::images::{Image, Index};
use crate::support::release::{at, flag};
use crate::support::scene::Scene;
use crate::support::skopeo::Skopeo;

const POLICY: &str = r#"
flags:
  tested: {carries: ["dev/**", "prod/**"]}
  reviewed: {}
rules:
  - name: ci
    subjects: ["user:ci"]
    images: ["dev/**", "prod/**"]
    allow: [pull, push, "flag:tested", "flag:reviewed"]
  - {name: cluster, subjects: ["user:cluster"], images: ["prod/**"], allow: [pull]}
  - {name: cleaner, subjects: ["user:cleaner"], images: ["prod/**"], allow: [pull, delete]}
gates:
  - name: production
    images: ["prod/**"]
    require: {flags: [tested]}
  - name: vault
    images: ["prod/vault"]
    require: {flags: [reviewed]}
"#;

fn scene() -> Scene {
    let users: [(&str, &[&str]); 3] = [("ci", &[]), ("cluster", &[]), ("cleaner", &[])];
    Scene::new(POLICY, &users)
}

#[test]
fn what_is_copied_to_production_has_the_flags_that_are_carried_there_and_no_others() {
    let scene = scene();
    let [ci, cluster] = ["ci", "cluster"].map(|user| Skopeo::signed_in(&scene.gate, user));
    let promote = |from: &str, to: &str| ci.copy(&ci.at_gate(from), &ci.at_gate(to)).ok();
    let (tested, untested) = (Image::docker("tested"), Image::oci("untested"));
    scene.client("ci").push("dev/api", "build-1", &tested);
    scene.client("ci").push("dev/api", "build-2", &untested);
    flag(&scene, "ci", "dev/api:build-1", "tested");
    flag(&scene, "ci", "dev/api:build-1", "reviewed");

    promote("dev/api:build-1", "prod/api:v1");
    cluster.pull("prod/api:v1").ok();
    promote("dev/api:build-2", "prod/api:v2");
    cluster.pull("prod/api:v2").refused("it is not flagged tested");
    // Reviewed was it in dev, and that is for dev alone.
    promote("dev/api:build-1", "prod/vault:v1");
    cluster.pull("prod/vault:v1").refused("it is not flagged reviewed");
    flag(&scene, "ci", "prod/vault:v1", "reviewed");
    cluster.pull("prod/vault:v1").ok();
    // The tag that is moved leaves its flags behind with the image that was tested.
    promote("dev/api:build-2", "prod/api:v1");
    cluster.pull("prod/api:v1").refused("it is not flagged tested");
    cluster.pull(&at("prod/api", &tested)).ok();
}

#[test]
fn an_index_is_copied_with_all_its_images_and_their_flags() {
    let scene = scene();
    let [ci, skopeo] = ["ci", "cluster"].map(|user| Skopeo::signed_in(&scene.gate, user));
    let cluster = scene.client("cluster");
    let child = |image: &Image| cluster.get(&format!("/v2/prod/api/manifests/{}", image.digest()));
    let [whole, by_images, in_part] = ["whole", "by images", "in part"].map(Index::oci);
    let in_dev = |name: &str, index: &Index| {
        scene.client("ci").push_index("dev/api", name, index);
    };
    in_dev("whole", &whole);
    flag(&scene, "ci", "dev/api:whole", "tested");
    in_dev("by-images", &by_images);
    by_images.images.iter().for_each(|image| flag(&scene, "ci", &at("dev/api", image), "tested"));
    in_dev("in-part", &in_part);
    flag(&scene, "ci", &at("dev/api", &in_part.images[0]), "tested");
    for name in ["whole", "by-images", "in-part"] {
        let (from, to) = (format!("dev/api:{name}"), format!("prod/api:{name}"));
        ci.copy(&ci.at_gate(&from), &ci.at_gate(&to)).ok();
    }
    for (name, index) in [("whole", &whole), ("by-images", &by_images)] {
        skopeo.pull(&format!("prod/api:{name}")).ok();
        index.images.iter().for_each(|image| drop(child(image).expect(200)));
    }
    skopeo.pull("prod/api:in-part").refused("it is not flagged tested");
    child(&in_part.images[0]).expect(200);
    child(&in_part.images[1]).expect(403);
}

#[test]
fn skopeo_deletes_what_is_held_for_those_who_may_delete() {
    let scene = scene();
    let [cluster, cleaner] =
        ["cluster", "cleaner"].map(|user| Skopeo::signed_in(&scene.gate, user));
    let (one, multi) = (Image::docker("one"), Index::oci("multi"));
    scene.client("ci").push("prod/api", "one", &one);
    scene.client("ci").push_index("prod/api", "multi", &multi);
    for (tag, image) in [("one", &one), ("multi", &multi.images[0])] {
        let name = format!("prod/api:{tag}");
        cluster.delete(&name).refused("it is not flagged tested");
        assert!(scene.stored("prod/api", tag).is_some());
        // What it is made of is held for whoever deletes, too.
        cleaner.pull(&name).failed();
        let layer = format!("/v2/prod/api/blobs/{}", image.layers[0].digest);
        scene.client("cleaner").get(&layer).expect(403);
        cleaner.delete(&name).ok();
        assert_eq!(scene.stored("prod/api", tag), None);
    }
}
