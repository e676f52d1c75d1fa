//! Pull: manifests and blobs, whole and in part, and what is not there.

use super::APP;
use super::pushing::Pushed;
use super::step::{Step, step};
use crate::support::images::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, sha256};

pub(super) fn steps() -> Vec<Step> {
    [manifests(), absent(), blobs()].into_iter().flatten().collect()
}

fn read(names: [&'static str; 2], target: &str, allows: &'static [u16]) -> [Step; 2] {
    [step(names[0], "GET", target, allows), step(names[1], "HEAD", target, allows)]
}

fn manifests() -> Vec<Step> {
    let Pushed { image, index, artifact, .. } = Pushed::new();
    let at = |reference: &str| format!("{APP}/manifests/{reference}");
    let mut steps = Vec::new();
    steps.extend(read(["an image by its tag", "HEAD of an image by its tag"], &at("v1"), &[200]));
    steps.extend(read(
        ["an image by its digest", "HEAD of an image by its digest"],
        &at(image.digest()),
        &[200],
    ));
    steps.extend(read(
        ["an index by its tag", "HEAD of an index by its tag"],
        &at("multi"),
        &[200],
    ));
    steps.extend(read(
        ["an index by its digest", "HEAD of an index by its digest"],
        &at(&index.manifest.digest),
        &[200],
    ));
    steps.extend(read(
        ["a child by its digest", "HEAD of a child by its digest"],
        &at(index.images[1].digest()),
        &[200],
    ));
    steps.extend(read(
        ["an artifact by its digest", "HEAD of an artifact by its digest"],
        &at(artifact.digest()),
        &[200],
    ));
    steps.extend(read(["a large manifest", "HEAD of a large manifest"], &at("large"), &[200]));
    let etag = format!("\"{}\"", image.digest());
    let asked = |name, reference: &str, accept: &str, allows| {
        step(name, "GET", at(reference), allows).header("accept", accept)
    };
    steps.extend([
        step("an image that the client has already", "GET", at("v1"), &[200, 304])
            .header("if-none-match", &*etag),
        step("HEAD of an image that the client has already", "HEAD", at("v1"), &[200, 304])
            .header("if-none-match", &*etag),
        asked("an image, asked for as what it is", "v1", OCI_MANIFEST, &[200]),
        asked("an image, asked for as something else", "v1", DOCKER_MANIFEST, &[200, 404, 406]),
        asked("an index, asked for as what it is", "multi", OCI_INDEX, &[200]),
        asked("an index, asked for as an image", "multi", OCI_MANIFEST, &[200, 404, 406]),
        asked("an image, asked for as anything", "v1", "*/*", &[200]),
    ]);
    steps
}

fn absent() -> Vec<Step> {
    let digest = sha256(b"never pushed");
    let mut steps = Vec::new();
    for (names, target, allows) in [
        (["an absent tag", "HEAD of an absent tag"], format!("{APP}/manifests/absent"), &[404][..]),
        (
            ["an absent manifest", "HEAD of an absent manifest"],
            format!("{APP}/manifests/{digest}"),
            &[404],
        ),
        (
            ["what is no tag", "HEAD of what is no tag"],
            format!("{APP}/manifests/.INVALID_MANIFEST_NAME"),
            &[404],
        ),
        (
            ["a manifest under no digest", "HEAD of a manifest under no digest"],
            format!("{APP}/manifests/sha256:short"),
            &[400, 404],
        ),
        (
            ["a blob as a manifest", "HEAD of a blob as a manifest"],
            format!("{APP}/manifests/{}", Pushed::new().blob.digest),
            &[404],
        ),
        (
            ["a tag of an absent repository", "HEAD of a tag of an absent repository"],
            "/v2/conform/absent/manifests/v1".to_owned(),
            &[404],
        ),
        (["an absent blob", "HEAD of an absent blob"], format!("{APP}/blobs/{digest}"), &[404]),
        (
            ["a blob under no digest", "HEAD of a blob under no digest"],
            format!("{APP}/blobs/sha256:short"),
            &[400, 404],
        ),
        (
            ["a blob of an absent repository", "HEAD of a blob of an absent repository"],
            format!("/v2/conform/absent/blobs/{digest}"),
            &[404],
        ),
    ] {
        steps.extend(read(names, &target, allows));
    }
    steps
}

fn blobs() -> Vec<Step> {
    let Pushed { blob, image, .. } = Pushed::new();
    let target = format!("{APP}/blobs/{}", blob.digest);
    let part =
        |name, range: &str, allows| step(name, "GET", &*target, allows).header("range", range);
    let mut steps = Vec::new();
    steps.extend(read(["a blob", "HEAD of a blob"], &target, &[200]));
    steps.extend(read(
        ["a layer", "HEAD of a layer"],
        &format!("{APP}/blobs/{}", image.layers[0].digest),
        &[200],
    ));
    steps.extend([
        part("the first bytes of a blob", "bytes=0-9", &[200, 206]),
        part("the middle of a blob", "bytes=10-19", &[200, 206]),
        part("a blob from somewhere on", "bytes=60-", &[200, 206]),
        part("the last bytes of a blob", "bytes=-6", &[200, 206]),
        part("more than all of a blob", "bytes=0-999", &[200, 206]),
        part("what is behind the end of a blob", "bytes=100-200", &[200, 416]),
        part("a part in other units", "lines=1-2", &[200, 416]),
        part("two parts of a blob", "bytes=0-1,10-11", &[200, 206]),
        step("HEAD of a part of a blob", "HEAD", &*target, &[200, 206])
            .header("range", "bytes=0-9"),
        step("a blob that the client has already", "GET", &*target, &[200, 304])
            .header("if-none-match", format!("\"{}\"", blob.digest)),
    ]);
    steps
}
