//! Who may do what.

use std::time::Duration;

use http::header::WWW_AUTHENTICATE;
use http::{Method, StatusCode};
use policy::Subject;
use serde_json::{Value, json};

use super::scene::{As, PASSWORD, Scene};
use crate::token::{Grant, Kind, Order, mint};

const AN_HOUR: &str = r#"{"expires": "1h"}"#;

fn access(token: &Value) -> As<'_> {
    As::Token(token["access_token"].as_str().unwrap())
}

#[tokio::test]
async fn whoever_does_not_say_who_they_are_is_asked() {
    let scene = Scene::new().await;
    for (method, path) in [
        (Method::GET, "/tokens"),
        (Method::POST, "/tokens"),
        (Method::GET, "/tokens/AAAAAAAAAAAAAAAAAAAAAA"),
        (Method::DELETE, "/tokens/AAAAAAAAAAAAAAAAAAAAAA"),
        (Method::GET, "/services"),
        (Method::POST, "/services"),
        (Method::PATCH, "/services"),
        (Method::GET, "/users"),
        (Method::GET, "/whoami"),
    ] {
        for who in [As::Nobody, As::Basic("alice", "wrong"), As::Token("x.y.z")] {
            let answer = scene.ask(who, method.clone(), path, AN_HOUR).await;
            assert!(answer.problem().starts_with("401 "), "{method} {path} {}", answer.text);
            let challenge = r#"Basic realm="https://gate.example", charset="UTF-8""#;
            assert_eq!(answer.headers[WWW_AUTHENTICATE], challenge, "{method} {path}");
        }
    }
    let revoke = r#"{"subject": "user:alice"}"#;
    let answer = scene.post(As::Nobody, "/tokens/revoke", revoke).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn guesses_are_throttled_as_at_the_token_endpoint() {
    let scene = Scene::new().await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let answer = scene.get(As::Basic("alice", "guess"), "/whoami").await;
        statuses.push(answer.status.as_u16());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 10);
    let answer = scene.get(As::Basic("alice", PASSWORD), "/whoami").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn only_administrators_see_and_change_services_and_users() {
    let scene = Scene::new().await;
    let name = r#"{"name": "ci/build"}"#;
    let off = r#"{"name": "ci/build", "disabled": true}"#;
    for (who, allowed) in [
        (As::User("alice"), false),
        (As::User("root"), true),
        (As::User("chief"), true),
        (As::Local, true),
    ] {
        for (method, path, body) in [
            (Method::GET, "/users", ""),
            (Method::GET, "/services", ""),
            (Method::POST, "/services", name),
            (Method::PATCH, "/services", off),
        ] {
            let answer = scene.ask(who.clone(), method.clone(), path, body).await;
            let denied = answer.status == StatusCode::FORBIDDEN;
            assert_eq!(denied, !allowed, "{method} {path}: {}", answer.text);
        }
    }
    let denials: Vec<_> = scene.audit().await;
    insta::assert_snapshot!(
        denials.first().unwrap(),
        @r#"{"address":"192.0.2.1","decision":"deny","event":"api.denied","reason":"this is for administrators (`administrators` in the policies)","status":403,"subject":"user:alice"}"#
    );
    assert_eq!(denials.iter().filter(|line| line.contains("api.denied")).count(), 4);
}

/// A credential for less than its holder may do lifts itself to nothing more (T6, T7).
#[tokio::test]
async fn a_token_that_was_cut_down_makes_and_ends_no_other() {
    let scene = Scene::new().await;
    // Made by an administrator for herself: she is one, the token is not.
    for cut in [r#""actions": ["pull"]"#, r#""images": ["team/**"]"#, r#""groups": []"#] {
        let other = scene.create(As::User("chief"), AN_HOUR).await;
        let body = format!(r#"{{"expires": "1h", {cut}}}"#);
        let token = scene.create(As::User("chief"), &body).await;
        for wanted in [AN_HOUR, r#"{"expires": "1h", "for": "user:bob"}"#] {
            let answer = scene.post(access(&token), "/tokens", wanted).await;
            insta::allow_duplicates! {
                insta::assert_snapshot!(answer.problem(), @"403 a token that was cut down to some groups, images or actions makes no other tokens");
            }
        }
        let id = other["id"].as_str().unwrap();
        for (method, path, body) in [
            (Method::DELETE, format!("/tokens/{id}").as_str(), ""),
            (Method::POST, "/tokens/revoke", r#"{"subject": "user:chief"}"#),
            (Method::POST, "/tokens/revoke", r#"{"everything": true}"#),
            (Method::POST, "/services", r#"{"name": "a"}"#),
            (Method::GET, "/tokens?all-subjects=true", ""),
        ] {
            let answer = scene.ask(access(&token), method, path, body).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{cut} {path}: {}", answer.text);
        }
        assert!(scene.holds(&other["access_token"]).await);
        let itself = format!("/tokens/{}", token["id"].as_str().unwrap());
        assert_eq!(scene.ask(access(&token), Method::DELETE, &itself, "").await.status, 204);
        assert!(!scene.holds(&token["access_token"]).await);
    }
}

#[tokio::test]
async fn a_token_of_the_token_endpoint_is_for_the_registry() {
    let scene = Scene::new().await;
    let token = scene.for_the_registry("user:alice", Kind::User);
    let who = || As::Token(&token);
    for (method, path, body) in [
        (Method::GET, "/tokens", ""),
        (Method::POST, "/tokens", AN_HOUR),
        (Method::GET, "/users", ""),
        (Method::POST, "/tokens/revoke", r#"{"subject": "user:alice"}"#),
    ] {
        let answer = scene.ask(who(), method, path, body).await;
        assert!(answer.problem().starts_with("403 this token is for the registry"), "{path}");
    }
    assert_eq!(scene.get(who(), "/whoami").await.json()["subject"], "user:alice");
    let value = json!({ "value": token }).to_string();
    let answer = scene.post(who(), "/tokens/revoke", &value).await;
    assert_eq!(answer.json(), json!({"revoked": 1}));
    assert!(!scene.holds(&json!(token)).await);
}

/// What is not one's own looks as if it were not there (W4).
#[tokio::test]
async fn a_token_of_another_is_not_there() {
    let scene = Scene::new().await;
    let token = scene.create(As::User("alice"), AN_HOUR).await;
    let id = token["id"].as_str().unwrap();
    let path = format!("/tokens/{id}");
    for method in [Method::GET, Method::DELETE] {
        let theirs = scene.ask(As::User("bob"), method.clone(), &path, "").await.problem();
        let nobodys = scene.ask(As::User("bob"), method, "/tokens/AAAAAAAAAAAAAAAAAAAAAA", "");
        assert_eq!(
            theirs.replace(id, "X"),
            nobodys.await.problem().replace("AAAAAAAAAAAAAAAAAAAAAA", "X")
        );
    }
    assert!(scene.holds(&token["access_token"]).await);
    let theirs = scene.get(As::User("bob"), "/tokens?for=user:alice").await;
    assert_eq!(theirs.status, StatusCode::FORBIDDEN);
    let revoke = r#"{"subject": "user:alice"}"#;
    let answer = scene.post(As::User("bob"), "/tokens/revoke", revoke).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let own = scene.get(As::User("bob"), "/tokens").await.json();
    assert_eq!(own["tokens"], json!([]));
    for who in [As::User("alice"), As::User("root"), As::Local] {
        assert_eq!(scene.get(who, &path).await.json()["id"], id);
    }
}

#[tokio::test]
async fn whoami_tells_what_the_credential_is() {
    let scene = Scene::new().await;
    let who = async |who: As<'_>| scene.get(who, "/whoami").await.text;
    insta::assert_snapshot!(who(As::User("alice")).await, @r#"{"subject":"user:alice","kind":"user","groups":["ops","staff"],"administrator":false,"expires_at":null}"#);
    insta::assert_snapshot!(who(As::User("chief")).await, @r#"{"subject":"user:chief","kind":"user","groups":["admins"],"administrator":true,"expires_at":null}"#);
    insta::assert_snapshot!(who(As::Local).await, @r#"{"subject":"local:1000","kind":"local","groups":[],"administrator":true,"expires_at":null}"#);
    let token = scene.create(As::User("alice"), r#"{"expires":"1h","groups":["staff"]}"#).await;
    insta::assert_snapshot!(who(access(&token)).await, @r#"{"subject":"user:alice","kind":"user","groups":["staff"],"administrator":false,"expires_at":"2027-01-15T09:00:00Z"}"#);
}

#[tokio::test]
async fn users_are_shown_with_what_policy_adds_to_them() {
    let scene = Scene::new().await;
    let users = scene.get(As::Local, "/users").await.json();
    let lines: Vec<_> = users["users"].as_array().unwrap().iter().map(Value::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"disabled":false,"groups":["ops","staff"],"name":"alice","source":"users"}
    {"disabled":false,"groups":["staff"],"name":"bob","source":"users"}
    {"disabled":false,"groups":["admins"],"name":"chief","source":"users"}
    {"disabled":true,"groups":[],"name":"gone","source":"users"}
    {"disabled":false,"groups":[],"name":"old","source":"htpasswd"}
    {"disabled":false,"groups":[],"name":"root","source":"users"}
    "#);
}

/// Anybody gets as many of them as they like, and each would be kept among what is revoked.
#[tokio::test]
async fn a_token_for_nobody_is_not_worth_revoking() {
    let scene = Scene::new().await;
    let order = Order {
        grant: Grant::unlimited(Subject::Anonymous, Kind::Anonymous, scene.now()),
        family: None,
        audience: None,
        access: Some(Vec::new()),
        lifetime: Duration::from_secs(3600),
        not_after: None,
    };
    let authenticator = &scene.issue.authenticator;
    let minted = mint(order, &authenticator.keys(), authenticator.issuer(), scene.now());
    let body = json!({"value": minted.unwrap().0.expose()}).to_string();
    let answer = scene.post(As::Nobody, "/tokens/revoke", &body).await;
    assert_eq!(answer.json(), json!({"revoked": 0}));
    assert!(scene.issue.state.revocations(|revocations, _| revocations.is_empty()));
}
