//! Rights down to a tag hold for every address that content has.

mod deleting;
mod oracle;
mod reading;
mod writing;

use crate::support::client::{Ask, Client};
use crate::support::images::{Image, Index, OCI_MANIFEST};
use crate::support::scene::Scene;

/// alice owns the repository; bob may pull `team/app:v1`; mallory may push `dev-*` beside it;
/// dora may delete `dev-*`; cora may create but not overwrite; eve may sign `v1`.
const POLICY: &str = r#"
rules:
  - name: owner
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push, attach, delete]
  - name: one-release
    subjects: [user:bob]
    images: ["team/app:v1"]
    allow: [pull]
  - name: bob-has-a-place
    subjects: [user:bob]
    images: ["home/bob"]
    allow: [pull, push]
  - name: developers
    subjects: [user:mallory]
    images: ["team/app:dev-*"]
    allow: [pull, push]
  - name: cleaner
    subjects: [user:dora]
    images: ["team/app:dev-*"]
    allow: [pull, delete]
  - name: signer
    subjects: [user:eve]
    images: ["team/app:v1"]
    allow: [pull, attach]
  - name: creator
    subjects: [user:cora]
    images: ["team/app"]
    allow: [pull, create]
"#;

const USERS: &[(&str, &[&str])] =
    &[("alice", &[]), ("bob", &[]), ("mallory", &[]), ("dora", &[]), ("cora", &[]), ("eve", &[])];

/// What the repository holds: an index for bob, and a secret image and index under other tags.
struct Content {
    v1: Index,
    secret: Image,
    secret_index: Index,
}

fn scene() -> (Scene, Content) {
    let scene = Scene::new(POLICY, USERS);
    let alice = scene.client("alice");
    let content = Content {
        v1: Index::oci("v1"),
        secret: Image::oci("secret"),
        secret_index: Index::oci("secret index"),
    };
    alice.push_index("team/app", "v1", &content.v1);
    alice.push("team/app", "prod", &content.secret);
    alice.push_index("team/app", "prod-multi", &content.secret_index);
    (scene, content)
}

fn manifest_at(digest: &str) -> String {
    format!("/v2/team/app/manifests/{digest}")
}

fn blob_at(digest: &str) -> String {
    format!("/v2/team/app/blobs/{digest}")
}

/// Every secret digest with the address that would show it.
fn secrets(content: &Content) -> Vec<(String, String)> {
    let images = content.secret_index.images.iter().chain([&content.secret]);
    let manifests =
        images.clone().map(|image| &image.manifest).chain([&content.secret_index.manifest]);
    let blobs = images.flat_map(Image::blobs);
    manifests
        .map(|blob| (blob.digest.clone(), manifest_at(&blob.digest)))
        .chain(blobs.map(|blob| (blob.digest.clone(), blob_at(&blob.digest))))
        .collect()
}

/// No address of a secret shows anything, and each reads as if it were not there.
#[track_caller]
fn assert_hidden(client: &Client, content: &Content) {
    for (digest, target) in secrets(content) {
        for (method, headers) in [
            ("GET", &[][..]),
            ("HEAD", &[]),
            ("GET", &[("range", "bytes=0-3")]),
            ("GET", &[("accept", OCI_MANIFEST)]),
        ] {
            let answer = client.send(method, &target, &Ask::headers(headers)).expect(404);
            assert!(answer.header("docker-content-digest").is_none(), "{method} {target}");
            assert!(answer.header("etag").is_none() && answer.header("accept-ranges").is_none());
            if method == "GET" {
                let unknown = ["MANIFEST_UNKNOWN", "BLOB_UNKNOWN"];
                assert!(unknown.contains(&answer.code().as_str()), "{}", answer.text());
            }
        }
        let not_modified = format!("\"{digest}\"");
        let headers = [("if-none-match", not_modified.as_str())];
        client.send("GET", &target, &Ask::headers(&headers)).expect(404);
    }
}
