//! Push: manifests, right and wrong, and the blobs that they need.

use super::APP;
use super::step::{Step, step};
use crate::support::images::{
    Blob, EMPTY, Image, Index, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, index_of, manifest,
};
use serde_json::{Value, json};

/// What the table pushes, and later reads.
pub(super) struct Pushed {
    pub(super) blob: Blob,
    pub(super) image: Image,
    pub(super) index: Index,
    pub(super) artifact: Image,
}

impl Pushed {
    pub(super) fn new() -> Self {
        let image = Image::oci("conformance");
        let artifact = Image::artifact("conformance", &image.manifest);
        Self {
            blob: Blob::new(
                "",
                b"the blob of the table, sixty-four bytes long, with nothing in it".to_vec(),
            ),
            image,
            index: Index::oci("conformance index"),
            artifact,
        }
    }
}

fn put(name: &'static str, blob: &Blob, reference: &str, allows: &'static [u16]) -> Step {
    step(name, "PUT", format!("{APP}/manifests/{reference}"), allows).manifest(blob)
}

/// All blobs of an image, each in one step.
fn blobs<const N: usize>(names: [[&'static str; 2]; N], image: &Image) -> Vec<Step> {
    let pieces: Vec<_> = image.blobs().collect();
    assert_eq!(names.len(), pieces.len());
    let steps = names.into_iter().zip(pieces).map(|([begin, end], blob)| {
        [
            step(begin, "POST", format!("{APP}/blobs/uploads/"), &[202]).keeps("part"),
            step(end, "PUT", format!("@part?digest={}", blob.digest), &[201]).octets(&*blob.bytes),
        ]
    });
    steps.flatten().collect()
}

pub(super) fn manifests() -> Vec<Step> {
    let Pushed { image, index, artifact, .. } = Pushed::new();
    let mut steps = blobs(
        [
            ["config begins", "config ends"],
            ["base begins", "base ends"],
            ["app begins", "app ends"],
        ],
        &image,
    );
    steps.extend([
        put("an image is pushed by its digest", &image.manifest, image.digest(), &[201]),
        put("an image is pushed by a tag", &image.manifest, "v1", &[201]),
        put("an image is pushed again", &image.manifest, "v1", &[201]),
    ]);
    for (names, image) in [
        (
            [
                ["amd64 config begins", "amd64 config ends"],
                ["amd64 base begins", "amd64 base ends"],
                ["amd64 app begins", "amd64 app ends"],
            ],
            &index.images[0],
        ),
        (
            [
                ["arm64 config begins", "arm64 config ends"],
                ["arm64 base begins", "arm64 base ends"],
                ["arm64 app begins", "arm64 app ends"],
            ],
            &index.images[1],
        ),
    ] {
        steps.extend(blobs(names, image));
    }
    let outer = index_of(OCI_INDEX, [&index.manifest].into_iter());
    steps.extend([
        put(
            "the first child of an index is pushed",
            &index.images[0].manifest,
            index.images[0].digest(),
            &[201],
        ),
        put(
            "the second child of an index is pushed",
            &index.images[1].manifest,
            index.images[1].digest(),
            &[201],
        ),
        put("an index is pushed", &index.manifest, "multi", &[201]),
        put("an index of an index is pushed", &outer, "nested", &[201]),
        put(
            "an index of nothing is pushed",
            &index_of(OCI_INDEX, std::iter::empty()),
            "empty-index",
            &[201],
        ),
    ]);
    steps.extend(blobs(
        [
            ["the empty config begins", "the empty config ends"],
            ["the artifact's layer begins", "the artifact's layer ends"],
        ],
        &artifact,
    ));
    let about_nothing =
        Image::artifact("about nothing", &Blob::new(OCI_MANIFEST, b"no such image".to_vec()));
    let about_nothing = manifest(
        OCI_MANIFEST,
        &about_nothing.config,
        &artifact.layers,
        Some(&Blob::new(OCI_MANIFEST, b"no such image".to_vec())),
    );
    let no_layers = manifest(OCI_MANIFEST, &image.config, &[], None);
    let own_fields =
        changed(&image.manifest, |value| value["org.example.own"] = json!({"any": [1, 2]}));
    let large = changed(&image.manifest, |value| {
        for n in 0..350 {
            value["annotations"][format!("org.example.{n}")] = json!("A".repeat(10_000));
        }
    });
    steps.extend([
        put("an artifact about an image is pushed", &artifact.manifest, artifact.digest(), &[201]),
        put(
            "an artifact about an absent image is pushed",
            &about_nothing,
            &about_nothing.digest,
            &[201],
        ),
        put("an image without layers is pushed", &no_layers, "no-layers", &[201]),
        put("an image with fields of its own is pushed", &own_fields, "own-fields", &[201]),
        put("a manifest of three and a half megabytes is pushed", &large, "large", &[201]),
        step(
            "a manifest is pushed by its digest with a tag beside",
            "PUT",
            format!("{APP}/manifests/{}?tag=beside", image.digest()),
            &[201],
        )
        .manifest(&image.manifest),
    ]);
    steps
}

pub(super) fn changed(blob: &Blob, change: impl FnOnce(&mut Value)) -> Blob {
    let mut value = serde_json::from_slice(&blob.bytes).unwrap();
    change(&mut value);
    Blob::json(&blob.media_type, &value)
}

pub(super) fn wrong_manifests() -> Vec<Step> {
    let Pushed { image, index, .. } = Pushed::new();
    let other = Blob::new("application/x-tar", b"no layer of ours".to_vec());
    let absent_layer = manifest(OCI_MANIFEST, &image.config, std::slice::from_ref(&other), None);
    let absent_config =
        manifest(OCI_MANIFEST, &Blob::new(OCI_CONFIG, b"{\"no\":1}".to_vec()), &image.layers, None);
    let absent_child =
        index_of(OCI_INDEX, [&Blob::new(OCI_MANIFEST, b"no child".to_vec())].into_iter());
    let both = changed(&image.manifest, |value| {
        value["manifests"] = json!([index.images[0].manifest.descriptor()]);
    });
    let foreign = changed(&image.manifest, |value| {
        value["layers"][0]["urls"] = json!(["https://store.example/layer"]);
    });
    let twice = String::from_utf8(image.manifest.bytes.clone()).unwrap().replacen(
        '{',
        "{\"layers\": [],",
        1,
    );
    let too_large = changed(&image.manifest, |value| {
        for n in 0..450 {
            value["annotations"][format!("org.example.{n}")] = json!("A".repeat(10_000));
        }
    });
    vec![
        put(
            "a manifest is pushed under a wrong digest",
            &image.manifest,
            &Blob::new("", b"never pushed".to_vec()).digest,
            &[400],
        ),
        put("a manifest is pushed under no digest", &image.manifest, "sha256:short", &[400, 404]),
        put("a manifest is pushed under no tag", &image.manifest, ".no-tag", &[400, 404]),
        put(
            "what is no JSON is pushed",
            &Blob::new(OCI_MANIFEST, b"<manifest/>".to_vec()),
            "wrong",
            &[400],
        ),
        put("nothing is pushed", &Blob::new(OCI_MANIFEST, Vec::new()), "wrong", &[400]),
        put("an empty object is pushed", &Blob::new(OCI_MANIFEST, b"{}".to_vec()), "odd", &[400]),
        put(
            "a manifest of an unknown type is pushed",
            &Blob::new("application/x-unknown", image.manifest.bytes.clone()),
            "wrong",
            &[400, 415],
        ),
        put(
            "a manifest is pushed as another type",
            &Blob::new(OCI_INDEX, image.manifest.bytes.clone()),
            "odd",
            &[400],
        ),
        put("what is both image and index is pushed", &both, "odd", &[400]),
        put("a key stands twice", &Blob::new(OCI_MANIFEST, twice.into_bytes()), "odd", &[400]),
        put("a layer lies somewhere else", &foreign, "odd", &[201, 400]),
        put("a layer is absent", &absent_layer, "wrong", &[400, 404]),
        put("a config is absent", &absent_config, "wrong", &[400, 404]),
        put("a child is absent", &absent_child, "wrong", &[201, 400, 404]),
        put("a manifest of four and a half megabytes is pushed", &too_large, "odd", &[201, 413]),
        step("nothing wrong was stored", "GET", format!("{APP}/manifests/wrong"), &[404]),
        put(
            "an empty config is no image's",
            &manifest(OCI_MANIFEST, &Blob::new(EMPTY, b"{}".to_vec()), &[], None),
            "empty",
            &[201],
        ),
    ]
}
