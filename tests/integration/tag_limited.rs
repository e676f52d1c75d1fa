//! Rights down to a tag hold for every address that content has.

use crate::support::client::{Ask, Client, Credentials};
use crate::support::images::{
    Blob, Image, Index, OCI_INDEX, OCI_MANIFEST, fallback_tag, index_of, manifest,
};
use crate::support::recorder::Seen;
use crate::support::scene::Scene;

/// alice owns the repository; bob may pull `team/app:v1`; mallory may push `dev-*` beside it;
/// dora may delete `dev-*`; cora may create but not overwrite.
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
  - name: creator
    subjects: [user:cora]
    images: ["team/app"]
    allow: [pull, create]
"#;

const USERS: &[(&str, &[&str])] =
    &[("alice", &[]), ("bob", &[]), ("mallory", &[]), ("dora", &[]), ("cora", &[])];

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

#[test]
fn one_tag_is_pulled_whole_by_every_address_of_its_parts() {
    let (scene, content) = scene();
    let bob = scene.client("bob");
    let index = &content.v1.manifest;
    for reference in ["v1", &index.digest] {
        let answer = bob.send("GET", &manifest_at(reference), &Ask::default()).expect(200);
        assert_eq!(answer.body, index.bytes);
        assert_eq!(answer.header("docker-content-digest"), Some(&*index.digest));
        let head = bob.send("HEAD", &manifest_at(reference), &Ask::default()).expect(200);
        assert_eq!(head.header("content-length"), Some(&*index.bytes.len().to_string()));
        assert_eq!(head.header("docker-content-digest"), Some(&*index.digest));
    }
    for image in &content.v1.images {
        let child = bob.send("GET", &manifest_at(image.digest()), &Ask::default());
        assert_eq!(child.expect(200).body, image.manifest.bytes);
        for blob in image.blobs() {
            assert_eq!(bob.get(&blob_at(&blob.digest)).expect(200).body, blob.bytes);
            bob.head(&blob_at(&blob.digest)).expect(200);
            let part =
                bob.send("GET", &blob_at(&blob.digest), &Ask::headers(&[("range", "bytes=2-5")]));
            assert_eq!(part.expect(206).body, blob.bytes[2..6]);
        }
    }
}

#[test]
fn nothing_else_of_the_repository_is_readable_by_any_address() {
    let (scene, content) = scene();
    let bob = scene.client("bob");
    bob.get(&manifest_at("v1")).expect(200);
    for tag in ["prod", "prod-multi", "absent", "v10", "V1"] {
        for method in ["GET", "HEAD"] {
            scene.unasked(|| bob.send(method, &manifest_at(tag), &Ask::default())).expect(403);
        }
    }
    assert_hidden(&bob, &content);
    assert_eq!(bob.tags("team/app"), ["v1"]);
    let catalog = bob.get("/v2/_catalog").expect(200).json();
    assert_eq!(catalog["repositories"], serde_json::json!(["team/app"]));
    let referrers = format!("/v2/team/app/referrers/{}", content.secret.digest());
    let answer = bob.get(&referrers);
    let none = answer.status == 404 || answer.json()["manifests"] == serde_json::json!([]);
    assert!(none, "{answer:?}");
}

#[test]
fn a_gate_that_was_just_started_hides_the_same() {
    let (mut scene, content) = scene();
    scene.gate.restart();
    let bob = scene.client("bob");
    assert_hidden(&bob, &content);
    let found = bob.send("HEAD", &manifest_at("v1"), &Ask::default()).expect(200);
    let digest = found.header("docker-content-digest").unwrap().to_owned();
    assert_eq!(digest, content.v1.manifest.digest);
    bob.send("GET", &manifest_at(&digest), &Ask::default()).expect(200);
    for image in &content.v1.images {
        bob.send("GET", &manifest_at(image.digest()), &Ask::default()).expect(200);
        image.blobs().for_each(|blob| drop(bob.get(&blob_at(&blob.digest)).expect(200)));
    }
    assert_hidden(&bob, &content);
}

#[test]
fn the_same_digest_in_another_repository_opens_nothing_here() {
    let (scene, content) = scene();
    let bob = scene.client("bob");
    let blob = Blob::new(OCI_MANIFEST, content.secret.layers[0].bytes.clone());
    // bob knows the bytes and may hold them where he works; that is no right on them elsewhere.
    bob.push_blob("home/bob", &blob).expect(201);
    bob.get(&format!("/v2/home/bob/blobs/{}", blob.digest)).expect(200);
    bob.get(&blob_at(&blob.digest)).expect(404);
}

#[test]
fn a_secret_layer_is_no_source_of_a_mount() {
    let (scene, content) = scene();
    let bob = scene.client("bob");
    let scopes = ["repository:home/bob:pull,push", "repository:team/app:pull"];
    let bob = bob.with(Credentials::Bearer(bob.token(&scopes)));
    let secret = &content.secret.layers[0].digest;
    let readable = &content.v1.images[0].layers[0].digest;
    let mount = |digest: &str, from: &str| {
        let target = format!("/v2/home/bob/blobs/uploads/?mount={digest}{from}");
        scene.recorder.during(|| bob.send("POST", &target, &Ask::default()))
    };
    for from in ["&from=team/app", "&from=never/seen", ""] {
        let (answer, asked) = mount(secret, from);
        answer.expect(202);
        let asked: Vec<_> = asked.iter().map(Seen::line).collect();
        assert_eq!(asked, ["POST /v2/home/bob/blobs/uploads/"], "a bare upload and nothing else");
    }
    bob.get(&format!("/v2/home/bob/blobs/{secret}")).expect(404);
    let (answer, _) = mount(readable, "&from=team/app");
    answer.expect(201);
    bob.get(&format!("/v2/home/bob/blobs/{readable}")).expect(200);
}

#[test]
fn parameters_of_a_mount_cannot_hide_in_the_body() {
    let (scene, content) = scene();
    let bob = scene.client("bob");
    let secret = &content.secret.layers[0].digest;
    let form = format!("mount={secret}&from=team/app");
    let multipart = format!(
        "--x\r\nContent-Disposition: form-data; name=\"mount\"\r\n\r\n{secret}\r\n--x\r\n\
         Content-Disposition: form-data; name=\"from\"\r\n\r\nteam/app\r\n--x--\r\n"
    );
    for (media_type, body) in [
        ("application/x-www-form-urlencoded", form),
        ("multipart/form-data; boundary=x", multipart),
    ] {
        let target = "/v2/home/bob/blobs/uploads/";
        let ask = Ask::body(media_type, body.as_bytes());
        let (answer, asked) = scene.recorder.during(|| bob.send("POST", target, &ask));
        assert!(matches!(answer.status, 202 | 400..=499), "{answer:?}");
        for seen in asked {
            assert_ne!(seen.header("content-type"), Some(media_type));
        }
        bob.get(&format!("/v2/home/bob/blobs/{secret}")).expect(404);
    }
}

#[test]
fn a_writer_cannot_make_denied_content_reachable_by_naming_it() {
    let (scene, content) = scene();
    let mallory = scene.client("mallory");
    assert_hidden(&mallory, &content);
    let own = Image::oci("mallory");
    own.blobs().for_each(|blob| drop(mallory.push_blob("team/app", blob).expect(201)));

    let secret = &content.secret;
    let named = [
        index_of(OCI_INDEX, [&secret.manifest].into_iter()),
        index_of(OCI_INDEX, [&content.secret_index.manifest].into_iter()),
        index_of(OCI_INDEX, [&own.manifest, &secret.manifest].into_iter()),
        manifest(OCI_MANIFEST, &secret.config, &own.layers, None),
        manifest(OCI_MANIFEST, &own.config, &secret.layers, None),
        // As if it were a layer of ours, or a configuration.
        manifest(OCI_MANIFEST, &own.config, std::slice::from_ref(&secret.manifest), None),
        manifest(OCI_MANIFEST, &secret.manifest, &own.layers, None),
    ];
    for blob in named {
        let answer = mallory.put_manifest("team/app", "dev-1", &blob).expect(404);
        assert_eq!(answer.code(), "MANIFEST_BLOB_UNKNOWN");
        let answer = mallory.put_manifest("team/app", &blob.digest, &blob).expect(404);
        assert_eq!(answer.code(), "MANIFEST_BLOB_UNKNOWN");
        assert_eq!(scene.stored("team/app", "dev-1"), None);
    }
    assert_hidden(&mallory, &content);
    mallory.push("team/app", "dev-1", &own);
    assert_hidden(&mallory, &content);
}

#[test]
fn an_artifact_about_a_secret_image_opens_nothing_of_it() {
    let (scene, content) = scene();
    let mallory = scene.client("mallory");
    let artifact = Image::artifact("about a secret", &content.secret.manifest);
    artifact.blobs().for_each(|blob| drop(mallory.push_blob("team/app", blob).expect(201)));
    let answer = mallory.put_manifest("team/app", "dev-about", &artifact.manifest);
    assert!(matches!(answer.status, 201 | 403 | 404), "{answer:?}");
    assert_hidden(&mallory, &content);
}

#[test]
fn what_a_writer_pushed_itself_is_readable_to_it_before_any_tag_is() {
    let (scene, _) = scene();
    let (mallory, bob) = (scene.client("mallory"), scene.client("bob"));
    let own = Image::oci("untagged yet");
    for blob in own.blobs() {
        mallory.push_blob("team/app", blob).expect(201);
        mallory.head(&blob_at(&blob.digest)).expect(200);
        bob.head(&blob_at(&blob.digest)).expect(404);
    }
    mallory.put_manifest("team/app", own.digest(), &own.manifest).expect(201);
    mallory.get(&manifest_at(own.digest())).expect(200);
    bob.get(&manifest_at(own.digest())).expect(404);
    mallory.put_manifest("team/app", "prod", &own.manifest).expect(403);
    mallory.put_manifest("team/app", "dev-2", &own.manifest).expect(201);
}

#[test]
fn further_tags_of_a_push_by_digest_need_their_own_rights() {
    let (scene, content) = scene();
    let mallory = scene.client("mallory");
    let own = Image::oci("further tags");
    own.blobs().for_each(|blob| drop(mallory.push_blob("team/app", blob).expect(201)));
    let ask = Ask::body(OCI_MANIFEST, &own.manifest.bytes);
    let target = format!("{}?tag=dev-3&tag=prod", manifest_at(own.digest()));
    scene.unasked(|| mallory.send("PUT", &target, &ask)).expect(403);
    assert_eq!(scene.stored("team/app", "prod").as_deref(), Some(content.secret.digest()));
    assert_eq!(scene.stored("team/app", "dev-3"), None);
}

#[test]
fn a_digest_is_deleted_only_by_who_may_delete_every_tag_on_it() {
    let (scene, content) = scene();
    let (alice, dora) = (scene.client("alice"), scene.client("dora"));
    let shared = Image::oci("shared");
    alice.push("team/app", "dev-5", &shared);
    alice.put_manifest("team/app", "v5", &shared.manifest).expect(201);
    dora.get(&manifest_at("dev-5")).expect(200);
    dora.delete(&manifest_at(shared.digest())).expect(403);
    assert_eq!(scene.stored("team/app", "v5").as_deref(), Some(shared.digest()));
    assert_eq!(scene.stored("team/app", "dev-5").as_deref(), Some(shared.digest()));
    // What she cannot see, she cannot learn of by trying to delete it.
    for digest in [content.secret.digest(), Image::oci("never pushed").digest()] {
        let refused = dora.delete(&manifest_at(digest));
        assert!(matches!(refused.status, 403 | 404), "{refused:?}");
    }
    assert_eq!(scene.stored("team/app", "prod").as_deref(), Some(content.secret.digest()));

    let own = Image::oci("only dev");
    alice.push("team/app", "dev-6", &own);
    dora.get(&manifest_at("dev-6")).expect(200);
    dora.delete(&manifest_at(own.digest())).expect(202);
    assert_eq!(scene.stored("team/app", "dev-6"), None);
    alice.delete(&manifest_at(shared.digest())).expect(202);
    assert_eq!(scene.stored("team/app", "v5"), None);
}

#[test]
fn a_child_of_an_index_is_not_deleted_from_under_it() {
    let (scene, content) = scene();
    let (alice, dora) = (scene.client("alice"), scene.client("dora"));
    let child = &content.v1.images[0];
    alice.put_manifest("team/app", "dev-child", &child.manifest).expect(201);
    dora.get(&manifest_at("dev-child")).expect(200);
    dora.delete(&manifest_at(child.digest())).expect(403);
    assert_eq!(scene.stored("team/app", child.digest()).as_deref(), Some(child.digest()));
}

#[test]
fn to_create_is_not_to_overwrite() {
    let (scene, content) = scene();
    let cora = scene.client("cora");
    let own = Image::oci("created");
    cora.push("team/app", "new", &own);
    assert_eq!(scene.stored("team/app", "new").as_deref(), Some(own.digest()));
    cora.put_manifest("team/app", "new", &own.manifest).expect(201);
    let answer = cora.put_manifest("team/app", "prod", &own.manifest).expect(403);
    assert!(answer.message().contains("overwrite"), "{}", answer.message());
    assert_eq!(scene.stored("team/app", "prod").as_deref(), Some(content.secret.digest()));
}

#[test]
fn of_many_that_create_one_tag_at_once_one_does() {
    let (scene, _) = scene();
    let images: Vec<_> = (0..8).map(|n| Image::oci(&format!("racer {n}"))).collect();
    let cora = scene.client("cora");
    for image in &images {
        image.blobs().for_each(|blob| drop(cora.push_blob("team/app", blob).expect(201)));
    }
    let statuses: Vec<_> = std::thread::scope(|scope| {
        let pushes: Vec<_> = images
            .iter()
            .map(|image| {
                scope.spawn(|| cora.put_manifest("team/app", "race", &image.manifest).status)
            })
            .collect();
        pushes.into_iter().map(|push| push.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 7, "{statuses:?}");
    let winner = &images[statuses.iter().position(|status| *status == 201).unwrap()];
    assert_eq!(scene.stored("team/app", "race").as_deref(), Some(winner.digest()));
}

#[test]
fn signatures_under_older_names_follow_the_image_that_they_name() {
    let (scene, content) = scene();
    let (alice, bob) = (scene.client("alice"), scene.client("bob"));
    let index = &content.v1.manifest;
    for (subject, status) in [(index, 200), (&content.secret.manifest, 403)] {
        let tag = fallback_tag(&subject.digest, ".sig");
        let artifact = Image::artifact(&tag, subject);
        alice.push("team/app", &tag, &artifact);
        let answer = bob.get(&manifest_at(&tag));
        assert!(answer.status == status || (status == 403 && answer.status == 404), "{answer:?}");
        let blob = bob.get(&blob_at(&artifact.layers[0].digest));
        assert_eq!(blob.status, if status == 200 { 200 } else { 404 });
    }
}
