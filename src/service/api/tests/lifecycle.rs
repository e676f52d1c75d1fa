//! From making a token to its end.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::scene::{As, Scene};
use crate::token::Kind;

const AN_HOUR: &str = r#"{"expires": "1h"}"#;

fn access(token: &Value) -> As<'_> {
    As::Token(token["access_token"].as_str().unwrap())
}

async fn refresh(scene: &Scene, token: &Value) -> super::scene::Answer {
    let body = json!({"refresh_token": token["refresh_token"]}).to_string();
    scene.post(As::Nobody, "/refresh", &body).await
}

async fn ids(scene: &Scene, who: As<'_>, path: &str) -> Vec<Value> {
    let answer = scene.get(who, path).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let tokens = answer.json()["tokens"].clone();
    tokens.as_array().unwrap().iter().map(|token| token["id"].clone()).collect()
}

#[tokio::test]
async fn a_token_is_made_shown_used_and_revoked() {
    let scene = Scene::new().await;
    let body = r#"{"for": "user:alice", "groups": ["staff"], "images": ["team/**"],
                   "actions": ["pull"], "expires": "8h", "comment": "laptop"}"#;
    let token = scene.create(As::User("alice"), body).await;
    let mut shown = token.clone();
    let fields = shown.as_object_mut().unwrap();
    let secret = fields.remove("access_token").unwrap();
    let id = fields.remove("id").unwrap();
    insta::assert_snapshot!(shown, @r#"{"actions":["pull","inspect"],"audience":null,"comment":"laptop","ends_at":"2027-01-15T16:00:00Z","expires_at":"2027-01-15T16:00:00Z","groups":["staff"],"images":["team/**"],"kind":"access","made_at":"2027-01-15T08:00:00Z","made_by":"user:alice","refresh_token":null,"subject":"user:alice"}"#);
    assert!(scene.holds(&secret).await);
    let path = format!("/tokens/{}", id.as_str().unwrap());
    let mut listed = scene.get(As::User("alice"), &path).await.json();
    assert_eq!(listed.as_object_mut().unwrap().remove("id"), Some(id.clone()));
    insta::assert_snapshot!(listed, @r#"{"actions":["pull","inspect"],"audience":null,"comment":"laptop","ends_at":"2027-01-15T16:00:00Z","groups":["staff"],"images":["team/**"],"kind":"access","last_used_at":"2027-01-15T08:00:00Z","last_used_from":"192.0.2.1","made_at":"2027-01-15T08:00:00Z","made_by":"user:alice","state":"active","subject":"user:alice"}"#);
    let answer = scene.ask(As::User("alice"), Method::DELETE, &path, "").await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
    assert!(!scene.holds(&secret).await);
    // Again is no error.
    assert_eq!(scene.ask(As::User("alice"), Method::DELETE, &path, "").await.status, 204);
    assert_eq!(scene.get(As::User("alice"), &path).await.json()["state"], "revoked");
    assert_eq!(ids(&scene, As::User("alice"), "/tokens").await.len(), 0);
    assert_eq!(ids(&scene, As::User("alice"), "/tokens?all=true").await, [id]);
    insta::assert_snapshot!(scene.audit().await.join("\n"), @r#"
    {"address":"192.0.2.1","event":"token.created","groups":["staff"],"kind":"user","reason":"access for user:alice","subject":"user:alice"}
    {"address":"192.0.2.1","event":"token.revoked","kind":"user","reason":"by id of user:alice: 1 ended","subject":"user:alice"}
    {"address":"192.0.2.1","event":"token.revoked","kind":"user","reason":"by id of user:alice: 0 ended","subject":"user:alice"}
    "#);
}

#[tokio::test]
async fn a_refreshable_token_is_refreshed_until_its_subject_is_gone() {
    let scene = Scene::new().await;
    let body = r#"{"for": "user:alice", "expires": "1h", "refreshable": true}"#;
    let token = scene.create(As::Local, body).await;
    scene.wait(3000);
    let next = refresh(&scene, &token).await;
    assert_eq!(next.status, 200, "{}", next.text);
    let next = next.json();
    assert_eq!(next["id"], token["id"]);
    assert_ne!(next["refresh_token"], token["refresh_token"]);
    assert_ne!(next["access_token"], token["access_token"]);
    assert!(scene.holds(&next["access_token"]).await);
    // An answer that was lost is asked for again.
    assert_eq!(refresh(&scene, &token).await.json()["refresh_token"], next["refresh_token"]);
    scene.disable("alice");
    let refused = refresh(&scene, &next).await;
    assert!(refused.problem().starts_with("401 "), "{}", refused.text);
    let nothing = scene.post(As::Nobody, "/refresh", r#"{"refresh_token": "pcr_x"}"#).await;
    assert!(nothing.problem().starts_with("400 "), "{}", nothing.text);
}

#[tokio::test]
async fn a_refresh_shows_in_the_list_at_once() {
    let scene = Scene::new().await;
    let body = r#"{"expires": "1h", "refreshable": true}"#;
    let token = scene.create(As::User("alice"), body).await;
    let used = async || scene.get(As::User("alice"), "/tokens").await.json()["tokens"][0].clone();
    assert_eq!(used().await["last_used_at"], Value::Null);
    scene.wait(60);
    refresh(&scene, &token).await;
    let used = used().await;
    assert_eq!(used["last_used_at"], scene.now().to_string());
    assert_eq!(used["last_used_from"], "192.0.2.1");
}

#[tokio::test]
async fn what_is_made_with_a_token_dies_with_it() {
    let scene = Scene::new().await;
    let parent = scene.create(As::User("alice"), r#"{"expires": "2h"}"#).await;
    let child = scene.create(access(&parent), r#"{"expires": "8h", "refreshable": true}"#).await;
    assert_eq!(child["ends_at"], parent["ends_at"]);
    assert_eq!(child["expires_at"], parent["ends_at"]);
    let value = json!({"value": parent["access_token"]}).to_string();
    let answer = scene.post(As::Nobody, "/tokens/revoke", &value).await;
    assert_eq!(answer.json(), json!({"revoked": 2}));
    assert!(!scene.holds(&parent["access_token"]).await);
    assert!(!scene.holds(&child["access_token"]).await);
    assert_eq!(refresh(&scene, &child).await.status, 401);
}

#[tokio::test]
async fn a_service_works_as_long_as_it_is_enabled() {
    let scene = Scene::new().await;
    let body = r#"{"for": "service:ci/build", "groups": ["ci", "other"], "expires": "8h"}"#;
    let unknown = scene.post(As::User("root"), "/tokens", body).await;
    insta::assert_snapshot!(unknown.problem(), @"404 there is no service `ci/build`: `portcullis service add ci/build`");
    let name = r#"{"name": "ci/build"}"#;
    assert_eq!(scene.post(As::User("root"), "/services", name).await.status, 201);
    let again = scene.post(As::User("root"), "/services", name).await;
    insta::assert_snapshot!(again.problem(), @"409 there is a service `ci/build` already");
    let token = scene.create(As::User("root"), body).await;
    assert_eq!(token["made_by"], "user:root");
    assert!(scene.holds(&token["access_token"]).await);
    let change = async |name: &str, disabled: bool| {
        let body = json!({"name": name, "disabled": disabled}).to_string();
        scene.ask(As::User("root"), Method::PATCH, "/services", &body).await
    };
    assert_eq!(change("ci/build", true).await.json()["disabled"], true);
    assert!(!scene.holds(&token["access_token"]).await);
    insta::assert_snapshot!(scene.post(As::User("root"), "/tokens", body).await.problem(), @"409 the service `ci/build` is disabled: `portcullis service enable ci/build`");
    assert_eq!(change("ci/build", false).await.json()["disabled"], false);
    assert!(scene.holds(&token["access_token"]).await);
    insta::assert_snapshot!(change("none", true).await.problem(), @"404 there is no service `none`");
    let wrong = scene.post(As::User("root"), "/services", r#"{"name": "a:b"}"#).await;
    insta::assert_snapshot!(wrong.problem(), @"400 `name`: not the name of a service: 1 to 128 letters, digits and `._@+-$`, in parts between `/`");
    let services = scene.get(As::Local, "/services").await.json();
    assert_eq!(services["services"][0]["name"], "ci/build");
    insta::assert_snapshot!(scene.audit().await.join("\n"), @r#"
    {"address":"192.0.2.1","event":"service.added","kind":"user","reason":"service:ci/build","subject":"user:root"}
    {"address":"192.0.2.1","event":"token.created","groups":["ci","other"],"kind":"user","reason":"access for service:ci/build","subject":"user:root"}
    {"address":"192.0.2.1","event":"service.disabled","kind":"user","reason":"service:ci/build","subject":"user:root"}
    {"address":"192.0.2.1","event":"service.enabled","kind":"user","reason":"service:ci/build","subject":"user:root"}
    "#);
}

#[tokio::test]
async fn a_list_comes_in_pages_that_fit_together() {
    let scene = Scene::new().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(scene.create(As::User("alice"), AN_HOUR).await["id"].clone());
        scene.wait(1);
    }
    scene.create(As::User("bob"), AN_HOUR).await;
    made.reverse();
    let mut seen = Vec::new();
    let mut path = "/tokens?limit=2".to_owned();
    loop {
        seen.extend(ids(&scene, As::User("alice"), &path).await);
        let page = scene.get(As::User("alice"), &path).await.json();
        let Value::String(cursor) = &page["cursor"] else { break };
        path = format!("/tokens?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, made);
    // The last page is full, and says that there is no other.
    let last = scene.get(As::User("alice"), "/tokens?limit=5").await.json();
    assert_eq!((last["tokens"].as_array().unwrap().len(), &last["cursor"]), (5, &Value::Null));
    assert_eq!(ids(&scene, As::User("root"), "/tokens").await.len(), 0);
    assert_eq!(ids(&scene, As::User("root"), "/tokens?for=user:bob").await.len(), 1);
    assert_eq!(ids(&scene, As::User("root"), "/tokens?all-subjects=true").await.len(), 6);
    assert_eq!(ids(&scene, As::Local, "/tokens").await.len(), 6);
    scene.wait(3600);
    assert_eq!(ids(&scene, As::Local, "/tokens").await.len(), 0);
    assert_eq!(ids(&scene, As::Local, "/tokens?all=true").await.len(), 6);
}

#[tokio::test]
async fn everything_of_a_subject_ends_at_once_and_what_comes_after_holds() {
    let scene = Scene::new().await;
    let old = scene.create(As::User("alice"), AN_HOUR).await;
    let other = scene.create(As::User("bob"), AN_HOUR).await;
    scene.wait(10);
    let before = scene.now();
    let recent = scene.create(As::User("alice"), AN_HOUR).await;
    scene.wait(10);
    let earlier = json!({"subject": "user:alice", "before": (before - jiff::SignedDuration::from_secs(5)).to_string()});
    let answer = scene.post(As::User("alice"), "/tokens/revoke", &earlier.to_string()).await;
    assert_eq!(answer.json(), json!({"revoked": 1}), "{}", answer.text);
    assert!(!scene.holds(&old["access_token"]).await);
    assert!(scene.holds(&recent["access_token"]).await);
    let all = scene.post(As::User("root"), "/tokens/revoke", r#"{"subject": "user:alice"}"#).await;
    assert_eq!(all.json(), json!({"revoked": 1}));
    assert!(!scene.holds(&recent["access_token"]).await);
    assert!(scene.holds(&other["access_token"]).await);
    // One that an administrator makes in that very second is not among what was revoked.
    let body = r#"{"for": "user:alice", "expires": "1h"}"#;
    let new = scene.create(As::User("root"), body).await;
    assert!(scene.holds(&new["access_token"]).await);
    let future = json!({"subject": "user:alice", "before": "2100-01-01T00:00:00Z"}).to_string();
    let answer = scene.post(As::User("alice"), "/tokens/revoke", &future).await;
    insta::assert_snapshot!(answer.problem(), @"400 `before` has to be a time that has passed");
}

#[tokio::test]
async fn an_administrator_ends_everything() {
    let scene = Scene::new().await;
    let token = scene.create(As::User("alice"), AN_HOUR).await;
    let everything = r#"{"everything": true}"#;
    let denied = scene.post(As::User("alice"), "/tokens/revoke", everything).await;
    assert!(denied.problem().starts_with("403 "));
    let answer = scene.post(As::Local, "/tokens/revoke", everything).await;
    assert_eq!(answer.json(), json!({"revoked": 1}));
    assert!(!scene.holds(&token["access_token"]).await);
}

#[tokio::test]
async fn whoever_has_a_value_revokes_it_whatever_it_is() {
    let scene = Scene::new().await;
    let revoke = async |value: &Value| {
        let body = json!({ "value": value }).to_string();
        scene.post(As::Nobody, "/tokens/revoke", &body).await
    };
    let refreshable = r#"{"expires": "1h", "refreshable": true}"#;
    let token = scene.create(As::User("alice"), refreshable).await;
    // Whoever had the access token may have made others from it: all of its family ends.
    assert_eq!(revoke(&token["access_token"]).await.json(), json!({"revoked": 1}));
    assert!(!scene.holds(&token["access_token"]).await);
    assert_eq!(refresh(&scene, &token).await.status, 401);
    let token = scene.create(As::User("alice"), refreshable).await;
    let next = refresh(&scene, &token).await.json();
    assert!(scene.holds(&next["access_token"]).await);
    assert_eq!(revoke(&next["refresh_token"]).await.json(), json!({"revoked": 1}));
    assert!(!scene.holds(&next["access_token"]).await);
    assert_eq!(revoke(&next["refresh_token"]).await.json(), json!({"revoked": 0}));
    // One for another gate is ours to revoke too.
    let elsewhere = r#"{"expires": "1h", "audience": "other.example"}"#;
    let token = scene.create(As::User("alice"), elsewhere).await;
    assert_eq!(revoke(&token["access_token"]).await.json(), json!({"revoked": 1}));
    let path = format!("/tokens/{}", token["id"].as_str().unwrap());
    assert_eq!(scene.get(As::User("alice"), &path).await.json()["state"], "revoked");
    // What has expired, what another made, and what nobody made need no revoking.
    let token = scene.create(As::User("alice"), AN_HOUR).await;
    scene.wait(3600 + 30);
    assert_eq!(revoke(&token["access_token"]).await.json(), json!({"revoked": 0}));
    let forged = format!("{}A", token["access_token"].as_str().unwrap());
    assert_eq!(revoke(&json!(forged)).await.json(), json!({"revoked": 0}));
    let unknown = json!(format!("pcr_{}", "A".repeat(43)));
    assert_eq!(revoke(&unknown).await.json(), json!({"revoked": 0}));
    insta::assert_snapshot!(revoke(&json!("hunter2")).await.problem(), @"400 `value` has to be a refresh token or an access token");
    let both = r#"{"value": "x", "subject": "user:alice"}"#;
    insta::assert_snapshot!(scene.post(As::Local, "/tokens/revoke", both).await.problem(), @"400 name one of `value`, `subject` and `everything: true`; `before` goes with the last two");
    let not = r#"{"everything": false}"#;
    assert_eq!(scene.post(As::Local, "/tokens/revoke", not).await.status, 400);
}

#[tokio::test]
async fn an_upload_that_outlives_its_token_ends_when_that_is_revoked() {
    let scene = Scene::new().await;
    let token = json!(scene.for_the_registry("user:alice", Kind::User));
    scene.wait(2 * 3600);
    assert!(!scene.holds(&token).await);
    assert!(scene.uploads(&token).await);
    let body = json!({ "value": token }).to_string();
    let answer = scene.post(As::Nobody, "/tokens/revoke", &body).await;
    assert_eq!(answer.json(), json!({"revoked": 1}));
    assert!(!scene.uploads(&token).await);
}

/// Canaries are not to be found anywhere but in the one answer (T14).
#[tokio::test]
async fn no_value_of_a_token_is_ever_recorded() {
    let scene = Scene::new().await;
    let refreshable = r#"{"expires": "1h", "refreshable": true}"#;
    let token = scene.create(As::User("alice"), refreshable).await;
    let next = refresh(&scene, &token).await.json();
    let listed = scene.get(As::User("alice"), "/tokens?all=true").await.text;
    let body = json!({"value": next["refresh_token"]}).to_string();
    scene.post(As::Nobody, "/tokens/revoke", &body).await;
    let audit = scene.audit().await.join("\n");
    assert!(audit.contains("token.created") && audit.contains("token.revoked"));
    for token in [&token, &next] {
        for value in ["access_token", "refresh_token"] {
            let value = token[value].as_str().unwrap();
            assert!(!audit.contains(value) && !listed.contains(value));
        }
    }
}
