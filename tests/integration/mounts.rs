//! Blobs that come from another repository of the same registry.

use crate::support::client::{Answer, Ask, Client, Credentials};
use crate::support::images::{Blob, Image, manifest};
use crate::support::recorder::Seen;
use crate::support::scene::Scene;

const OCTETS: &str = "application/octet-stream";

/// mallory reads the releases of `base/os` and works on `dev-*` of `team/app`, of which bob reads
/// one release; mallory has a place of its own, too.
const POLICY: &str = r#"
rules:
  - {name: owner, subjects: [user:alice], images: ["**"], allow: [pull, push]}
  - {name: release, subjects: [user:bob], images: ["team/app:v1"], allow: [pull]}
  - {name: base, subjects: [user:mallory], images: ["base/os:v*"], allow: [pull]}
  - {name: developers, subjects: [user:mallory], images: ["team/app:dev-*"], allow: [pull, push]}
  - {name: home, subjects: [user:mallory], images: ["home/mallory"], allow: [pull, push]}
"#;

/// The repositories that mallory works with, as tokens name them.
const SCOPES: [&str; 3] = [
    "repository:base/os:pull",
    "repository:team/app:pull,push",
    "repository:home/mallory:pull,push",
];

struct Content {
    release: Image,
    secret: Image,
}

fn scene() -> (Scene, Content) {
    let scene = Scene::new(POLICY, &[("alice", &[]), ("bob", &[]), ("mallory", &[])]);
    let content = Content { release: Image::oci("base"), secret: Image::oci("not released") };
    let alice = scene.client("alice");
    alice.push("base/os", "v1", &content.release);
    alice.push("base/os", "next", &content.secret);
    alice.push("team/app", "v1", &Image::oci("the app"));
    (scene, content)
}

/// mallory with a token for so many of its repositories.
fn mallory(scene: &Scene, scopes: &[&str]) -> Client {
    let mallory = scene.client("mallory");
    mallory.with(Credentials::Bearer(mallory.token(scopes)))
}

fn mount(client: &Client, to: &str, blob: &Blob, from: &str) -> Answer {
    let target = format!("/v2/{to}/blobs/uploads/?mount={}&from={from}", blob.digest);
    client.send("POST", &target, &Ask::default())
}

fn lines(asked: &[Seen]) -> Vec<String> {
    asked.iter().map(Seen::line).collect()
}

#[test]
fn what_was_mounted_is_the_mounters_own_and_nobody_elses() {
    let (scene, content) = scene();
    let (mallory, bob) = (mallory(&scene, &SCOPES), scene.client("bob"));
    mallory.get("/v2/base/os/manifests/v1").expect(200);
    for blob in content.release.blobs() {
        let (answer, asked) =
            scene.recorder.during(|| mount(&mallory, "team/app", blob, "base/os").expect(201));
        let place = format!("/v2/team/app/blobs/{}", blob.digest);
        assert_eq!(answer.header("location").map(|at| mallory.target_of(at)), Some(place.clone()));
        let digest = blob.digest.replace(':', "%3A");
        let line = format!("POST /v2/team/app/blobs/uploads/?mount={digest}&from=base%2Fos");
        assert_eq!(lines(&asked), [line], "one request for one");
        mallory.head(&place).expect(200);
        assert_eq!(mallory.get(&place).expect(200).body, blob.bytes);
        bob.get(&place).expect(404);
    }
    let release = &content.release;
    let mounted = manifest(&release.manifest.media_type, &release.config, &release.layers, None);
    mallory.put_manifest("team/app", "dev-1", &mounted).expect(201);
    mallory.put_manifest("team/app", "v1", &mounted).expect(403);
    bob.get(&format!("/v2/team/app/manifests/{}", mounted.digest)).expect(404);
}

#[test]
fn a_gate_that_knows_nothing_finds_the_tag_that_allows_a_mount() {
    let scene = Scene::new(POLICY, &[("alice", &[]), ("mallory", &[])]);
    let content = Content { release: Image::oci("base"), secret: Image::oci("not released") };
    // Past the gate, which has never seen anything of it.
    let owner = scene.registry.client();
    owner.push("base/os", "v1", &content.release);
    owner.push("base/os", "next", &content.secret);
    let mallory = mallory(&scene, &SCOPES);
    let (released, secret) = (&content.release.layers[0], &content.secret.layers[0]);
    let (answer, asked) =
        scene.recorder.during(|| mount(&mallory, "home/mallory", released, "base/os").expect(201));
    let place = format!("/v2/home/mallory/blobs/{}", released.digest);
    assert_eq!(answer.header("location").map(|at| mallory.target_of(at)), Some(place.clone()));
    assert_eq!(mallory.get(&place).expect(200).body, released.bytes);
    let asked = lines(&asked);
    assert!(asked.contains(&"GET /v2/base/os/manifests/v1".to_owned()), "{asked:?}");
    mount(&mallory, "home/mallory", secret, "base/os").expect(202);
    mallory.head(&format!("/v2/home/mallory/blobs/{}", secret.digest)).expect(404);
}

#[test]
fn a_mount_that_may_not_be_becomes_an_upload_that_goes_on() {
    let (scene, content) = scene();
    let whole = mallory(&scene, &SCOPES);
    let narrow = mallory(&scene, &["repository:home/mallory:pull,push"]);
    whole.get("/v2/base/os/manifests/v1").expect(200);
    let (released, secret) = (&content.release.layers[0], &content.secret.layers[0]);
    for (client, blob, from) in [
        (&whole, secret, "base/os"),
        (&whole, released, "never/seen"),
        // Of the right that policy gives, the token covers nothing.
        (&narrow, released, "base/os"),
    ] {
        let (answer, asked) =
            scene.recorder.during(|| mount(client, "home/mallory", blob, from).expect(202));
        // The gate may have looked for a tag that opens the blob; it mounts nothing.
        let asked = lines(&asked);
        let (last, before) = asked.split_last().unwrap();
        assert_eq!(last, "POST /v2/home/mallory/blobs/uploads/");
        let looks = |line: &String| line.starts_with("GET ") || line.starts_with("HEAD ");
        assert!(before.iter().all(looks), "{before:?}");
        client.head(&format!("/v2/home/mallory/blobs/{}", blob.digest)).expect(404);
        let target = client.target_of(answer.header("location").unwrap());
        let own = Blob::new(OCTETS, format!("{from} in place of {}", blob.digest).into_bytes());
        let finish = format!("{target}?digest={}", own.digest);
        client.send("PUT", &finish, &Ask::body(OCTETS, &own.bytes)).expect(201);
        assert_eq!(scene.registry.stored_blob(&own.digest), Some(own.bytes));
    }
}

#[test]
fn a_mount_that_can_be_read_in_two_ways_is_refused() {
    let (scene, content) = scene();
    let mallory = mallory(&scene, &SCOPES);
    mallory.get("/v2/base/os/manifests/v1").expect(200);
    let (released, secret) = (&content.release.layers[0], &content.secret.layers[0]);
    let (released, secret) = (&released.digest, &secret.digest);
    for query in [
        format!("mount={released}&mount={secret}&from=base/os"),
        format!("mount={secret}&from=home/mallory&from=base/os"),
        format!("mount={secret}&from=home/mallory&%66rom=base/os"),
        format!("mount={released}&from=base/os&digest={secret}"),
        format!("mount={secret}&from=base/os;x"),
        format!("mount={secret}&from=base%2f%2e%2e%2fos"),
        format!("mount={secret}&From=base/os"),
        "from=base/os".to_owned(),
    ] {
        let target = format!("/v2/home/mallory/blobs/uploads/?{query}");
        let answer = scene.unasked(|| mallory.send("POST", &target, &Ask::default()));
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
    }
    mallory.get(&format!("/v2/home/mallory/blobs/{secret}")).expect(404);
}

#[test]
fn who_may_not_write_mounts_nothing() {
    let (scene, content) = scene();
    let bob = scene.client("bob");
    bob.get("/v2/team/app/manifests/v1").expect(200);
    for to in ["team/app", "home/bob"] {
        let blob = &content.release.layers[0];
        scene.unasked(|| mount(&bob, to, blob, "team/app")).expect(403);
    }
}
