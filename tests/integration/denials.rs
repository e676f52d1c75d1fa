//! A denial says why, in the way that each client shows.

use serde_json::Value;

use crate::support::client::{Ask, Credentials, challenge_part};
use crate::support::ctr::Containerd;
use crate::support::docker::Docker;
use crate::support::images::{Blob, Image, OCI_INDEX, OCI_MANIFEST};
use crate::support::podman::Podman;
use crate::support::scene::Scene;
use crate::support::skopeo::Skopeo;
use crate::support::wire::Wire;

const RULE: &str = "production-is-not-for-pulling";
const POLICY: &str = r#"
groups: {team: external}
rules:
  - name: the-team-works-here
    subjects: [group:team]
    images: ["team/**"]
    allow: [pull, push]
  - name: production-is-not-for-pulling
    subjects: [anyone]
    images: ["team/app:prod"]
    deny: [pull]
"#;

fn scene() -> Scene {
    let scene = Scene::new(POLICY, &[("alice", &["team"]), ("carol", &[])]);
    scene.client("alice").push("team/app", "prod", &Image::oci("denials"));
    scene
}

#[test]
fn skopeo_podman_docker_and_ctr_all_print_the_rule_that_denied() {
    let scene = scene();
    let skopeo = Skopeo::signed_in(&scene.gate, "alice");
    skopeo.inspect_raw("team/app:prod").refused(RULE);
    Podman::signed_in(&scene.gate, "alice").pull("team/app:prod").refused(RULE);
    // ctr shows the status line of a failed HEAD and nothing else.
    Containerd::start(&scene.gate).pull("alice", "team/app:prod").refused(RULE);
    let docker = Docker::start(&scene.gate);
    docker.login("alice").ok();
    docker.pull("team/app:prod").refused(RULE);
}

#[test]
fn skopeo_and_docker_show_a_wrong_password_for_what_it_is() {
    let scene = scene();
    Skopeo::new(&scene.gate).login("alice", "wrong").refused("");
    let docker = Docker::start(&scene.gate);
    let name = scene.gate.name();
    let login = ["login", "--username", "alice", "--password", "wrong", &name];
    docker.run(&login).refused("unauthorized");
}

#[test]
fn the_reason_stands_in_the_body_and_on_the_status_line() {
    let scene = scene();
    let alice = scene.client("alice");
    let got = scene.unasked(|| alice.get("/v2/team/app/manifests/prod")).expect(403);
    assert_eq!(got.code(), "DENIED");
    let message = got.message();
    assert!(message.contains(RULE) && message.contains("team/app:prod"), "{message}");
    assert_eq!(got.header("content-type"), Some("application/json"));
    for (method, body) in [("GET", true), ("HEAD", false)] {
        let answer = alice.send(method, "/v2/team/app/manifests/prod", &Ask::default()).expect(403);
        assert!(answer.reason.contains(RULE), "{method}: {}", answer.reason);
        let phrase = answer.reason.strip_prefix("Forbidden: ").expect(&answer.reason);
        assert!(phrase.len() <= 200 && phrase.bytes().all(|b| (b' '..0x7f).contains(&b)));
        assert_eq!(!answer.body.is_empty(), body, "{method}");
        assert!(answer.header("x-request-id").is_some());
        assert!(answer.header("www-authenticate").is_none());
    }
}

#[test]
fn every_method_is_denied_alike_and_asks_the_upstream_for_nothing() {
    let scene = scene();
    let carol = scene.client("carol");
    let image = Image::oci("of carol");
    let digest = image.digest();
    let manifests = format!("/v2/team/app/manifests/{digest}");
    let blob = format!("/v2/team/app/blobs/{digest}");
    for (method, target) in [
        ("GET", "/v2/team/app/manifests/v1"),
        ("HEAD", "/v2/team/app/manifests/v1"),
        ("PUT", "/v2/team/app/manifests/v1"),
        ("PUT", &manifests),
        ("DELETE", "/v2/team/app/manifests/v1"),
        ("DELETE", &manifests),
        ("DELETE", &blob),
        ("POST", "/v2/team/app/blobs/uploads/"),
    ] {
        let ask = match method {
            "PUT" => Ask::body(OCI_MANIFEST, &image.manifest.bytes),
            _ => Ask::default(),
        };
        let answer = scene.unasked(|| carol.send(method, target, &ask)).expect(403);
        assert!(answer.reason.starts_with("Forbidden: "), "{method} {target}: {}", answer.reason);
        if method != "HEAD" {
            assert_eq!(answer.code(), "DENIED", "{method} {target}");
            assert!(!answer.message().is_empty());
        }
    }
    // A 403 here is fatal in containerd: it looks like content that is not there yet.
    let head = scene.unasked(|| carol.head(&blob)).expect(404);
    assert!(head.body.is_empty());
}

#[test]
fn the_reason_is_in_the_body_on_http2_too() {
    let scene = scene();
    let answer = scene.client("alice").http2().get("/v2/team/app/manifests/prod").expect(403);
    assert_eq!(answer.version, http::Version::HTTP_2);
    assert!(answer.message().contains(RULE), "{}", answer.message());
}

#[test]
fn who_brings_no_credentials_is_challenged_once_with_the_scope_that_it_needs() {
    let scene = scene();
    let anonymous = scene.gate.anonymous();
    let public = format!("https://{}", scene.gate.name());
    for (method, target, scope) in [
        ("GET", "/v2/", None),
        ("GET", "/v2/team/app/manifests/v1", Some("repository:team/app:pull")),
        ("HEAD", "/v2/team/app/manifests/v1", Some("repository:team/app:pull")),
        ("POST", "/v2/team/app/blobs/uploads/", Some("repository:team/app:pull,push")),
        ("GET", "/v2/team/app/tags/list", Some("repository:team/app:pull")),
        ("GET", "/v2/_catalog", Some("registry:catalog:*")),
    ] {
        let answer = scene.unasked(|| anonymous.send(method, target, &Ask::default())).expect(401);
        let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
        assert_eq!(challenges.len(), 1, "{challenges:?}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer "), "{challenge}");
        assert_eq!(challenge_part(challenge, "realm"), Some(format!("{public}/token")));
        assert_eq!(challenge_part(challenge, "service"), Some(scene.gate.name()));
        assert_eq!(challenge_part(challenge, "scope").as_deref(), scope, "{method} {target}");
        if method == "GET" {
            assert_eq!(answer.code(), "UNAUTHORIZED");
        }
    }
}

#[test]
fn a_token_that_is_none_is_told_apart_from_no_token() {
    let scene = scene();
    for token in ["nonsense", "a.b.c", ""] {
        let client = scene.gate.anonymous().with(Credentials::Bearer(token.to_owned()));
        let answer = scene.unasked(|| client.get("/v2/team/app/manifests/v1")).expect(401);
        let challenge = answer.header("www-authenticate").unwrap();
        assert_eq!(challenge_part(challenge, "error").as_deref(), Some("invalid_token"));
    }
}

#[test]
fn what_is_not_there_reads_as_what_the_caller_must_not_know() {
    let scene = scene();
    let carol = scene.client("carol");
    let there = Image::oci("denials");
    let absent = Image::oci("never pushed");
    let shape = |digest: &str, kind: &str, method: &str| {
        let target = format!("/v2/team/app/{kind}/{digest}");
        let answer = carol.send(method, &target, &Ask::default());
        let id = answer.header("x-request-id").unwrap();
        (answer.shape(digest), answer.reason.replace(digest, "…").replace(id, "…"))
    };
    for method in ["GET", "HEAD"] {
        let (known, unknown) = (there.digest(), absent.digest());
        assert_eq!(shape(known, "manifests", method), shape(unknown, "manifests", method));
        let (known, unknown) = (&there.config.digest, &absent.config.digest);
        assert_eq!(shape(known, "blobs", method), shape(unknown, "blobs", method));
    }
}

#[test]
fn a_hostile_manifest_name_cannot_write_its_own_status_line() {
    let scene = scene();
    let alice = scene.client("alice");
    let token = alice.token(&["repository:team/app:pull"]);
    let mut wire = Wire::open(&alice);
    let answer = wire
        .ask(format!(
            "GET /v2/team/app/manifests/prod%0d%0aX-Evil:%20yes HTTP/1.1\r\nHost: {}\r\n\
             Authorization: Bearer {token}\r\n\r\n",
            scene.gate.name()
        ))
        .unwrap();
    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert!(answer.header("x-evil").is_none(), "{answer:?}");
}

#[test]
fn too_large_a_manifest_is_refused_before_the_upstream_hears_of_it() {
    let scene = scene();
    let large = Blob::new(OCI_MANIFEST, vec![b' '; (4 << 20) + 1]);
    let alice = scene.client("alice");
    let target = "/v2/team/app/manifests/large";
    let token = alice.token(&["repository:team/app:pull,push"]);
    let signed = alice.with(Credentials::Bearer(token));
    let answer =
        scene.unasked(|| signed.send("PUT", target, &Ask::body(OCI_MANIFEST, &large.bytes)));
    assert_eq!(answer.expect(413).json()["errors"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_manifest_with_two_meanings_is_refused() {
    let scene = scene();
    let alice = scene.client("alice");
    let image = Image::oci("two meanings");
    image.blobs().for_each(|blob| drop(alice.push_blob("team/app", blob).expect(201)));
    let mut both: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
    both["manifests"] = serde_json::json!([]);
    let text = String::from_utf8(image.manifest.bytes.clone()).unwrap();
    let twice = text.replacen("\"layers\"", "\"layers\": [], \"layers\"", 1);
    for bytes in [serde_json::to_vec(&both).unwrap(), twice.into_bytes(), b"{}".to_vec()] {
        let blob = Blob::new(OCI_MANIFEST, bytes);
        let answer = scene.unasked(|| alice.put_manifest("team/app", "v1", &blob)).expect(400);
        assert_eq!(answer.code(), "MANIFEST_INVALID");
    }
}

#[test]
fn content_that_lies_somewhere_else_is_not_taken_in() {
    let scene = scene();
    let alice = scene.client("alice");
    let image = Image::oci("foreign");
    image.blobs().for_each(|blob| drop(alice.push_blob("team/app", blob).expect(201)));
    let whole: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
    let urls = serde_json::json!(["https://store.example/layer"]);
    let mut layer = whole.clone();
    layer["layers"][1]["urls"] = urls.clone();
    let mut config = whole.clone();
    config["config"]["urls"] = urls.clone();
    for value in [layer, config] {
        let blob = Blob::json(OCI_MANIFEST, &value);
        for reference in ["v1", &blob.digest] {
            let put = || alice.put_manifest("team/app", reference, &blob);
            let answer = scene.unasked(put).expect(400);
            assert_eq!(answer.code(), "MANIFEST_INVALID");
            assert!(answer.message().contains("`urls`"), "{}", answer.message());
        }
    }
    let child = Image::oci("child");
    alice.push("team/app", child.digest(), &child);
    let mut index = serde_json::json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child.manifest.descriptor()],
    });
    index["manifests"][0]["urls"] = urls;
    let index = Blob::json(OCI_INDEX, &index);
    scene.unasked(|| alice.put_manifest("team/app", "v1", &index)).expect(400);
    // A list of none says nothing.
    let mut none = whole;
    none["layers"][0]["urls"] = serde_json::json!([]);
    alice.put_manifest("team/app", "v1", &Blob::json(OCI_MANIFEST, &none)).expect(201);
}
