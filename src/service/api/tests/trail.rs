//! The audit trail, searched, and what is told of one request.

use http::{Method, StatusCode};
use serde_json::Value;

use super::form::fits;
use super::scene::{Answer, As, Scene};
use crate::audit::{Decision, Record};

const ALICES: &str = "00c0ffee00c0ffee-1";
const ANONYMOUS: &str = "00c0ffee00c0ffee-2";
const ALLOWED: &str = "00c0ffee00c0ffee-3";
const RUNNING: &str = "00c0ffee00c0ffee-4";
const LONG: &str = "00c0ffee00c0ffee-5";
const ABSENT: &str = "00c0ffee00c0ffee-9";

fn request(id: &str, subject: Option<&str>) -> Record {
    Record {
        request_id: Some(id.to_owned()),
        subject: subject.map(str::to_owned),
        address: Some([192, 0, 2, 7].into()),
        user_agent: Some("docker/27".to_owned()),
        operation: Some("manifest_read"),
        repository: Some("prod/app".to_owned()),
        reference: Some("v1".to_owned()),
        decision: Some(Decision::Deny),
        reason: Some("pull of prod/app:v1 is denied: no rule allows it".to_owned()),
        status: Some(403),
        ..Record::new("request")
    }
}

/// A trail with requests of alice, of nobody and of bob.
async fn scene() -> Scene {
    let scene = Scene::new().await;
    let records = [
        request(ALICES, Some("user:alice")),
        request(ANONYMOUS, None),
        Record {
            decision: Some(Decision::Allow),
            rule: Some("reads".to_owned()),
            gate: Some("production".to_owned()),
            reason: Some("the gate is in audit mode".to_owned()),
            shadow_reason: Some("of another policy".to_owned()),
            ..request(ALLOWED, Some("user:bob"))
        },
        Record { event: "intent", ..request(RUNNING, Some("user:bob")) },
    ];
    for record in records {
        scene.api.audit.queue(record);
    }
    scene
}

async fn search(scene: &Scene, who: As<'_>, query: &str) -> Answer {
    scene.get(who, &format!("/audit?{query}")).await
}

async fn ids(scene: &Scene, query: &str) -> Vec<String> {
    let found = search(scene, As::User("root"), query).await;
    assert_eq!(found.status, StatusCode::OK, "{}", found.text);
    let id = |record: &Value| record["request_id"].as_str().unwrap_or_default().to_owned();
    found.json()["records"].as_array().unwrap().iter().map(id).collect()
}

async fn denial(scene: &Scene, who: As<'_>, id: &str) -> Answer {
    scene.get(who, &format!("/denial?id={id}")).await
}

#[tokio::test]
async fn administrators_search_the_trail_and_that_stands_in_it() {
    let scene = scene().await;
    assert_eq!(ids(&scene, "decision=deny").await, [RUNNING, ANONYMOUS, ALICES]);
    assert_eq!(ids(&scene, "subject=user:alice").await, [ALICES]);
    assert_eq!(ids(&scene, "repository=prod/*&rule=reads&address=192.0.2.7").await, [ALLOWED]);
    assert_eq!(ids(&scene, "q=AUDIT+mode").await, [ALLOWED]);
    assert_eq!(ids(&scene, "until=2026-01-01T00:00:00Z").await, [""; 0]);
    for who in [As::User("alice"), As::User("bob")] {
        let refused = search(&scene, who, "subject=user:alice").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    }
    assert_eq!(search(&scene, As::Nobody, "").await.status, StatusCode::UNAUTHORIZED);
    let searched = search(&scene, As::Local, "event=audit.searched&limit=1").await.json();
    let record = &searched["records"][0];
    assert_eq!(record["subject"], "user:root");
    assert_eq!(record["reason"], "until 2026-01-01T00:00:00Z");
    let description: Value =
        serde_json::from_str(crate::service::api::openapi::DESCRIPTION).unwrap();
    let described = &description["components"]["schemas"]["AuditPage"]["properties"];
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let (mut described, mut told) = (names(described), names(&searched));
    described.sort();
    told.sort();
    assert_eq!(described, told);
}

#[tokio::test]
async fn a_search_goes_on_with_its_cursor_and_no_other_search_does() {
    let scene = scene().await;
    let mut query = "event=request&limit=1".to_owned();
    let mut found = Vec::new();
    loop {
        let page = search(&scene, As::Local, &query).await.json();
        let records = page["records"].as_array().unwrap();
        found.extend(records.iter().map(|it| it["request_id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["cursor"].as_str() else { break };
        query = format!("event=request&limit=1&cursor={cursor}");
        for other in ["event=intent", "event=request&subject=user:bob", ""] {
            let refused = search(&scene, As::Local, &format!("{other}&cursor={cursor}")).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
        }
    }
    assert_eq!(found, [ALLOWED, ANONYMOUS, ALICES]);
    assert_eq!(ids(&scene, "event=audit.searched").await.len(), 1, "pages are of one search");
}

#[tokio::test]
async fn what_a_search_cannot_mean_is_told_at_its_place() {
    let scene = scene().await;
    let wrong = async |query: &str| search(&scene, As::Local, query).await.problem();
    insta::assert_snapshot!(wrong("limit=0").await, @"400 `limit` has to be 1 to 1000");
    insta::assert_snapshot!(wrong("decision=maybe").await, @"400 `decision` has to be `allow` or `deny`");
    insta::assert_snapshot!(wrong("address=here").await, @"400 `address` has to be an IP address");
    insta::assert_snapshot!(wrong("since=yesterday").await, @"400 `since` has to be a time such as `2026-01-02T03:04:05Z`");
    insta::assert_snapshot!(wrong("cursor=x").await, @"400 `cursor` has to be the one that came with the last page of the same search");
    insta::assert_snapshot!(wrong(&format!("q={}", "x".repeat(513))).await, @"400 `q` has at most 512 bytes");
    insta::assert_snapshot!(denial(&scene, As::Local, "r1").await.problem(), @"400 `id` has to be the id of a request, such as `00c0ffee00c0ffee-7`");
}

#[tokio::test]
async fn whoever_sent_a_request_learns_what_was_decided() {
    let scene = scene().await;
    let told = denial(&scene, As::User("alice"), ALICES).await;
    fits(&Method::GET, "/denial", &told);
    let request = &told.json()["request"];
    assert_eq!(request["decision"], "deny");
    assert_eq!(request["image"], "prod/app:v1");
    assert_eq!(request["reason"], "pull of prod/app:v1 is denied: no rule allows it");
    assert_eq!(request["address"], "192.0.2.7");
    let told = denial(&scene, As::User("bob"), ALLOWED).await;
    fits(&Method::GET, "/denial", &told);
    let request = &told.json()["request"];
    assert_eq!(request["decision"], "allow");
    assert_eq!(request["rule"]["name"], "reads");
    assert_eq!(request["rule"]["file"], "policy.yaml");
    assert!(request["gate"].is_null() && request["reason"].is_null(), "more than was told");
    assert!(!told.text.contains("of another policy"), "{}", told.text);
    // One that is too long to be held in memory.
    let long = vec!["g".repeat(500); 64];
    scene.api.audit.queue(Record { groups: long, ..super::trail::request(LONG, Some("user:bob")) });
    let told = denial(&scene, As::User("bob"), LONG).await;
    assert_eq!(told.json()["request"]["decision"], "deny", "{}", told.text);
    let running = denial(&scene, As::User("bob"), RUNNING).await;
    fits(&Method::GET, "/denial", &running);
    assert!(running.json()["request"]["decision"].is_null(), "{}", running.text);
}

#[tokio::test]
async fn w4_another_persons_request_id_gives_nothing() {
    let scene = scene().await;
    for (who, name) in [(As::User("bob"), "bob"), (As::User("alice"), "alice")] {
        let absent = denial(&scene, who.clone(), ABSENT).await;
        assert_eq!(absent.status, StatusCode::NOT_FOUND, "{}", absent.text);
        for id in [ALICES, ANONYMOUS, ALLOWED, RUNNING] {
            let is_theirs = (name == "alice") == (id == ALICES) && id != ANONYMOUS;
            let told = denial(&scene, who.clone(), id).await;
            assert_eq!(told.status == StatusCode::OK, is_theirs, "{name} {id}: {}", told.text);
            if !is_theirs {
                assert_eq!(told.text, absent.text, "{name} {id}");
                assert_eq!(told.headers, absent.headers, "{name} {id}");
            }
        }
    }
    // Who looked is recorded where it is not their own.
    let told = denial(&scene, As::User("root"), ANONYMOUS).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.text);
    let searched = search(&scene, As::Local, "event=audit.searched&limit=1").await.json();
    assert_eq!(searched["records"][0]["reason"], format!("request_id `{ANONYMOUS}`"));
}

#[tokio::test]
async fn what_else_is_written_of_a_request_does_not_stand_for_what_was_decided() {
    let scene = scene().await;
    for (event, id, subject) in [
        ("token.issued", ALLOWED, "user:bob"),
        ("login.failed", ALLOWED, "bob"),
        ("login.failed", ABSENT, "bob"),
    ] {
        let (request_id, subject) = (Some(id.to_owned()), Some(subject.to_owned()));
        scene.api.audit.queue(Record { request_id, subject, ..Record::new(event) });
    }
    for who in [As::User("bob"), As::User("root")] {
        let told = denial(&scene, who.clone(), ALLOWED).await;
        assert_eq!(told.json()["request"]["event"], "request", "{}", told.text);
        let absent = denial(&scene, who, ABSENT).await;
        assert_eq!(absent.status, StatusCode::NOT_FOUND, "{}", absent.text);
    }
    let of_request = search(&scene, As::User("root"), &format!("request_id={ALLOWED}")).await;
    assert_eq!(of_request.json()["records"].as_array().unwrap().len(), 3, "{}", of_request.text);
}
