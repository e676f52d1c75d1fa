//! What is said of images, and what gates make of it.

use http::Method;
use serde_json::json;

use super::scene::{As, Scene};
use crate::content::samples::{Sample, image, index};

const POLICY: &str = r#"
administrators: ["user:root"]
flags: {tested: {}, qa-passed: {}}
rules:
  - {name: reads, subjects: ["user:alice"], images: ["prod/**"], allow: [pull]}
  - {name: tests, subjects: ["user:bob"], images: ["prod/api:v*"], allow: [pull, "flag:tested", report, scan]}
  - {name: glass, subjects: ["user:chief"], images: ["prod/**"], allow: [pull, break-glass]}
gates:
  - {name: production, images: ["prod/**"], require: {flags: [tested]}}
  - {name: scanned, images: ["prod/**"], require: {vulnerabilities: {max_severity: low}}, mode: audit}
"#;

struct Images {
    scene: Scene,
    amd64: Sample,
    arm64: Sample,
    both: Sample,
}

async fn images() -> Images {
    let scene = Scene::with(POLICY, false).await;
    let (amd64, arm64) = (image("amd64", &["a"]), image("arm64", &["b"]));
    let both = index(&[&amd64, &arm64]);
    {
        let mut shelf = scene.shelf.lock().unwrap();
        *shelf = std::mem::take(&mut *shelf)
            .tagged("prod/api", "v1", &amd64)
            .tagged("prod/api", "both", &both)
            .untagged("prod/api", &arm64)
            .tagged("secret/app", "v1", &arm64);
    }
    Images { scene, amd64, arm64, both }
}

const FLAG: &str = r#"{"flag": "tested", "reason": "run 7", "link": "https://ci.example/7"}"#;

#[tokio::test]
async fn a_flag_belongs_to_the_digest_and_opens_its_gate() {
    let Images { scene, amd64, .. } = images().await;
    let held = scene.get(As::User("alice"), "/image/gates?ref=prod/api:v1").await.json();
    assert_eq!((&held["held"], &held["gates"][0]["verdict"]), (&json!(true), &json!("held")));
    assert_eq!(held["gates"][0]["reasons"][0]["text"], "it is not flagged tested");
    assert_eq!(held["gates"][1]["verdict"], "would be held");
    let path = "/image/flags?ref=prod/api:v1";
    let set = scene.ask(As::User("bob"), Method::PUT, path, FLAG).await;
    assert_eq!(set.status, 200, "{}", set.text);
    assert_eq!(set.json()["digest"], amd64.digest.to_string());
    let listed = scene.get(As::User("alice"), path).await.json();
    let flag = &listed["flags"][0];
    assert_eq!((&flag["flag"], &flag["by"]), (&json!("tested"), &json!("user:bob")));
    assert_eq!((&flag["from"], &flag["reason"]), (&json!("192.0.2.1"), &json!("run 7")));
    let passes = scene.get(As::User("alice"), "/image/gates?ref=prod/api:v1").await.json();
    assert_eq!(passes["held"], false, "{passes}");
    let gone = format!("{path}&flag=tested");
    let removed = scene.ask(As::User("bob"), Method::DELETE, &gone, "").await;
    assert_eq!(removed.status, 200, "{}", removed.text);
    let again = scene.ask(As::User("bob"), Method::DELETE, &gone, "").await;
    assert_eq!(again.status, 404);
    let held = scene.get(As::User("alice"), "/image/gates?ref=prod/api:v1").await.json();
    assert_eq!(held["held"], true);
    let events = scene.audit().await.concat();
    assert!(events.contains("flag.set") && events.contains("flag.removed"), "{events}");
    assert!(events.contains("tested: run 7"), "{events}");
}

#[tokio::test]
async fn nobody_flags_what_the_policy_does_not_grant() {
    let Images { scene, arm64, .. } = images().await;
    let set = async |who: As<'_>, image: &str, flag: &str| {
        let path = format!("/image/flags?ref={image}");
        let body = json!({ "flag": flag }).to_string();
        scene.ask(who, Method::PUT, &path, &body).await.problem()
    };
    let bob = || As::User("bob");
    insta::assert_snapshot!(set(As::User("alice"), "prod/api:v1", "tested").await, @"403 flag:tested of prod/api:v1 is denied: no rule of the policy grants it");
    insta::assert_snapshot!(set(bob(), "prod/api:v1", "qa-passed").await, @"403 flag:qa-passed of prod/api:v1 is denied: no rule of the policy grants it");
    // Administrators see everything, and that is no right to flag it.
    insta::assert_snapshot!(set(As::User("root"), "prod/api:v1", "tested").await, @"403 flag:tested of prod/api:v1 is denied: no rule of the policy grants it");
    insta::assert_snapshot!(set(bob(), "prod/api:v1", "testd").await, @"422 the policy declares no flag `testd`: did you mean `tested`?");
    insta::assert_snapshot!(set(bob(), "prod/api:v9", "tested").await, @"404 there is no image prod/api:v9, or none that you may see");
    insta::assert_snapshot!(set(bob(), "secret/app:v1", "tested").await, @"404 there is no image secret/app:v1, or none that you may see");
    // No tag that he may flag leads to it.
    let untagged = format!("prod/api@{}", arm64.digest);
    assert!(set(bob(), &untagged, "tested").await.starts_with("404 "));
    assert_eq!(scene.get(As::User("alice"), "/image?ref=secret/app:v1").await.status, 404);
    assert_eq!(scene.get(As::User("root"), "/image?ref=secret/app:v1").await.status, 200);
}

fn trivy(digest: &str, created: &str) -> String {
    json!({
        "SchemaVersion": 2, "CreatedAt": created, "ArtifactName": "x", "ArtifactType": "container_image",
        "Metadata": {"OS": {"Family": "debian", "Name": "12"}, "RepoDigests": [format!("prod/api@{digest}")]},
        "Results": [{"Target": "x", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": [
            {"VulnerabilityID": "CVE-2026-0001", "PkgName": "zlib1g", "InstalledVersion": "1.2",
             "FixedVersion": "1.3", "Severity": "HIGH"}]}],
    })
    .to_string()
}

#[tokio::test]
async fn a_report_is_kept_for_the_image_that_it_is_about() {
    let Images { scene, amd64, arm64, both } = images().await;
    let send = async |who: As<'_>, image: &str, body: &str| {
        scene.ask(who, Method::PUT, &format!("/image/report?ref={image}"), body).await
    };
    let bob = || As::User("bob");
    let (early, late) = ("2026-01-02T03:04:05Z", "2026-01-03T03:04:05Z");
    let amd = amd64.digest.to_string();
    let kept = send(bob(), "prod/api:v1", &trivy(&amd, late)).await;
    assert_eq!(kept.status, 200, "{}", kept.text);
    assert_eq!(kept.json()["report"]["findings"], json!({"high": 1}));
    assert_eq!(send(bob(), "prod/api:v1", &trivy(&amd, early)).await.status, 409);
    let other = send(bob(), "prod/api:v1", &trivy(&arm64.digest.to_string(), late)).await.problem();
    assert!(other.starts_with("422 ") && other.contains(&amd), "{other}");
    assert!(other.contains(&arm64.digest.to_string()), "{other}");
    assert!(send(bob(), "prod/api:v1", "{}").await.problem().starts_with("422 this is JSON"));
    assert_eq!(send(As::User("alice"), "prod/api:v1", "{}").await.status, 403);
    // Of an index, the image that the report names.
    let of_arm = trivy(&arm64.digest.to_string(), late);
    let kept = send(As::Local, "prod/api:both", &of_arm).await.json();
    assert_eq!(kept["report"]["digest"], arm64.digest.to_string(), "{kept}");
    let both = trivy(&both.digest.to_string(), late);
    let told = send(As::Local, "prod/api:both", &both).await.problem();
    assert!(told.starts_with("422 the report does not say which image"), "{told}");
    let shown = scene.get(As::User("alice"), "/image?ref=prod/api:v1").await.json();
    assert_eq!(shown["reports"][0]["by"], "user:bob");
    assert_eq!(shown["verdicts"]["gates"][1]["reasons"][0]["reason"], "vulnerabilities");
    let found = scene.get(As::Local, "/images?cve=cve-2026-0001").await.json();
    assert_eq!(found["images"].as_array().unwrap().len(), 2, "{found}");
    assert_eq!(found["images"][0]["finding"]["package"], "zlib1g");
    let hidden = scene.get(As::User("gone"), "/images?cve=CVE-2026-0001").await;
    assert_eq!(hidden.status, 401);
}

#[tokio::test]
async fn breaking_the_glass_lets_the_digest_and_its_children_through_for_a_while() {
    let Images { scene, amd64, arm64, both } = images().await;
    let add = async |who: As<'_>, changes: serde_json::Value| {
        let mut body = json!({"gate": "production", "image": "prod/api:both", "reason": "incident 311",
                              "expires_in": "4h"});
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        scene.post(who, "/exceptions", &body.to_string()).await
    };
    let chief = || As::User("chief");
    insta::assert_snapshot!(add(chief(), json!({"expires_in": "73h"})).await.problem(), @"422 the glass is broken for at most 72 hours: write an exception into the policy for more");
    insta::assert_snapshot!(add(chief(), json!({"reason": " "})).await.problem(), @"400 `reason`: say why");
    insta::assert_snapshot!(add(chief(), json!({"gate": "prodution"})).await.problem(), @"422 no gate `prodution` stands before prod/api:both: did you mean `production`?");
    assert_eq!(add(As::User("alice"), json!({})).await.status, 403);
    let made = add(chief(), json!({})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    let pinned: Vec<_> =
        [&both, &amd64, &arm64].iter().map(|sample| sample.digest.to_string()).collect();
    assert_eq!(made["digests"], json!(pinned));
    let gates =
        async || scene.get(As::User("alice"), "/image/gates?ref=prod/api:both").await.json();
    let passes = gates().await;
    assert_eq!(passes["held"], false, "{passes}");
    assert_eq!(passes["gates"][0]["glass_broken_until"], made["expires_at"]);
    let path = format!("/exceptions/{}", made["id"].as_str().unwrap());
    assert_eq!(scene.ask(As::User("alice"), Method::DELETE, &path, "").await.status, 403);
    assert_eq!(scene.ask(chief(), Method::DELETE, &path, "").await.status, 200);
    assert_eq!(gates().await["held"], true);
    let listed = scene.get(As::User("alice"), "/exceptions").await.json();
    assert_eq!(listed["exceptions"][0]["state"], "removed");
    let events = scene.audit().await.concat();
    assert!(events.contains("exception.added") && events.contains("exception.removed"));
}

#[tokio::test]
async fn gates_and_what_they_will_hold_are_for_administrators() {
    let Images { scene, .. } = images().await;
    for path in ["/gates", "/gates/forecast?within=7d"] {
        assert_eq!(scene.get(As::User("alice"), path).await.status, 403, "{path}");
        let told = scene.get(As::User("root"), path).await;
        assert_eq!(told.status, 200, "{path}: {}", told.text);
    }
    let gates = scene.get(As::Local, "/gates").await.json();
    assert_eq!(gates["gates"][0]["requires"], json!(["flags: tested"]));
    let scan = scene.post(As::User("bob"), "/image/scan?ref=prod/api:v1", "").await.problem();
    assert!(scan.starts_with("409 there is no scanner"), "{scan}");
}

#[tokio::test]
async fn each_act_stands_in_the_trail_with_who_did_it_and_to_what() {
    let scene = Scene::with(POLICY, true).await;
    let one = image("one", &["a"]);
    {
        let mut shelf = scene.shelf.lock().unwrap();
        *shelf = std::mem::take(&mut *shelf).tagged("prod/api", "v1", &one);
    }
    let (digest, other) = (one.digest.to_string(), image("two", &["b"]).digest.to_string());
    let (bob, chief) = (|| As::User("bob"), || As::User("chief"));
    let flags = "/image/flags?ref=prod/api:v1";
    let report = "/image/report?ref=prod/api:v1";
    let (early, late) = ("2026-01-02T03:04:05Z", "2026-01-03T03:04:05Z");
    scene.ask(bob(), Method::PUT, flags, FLAG).await;
    scene.ask(bob(), Method::DELETE, &format!("{flags}&flag=tested"), "").await;
    scene.ask(bob(), Method::PUT, report, &trivy(&digest, late)).await;
    scene.ask(bob(), Method::PUT, report, &trivy(&digest, early)).await;
    scene.ask(bob(), Method::PUT, report, &trivy(&other, late)).await;
    scene.ask(bob(), Method::PUT, report, "{}").await;
    scene.ask(As::User("alice"), Method::PUT, report, "{}").await;
    scene.post(bob(), "/image/scan?ref=prod/api:v1", "").await;
    let glass = json!({"gate": "production", "image": "prod/api:v1", "reason": "incident 311",
                       "expires_in": "4h"});
    let made = scene.post(chief(), "/exceptions", &glass.to_string()).await.json();
    let id = made["id"].as_str().unwrap();
    scene.ask(chief(), Method::DELETE, &format!("/exceptions/{id}"), "").await;

    let lines = scene.audit().await;
    let records: Vec<serde_json::Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = records
        .iter()
        .map(|it| (it["event"].as_str().unwrap(), it["subject"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("flag.set", "user:bob"),
            ("flag.removed", "user:bob"),
            ("report.stored", "user:bob"),
            ("report.refused", "user:bob"),
            ("report.refused", "user:bob"),
            ("report.refused", "user:bob"),
            ("api.denied", "user:alice"),
            ("scan.requested", "user:bob"),
            ("exception.added", "user:chief"),
            ("exception.removed", "user:chief"),
        ],
        "{lines:#?}"
    );
    for record in records.iter().filter(|record| record["event"] != "api.denied") {
        assert_eq!(record["kind"], "user", "{record}");
        assert_eq!(record["address"], "192.0.2.1", "{record}");
        assert_eq!(
            (&record["repository"], &record["reference"]),
            (&json!("prod/api"), &json!("v1"))
        );
        assert!(!record["reason"].as_str().unwrap().is_empty(), "{record}");
        // What was refused is of no image that is known.
        let of = (record["event"] != "report.refused").then_some(digest.as_str());
        assert_eq!(record["digest"].as_str(), of, "{record}");
        let gate = record["event"].as_str().unwrap().starts_with("exception.");
        assert_eq!(record["gate"].as_str(), gate.then_some("production"), "{record}");
    }
}
