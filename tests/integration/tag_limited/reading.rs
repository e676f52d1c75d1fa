//! What one tag opens, and what it does not.

use super::{assert_hidden, blob_at, manifest_at, scene};
use crate::support::client::{Ask, Credentials};
use crate::support::images::{Blob, Image, OCI_MANIFEST, fallback_tag};
use crate::support::recorder::Seen;

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
        // The gate may have looked for a tag that opens the blob.
        let (last, before) = asked.split_last().unwrap();
        assert_eq!(last, "POST /v2/home/bob/blobs/uploads/", "a bare upload");
        let looks = |line: &String| line.starts_with("GET ") || line.starts_with("HEAD ");
        assert!(before.iter().all(looks), "and nothing else: {before:?}");
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
