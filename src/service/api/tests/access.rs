//! Who may do what with an image, and what deleting it would take away.

use http::Method;
use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::scene::{As, Scene};
use crate::content::samples::{Sample, image, index};

const HEAD: &str = r#"
administrators: ["user:root"]
flags: {tested: {}}
groups:
  staff: ["user:alice", "user:bob", "user:erin"]
  ci: ["service:ci/*"]
  ops: external
rules:
"#;

const RULES: [&str; 9] = [
    r#"{name: a-reads, subjects: ["group:staff"], images: ["prod/**"], allow: [pull, "flag:tested"]}"#,
    r#"{name: b-builds, subjects: ["group:ci"], images: ["prod/**"], allow: [pull, push, attach], networks: [10.0.0.0/8]}"#,
    r#"{name: c-cleans, subjects: ["user:bob"], images: ["prod/api:v*"], allow: [delete]}"#,
    r#"{name: d-stays, subjects: [anyone], except: {subjects: ["user:root"]}, images: ["**:v1"], deny: [overwrite]}"#,
    r#"{name: e-inspects, subjects: ["group:ops"], images: ["**"], allow: [inspect], token: {kind: [federated]}}"#,
    r#"{name: f-late, subjects: ["user:zoe"], images: ["prod/**"], allow: [all], starts: 2999-01-01}"#,
    r#"{name: g-peers, subjects: ["peer:eu/**"], images: ["prod/**"], allow: [pull]}"#,
    r#"{name: h-public, subjects: [anyone], images: [{repository: "prod/**", tag: {semver: ">=1"}}], allow: [pull], expires: 2999-01-01}"#,
    r#"{name: i-keeps, subjects: ["user:chief"], images: ["prod/**", "secret/**"], allow: [all]}"#,
];

fn policy(rules: &[&str]) -> String {
    let rules: String = rules.iter().map(|rule| format!("  - {rule}\n")).collect();
    format!("{HEAD}{rules}")
}

struct Images {
    scene: Scene,
    amd64: Sample,
    both: Sample,
}

async fn images() -> Images {
    let scene = Scene::with(&policy(&RULES), false).await;
    let (amd64, arm64) = (image("amd64", &["a"]), image("arm64", &["b"]));
    let both = index(&[&amd64, &arm64]);
    {
        let mut shelf = scene.shelf.lock().unwrap();
        *shelf = std::mem::take(&mut *shelf)
            .tagged("prod/api", "v1", &amd64)
            .tagged("prod/api", "v1.0", &amd64)
            .tagged("prod/api", "both", &both)
            .tagged("secret/app", "v1", &arm64);
    }
    Images { scene, amd64, both }
}

/// `pull allowed c-cleans`, for what is not merely unmentioned.
fn told(row: &Value) -> String {
    let mut line =
        format!("{} {}", row["subject"].as_str().unwrap(), row["party"].as_str().unwrap());
    if let Some(members) = row["members"].as_u64() {
        line += &format!(" of {members}");
    }
    if row["disabled"] == true {
        line += " disabled";
    }
    for cell in row["permissions"].as_array().unwrap() {
        if cell["access"] == "denied" && cell["rule"].is_null() {
            continue;
        }
        let text = |name: &str| cell[name].as_str().unwrap_or("-").to_owned();
        line += &format!(", {} {} {}", text("action"), text("access"), text("rule"));
        for condition in cell["conditions"].as_array().unwrap() {
            let text = |name: &str| condition[name].as_str().unwrap().to_owned();
            line += &format!(" [{} {} {}]", text("rule"), text("decision"), text("when"));
        }
    }
    line
}

#[tokio::test]
async fn administrators_see_everybody_of_whom_rules_speak_or_whom_the_gate_knows() {
    let Images { scene, .. } = images().await;
    scene.post(As::Local, "/services", r#"{"name": "ci/build"}"#).await;
    let access = scene.get(As::User("root"), "/image/access?ref=prod/api:v1").await.json();
    let rows: Vec<_> = access["subjects"].as_array().unwrap().iter().map(told).collect();
    insta::assert_snapshot!(rows.join("\n"), @"
    anyone anyone, pull conditional h-public [h-public allow until 2999-01-01T00:00:00Z], overwrite denied d-stays
    authenticated authenticated, pull conditional h-public [h-public allow until 2999-01-01T00:00:00Z], overwrite denied d-stays
    group:ci group of 1, pull conditional h-public [b-builds allow for callers from 10.0.0.0/8] [h-public allow until 2999-01-01T00:00:00Z], create conditional - [b-builds allow for callers from 10.0.0.0/8], overwrite denied d-stays, attach conditional - [b-builds allow for callers from 10.0.0.0/8]
    group:ops group of 1, pull conditional h-public [e-inspects allow for credentials of the kind federated] [h-public allow until 2999-01-01T00:00:00Z], inspect conditional - [e-inspects allow for credentials of the kind federated], overwrite denied d-stays
    group:staff group of 3, pull allowed a-reads, overwrite denied d-stays, flag:tested allowed a-reads
    peer:eu/** pattern, pull allowed g-peers, overwrite denied d-stays
    service:ci/* pattern, pull conditional h-public [b-builds allow for callers from 10.0.0.0/8] [h-public allow until 2999-01-01T00:00:00Z], create conditional - [b-builds allow for callers from 10.0.0.0/8], overwrite denied d-stays, attach conditional - [b-builds allow for callers from 10.0.0.0/8]
    user:alice user, pull allowed a-reads, inspect conditional - [e-inspects allow for credentials of the kind federated], overwrite denied d-stays, flag:tested allowed a-reads
    user:bob user, pull allowed a-reads, overwrite denied d-stays, delete allowed c-cleans, flag:tested allowed a-reads
    user:chief user, pull allowed h-public, create allowed i-keeps, overwrite denied d-stays, attach allowed i-keeps, delete allowed i-keeps
    user:erin user, pull allowed a-reads, overwrite denied d-stays, flag:tested allowed a-reads
    user:gone user disabled, pull conditional h-public [h-public allow until 2999-01-01T00:00:00Z], overwrite denied d-stays
    user:old user, pull conditional h-public [h-public allow until 2999-01-01T00:00:00Z], overwrite denied d-stays
    user:root user, pull conditional h-public [h-public allow until 2999-01-01T00:00:00Z]
    user:zoe user, pull conditional h-public [h-public allow until 2999-01-01T00:00:00Z], overwrite denied d-stays
    service:ci/build service, pull conditional h-public [b-builds allow for callers from 10.0.0.0/8] [h-public allow until 2999-01-01T00:00:00Z], create conditional - [b-builds allow for callers from 10.0.0.0/8], overwrite denied d-stays, attach conditional - [b-builds allow for callers from 10.0.0.0/8]
    ");
    let denied = &access["subjects"][2]["permissions"][5];
    let reason = denied["reason"].as_str().unwrap();
    assert!(reason.starts_with("no rule allows group:ci to delete prod/api:v1"), "{reason}");
    // Policies speak of names, of images as they are and as they may be.
    let later = scene.get(As::Local, "/image/access?ref=prod/new:v1").await;
    assert_eq!(later.status, 200, "{}", later.text);
}

#[tokio::test]
async fn others_see_their_own_row_and_nothing_of_anybody_else() {
    let Images { scene, .. } = images().await;
    let access = scene.get(As::User("alice"), "/image/access?ref=prod/api:v1").await;
    let rows = &access.json()["subjects"];
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    assert_eq!(rows[0]["subject"], "user:alice");
    assert_eq!(rows[0]["members"], Value::Null);
    for name in ["bob", "erin", "chief", "zoe", "group:", "ci/", "peer:"] {
        assert!(!access.text.contains(name), "{name}: {}", access.text);
    }
    // A token that was cut down is no administrator's, and is told what it reaches.
    let body = r#"{"expires": "1h", "images": ["prod/**"], "actions": ["inspect"]}"#;
    let token = scene.create(As::User("root"), body).await;
    let token = As::Token(token["access_token"].as_str().unwrap());
    let narrow = scene.get(token, "/image/access?ref=prod/api:v1").await;
    assert_eq!(narrow.status, 404, "{}", narrow.text);
}

#[tokio::test]
async fn w4_the_access_to_a_hidden_image_is_told_as_that_to_one_that_is_not_there() {
    let Images { scene, .. } = images().await;
    for path in ["/image/access", "/image/deletion"] {
        let mut told = Vec::new();
        for name in ["secret/app:v1", "secret/app:nope", "secret/none:v1", "prod/none:v1"] {
            let answer = scene.get(As::User("alice"), &format!("{path}?ref={name}")).await;
            assert_eq!(answer.status, 404, "{path} {name}: {}", answer.text);
            told.push(answer.problem().replace(name, "NAME"));
        }
        told.dedup();
        assert_eq!(told.len(), 1, "{told:?}");
    }
}

#[tokio::test]
async fn the_table_comes_in_pages() {
    let Images { scene, .. } = images().await;
    let all = scene.get(As::Local, "/image/access?ref=prod/api:v1").await.json();
    let (mut subjects, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/image/access?ref=prod/api:v1&limit=3{cursor}");
        let page = scene.get(As::Local, &path).await.json();
        assert!(page["subjects"].as_array().unwrap().len() <= 3);
        subjects.extend(page["subjects"].as_array().unwrap().clone());
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(json!(subjects), all["subjects"]);
    for wrong in ["&limit=0", "&limit=501", "&cursor=x"] {
        let path = format!("/image/access?ref=prod/api:v1{wrong}");
        assert_eq!(scene.get(As::Local, &path).await.status, 400, "{wrong}");
    }
    for wrong in ["prod/api", "prod/*:v1", "Prod:v1", "prod/api@sha256:0"] {
        let path = format!("/image/access?ref={wrong}");
        assert_eq!(scene.get(As::Local, &path).await.status, 400, "{wrong}");
    }
}

/// Whatever the policy is, the table says what a question says.
#[test]
fn each_cell_is_what_decide_says() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rules = subsequence(RULES.to_vec(), 1..=RULES.len());
    let tags = prop::sample::select(&["v1", "1.2.0", "latest"][..]);
    let mut runner = TestRunner::new(Config { cases: 12, ..Config::default() });
    let held = runner.run(&(rules, tags), |(rules, tag)| {
        runtime.block_on(async {
            let scene = Scene::with(&policy(&rules), false).await;
            let image = format!("prod/api:{tag}");
            let access = scene.get(As::Local, &format!("/image/access?ref={image}")).await.json();
            let mut compared = 0;
            for row in access["subjects"].as_array().unwrap() {
                let (who, party) =
                    (row["subject"].as_str().unwrap(), row["party"].as_str().unwrap());
                let (subject, groups) = match party {
                    "pattern" => continue,
                    "group" => ("user:nobody-else", Some(vec![who.replace("group:", "")])),
                    "authenticated" => ("user:nobody-else", None),
                    _ => (who, None),
                };
                for cell in row["permissions"].as_array().unwrap() {
                    let question = json!({"subject": subject, "groups": groups,
                                          "action": cell["action"], "image": image});
                    let question = question.to_string();
                    let told = scene.post(As::Local, "/decide", &question).await.json();
                    for field in ["decision", "rule", "file", "line"] {
                        prop_assert_eq!(&told[field], &cell[field], "{} {} {}", field, row, cell);
                    }
                    let reason = told["reason"].as_str().unwrap().replace("user:nobody-else", who);
                    prop_assert_eq!(&json!(reason), &cell["reason"]);
                    let settled = match cell["access"].as_str().unwrap() {
                        "allowed" => "allow",
                        "denied" => "deny",
                        _ => cell["decision"].as_str().unwrap(),
                    };
                    prop_assert_eq!(settled, told["decision"].as_str().unwrap());
                    compared += 1;
                }
            }
            prop_assert!(compared > 50, "{}", compared);
            Ok(())
        })
    });
    held.unwrap();
}

#[tokio::test]
async fn what_would_go_is_told_before_and_decided_as_it_will_be() {
    let Images { scene, amd64, both } = images().await;
    let path = |image: &str| format!("/image/deletion?ref={image}");
    let by_tag = scene.get(As::User("bob"), &path("prod/api:v1")).await.json();
    assert_eq!((&by_tag["allowed"], &by_tag["reason"]), (&json!(true), &Value::Null), "{by_tag}");
    assert_eq!((&by_tag["tags"], &by_tag["holders"]), (&json!(["v1"]), &json!([])), "{by_tag}");
    let digest = amd64.digest.to_string();
    assert_eq!(by_tag["digest"], digest);
    let whole = scene.get(As::User("chief"), &path(&format!("prod/api@{digest}"))).await.json();
    assert_eq!((&whole["allowed"], &whole["complete"]), (&json!(true), &json!(true)), "{whole}");
    assert_eq!(whole["tags"], json!(["v1", "v1.0"]));
    let holder = json!([{"digest": both.digest.to_string(), "tags": ["both"]}]);
    assert_eq!(whole["holders"], holder, "{whole}");
    // The index has a tag that he may not delete.
    let by_digest = scene.get(As::User("bob"), &path(&format!("prod/api@{digest}"))).await.json();
    assert_eq!(by_digest["allowed"], false, "{by_digest}");
    let reason = by_digest["reason"].as_str().unwrap();
    assert!(reason.contains("an index loses what it names"), "{reason}");
    let reader = scene.get(As::User("alice"), &path("prod/api:v1")).await.json();
    assert_eq!(reader["allowed"], false, "{reader}");
    let reason = reader["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("delete of prod/api:v1 is denied: no rule allows user:alice"),
        "{reason}"
    );
    // Administrators know of it, and delete no more than rules let them.
    let root = scene.get(As::User("root"), &path("prod/api:v1")).await.json();
    assert_eq!(root["allowed"], false, "{root}");
    let socket = scene.get(As::Local, &path("prod/api:v1")).await;
    assert_eq!(socket.status, 403, "{}", socket.text);
    let socket = scene.ask(As::Local, Method::DELETE, "/image?ref=prod/api:v1", "").await;
    assert_eq!(socket.status, 403, "{}", socket.text);
}
