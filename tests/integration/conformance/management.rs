//! Content management: deletes, where the registry has them on and where it has them off; and
//! methods that an address does not have.

use serde_json::json;

use super::pushing::{Pushed, changed};
use super::step::{Step, step};
use super::{APP, OTHER};
use crate::support::images::{Blob, OCI_INDEX, fallback_tag, index_of, sha256};

pub(super) fn steps() -> Vec<Step> {
    [methods(), fallback(), deletes()].into_iter().flatten().collect()
}

fn methods() -> Vec<Step> {
    let digest = Pushed::new().blob.digest;
    vec![
        step("a manifest is posted", "POST", format!("{APP}/manifests/v1"), &[404, 405]),
        step("a blob is posted", "POST", format!("{APP}/blobs/{digest}"), &[404, 405]),
        step("uploads are listed", "GET", format!("{APP}/blobs/uploads/"), &[404, 405]),
        step("tags are deleted", "DELETE", format!("{APP}/tags/list"), &[404, 405]),
        step("the catalogue is posted", "POST", "/v2/_catalog", &[404, 405]),
        step("the API is posted", "POST", "/v2/", &[404, 405]),
        step("an address that no registry has", "GET", format!("{APP}/nothing/v1"), &[404]),
    ]
}

/// Where clients keep what is about an image if the registry has no list of it (spec, "Referrers Tag
/// Schema"): they read it, add to it and push it again.
fn fallback() -> Vec<Step> {
    let Pushed { image, artifact, .. } = Pushed::new();
    let at = format!("{APP}/manifests/{}", fallback_tag(image.digest(), ""));
    let signature = format!("{APP}/manifests/{}", fallback_tag(image.digest(), ".sig"));
    let referrers = format!("{APP}/referrers/{}", image.digest());
    let second = changed(&artifact.manifest, |value| {
        value["annotations"] = json!({"org.example.number": "two"});
    });
    let one = index_of(OCI_INDEX, [&artifact.manifest].into_iter());
    let both = index_of(OCI_INDEX, [&artifact.manifest, &second].into_iter());
    vec![
        step("a fallback tag before there is one", "GET", &*at, &[404]),
        step("a list is pushed by a fallback tag", "PUT", &*at, &[201]).manifest(&one),
        step("HEAD of a fallback tag", "HEAD", &*at, &[200]),
        step("the list at a fallback tag", "GET", &*at, &[200]),
        step("the list at a fallback tag, by its digest", "GET", digest_at(&one), &[200]),
        step("referrers with a list at a fallback tag", "GET", &*referrers, &[200]),
        step("a second artifact is pushed", "PUT", digest_at(&second), &[201]).manifest(&second),
        step("something is appended at a fallback tag", "PUT", &*at, &[201]).manifest(&both),
        step("the longer list at a fallback tag", "GET", &*at, &[200]),
        step("referrers with a longer list", "GET", &*referrers, &[200]),
        step("a signature is pushed by its tag", "PUT", &*signature, &[201])
            .manifest(&artifact.manifest),
        step("a signature by its tag", "GET", &*signature, &[200]),
        step("tags with fallback tags", "GET", format!("{APP}/tags/list"), &[200]),
        delete("a fallback tag is deleted", &*at, &[202, 400, 405]),
        step("a fallback tag after its deletion", "GET", &*at, &[200, 404]),
        delete("a signature's tag is deleted", &*signature, &[202, 400, 405]),
        step("a signature after the deletion of its tag", "GET", &*signature, &[200, 404]),
        step("the artifact is still there", "GET", digest_at(&artifact.manifest), &[200]),
    ]
}

fn digest_at(manifest: &Blob) -> String {
    format!("{APP}/manifests/{}", manifest.digest)
}

fn delete(name: &'static str, target: impl Into<String>, allows: &'static [u16]) -> Step {
    step(name, "DELETE", target, allows)
}

fn deletes() -> Vec<Step> {
    let Pushed { image, blob, index, .. } = Pushed::new();
    let by_digest = format!("{APP}/manifests/{}", image.digest());
    let never = sha256(b"never pushed");
    vec![
        delete("an absent tag is deleted", format!("{APP}/manifests/absent"), &[400, 404, 405]),
        delete("a tag is deleted", format!("{APP}/manifests/no-layers"), &[202, 400, 405]),
        step("a tag after its deletion", "GET", format!("{APP}/manifests/no-layers"), &[200, 404]),
        delete("an absent manifest is deleted", format!("{APP}/manifests/{never}"), &[404]),
        delete(
            "a manifest under no digest is deleted",
            format!("{APP}/manifests/sha256:short"),
            &[400, 404, 405],
        ),
        delete("a manifest is deleted", &*by_digest, &[202]),
        step("a manifest after its deletion", "GET", &*by_digest, &[404]),
        step("its tag after its deletion", "GET", format!("{APP}/manifests/v1"), &[404]),
        delete("a manifest is deleted again", &*by_digest, &[404]),
        step("the tags that are left", "GET", format!("{APP}/tags/list"), &[200]),
        delete(
            "a child of an index is deleted",
            format!("{APP}/manifests/{}", index.images[0].digest()),
            &[202],
        ),
        step("its index is still there", "GET", format!("{APP}/manifests/multi"), &[200]),
        delete("an absent blob is deleted", format!("{APP}/blobs/{never}"), &[404]),
        delete("what is no digest is deleted", format!("{APP}/blobs/sha256:short"), &[400, 404]),
        delete("a blob is deleted", format!("{OTHER}/blobs/{}", blob.digest), &[202]),
        step("a blob after its deletion", "HEAD", format!("{OTHER}/blobs/{}", blob.digest), &[404]),
        delete("a blob is deleted again", format!("{OTHER}/blobs/{}", blob.digest), &[404]),
    ]
}

/// What is pushed to a registry that deletes nothing, and is not deleted.
pub(super) fn without_deletes() -> Vec<Step> {
    let Pushed { image, blob, .. } = Pushed::new();
    let uploads = format!("{APP}/blobs/uploads/");
    let mut steps = Vec::new();
    let names = [
        ["config begins", "config ends"],
        ["base begins", "base ends"],
        ["app begins", "app ends"],
    ];
    for ([begin, end], blob) in names.into_iter().zip(image.blobs()) {
        steps.push(step(begin, "POST", &*uploads, &[202]).keeps("part"));
        steps.push(
            step(end, "PUT", format!("@part?digest={}", blob.digest), &[201]).octets(&*blob.bytes),
        );
    }
    let by_digest = format!("{APP}/manifests/{}", image.digest());
    let layer = format!("{APP}/blobs/{}", image.layers[0].digest);
    steps.extend([
        step("an image is pushed", "PUT", format!("{APP}/manifests/v1"), &[201])
            .manifest(&image.manifest),
        delete("a tag is deleted", format!("{APP}/manifests/v1"), &[400, 405]),
        delete("a manifest is deleted", &*by_digest, &[405]),
        delete(
            "an absent manifest is deleted",
            format!("{APP}/manifests/{}", sha256(b"x")),
            &[404, 405],
        ),
        delete("a blob is deleted", &*layer, &[405]),
        delete("an absent blob is deleted", format!("{APP}/blobs/{}", blob.digest), &[404, 405]),
        step("the tag is still there", "HEAD", format!("{APP}/manifests/v1"), &[200]),
        step("the manifest is still there", "HEAD", &*by_digest, &[200]),
        step("the blob is still there", "HEAD", &*layer, &[200]),
        step("an upload begins", "POST", &*uploads, &[202]).keeps("upload"),
        delete("an upload is given up all the same", "@upload", &[204]),
    ]);
    steps
}
