//! What administrators are told of the gate itself.

use http::Method;
use serde_json::json;

use super::form::fits;
use super::scene::{As, Scene};
use crate::reloads::{Outcome, Reload, Remark, Remarks, Which};

const PATHS: [&str; 4] =
    ["/status", "/policy", "/policy/reloads", "/policy/file?name=in-force/policy.yaml"];

#[tokio::test]
async fn what_is_told_of_the_gate_is_for_administrators_and_as_described() {
    let scene = Scene::new().await;
    let remark = Remark {
        file: Some("policies/a.yaml".to_owned()),
        line: Some(3),
        message: "unknown key".to_owned(),
        help: None,
    };
    scene.api.status.reloads.add(Reload {
        at: scene.now(),
        of: Which::Policy,
        result: Outcome::Refused,
        how: "the last good one stays".to_owned(),
        sha256: None,
        remarks: Remarks { remarks: vec![remark], more: 0 },
    });
    for path in PATHS {
        let answer = scene.get(As::User("chief"), path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        fits(&Method::GET, path, &answer);
        for (who, status) in [(As::User("alice"), 403), (As::Nobody, 401)] {
            let answer = scene.get(who, path).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text);
            answer.problem();
        }
    }
}

#[tokio::test]
async fn the_policy_is_told_as_it_is_in_force() {
    let scene = Scene::new().await;
    let policy = scene.get(As::Local, "/policy").await.json();
    assert_eq!(policy["administrators"], json!(["group:admins", "user:root"]));
    let staff = json!({"group": "staff", "external": false, "members": ["user:alice", "user:bob"], "more": 0});
    assert!(policy["groups"].as_array().unwrap().contains(&staff), "{policy}");
    assert_eq!(policy["files"][0]["file"], "in-force/policy.yaml");
    assert_eq!((&policy["files"][0]["rules"], &policy["rules"]), (&json!(2), &json!(2)));
    let path = "/policy/file?name=in-force/policy.yaml";
    let file = scene.get(As::Local, path).await.json();
    assert_eq!(file["sha256"], policy["files"][0]["sha256"]);
    assert!(file["text"].as_str().unwrap().contains("administrators:"), "{file}");
    for name in ["policy.yaml", "/etc/passwd", "in-force/../in-force/policy.yaml", ""] {
        let answer = scene.get(As::Local, &format!("/policy/file?name={name}")).await;
        assert_eq!(answer.status, 404, "{name}: {}", answer.text);
    }
}

#[tokio::test]
async fn no_text_is_told_that_is_not_the_one_in_force() {
    let scene = Scene::new().await;
    let folder = scene.api.policies.source().0.clone();
    std::fs::write(folder.join("policy.yaml"), "rules: []\n").unwrap();
    let policy = scene.get(As::Local, "/policy").await.json();
    assert_eq!(policy["files"][0]["sha256"], json!(null), "{policy}");
    let path = "/policy/file?name=in-force/policy.yaml";
    let answer = scene.get(As::Local, path).await;
    assert_eq!(answer.status, 409, "{}", answer.text);
}

/// Row W5 of the threats.
#[tokio::test]
async fn w5_a_field_that_is_not_described_is_refused_wherever_something_is_changed() {
    let scene = Scene::new().await;
    for (method, path, body) in [
        (Method::POST, "/services", json!({"name": "ci/build", "has_admin_role": true})),
        (Method::PATCH, "/services", json!({"name": "ci/build", "disabled": true, "made_at": 1})),
        (Method::POST, "/tokens", json!({"expires": "1h", "has_admin_role": true})),
        (Method::POST, "/tokens", json!({"expires": "1h", "subject": "user:root"})),
        (
            Method::POST,
            "/exceptions",
            json!({"gate": "g", "image": "a:b", "reason": "x", "expires_in": "1h", "by": "user:x"}),
        ),
        (
            Method::PUT,
            "/image/flags?ref=a:b",
            json!({"flag": "tested", "by": "user:root", "has_admin_role": true}),
        ),
        (Method::POST, "/decide", json!({"action": "pull", "image": "a:b", "administrator": true})),
        (Method::POST, "/refresh", json!({"refresh_token": "pcr_x", "has_admin_role": true})),
        (Method::POST, "/tokens/revoke", json!({"everything": true, "has_admin_role": true})),
    ] {
        let answer = scene.ask(As::User("chief"), method.clone(), path, &body.to_string()).await;
        assert_eq!(answer.status, 400, "{method} {path} {body}: {}", answer.text);
    }
    assert_eq!(scene.get(As::Local, "/services").await.json(), json!({"services": []}));
}

/// Row W7 of the threats: nothing in a request names a place that the gate goes to.
#[tokio::test]
async fn w7_no_address_in_a_request_makes_the_gate_ask_anybody() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/latest/meta-data", listener.local_addr().unwrap());
    let scene = Scene::new().await;
    for (method, path, body) in [
        (Method::GET, format!("/policy/file?name={url}"), String::new()),
        (Method::GET, format!("/image?ref={url}"), String::new()),
        (Method::POST, format!("/image/scan?ref={url}"), String::new()),
        (Method::POST, "/services".to_owned(), json!({"name": url}).to_string()),
        (
            Method::PUT,
            "/image/flags?ref=team/app:v1".to_owned(),
            json!({"flag": "tested", "link": url}).to_string(),
        ),
        (
            Method::POST,
            "/exceptions".to_owned(),
            json!({"gate": "g", "image": url, "reason": url, "expires_in": "1h"}).to_string(),
        ),
        (Method::POST, "/tokens".to_owned(), json!({"expires": "1h", "audience": url}).to_string()),
    ] {
        let answer = scene.ask(As::User("chief"), method.clone(), &path, &body).await;
        assert!(answer.status.is_client_error(), "{method} {path}: {}", answer.text);
    }
    assert!(listener.accept().is_err(), "somebody came");
}
