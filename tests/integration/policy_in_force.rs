//! What a policy says is what the gate does: conditions, and explanations.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::client::{Answer, Ask, Client};
use crate::support::clock::{HOUR, MINUTE};
use crate::support::gate::{Setup, portcullis};
use crate::support::images::Image;
use crate::support::process::{Said, wait_for};
use crate::support::scene::Scene;

const MANIFEST: &str = "/v2/team/app/manifests/v1";

/// A request for an image that comes from an address through a proxy that may say so.
fn pull_from(client: &Client, address: &str) -> Answer {
    client.send("GET", MANIFEST, &Ask::headers(&[("x-forwarded-for", address)]))
}

#[test]
fn a_rule_for_a_network_holds_there_and_nowhere_else() {
    let policy = r#"
rules:
  - name: the-team-pushes
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push]

  - name: the-office-reads
    subjects: [user:bob]
    images: ["team/**"]
    allow: [pull]
    networks: [10.20.0.0/16, "fd00::/8"]

  - name: nobody-reads-from-the-guest-network
    subjects: [anyone]
    images: ["**"]
    deny: [pull]
    networks: [10.20.99.0/24]
"#;
    let users: [(&str, &[&str]); 2] = [("alice", &[]), ("bob", &[])];
    let scene =
        Scene::with(policy, &users, |setup| setup.setting("trusted_proxies", "[127.0.0.1]"));
    scene.gate.basic("alice").push("team/app", "v1", &Image::oci("networks"));
    for client in [scene.gate.basic("bob"), scene.client("bob")] {
        let inside = ["10.20.1.7", "fd12::1", "::ffff:10.20.1.7"];
        assert_eq!(inside.map(|address| pull_from(&client, address).status), [200; 3]);
        for address in ["10.21.0.1", "192.0.2.1"] {
            let denied = pull_from(&client, address).expect(403);
            let why =
                "rule `the-office-reads` would allow it but only from 10.20.0.0/16 or fd00::/8";
            assert!(denied.message().contains(why), "{}", denied.message());
        }
        let denied = pull_from(&client, "10.20.99.1").expect(403);
        let why = "nobody-reads-from-the-guest-network";
        assert!(denied.message().contains(why), "{}", denied.message());
    }
    assert_eq!(pull_from(&scene.gate.basic("alice"), "192.0.2.1").status, 200);
    assert_eq!(pull_from(&scene.gate.basic("alice"), "10.20.99.1").status, 403);
}

#[test]
fn a_rule_ends_by_itself_for_tokens_that_were_given_before() {
    let end = Timestamp::now() + SignedDuration::from_mins(20);
    let policy = format!(
        r#"
rules:
  - name: the-contractor-works-here
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push]
    expires: {end:.0}
"#
    );
    let scene = Scene::with(&policy, &[("alice", &[])], Setup::own_clock);
    let alice = scene.client("alice");
    alice.push("team/app", "v1", &Image::oci("expires"));
    let token = alice.token(&["repository:team/app:pull"]);
    let (by_token, by_password) = (scene.gate.bearer(&token), scene.gate.basic("alice"));
    assert_eq!([&by_token, &by_password].map(|it| it.get(MANIFEST).status), [200; 2]);
    scene.gate.clock().set(30 * MINUTE);
    for client in [by_token, by_password] {
        let denied = client.get(MANIFEST).expect(403);
        let why = format!("would allow it but it expired at {end:.0}");
        assert!(denied.message().contains(&why), "{}", denied.message());
    }
    scene.gate.clock().set(HOUR);
    assert_eq!(scene.client("alice").ask_for_token(&["repository:team/app:pull"]).status, 200);
}

#[test]
fn a_rule_for_a_kind_of_credential_leaves_the_others_out() {
    let policy = r#"
groups:
  builders: [user:alice, "service:ci/*"]
rules:
  - name: builders-read
    subjects: [group:builders]
    images: ["team/**"]
    allow: [pull]

  - name: jobs-push
    subjects: [group:builders]
    images: ["team/**"]
    allow: [push]
    token: {kind: [service]}
"#;
    let scene = Scene::new(policy, &[("alice", &[])]);
    let gate = &scene.gate;
    gate.run(&["service", "add", "ci/build"]).ok();
    let made = gate.json(&["token", "create", "--for", "service:ci/build", "--expires", "1h"]);
    let job = gate.bearer(made["access_token"].as_str().unwrap());
    job.push("team/app", "v1", &Image::oci("kinds"));
    gate.basic("alice").get(MANIFEST).expect(200);
    let upload = gate.basic("alice").send("POST", "/v2/team/app/blobs/uploads/", &Ask::default());
    let why = "rule `jobs-push` would allow it but only with a credential of the kind service";
    assert!(upload.expect(403).message().contains(why));
}

const COMPANY: &str = r#"
groups:
  backend: [user:alice]
  qa: external

rules:
  - name: backend-works-in-its-space
    subjects: [group:backend]
    images: ["team/backend/**"]
    allow: [all]

  - name: qa-tests-candidates
    subjects: [group:qa]
    images: ["team/*/api:rc-*"]
    allow: [pull]

  - name: versions-do-not-move
    subjects: [anyone]
    images: ["**:v*"]
    deny: [overwrite, delete]

  - name: secrets-are-for-nobody
    subjects: [anyone]
    images: ["team/backend/secret"]
    deny: [pull]

  - name: not-before-the-next-century
    subjects: [user:bob]
    images: ["team/web/**"]
    allow: [push]
    starts: 2100-01-01
"#;

/// What `policy explain` says of the policy in the gate's folder.
fn explained(scene: &Scene, user: &str, groups: &[&str], action: &str, image: &str) -> Value {
    let mut command = portcullis();
    command.args(["policy", "explain", "--output", "json"]);
    command.arg("--policies").arg(scene.gate.home().join("policies"));
    command.args(["--as", &format!("user:{user}"), action, image]);
    for group in groups {
        command.args(["--group", group]);
    }
    let said = Said::of(&mut command);
    serde_json::from_str(&said.out).expect(&said.err)
}

#[test]
fn an_explanation_names_the_rule_of_the_denial() {
    let users: [(&str, &[&str]); 2] = [("alice", &[]), ("bob", &["qa"])];
    let scene = Scene::new(COMPANY, &users);
    let (image, other) = (Image::oci("explained"), Image::oci("another"));
    for tag in ["rc-1", "v1", "dev"] {
        scene.client("alice").push("team/backend/api", tag, &image);
    }
    let manifest = |image: &str| {
        let (repository, tag) = image.split_once(':').unwrap();
        format!("/v2/{repository}/manifests/{tag}")
    };
    let live = |user: &str, action: &str, target: &str| {
        let client = scene.gate.basic(user);
        match action {
            "pull" => client.get(&manifest(target)),
            "delete" => client.delete(&manifest(target)),
            _ => {
                let ask = Ask::body(&other.manifest.media_type, &other.manifest.bytes);
                client.send("PUT", &manifest(target), &ask)
            }
        }
    };
    let questions = [
        ("alice", &[][..], "pull", "team/backend/secret:x"),
        ("alice", &[], "pull", "team/web/api:rc-1"),
        ("alice", &[], "overwrite", "team/backend/api:v1"),
        ("alice", &[], "delete", "team/backend/api:v1"),
        ("alice", &[], "create", "team/web/api:x"),
        ("bob", &["qa"], "pull", "team/backend/api:dev"),
        ("bob", &["qa"], "pull", "team/backend/api:v1"),
        ("bob", &["qa"], "create", "team/backend/api:rc-2"),
        ("bob", &["qa"], "create", "team/web/site:1"),
        ("bob", &["qa"], "delete", "team/backend/api:rc-1"),
    ];
    for (user, groups, action, target) in questions {
        let told = explained(&scene, user, groups, action, target);
        assert_eq!(told["decision"], "deny", "{told}");
        let reason = told["reason"].as_str().unwrap();
        let denied = live(user, action, target).expect(403);
        assert!(denied.message().contains(reason), "{} / {reason}", denied.message());
        let request_id = denied.header("x-request-id").unwrap().to_owned();
        let record = wait_for("its record", Duration::from_secs(10), || {
            scene.gate.audit().into_iter().find(|record| record["request_id"] == *request_id)
        });
        assert_eq!(record["rule"], told["rule"], "{user} {action} {target}: {record}");
    }
    let allowed = [
        ("bob", &["qa"][..], "pull", "team/backend/api:rc-1"),
        ("alice", &[], "pull", "team/backend/api:dev"),
    ];
    for (user, groups, action, target) in allowed {
        let told = explained(&scene, user, groups, action, target);
        let answer = live(user, action, target).expect(200);
        let request_id = answer.header("x-request-id").unwrap().to_owned();
        let record = wait_for("its record", Duration::from_secs(10), || {
            scene.gate.audit().into_iter().find(|record| record["request_id"] == *request_id)
        });
        assert_eq!(record["rule"], told["rule"], "{user} {action} {target}");
    }
}
