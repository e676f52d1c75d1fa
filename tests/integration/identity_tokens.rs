//! What `docker login` keeps instead of a password: an identity token.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::api::{claims, text};
use crate::support::client::Credentials;
use crate::support::docker::Docker;
use crate::support::gate::{Gate, password_of, portcullis};
use crate::support::images::Image;
use crate::support::process::Said;
use crate::support::scene::Scene;

const POLICY: &str = r#"
groups: {team: external}
administrators: [user:root]
rules:
  - name: the-team-works-here
    subjects: [group:team]
    images: ["team/**"]
    allow: [pull, push]
"#;

fn scene() -> Scene {
    let scene = Scene::new(POLICY, &[("alice", &["team"]), ("root", &[])]);
    scene.client("alice").push("team/app", "v1", &Image::oci("identity"));
    scene
}

/// The identity token in docker's `config.json`, which holds no password.
fn kept(docker: &Docker, gate: &Gate) -> String {
    let written = fs::read_to_string(docker.config().join("config.json")).unwrap();
    let pair = BASE64_STANDARD.encode(format!("alice:{}", password_of("alice")));
    assert!(!written.contains(&password_of("alice")) && !written.contains(&pair), "{written}");
    let config: Value = serde_json::from_str(&written).unwrap();
    let token = text(&config["auths"][gate.name()], "identitytoken");
    assert!(token.starts_with("pcr_"));
    token
}

/// `portcullis token …` over HTTPS, by somebody with this access token.
fn command(gate: &Gate, token: &Path, arguments: &[&str]) -> Said {
    let mut command = portcullis();
    command.arg("token").args(arguments).args(["--server", &format!("https://{}", gate.name())]);
    command.arg("--ca").arg(gate.ca()).arg("--token").arg(token).args(["--output", "json"]);
    Said::of(&mut command)
}

/// The logins among the tokens that the owner of this access token sees.
fn logins(gate: &Gate, token: &Path) -> Vec<Value> {
    let listed: Value = serde_json::from_str(&command(gate, token, &["list"]).ok().out).unwrap();
    let tokens = listed["tokens"].as_array().unwrap().iter();
    tokens.filter(|token| token["kind"] == "login").cloned().collect()
}

#[test]
fn docker_keeps_a_token_that_its_owner_sees_and_ends() {
    let scene = scene();
    let gate = &scene.gate;
    let (docker, folder) = (Docker::start(gate), tempfile::tempdir().unwrap());
    let own = gate.basic("alice").post("/api/v1/tokens", &json!({"expires": "1h"})).expect(201);
    let file = folder.path().join("token");
    fs::write(&file, text(&own.json(), "access_token")).unwrap();

    docker.login("alice").ok();
    let first = kept(&docker, gate);
    docker.pull("team/app:v1").ok();
    let (from, to) = (docker.at_gate("team/app:v1"), docker.at_gate("team/app:v2"));
    docker.run(&["tag", &from, &to]).ok();
    docker.push("team/app:v2").ok();
    assert!(scene.stored("team/app", "v2").is_some());
    assert_eq!(kept(&docker, gate), first, "it does not change");
    assert_eq!(
        gate.count("portcullis_tokens_issued_total{grant=\"password\"}"),
        2.0,
        "no password since"
    );

    let [login] = &logins(gate, &file)[..] else { panic!("one login") };
    assert_eq!(login["subject"], "user:alice");
    assert_eq!((&login["state"], &login["made_by"]), (&json!("active"), &json!("user:alice")));
    assert!(text(login, "comment").contains("docker"), "the client's name: {login}");
    assert!(login["last_used_at"].is_string() && login["last_used_from"].is_string(), "{login}");

    // Once more is another one, and each ends alone.
    docker.login("alice").ok();
    let second = kept(&docker, gate);
    assert_ne!(second, first);
    let both = logins(gate, &file);
    assert_eq!(both.len(), 2);
    command(gate, &file, &["revoke", &text(login, "id")]).ok();
    docker.pull("team/app:v1").ok();
    let other = both.iter().find(|token| token["id"] != login["id"]).unwrap();
    command(gate, &file, &["revoke", &text(other, "id")]).ok();
    docker.pull("team/app:v1").failed();
    docker.push("team/app:v2").failed();
    assert!(logins(gate, &file).is_empty());

    // An administrator ends all of a subject; a new login is not concerned.
    docker.login("alice").ok();
    docker.pull("team/app:v1").ok();
    let ended = gate.basic("root").revoke(&json!({"subject": "user:alice"})).expect(200).json();
    assert!(ended["revoked"].as_u64().unwrap() >= 1, "{ended}");
    docker.pull("team/app:v1").failed();
    assert_eq!(command(gate, &file, &["list"]).code, Some(1), "all of them");
    docker.login("alice").ok();
    docker.pull("team/app:v1").ok();
}

#[test]
fn one_identity_token_serves_docker_containerd_and_buildkit_as_they_ask() {
    let scene = scene();
    let gate = &scene.gate;
    let (client, service, password) = (gate.anonymous(), gate.name(), password_of("alice"));
    // As containerd asks with a password, when it pushes with a mount.
    let scopes = "repository:team/app:pull repository:team/w:pull repository:team/w:pull,push";
    let fields = [
        ("grant_type", "password"),
        ("service", &service),
        ("client_id", "containerd-client"),
        ("scope", scopes),
        ("username", "alice"),
        ("password", &password),
    ];
    let answer = client.form(&fields).expect(200).json();
    assert!(answer["refresh_token"].is_null(), "not asked for");
    gate.bearer(&text(&answer, "access_token")).push("team/w", "v1", &Image::oci("containerd"));
    // As BuildKit asks with a password that docker kept, and for a token to keep.
    let offline = [
        &fields[..2],
        &[("client_id", "buildkit-client"), ("access_type", "offline")],
        &fields[3..],
    ];
    let identity = text(&client.form(&offline.concat()).expect(200).json(), "refresh_token");
    let login = gate.basic("alice").listed("");
    let (family, login) = login.iter().next().unwrap();
    assert_eq!(
        (&login["kind"], login["comment"].as_str().unwrap().contains("buildkit-client")),
        (&json!("login"), true)
    );

    for (name, scopes) in [
        ("docker", "repository:team/app:pull"),
        ("docker", "repository:team/w:push,pull repository:team/app:pull"),
        ("containerd-client", scopes),
        ("buildkit-client", "repository:team/w:pull,push"),
    ] {
        let fields = [
            ("grant_type", "refresh_token"),
            ("service", &service),
            ("client_id", name),
            ("scope", scopes),
            ("refresh_token", &identity),
        ];
        let answer = client.form(&fields).expect(200).json();
        assert_eq!(answer["refresh_token"], identity, "docker keeps what it has");
        let token = text(&answer, "access_token");
        let said = claims(&token);
        assert_eq!((&said["family"], &said["sub"]), (&json!(family), &json!("user:alice")));
        let names: Vec<_> =
            said["access"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert!(
            scopes
                .split(' ')
                .all(|scope| names.contains(&&json!(scope.split(':').nth(1).unwrap()))),
            "{said}"
        );
    }
    // As the password of a client that knows nothing else, it reaches as far.
    let basic = Credentials::Tokens("alice".to_owned(), identity.clone());
    gate.anonymous().with(basic.clone()).get("/v2/team/app/manifests/v1").expect(200);
    gate.basic("alice").revoke(&json!({ "value": identity })).expect(200);
    gate.anonymous().with(basic).ask_for_token(&[]).expect(401);
    let fields =
        [("grant_type", "refresh_token"), ("service", &*service), ("refresh_token", &*identity)];
    let refused = client.form(&fields);
    assert!(matches!(refused.status, 400 | 401), "{refused:?}");
    assert_eq!(refused.json()["error"], "invalid_grant");
}
