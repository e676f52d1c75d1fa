//! What build tools push, before gates: indexes with attestations, and images that were made in 1970.

use serde_json::json;

use crate::support::buildx::{Build, Kept};
use crate::support::clock::DAY;
use crate::support::docker::Docker;
use crate::support::gate::Setup;
use crate::support::images::{Blob, Image, OCI_CONFIG, OCI_MANIFEST, manifest, sha256};
use crate::support::release::{at, flag, report, trivy};
use crate::support::scene::Scene;
use crate::support::skopeo::Skopeo;

const POLICY: &str = r#"
flags:
  tested: {}
rules:
  - {name: ci, subjects: ["user:ci"], images: ["**"], allow: [pull, push, attach, "flag:tested", report]}
  - {name: cluster, subjects: ["user:cluster"], images: ["**"], allow: [pull]}
gates:
  - name: production
    images: ["prod/**"]
    require:
      flags: [tested]
      vulnerabilities: {max_severity: medium}
  - name: recent
    images: ["fresh/**"]
    require: {max_age: 30d}
"#;

fn scene() -> Scene {
    Scene::with(POLICY, &[("ci", &[]), ("cluster", &[])], Setup::own_clock)
}

/// All that its gate asks for.
fn passes(scene: &Scene, image: &Image) {
    let image_name = at("prod/api", image);
    flag(scene, "ci", &image_name, "tested");
    report(scene, "ci", &image_name, &trivy(image, "2026-01-01T00:00:00Z", &[])).expect(200);
}

#[test]
fn what_buildx_pushes_passes_when_all_its_images_do_and_its_attestations_are_not_judged() {
    let scene = scene();
    let docker = Docker::start(&scene.gate);
    docker.login("cluster").ok();
    let cluster = scene.client("cluster");
    for (tag, kept) in [("v1", Kept::AsImages), ("v2", Kept::AsArtifacts)] {
        let build = Build::new(tag, kept);
        build.push(&scene.client("ci"), "prod/api", tag);
        let name = format!("prod/api:{tag}");
        let by_tag = format!("/v2/prod/api/manifests/{tag}");
        let index = format!("/v2/prod/api/manifests/{}", build.index.digest);
        let target = |image: &Image| format!("/v2/prod/api/manifests/{}", image.digest());
        docker.pull(&name).refused("is denied by gate \"production\"");
        // What is said of an image can be read while it is held, as policy engines do.
        for attestation in &build.attestations {
            cluster.head(&target(attestation)).expect(200);
            assert_eq!(
                cluster.get(&target(attestation)).expect(200).body,
                attestation.manifest.bytes
            );
            for blob in attestation.blobs() {
                let answer = cluster.get(&format!("/v2/prod/api/blobs/{}", blob.digest));
                assert_eq!(answer.expect(200).body, blob.bytes);
            }
        }
        let [amd64, arm64] = &*build.images else { panic!("two platforms") };

        passes(&scene, amd64);
        cluster.get(&target(amd64)).expect(200);
        let told = cluster.get(&target(arm64)).expect(403).message();
        assert!(told.contains("it is not flagged tested"), "{told}");
        for address in [&by_tag, &index] {
            for answer in [cluster.head(address), cluster.get(address)] {
                assert_eq!(answer.status, 403, "{tag}: one of its images has not passed");
            }
        }
        docker.pull(&name).refused("is denied by gate \"production\"");

        passes(&scene, arm64);
        for address in [&by_tag, &index] {
            assert_eq!(cluster.get(address).expect(200).body, build.index.bytes);
        }
        docker.pull(&name).ok();
        let shown = scene.gate.json(&["gate", "show", &name]);
        assert_eq!(shown["held"], false, "{shown}");

        // The same images in another index, beside one that nobody knows.
        let stranger = Build::new(&format!("{tag}-stranger"), kept);
        let mut mixed = serde_json::from_slice::<serde_json::Value>(&build.index.bytes).unwrap();
        let unknown = serde_json::from_slice::<serde_json::Value>(&stranger.index.bytes).unwrap();
        mixed["manifests"][1] = unknown["manifests"][1].clone();
        scene.client("ci").push("prod/api", stranger.images[1].digest(), &stranger.images[1]);
        let mixed = Blob::json(&build.index.media_type, &mixed);
        scene.client("ci").put_manifest("prod/api", "mixed", &mixed).expect(201);
        cluster.get("/v2/prod/api/manifests/mixed").expect(403);
        cluster.get(&target(amd64)).expect(200);
        cluster.get(&target(&stranger.images[1])).expect(403);
    }
}

/// As ko makes it: all of it is of the first second of 1970, so that it is the same each time.
fn reproducible(seed: &str) -> Image {
    let Image { layers, .. } = Image::oci(seed);
    let diffs: Vec<_> = layers.iter().map(|layer| sha256(&layer.bytes)).collect();
    let config = Blob::json(
        OCI_CONFIG,
        &json!({
            "architecture": "amd64", "os": "linux", "created": "1970-01-01T00:00:00Z",
            "author": "example.com/build", "config": {"Entrypoint": ["/app"], "User": "65532"},
            "history": [
                {"created": "1970-01-01T00:00:00Z", "created_by": "build publish"},
                {"created": "1970-01-01T00:00:00Z", "created_by": "build publish"},
            ],
            "rootfs": {"type": "layers", "diff_ids": diffs},
        }),
    );
    let manifest = manifest(OCI_MANIFEST, &config, &layers, None);
    Image::made_of(manifest, config, layers)
}

#[test]
fn an_image_of_1970_is_as_old_as_the_gate_has_known_it() {
    let scene = scene();
    let (ci, cluster) =
        (Skopeo::signed_in(&scene.gate, "ci"), Skopeo::signed_in(&scene.gate, "cluster"));
    let image = reproducible("ko");
    ci.push(&image, "fresh/api:v1").ok();
    cluster.pull("fresh/api:v1").ok();
    scene.gate.clock().set(29 * DAY);
    cluster.pull("fresh/api:v1").ok();
    scene.gate.clock().set(31 * DAY);
    let cluster = Skopeo::signed_in(&scene.gate, "cluster");
    let too_old = "it is too old: it was first seen at 20";
    cluster.pull("fresh/api:v1").refused(too_old);
    // It gets no younger by another name, nor by another repository, nor by being pushed again.
    let ci = Skopeo::signed_in(&scene.gate, "ci");
    for name in ["fresh/api:v2", "fresh/other:v1", "fresh/api:v1"] {
        ci.push(&image, name).ok();
        cluster.pull(name).refused(too_old);
    }
    ci.push(&reproducible("ko, mended"), "fresh/api:v1").ok();
    cluster.pull("fresh/api:v1").ok();
}
