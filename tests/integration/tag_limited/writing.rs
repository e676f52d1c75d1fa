//! Writing beside what one may not read, and deleting.

use serde_json::json;

use super::{assert_hidden, blob_at, manifest_at, scene};
use crate::support::client::Ask;
use crate::support::images::{
    Blob, Image, OCI_INDEX, OCI_MANIFEST, fallback_tag, index_of, manifest,
};
use crate::support::recorder::Seen;

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
fn to_claim_a_digest_without_its_bytes_earns_nothing() {
    let (scene, content) = scene();
    let mallory = scene.client("mallory");
    let uploads = "/v2/team/app/blobs/uploads/";
    for digest in content.secret.blobs().map(|blob| &blob.digest) {
        for body in [&b""[..], b"other bytes"] {
            let ask = Ask::body("application/octet-stream", body);
            for target in [
                format!("{uploads}?digest={digest}"),
                format!("{uploads}?mount={digest}&from=team/app"),
                format!("{uploads}?mount={digest}"),
                format!("{}?digest={digest}", mallory.target_of(&mallory.begin_upload("team/app"))),
            ] {
                let method =
                    if target.starts_with(&format!("{uploads}?")) { "POST" } else { "PUT" };
                let answer = mallory.send(method, &target, &ask);
                assert!(answer.status == 202 || answer.status >= 400, "{target}: {answer:?}");
            }
        }
    }
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
fn of_further_tags_all_are_set_or_none() {
    let (scene, content) = scene();
    let (alice, cora) = (scene.client("alice"), scene.client("cora"));
    let own = Image::oci("all or none");
    own.blobs().for_each(|blob| drop(cora.push_blob("team/app", blob).expect(201)));
    let ask = Ask::body(OCI_MANIFEST, &own.manifest.bytes);
    let target = manifest_at(own.digest());
    // Whoever only creates is refused for one that is there, wherever it stands.
    for tags in ["tag=new-1&tag=prod", "tag=prod&tag=new-1", "tag=new-1&tag=new-2&tag=v1"] {
        let (answer, asked) =
            scene.recorder.during(|| cora.send("PUT", &format!("{target}?{tags}"), &ask));
        assert!(answer.expect(403).message().contains("overwrite"));
        assert!(asked.iter().all(|seen| seen.method == "HEAD"), "it is looked, and not written");
        assert_eq!(scene.stored("team/app", own.digest()), None);
    }
    for wrong in ["tag=new-1&tag=new-1", "tag=", "tag=new-1&tag=no%3Atag", "tag=new-1&tags=prod"] {
        scene.unasked(|| cora.send("PUT", &format!("{target}?{wrong}"), &ask)).expect(400);
    }
    scene.unasked(|| cora.send("PUT", &format!("{}?tag=b", manifest_at("a")), &ask)).expect(400);
    assert_eq!(scene.stored("team/app", "prod").as_deref(), Some(content.secret.digest()));

    let tags = "tag=new-1&tag=new-2";
    let (_, asked) =
        scene.recorder.during(|| cora.send("PUT", &format!("{target}?{tags}"), &ask).expect(201));
    let sent: Vec<_> = asked.iter().filter(|seen| seen.method == "PUT").map(Seen::line).collect();
    assert_eq!(sent, [format!("PUT {target}?{tags}")]);
    let put = |records: &[serde_json::Value]| {
        records.iter().any(|record| {
            let reference = record["reference"].as_str().unwrap_or_default();
            record["status"] == 201 && reference.ends_with(",new-1,new-2")
        })
    };
    scene.gate.requests(put);
    // This registry knows nothing of further tags, so none of them vouches for anything.
    assert_eq!(scene.stored("team/app", "new-1"), None);
    alice.get(&manifest_at(own.digest())).expect(200);
    scene.client("bob").get(&manifest_at(own.digest())).expect(404);
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

/// As cosign signs: each signature of an image is a layer of the same bytes, with annotations of its
/// own.
fn signed(config: &Blob, payload: &Blob, signatures: &[&str]) -> Blob {
    let layers: Vec<_> = signatures
        .iter()
        .map(|signature| {
            let mut layer = payload.descriptor();
            layer["annotations"] = json!({ "dev.cosignproject.cosign/signature": signature });
            layer
        })
        .collect();
    Blob::json(
        OCI_MANIFEST,
        &json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": config.descriptor(), "layers": layers,
        }),
    )
}

#[test]
fn who_may_sign_adds_a_signature_and_takes_none_away() {
    let (scene, content) = scene();
    let (alice, eve) = (scene.client("alice"), scene.client("eve"));
    let tag = fallback_tag(&content.v1.manifest.digest, ".sig");
    let config = Blob::new("application/vnd.oci.empty.v1+json", b"{}".to_vec());
    let payload =
        Blob::new("application/vnd.dev.cosign.simplesigning.v1+json", b"{\"critical\":1}".to_vec());
    for client in [&alice, &eve] {
        client.get(&manifest_at("v1")).expect(200);
        client.push_blob("team/app", &config).expect(201);
        client.push_blob("team/app", &payload).expect(201);
    }
    let good = signed(&config, &payload, &["good 1", "good 2"]);
    alice.put_manifest("team/app", &tag, &good).expect(201);

    let stolen = signed(&config, &payload, &["evil", "good 2"]);
    let answer = eve.put_manifest("team/app", &tag, &stolen).expect(403);
    assert!(answer.message().contains("take something away"), "{}", answer.message());
    assert_eq!(scene.stored("team/app", &tag).as_deref(), Some(&*good.digest));

    let more = signed(&config, &payload, &["good 1", "good 2", "eve's"]);
    eve.put_manifest("team/app", &tag, &more).expect(201);
    assert_eq!(scene.stored("team/app", &tag).as_deref(), Some(&*more.digest));
    eve.put_manifest("team/app", "v1", &more).expect(403);
}

#[test]
fn the_tag_of_what_is_about_an_image_is_set_by_nobody_without_the_right_to_attach() {
    let (scene, content) = scene();
    let (alice, mallory) = (scene.client("alice"), scene.client("mallory"));
    for (subject, suffix) in [(&content.v1.manifest, ".sig"), (&content.secret.manifest, "")] {
        let tag = fallback_tag(&subject.digest, suffix);
        let good = Image::artifact(&format!("good {tag}"), subject);
        alice.push("team/app", &tag, &good);
        let evil = Image::artifact(&format!("evil {tag}"), subject);
        evil.blobs().for_each(|blob| drop(mallory.push_blob("team/app", blob).expect(201)));
        mallory.put_manifest("team/app", &tag, &evil.manifest).expect(403);
        let further = format!("{}?tag={tag}", manifest_at(evil.digest()));
        let ask = Ask::body(OCI_MANIFEST, &evil.manifest.bytes);
        scene.unasked(|| mallory.send("PUT", &further, &ask)).expect(403);
        assert_eq!(scene.stored("team/app", &tag).as_deref(), Some(good.digest()));
    }
}

#[test]
fn a_layer_that_two_repositories_share_outlives_its_deletion_in_one() {
    let (scene, content) = scene();
    let (alice, bob) = (scene.client("alice"), scene.client("bob"));
    let layer = &content.v1.images[0].layers[0];
    alice.push_blob("team/other", layer).expect(201);
    bob.get(&manifest_at("v1")).expect(200);
    bob.get(&manifest_at(content.v1.images[0].digest())).expect(200);
    let other = format!("/v2/team/other/blobs/{}", layer.digest);
    bob.delete(&blob_at(&layer.digest)).expect(403);
    bob.delete(&other).expect(403);
    alice.delete(&other).expect(202);
    alice.get(&other).expect(404);
    assert_eq!(bob.get(&blob_at(&layer.digest)).expect(200).body, layer.bytes);
}
