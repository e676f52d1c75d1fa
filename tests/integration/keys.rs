//! The keys that sign tokens: made, exchanged, taken away, and kept closed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::support::client::Credentials;
use crate::support::gate::{Gate, portcullis};
use crate::support::images::Image;
use crate::support::process::{Said, free_port, program, wait_for};
use crate::support::scene::Scene;
use crate::support::skopeo::Skopeo;

const POLICY: &str = r#"
rules:
  - name: the-team-works-here
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push]
"#;

const SOON: Duration = Duration::from_secs(60);

fn scene() -> Scene {
    let scene = Scene::new(POLICY, &[("alice", &[])]);
    scene.client("alice").push("team/app", "v1", &Image::oci("keys"));
    scene
}

fn token(scene: &Scene) -> String {
    scene.client("alice").token(&["repository:team/app:pull"])
}

fn pull(scene: &Scene, token: &str) -> u16 {
    let client = scene.gate.anonymous().with(Credentials::Bearer(token.to_owned()));
    client.get("/v2/team/app/manifests/v1").status
}

fn header(token: &str) -> Value {
    let text = token.split('.').next().unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

fn kid(token: &str) -> String {
    header(token)["kid"].as_str().unwrap().to_owned()
}

fn rotate(gate: &Gate, more: &[&str]) -> Value {
    let arguments = [&["keys", "rotate", "--output", "json"], more].concat();
    serde_json::from_str(&gate.run(&arguments).ok().out).unwrap()
}

fn listed(gate: &Gate) -> Vec<Value> {
    let said = gate.run(&["keys", "list", "--output", "json"]).ok();
    serde_json::from_str(&said.out).unwrap()
}

/// The keys that the gate publishes: public ones, and nothing else about them.
fn published(gate: &Gate) -> Vec<Value> {
    let keys = gate.anonymous().get("/.well-known/jwks.json").expect(200).json();
    let keys = keys["keys"].as_array().unwrap().clone();
    for key in &keys {
        let mut members: Vec<_> = key.as_object().unwrap().keys().cloned().collect();
        members.retain(|name| name != "y");
        members.sort();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"], "{key}");
    }
    keys
}

fn signs(scene: &Scene, kid_of_new: &Value) -> String {
    wait_for("the new key to sign", SOON, || {
        let token = token(scene);
        (header(&token)["kid"] == *kid_of_new).then_some(token)
    })
}

#[test]
fn a_new_key_signs_at_once_and_old_tokens_end_with_their_key() {
    let scene = scene();
    let old = token(&scene);
    assert_eq!(pull(&scene, &old), 200);
    let made = rotate(&scene.gate, &[]);
    let new = signs(&scene, &made["kid"]);
    assert_ne!(kid(&new), kid(&old));
    assert_eq!((pull(&scene, &old), pull(&scene, &new)), (200, 200));
    assert_eq!(published(&scene.gate).len(), 2);

    let keys = listed(&scene.gate);
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert_eq!((&keys[0]["state"], &keys[1]["state"]), (&"verifying".into(), &"signing".into()));
    assert!(keys[0]["until"].is_string());
    assert_eq!((&keys[0]["kid"], &keys[1]["kid"]), (&kid(&old).into(), &kid(&new).into()));

    fs::remove_file(keys[0]["file"].as_str().unwrap()).unwrap();
    wait_for("the end of the old key", SOON, || (pull(&scene, &old) == 401).then_some(()));
    assert_eq!(pull(&scene, &new), 200);
    assert_eq!(published(&scene.gate).len(), 1);
    let loaded = || {
        let mut records = scene.gate.audit();
        records.retain(|record| {
            record["event"] == "keys.loaded" || record["operation"] == "keys.loaded"
        });
        records
    };
    wait_for("the audit records", SOON, || (loaded().len() == 2).then_some(()));
    assert!(loaded().iter().all(|record| record["reason"] == kid(&new)), "{:?}", loaded());
}

#[test]
fn rotations_in_one_second_overwrite_nothing() {
    let scene = scene();
    let old = token(&scene);
    let files: Vec<_> = (0..3).map(|_| rotate(&scene.gate, &[])["file"].clone()).collect();
    assert!(files.windows(2).all(|pair| pair[0].as_str() < pair[1].as_str()), "{files:?}");
    let keys = listed(&scene.gate);
    assert_eq!(keys.len(), 4);
    for key in &keys {
        let mode = fs::metadata(key["file"].as_str().unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    signs(&scene, &keys[3]["kid"]);
    assert_eq!(pull(&scene, &old), 200);
}

#[test]
fn a_new_key_belongs_to_the_owner_of_the_folder() {
    let (_temporary, home) = made_folder();
    let folder = home.join("state/keys");
    chown(&folder, Some(12_345), Some(54_321)).unwrap();
    let said = run(&home, &["keys", "rotate", "--output", "json"]).ok();
    let made: Value = serde_json::from_str(&said.out).unwrap();
    let made = fs::metadata(made["file"].as_str().unwrap()).unwrap();
    assert_eq!((made.uid(), made.gid()), (12_345, 54_321), "the gate must be able to read it");
}

#[test]
fn an_es256_key_serves_a_real_client() {
    let scene = scene();
    let made = rotate(&scene.gate, &["--algorithm", "es256"]);
    assert_eq!(made["algorithm"], "ES256");
    let token = signs(&scene, &made["kid"]);
    assert_eq!(header(&token)["alg"], "ES256");
    let keys = published(&scene.gate);
    assert!(keys.iter().any(|key| key["kty"] == "EC" && key["kid"] == made["kid"]), "{keys:?}");
    let skopeo = Skopeo::signed_in(&scene.gate, "alice");
    let folder = tempfile::tempdir().unwrap();
    let to = format!("dir:{}", folder.path().join("pulled").display());
    skopeo.copy(&skopeo.at_gate("team/app:v1"), &to).ok();
    assert_eq!(
        scene.stored("team/app", "v1"),
        Some(Image::oci("keys").digest().to_owned()),
        "what was pushed under the first key"
    );
    // The next one is of the same kind, unless it is said otherwise.
    assert_eq!(rotate(&scene.gate, &[])["algorithm"], "ES256");
    assert_eq!(rotate(&scene.gate, &["--algorithm", "ed25519"])["algorithm"], "EdDSA");
}

#[test]
fn what_is_wrong_in_the_folder_leaves_the_keys_in_force() {
    let scene = scene();
    let old = token(&scene);
    let folder = scene.gate.home().join("state/keys");
    fs::write(folder.join("zz.pem"), "-----BEGIN PRIVATE KEY-----\n").unwrap();
    fs::set_permissions(folder.join("zz.pem"), Permissions::from_mode(0o600)).unwrap();
    wait_for("a message about the key", SOON, || scene.gate.log().contains("zz.pem").then_some(()));
    assert_eq!((pull(&scene, &old), pull(&scene, &token(&scene))), (200, 200));
    fs::rename(&folder, folder.with_extension("gone")).unwrap();
    wait_for("a message about the folder", SOON, || {
        scene.gate.log().contains("cannot read").then_some(())
    });
    assert_eq!((pull(&scene, &old), pull(&scene, &token(&scene))), (200, 200));
}

/// A folder that `init` made, with nothing running.
fn made_folder() -> (tempfile::TempDir, PathBuf) {
    let temporary = tempfile::tempdir().unwrap();
    let home = temporary.path().join("gate");
    let address = || format!("127.0.0.1:{}", free_port());
    let mut init = portcullis();
    init.arg("init").arg(&home).args(["--upstream", "http://127.0.0.1:1"]);
    Said::of(init.args(["--listen", &address(), "--management", &address()])).ok();
    (temporary, home)
}

/// Runs a command that would not end by itself if it went well.
fn run(home: &Path, arguments: &[&str]) -> Said {
    let mut command = std::process::Command::new("timeout");
    command.args(["60", env!("CARGO_BIN_EXE_portcullis")]).args(arguments);
    Said::of(command.arg("--config").arg(home.join("portcullis.yaml")))
}

#[test]
fn keys_that_are_open_to_others_refuse_the_start_and_say_what_to_run() {
    let (_temporary, home) = made_folder();
    let folder = home.join("state/keys");
    let mut paths = vec![folder.clone()];
    paths.extend(fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()));
    assert_eq!(paths.len(), 3, "the folder, a signing key and a sealing key");
    for path in paths {
        let before = fs::metadata(&path).unwrap().permissions();
        let bad = if path == folder { [0o777, 0o770] } else { [0o644, 0o660] };
        for mode in bad {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let remedy = if path == folder { "chmod 700" } else { "chmod 600" };
            let said = run(&home, &["serve"]).refused(&format!("{remedy} {}", path.display()));
            assert_eq!(said.code, Some(2));
            assert_eq!(run(&home, &["check"]).refused(remedy).code, Some(2));
        }
        fs::set_permissions(&path, before).unwrap();
    }
}

#[test]
fn an_rsa_key_does_not_sign() {
    let (_temporary, home) = made_folder();
    let path = home.join("state/keys/zz.pem");
    let mut openssl = std::process::Command::new(program("openssl", "openssl"));
    openssl.args(["genpkey", "-algorithm", "rsa", "-out"]).arg(&path);
    Said::of(&mut openssl).ok();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let said = run(&home, &["serve"]).refused("zz.pem");
    assert!(said.err.contains("Ed25519 or P-256") && said.code == Some(2), "{}", said.err);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told_with_the_remedy() {
    let (_temporary, home) = made_folder();
    // Root writes everywhere but where nothing can be written: here the folder is a kernel's.
    let config = home.join("portcullis.yaml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\nsigning_keys: /proc/self/fdinfo\n")).unwrap();
    let said = run(&home, &["keys", "rotate"]).refused("openssl");
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.err.contains("mounted there"), "{}", said.err);
}
