//! Questions to the policy, and what the shadow policy decided.

use http::StatusCode;

use super::scene::{As, Scene};

async fn ask(scene: &Scene, who: As<'_>, question: &str) -> String {
    let answer = scene.post(who, "/decide", question).await;
    match answer.status {
        StatusCode::OK => {
            let told = answer.json();
            format!("{}: {}", told["decision"].as_str().unwrap(), told["reason"].as_str().unwrap())
        }
        _ => answer.problem(),
    }
}

#[tokio::test]
async fn people_ask_about_themselves_and_administrators_about_anyone() {
    let scene = Scene::new().await;
    let mut told = Vec::new();
    for (who, question) in [
        (As::User("alice"), r#"{"action": "pull", "image": "team/app:v1"}"#),
        (As::User("alice"), r#"{"subject": "user:alice", "action": "push", "image": "team/app"}"#),
        (As::User("alice"), r#"{"subject": "user:bob", "action": "pull", "image": "team/app"}"#),
        (As::User("alice"), r#"{"groups": ["staff"], "action": "pull", "image": "team/app"}"#),
        (As::User("alice"), r#"{"groups": ["admins"], "action": "pull", "image": "team/app"}"#),
        (As::User("root"), r#"{"subject": "user:bob", "action": "pull", "image": "team/app"}"#),
        (As::User("root"), r#"{"subject": "user:gone", "action": "pull", "image": "team/app"}"#),
        // The users file knows the groups of a user.
        (As::Local, r#"{"subject": "user:chief", "action": "pull", "image": "team/app"}"#),
        (
            As::Local,
            r#"{"subject": "user:x", "groups": ["admins"], "action": "pull", "image": "team/app"}"#,
        ),
        (As::Local, r#"{"subject": "anyone", "action": "pull", "image": "team/app"}"#),
        (As::Local, r#"{"action": "pull", "image": "team/app"}"#),
        (As::User("alice"), r#"{"action": "pull", "image": "a", "address": "here"}"#),
    ] {
        told.push(ask(&scene, who, question).await);
    }
    insta::assert_snapshot!(told.join("\n"), @"
    allow: rule `reads` (policy.yaml:8) allows pull
    deny: no rule allows user:alice to create team/app as a whole; rule `reads` allows only pull there
    403 what others may do is for administrators to ask
    allow: rule `reads` (policy.yaml:8) allows pull
    403 what other groups would allow is for administrators to ask
    allow: rule `reads` (policy.yaml:8) allows pull
    deny: no rule allows user:gone to pull team/app as a whole
    allow: rule `reads` (policy.yaml:8) allows pull
    allow: rule `reads` (policy.yaml:8) allows pull
    deny: no rule allows an anonymous caller to pull team/app as a whole
    400 `subject`: say who is meant, such as `user:NAME`
    400 the body: address: invalid IP address syntax at line 1 column 50
    ");
    for (field, question) in [
        ("subject", r#"{"subject": "bob", "action": "pull", "image": "team/app"}"#),
        ("action", r#"{"action": "pul", "image": "team/app"}"#),
        ("image", r#"{"action": "pull", "image": "Team/app"}"#),
    ] {
        let told = ask(&scene, As::User("alice"), question).await;
        assert!(told.starts_with(&format!("400 `{field}`: ")), "{told}");
    }
    assert_eq!(scene.post(As::Nobody, "/decide", "{}").await.status, StatusCode::UNAUTHORIZED);
    let denials = scene.audit().await;
    assert_eq!(denials.iter().filter(|line| line.contains("api.denied")).count(), 2);
}

#[tokio::test]
async fn a_token_that_was_cut_down_asks_about_what_it_reaches_and_about_nobody_else() {
    let scene = Scene::new().await;
    let body = r#"{"expires": "1h", "images": ["team/**"]}"#;
    let token = scene.create(As::User("chief"), body).await;
    let token = || As::Token(token["access_token"].as_str().unwrap());
    let told = async |question: &str| ask(&scene, token(), question).await;
    let within = told(r#"{"action": "pull", "image": "team/app:v1"}"#).await;
    assert!(within.starts_with("allow"), "{within}");
    let beyond = told(r#"{"action": "pull", "image": "other/app:v1"}"#).await;
    assert!(beyond.starts_with("deny"), "{beyond}");
    let more = told(r#"{"groups": ["staff"], "action": "pull", "image": "team/app:v1"}"#).await;
    assert!(more.starts_with("403"), "{more}");
    let other = told(r#"{"subject": "user:bob", "action": "pull", "image": "team/app"}"#).await;
    assert!(other.starts_with("403"), "its holder is an administrator, and it is not: {other}");
    assert_eq!(scene.get(token(), "/policy/shadow").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_question_may_be_about_another_time() {
    let scene = Scene::new().await;
    for (at, wanted) in [("2001-01-01T00:00:00Z", "deny"), ("2026-01-02T03:04:05+01:00", "allow")] {
        let question = format!(
            r#"{{"subject": "service:late", "action": "pull", "image": "a", "at": "{at}",
                 "address": "192.0.2.7"}}"#
        );
        let told = ask(&scene, As::Local, &question).await;
        assert!(told.starts_with(wanted), "{told}");
    }
    let elsewhere = r#"{"subject": "service:late", "action": "pull", "image": "a",
        "at": "2026-01-02T03:04:05Z", "address": "198.51.100.1"}"#;
    assert!(ask(&scene, As::Local, elsewhere).await.starts_with("deny"));
}

#[tokio::test]
async fn the_report_is_for_administrators_and_comes_in_pages() {
    let scene = Scene::new().await;
    let denied = scene.get(As::User("alice"), "/policy/shadow").await.problem();
    insta::assert_snapshot!(denied, @"403 this is for administrators (`administrators` in the policies)");
    let report = scene.get(As::User("root"), "/policy/shadow?limit=1").await;
    let report = report.json();
    assert_eq!((&report["requests"], &report["cursor"]), (&1.into(), &serde_json::Value::Null));
    assert_eq!(report["entries"][0]["shadow"], "deny");
    let query = async |path: &str| scene.get(As::Local, path).await.problem();
    insta::assert_snapshot!(query("/policy/shadow?limit=0").await, @"400 `limit` has to be 1 to 1000");
    insta::assert_snapshot!(query("/policy/shadow?cursor=x").await, @"400 `cursor` has to be the one that came with the last page; a report begins anew when a policy changes, so ask from the start");
    insta::assert_snapshot!(query("/policy/shadow?page=1").await, @"400 the query: page: unknown field `page`, expected `limit` or `cursor`");
}
