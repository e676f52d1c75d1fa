//! What somebody asks for is not what they get: scopes, accounts, old groups and known passwords.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::{Puller, claims, text};
use crate::support::client::{Client, Credentials};
use crate::support::gate::{Gate, Setup};
use crate::support::images::Image;
use crate::support::process::wait_for;
use crate::support::scene::Scene;

const POLICY: &str = r#"
groups: {team: external, listed: [user:alice, user:bob]}
rules:
  - name: the-team-works-here
    subjects: [group:team]
    images: ["team/**"]
    allow: [pull, push]
  - name: those-on-the-list-work-there
    subjects: [group:listed]
    images: ["listed/**"]
    allow: [pull, push]
  - name: root-may-do-all
    subjects: [user:root]
    images: ["**"]
    allow: [all]
"#;

const SOON: Duration = Duration::from_secs(20);

fn scene() -> Scene {
    let users: &[(&str, &[&str])] = &[("alice", &["team"]), ("bob", &[]), ("root", &[])];
    let scene = Scene::new(POLICY, users);
    for repository in ["team/app", "listed/app", "secret/app"] {
        scene.registry.client().push(repository, "v1", &Image::oci(repository));
    }
    scene
}

/// What a token says that it is good for: `team/app: pull,push`.
fn granted(token: &str) -> Vec<String> {
    let access = claims(token)["access"].clone();
    let entries = access.as_array().unwrap().iter().map(|entry| {
        let actions = entry["actions"].as_array().unwrap().iter().map(|action| action.as_str());
        let actions: Vec<_> = actions.map(Option::unwrap).collect();
        format!("{}: {}", entry["name"].as_str().unwrap(), actions.join(","))
    });
    entries.filter(|entry| !entry.ends_with(": ")).collect()
}

fn token_endpoint(client: &Client, query: &str) -> Value {
    let target = format!("/token?service={}{query}", client.authority());
    client.get(&target).expect(200).json()
}

/// Reads and writes that must not go well with this token.
#[track_caller]
fn writes_nothing(gate: &Gate, token: &str, repository: &str) {
    let client = gate.bearer(token);
    let status = client.get(&format!("/v2/{repository}/blobs/uploads/")).status;
    assert!(status >= 400);
    let image = Image::oci("forbidden");
    let put = client.put_manifest(repository, "v1", &image.manifest);
    assert!(matches!(put.status, 401 | 403), "{put:?}");
    let begun =
        client.send("POST", &format!("/v2/{repository}/blobs/uploads/"), &Default::default());
    assert!(matches!(begun.status, 401 | 403), "{begun:?}");
}

#[test]
fn asking_for_more_brings_no_more_than_policy_grants() {
    let scene = scene();
    let gate = &scene.gate;
    let bob = gate.basic("bob");
    for (query, expected) in [
        ("&scope=repository:team/app:*", vec![]),
        ("&scope=repository:*:*", vec![]),
        ("&scope=repository:team/*:pull&scope=repository:**:pull", vec![]),
        ("&scope=repository:secret/app:pull,push,delete,*", vec![]),
        ("&scope=repository:listed/app:*&account=root", vec!["listed/app: pull,create,overwrite"]),
        ("&account=root&scope=repository:secret/app:pull", vec![]),
        (
            "&scope=repository:listed/app:pull&scope=repository:listed/app:pull,delete",
            vec!["listed/app: pull"],
        ),
        ("&scope=registry:catalog:*&scope=repository:team/app:pull", vec!["catalog: *"]),
    ] {
        let answer = token_endpoint(&bob, query);
        let token = text(&answer, "token");
        assert_eq!(granted(&token), expected, "{query}");
        assert_eq!(claims(&token)["sub"], "user:bob", "{query}");
        let signed = gate.bearer(&token);
        for repository in ["team/app", "secret/app"] {
            let status = signed.get(&format!("/v2/{repository}/manifests/v1")).status;
            assert!(matches!(status, 401 | 403 | 404), "{query}: {status}");
        }
        writes_nothing(gate, &token, "secret/app");
    }
    let thousand = "&scope=repository:listed/app:pull".repeat(1000);
    let answer = bob.get(&format!("/token?service={}{thousand}", gate.name()));
    assert!(matches!(answer.status, 400 | 414 | 431), "{answer:?}");
}

#[test]
fn a_credential_for_reading_writes_nothing_whatever_is_made_of_it() {
    let scene = scene();
    let gate = &scene.gate;
    let order = json!({"images": ["listed/app"], "actions": ["pull"], "expires": "1h", "refreshable": true});
    let made = gate.basic("alice").post("/api/v1/tokens", &order).expect(201).json();
    let access = text(&made, "access_token");
    let service = gate.name();
    let scope = "repository:listed/app:pull,push,delete repository:team/app:pull,push";
    let by_password = |name: &str, password: &str| {
        let fields = [
            ("grant_type", "password"),
            ("service", &*service),
            ("access_type", "offline"),
            ("client_id", "docker"),
            ("username", name),
            ("password", password),
            ("scope", scope),
        ];
        gate.anonymous().form(&fields).expect(200).json()
    };
    let derived = by_password("alice", &access);
    let identity = text(&derived, "refresh_token");
    let fields = |grant, name, value| {
        gate.anonymous()
            .form(&[("grant_type", grant), ("service", &service), ("scope", scope), (name, value)])
            .expect(200)
            .json()
    };
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    let kind = "urn:ietf:params:oauth:token-type:access_token";
    let exchanged = gate.anonymous().form(&[
        ("grant_type", exchange),
        ("service", &service),
        ("scope", scope),
        ("subject_token", &access),
        ("subject_token_type", kind),
    ]);
    let tokens = [
        access.clone(),
        text(&derived, "access_token"),
        text(&by_password("token", &text(&derived, "access_token")), "access_token"),
        text(&by_password("token", &identity), "access_token"),
        text(&fields("refresh_token", "refresh_token", &identity), "access_token"),
        text(&exchanged.expect(200).json(), "access_token"),
        gate.refreshed(&text(&made, "refresh_token")).0,
    ];
    for (number, token) in tokens.iter().enumerate() {
        gate.bearer(token).get("/v2/listed/app/manifests/v1").expect(200);
        writes_nothing(gate, token, "listed/app");
        assert_ne!(gate.pulls(token), 200, "{number}: another repository");
        if number > 0 && number < 6 {
            assert_eq!(granted(token), ["listed/app: pull"], "{number}");
        }
        let order = json!({"expires": "1h"});
        gate.bearer(token).post("/api/v1/tokens", &order).expect(403);
    }
}

#[test]
fn a_group_that_is_taken_away_is_gone_from_tokens_that_were_made_before() {
    let scene = scene();
    let gate = &scene.gate;
    let order = json!({"groups": ["team", "listed"], "expires": "1h", "refreshable": true});
    let made = gate.basic("alice").post("/api/v1/tokens", &order).expect(201).json();
    let access = text(&made, "access_token");
    let password = Credentials::Tokens("alice".to_owned(), access.clone());
    let scopes = ["repository:team/app:pull,push", "repository:listed/app:pull,push"];
    let derived = gate.anonymous().with(password.clone()).token(&scopes);
    let pulls = |token: &str, repository: &str| {
        gate.bearer(token).get(&format!("/v2/{repository}/manifests/v1")).status
    };
    for token in [&access, &derived] {
        assert_eq!((pulls(token, "team/app"), pulls(token, "listed/app")), (200, 200));
    }
    let mut puller = Puller::start(gate, &access);

    let users = gate.home().join("users.yaml");
    let text_before = fs::read_to_string(&users).unwrap();
    let without = text_before.replace("team", "nothing");
    assert_ne!(text_before, without);
    let new = users.with_extension("new");
    fs::write(&new, without).unwrap();
    fs::rename(new, &users).unwrap();
    wait_for("the users file", SOON, || (puller.pull().status != 200).then_some(()));
    gate.write_policy(&POLICY.replace("listed: [user:alice, user:bob]", "listed: [user:bob]"));
    wait_for("the policy", SOON, || (pulls(&access, "listed/app") != 200).then_some(()));

    let (refreshed, _) = gate.refreshed(&text(&made, "refresh_token"));
    for token in [&access, &derived, &refreshed] {
        for repository in ["team/app", "listed/app"] {
            let status = pulls(token, repository);
            assert!(matches!(status, 401 | 403 | 404), "{status}");
            writes_nothing(gate, token, repository);
        }
    }
    // What is made of it now has none of these either.
    let new = gate.anonymous().with(password).token(&scopes);
    assert_eq!(granted(&new), Vec::<String>::new());
}

#[test]
fn a_new_gate_has_no_password_that_anybody_knows_beforehand() {
    let start = || Setup::new("http://127.0.0.1:9", POLICY).start();
    let (one, other) = (start(), start());
    assert_ne!(one.admin_password(), other.admin_password());
    assert!(one.admin_password().len() >= 16, "{}", one.admin_password());
    let own = Credentials::Basic("admin".to_owned(), one.admin_password().to_owned());
    one.anonymous().with(own).get("/v2/").expect(200);
    for name in ["admin", "administrator", "root", "portcullis", "anonymous", ""] {
        for password in ["", "admin", "password", "changeme", "portcullis", other.admin_password()]
        {
            let guess = Credentials::Basic(name.to_owned(), password.to_owned());
            let status = one.anonymous().with(guess.clone()).get("/v2/").status;
            assert!(matches!(status, 400 | 401 | 429), "{name}:{password} {status}");
            let status = one.anonymous().with(guess).get("/api/v1/users").status;
            assert!(matches!(status, 400 | 401 | 429), "{name}:{password} {status}");
        }
    }
}
