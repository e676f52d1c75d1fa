//! Signatures of cosign's two kinds, pushed through the gate, and what they release.

use std::fs;

use tempfile::TempDir;

use crate::support::cosign::{Pair, referrers, signatures};
use crate::support::images::{Blob, Image, Index, fallback_tag};
use crate::support::process::Said;
use crate::support::scene::Scene;
use crate::support::skopeo::Skopeo;

const POLICY: &str = r#"
rules:
  - {name: ci, subjects: ["user:ci"], images: ["prod/**"], allow: [pull, push]}
  - {name: signer, subjects: ["user:signer"], images: ["prod/**"], allow: [pull, inspect, attach]}
  - {name: cluster, subjects: ["user:cluster"], images: ["prod/**"], allow: [pull]}
gates:
  - name: signed
    images: ["prod/**"]
    require: {signed_by: [release-key]}
"#;

struct World {
    scene: Scene,
    /// The key that the gate trusts, and one that it does not know.
    trusted: Pair,
    other: Pair,
    /// Two images, each with a tag of its name.
    this: Image,
    that: Image,
    signer: Skopeo,
    cluster: Skopeo,
    _keys: TempDir,
}

/// What a puller comes to: the whole image, or the word of the gate.
fn pull(world: &World, image: &str) -> bool {
    let said = world.cluster.pull(image);
    match said.code {
        Some(0) => true,
        _ => {
            said.refused("it is not signed by release-key");
            false
        }
    }
}

impl World {
    fn new() -> Self {
        let (trusted, other) = (Pair::new(), Pair::new());
        let keys = tempfile::tempdir().unwrap();
        let key = keys.path().join("cosign.pub");
        fs::write(&key, trusted.public()).unwrap();
        let users: [(&str, &[&str]); 3] = [("ci", &[]), ("signer", &[]), ("cluster", &[])];
        let scene = Scene::with(POLICY, &users, |setup| {
            setup.setting("trusted_keys", &format!("{{release-key: {:?}}}", key.display()))
        });
        let (this, that) = (Image::oci("this"), Image::oci("that"));
        scene.client("ci").push("prod/api", "this", &this);
        scene.client("ci").push("prod/api", "that", &that);
        let [signer, cluster] =
            ["signer", "cluster"].map(|user| Skopeo::signed_in(&scene.gate, user));
        Self { scene, trusted, other, this, that, signer, cluster, _keys: keys }
    }

    /// Pushes signatures to their place beside `image`, as cosign up to 2 does.
    fn sign(&self, image: &Blob, signature: &Image) -> Said {
        let tag = fallback_tag(&image.digest, ".sig");
        self.signer.push(signature, &format!("prod/api:{tag}"))
    }

    /// Pushes bundles that refer to `image`, and the list of all of them, as cosign 3 does.
    fn attach(&self, image: &Blob, bundles: &[&Image]) {
        let signer = self.scene.client("signer");
        for bundle in bundles {
            signer.push("prod/api", bundle.digest(), bundle);
        }
        let tag = fallback_tag(&image.digest, "");
        signer.put_manifest("prod/api", &tag, &referrers(bundles)).expect(201);
    }

    /// Whoever verifies reads the signature, whatever becomes of its image.
    fn can_read(&self, reference: &str, signature: &Image) {
        let cluster = self.scene.client("cluster");
        for reference in [reference, signature.digest()] {
            let target = format!("/v2/prod/api/manifests/{reference}");
            assert_eq!(cluster.get(&target).expect(200).body, signature.manifest.bytes);
        }
        for blob in signature.blobs() {
            let target = format!("/v2/prod/api/blobs/{}", blob.digest);
            assert_eq!(cluster.get(&target).expect(200).body, blob.bytes);
        }
    }
}

#[test]
fn a_signature_under_its_tag_releases_the_image_that_it_names() {
    let world = World::new();
    let World { this, that, trusted, other, .. } = &world;
    let tag = fallback_tag(this.digest(), ".sig");
    assert!(!pull(&world, "prod/api:this"), "nobody signed it");

    // As cosign does it: each further signature is a layer beside the others.
    let mut made = Vec::new();
    for wrong in [other.simple(this.digest()), trusted.simple(that.digest())] {
        made.push(wrong);
        let wrong = signatures(&made);
        world.sign(&this.manifest, &wrong).ok();
        assert!(!pull(&world, "prod/api:this"));
        world.can_read(&tag, &wrong);
        world.cluster.pull(&format!("prod/api:{tag}")).ok();
    }
    made.push(trusted.simple(this.digest()));
    let right = signatures(&made);
    world.sign(&this.manifest, &right).ok();
    assert!(pull(&world, "prod/api:this"));
    world.can_read(&tag, &right);
    assert!(!pull(&world, "prod/api:that"), "a signature is of one image");
    // Whoever may attach takes nothing away.
    let fewer = signatures(&made[..2]);
    world.sign(&this.manifest, &fewer).refused("the action `attach` adds to what is there");
    assert!(pull(&world, "prod/api:this"));
}

#[test]
fn a_bundle_that_refers_to_an_image_releases_the_image_that_it_names() {
    let world = World::new();
    let World { this, that, trusted, other, .. } = &world;
    let subject = &this.manifest;
    let unknown = other.bundle(subject, this.digest());
    let of_another = trusted.bundle(subject, that.digest());
    let wrong = [&unknown, &of_another];
    world.attach(subject, &wrong);
    assert!(!pull(&world, "prod/api:this"));
    let cluster = world.scene.client("cluster");
    let listed = cluster.get(&format!("/v2/prod/api/referrers/{}", this.digest())).expect(200);
    assert_eq!(listed.json()["manifests"].as_array().unwrap().len(), 2);
    wrong.iter().for_each(|bundle| world.can_read(bundle.digest(), bundle));

    let right = trusted.bundle(subject, this.digest());
    world.attach(subject, &[&unknown, &of_another, &right]);
    assert!(pull(&world, "prod/api:this"));
    world.can_read(right.digest(), &right);
    world.can_read(unknown.digest(), &unknown);
    assert!(!pull(&world, "prod/api:that"), "a signature is of one image");
}

#[test]
fn a_signed_index_releases_what_it_holds_and_an_image_in_the_place_of_a_signature_is_none() {
    let world = World::new();
    let index = Index::oci("signed");
    world.scene.client("ci").push_index("prod/api", "multi", &index);
    assert!(!pull(&world, "prod/api:multi"));
    let digest = &*index.manifest.digest;
    world.sign(&index.manifest, &signatures(&[world.trusted.simple(digest)])).ok();
    assert!(pull(&world, "prod/api:multi"), "with all its images");
    for image in &index.images {
        let target = format!("/v2/prod/api/manifests/{}", image.digest());
        world.scene.client("cluster").get(&target).expect(200);
    }
    // What lies where signatures do and can be run is an image like any other.
    let tag = fallback_tag(world.this.digest(), ".sig");
    world.scene.client("ci").push("prod/api", &tag, &world.that);
    assert!(!pull(&world, &format!("prod/api:{tag}")));
    assert!(!pull(&world, "prod/api:this"));
}
