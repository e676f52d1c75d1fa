//! An image on its way to production, as CI, QA, security people and a cluster see it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Ask;
use crate::support::clock::HOUR;
use crate::support::ctr::Containerd;
use crate::support::docker::Docker;
use crate::support::gate::Setup;
use crate::support::images::{Image, Index};
use crate::support::process::wait_for;
use crate::support::release::{api, flag, report, trivy};
use crate::support::scene::Scene;

const POLICY: &str = r#"
flags:
  tested: {carries: ["dev/**", "prod/**"]}
  qa-passed: {carries: ["prod/**"]}
rules:
  - {name: ci, subjects: ["user:ci"], images: ["prod/**", "dev/**"], allow: [pull, push, "flag:tested", report]}
  - {name: qa, subjects: ["user:qa"], images: ["prod/**"], allow: [inspect, "flag:qa-passed"]}
  - {name: clusters-pull, subjects: [group:clusters], images: ["prod/**"], allow: [pull]}
  - {name: on-call, subjects: ["user:oncall"], images: ["prod/**"], allow: [pull, break-glass]}
  - {name: cleaner, subjects: ["user:cleaner"], images: ["prod/**"], allow: [pull, delete]}
gates:
  - name: production
    images: ["prod/**"]
    subjects: [group:clusters]
    require:
      flags: [tested, qa-passed]
      vulnerabilities: {max_severity: medium}
groups:
  clusters: [user:cluster]
"#;

const USERS: [(&str, &[&str]); 5] =
    [("ci", &[]), ("qa", &[]), ("cluster", &[]), ("oncall", &[]), ("cleaner", &[])];

fn scene() -> Scene {
    Scene::with(POLICY, &USERS, Setup::own_clock)
}

/// Everything of an image, by every address.
fn addresses(image: &Image, tag: &str) -> Vec<String> {
    let blobs = image.blobs().map(|blob| format!("/v2/prod/api/blobs/{}", blob.digest));
    let by_tag = format!("/v2/prod/api/manifests/{tag}");
    let by_digest = format!("/v2/prod/api/manifests/{}", image.digest());
    [by_tag, by_digest].into_iter().chain(blobs).collect()
}

#[track_caller]
fn held(scene: &Scene, image: &Image, tag: &str, why: &str) {
    let cluster = scene.client("cluster");
    for address in addresses(image, tag) {
        let answer = cluster.get(&address);
        assert_eq!((answer.status, answer.code().as_str()), (403, "DENIED"), "{address}");
        let message = answer.message();
        let gate = "is denied by gate \"production\": ";
        assert!(message.contains(gate) && message.contains(why), "{address}: {message}");
    }
}

#[track_caller]
fn passes(scene: &Scene, image: &Image, tag: &str) {
    let cluster = scene.client("cluster");
    for address in addresses(image, tag) {
        cluster.get(&address).expect(200);
        cluster.head(&address).expect(200);
    }
}

#[test]
fn an_image_reaches_the_cluster_when_all_that_its_gate_asks_for_is_known() {
    let mut scene = scene();
    let image = Image::docker("release");
    scene.client("ci").push("prod/api", "v2", &image);
    let docker = Docker::start(&scene.gate);
    docker.login("cluster").ok();
    let containerd = Containerd::start(&scene.gate);

    held(&scene, &image, "v2", "it is not flagged tested and qa-passed");
    docker.pull("prod/api:v2").refused("is denied by gate \"production\"");
    containerd.pull("cluster", "prod/api:v2").refused("is denied by gate \"production\"");

    flag(&scene, "ci", "prod/api:v2", "tested");
    held(&scene, &image, "v2", "it is not flagged qa-passed");
    flag(&scene, "qa", "prod/api:v2", "qa-passed");
    held(&scene, &image, "v2", "it was never scanned");

    let bad = trivy(&image, "2026-01-01T00:00:00Z", &[("CVE-2022-37434", "CRITICAL", "1:1.2.12")]);
    report(&scene, "ci", "prod/api:v2", &bad).expect(200);
    held(&scene, &image, "v2", "CVE-2022-37434");
    docker.pull("prod/api:v2").refused("CVE-2022-37434");
    containerd.pull("cluster", "prod/api:v2").refused("CVE-2022-37434");

    let exception = json!({
        "gate": "production", "image": "prod/api:v2", "expires_in": "4h", "reason": "incident 311",
    });
    api(&scene.gate.basic("oncall"), "POST", "/api/v1/exceptions", &exception).expect(201);
    passes(&scene, &image, "v2");
    docker.pull("prod/api:v2").ok();
    containerd.pull("cluster", "prod/api:v2").ok();
    scene.gate.restart();
    passes(&scene, &image, "v2");

    scene.gate.clock().set(5 * HOUR);
    held(&scene, &image, "v2", "CVE-2022-37434");

    // The push works at every point, and its HEADs are answered.
    let mended = Image::docker("mended");
    scene.client("ci").head("/v2/prod/api/manifests/v2").expect(200);
    scene.client("ci").push("prod/api", "v2", &mended);
    flag(&scene, "ci", "prod/api:v2", "tested");
    flag(&scene, "qa", "prod/api:v2", "qa-passed");
    report(&scene, "ci", "prod/api:v2", &trivy(&mended, "2026-01-02T00:00:00Z", &[])).expect(200);
    passes(&scene, &mended, "v2");
    docker.pull("prod/api:v2").ok();
    let audit = scene.gate.audit_text();
    for event in ["flag.set", "report.stored", "exception.added"] {
        assert!(audit.contains(&format!("\"event\":\"{event}\"")), "{event}");
    }
    assert!(
        scene.gate.metrics().contains(
            "portcullis_gate_verdicts_total{reason=\"vulnerabilities\",verdict=\"held\"}"
        )
    );
}

#[test]
fn an_index_is_its_worst_child_and_a_child_stands_for_itself() {
    let scene = scene();
    let index = Index::oci("several");
    scene.client("ci").push_index("prod/api", "multi", &index);
    flag(&scene, "ci", "prod/api:multi", "tested");
    flag(&scene, "qa", "prod/api:multi", "qa-passed");
    let child = |image: &Image| format!("prod/api@{}", image.digest());
    let target = |image: &Image| format!("/v2/prod/api/manifests/{}", image.digest());
    let cluster = scene.client("cluster");
    let (good, bad) = (&index.images[0], &index.images[1]);
    report(&scene, "ci", &child(good), &trivy(good, "2026-01-01T00:00:00Z", &[])).expect(200);
    // The flags of the index count for it, and the other child is not scanned yet.
    cluster.get(&target(good)).expect(200);
    cluster.get(&target(bad)).expect(403);
    cluster.get("/v2/prod/api/manifests/multi").expect(403);
    let found = [("CVE-2022-37434", "HIGH", "1:1.2.12")];
    report(&scene, "ci", &child(bad), &trivy(bad, "2026-01-01T00:00:00Z", &found)).expect(200);
    cluster.get(&target(good)).expect(200);
    let told = cluster.get("/v2/prod/api/manifests/multi").expect(403).message();
    assert!(told.contains("CVE-2022-37434"), "{told}");
    report(&scene, "ci", &child(bad), &trivy(bad, "2026-01-02T00:00:00Z", &[])).expect(200);
    cluster.get("/v2/prod/api/manifests/multi").expect(200);
    cluster.get(&target(bad)).expect(200);
}

#[test]
fn a_promotion_by_copy_takes_its_flags_along_as_far_as_they_are_carried() {
    let scene = scene();
    let image = Image::oci("promoted");
    scene.client("ci").push("dev/api", "build-1", &image);
    flag(&scene, "ci", "dev/api:build-1", "tested");
    scene.client("ci").push("prod/api", "v1", &image);
    held(&scene, &image, "v1", "it is not flagged qa-passed");
}

#[test]
fn a_vulnerable_image_can_be_deleted_by_who_may_and_is_not_served_by_that() {
    let scene = scene();
    let image = Image::oci("bad");
    scene.client("ci").push("prod/api", "v1", &image);
    let cleaner = scene.client("cleaner");
    // As skopeo does: it reads the manifest first.
    cleaner.get("/v2/prod/api/manifests/v1").expect(200);
    cleaner.delete(&format!("/v2/prod/api/manifests/{}", image.digest())).expect(202);
    cleaner.get("/v2/prod/api/manifests/v1").expect(404);
}

#[test]
fn a_report_about_another_image_is_stored_nowhere() {
    let scene = scene();
    let (image, other) = (Image::oci("this"), Image::oci("that"));
    scene.client("ci").push("prod/api", "v1", &image);
    scene.client("ci").push("prod/api", "v2", &other);
    let about_other = trivy(&other, "2026-01-01T00:00:00Z", &[]);
    let answer = report(&scene, "ci", "prod/api:v1", &about_other);
    assert_eq!(answer.status, 422, "{}", answer.text());
    // Cut off, and replayed after a later one.
    let whole = trivy(&image, "2026-01-02T00:00:00Z", &[("CVE-2022-37434", "HIGH", "")]);
    let text = whole.to_string();
    let cut = Ask::body("application/json", &text.as_bytes()[..text.len() / 2]);
    let target = "/api/v1/image/report?ref=prod/api:v1";
    let answer = scene.gate.basic("ci").send("PUT", target, &cut);
    assert_eq!(answer.status, 422, "{}", answer.text());
    report(&scene, "ci", "prod/api:v1", &whole).expect(200);
    let older = trivy(&image, "2026-01-01T00:00:00Z", &[]);
    let answer = report(&scene, "ci", "prod/api:v1", &older);
    assert_eq!(answer.status, 409, "{}", answer.text());
    // Who may not report is told so.
    let answer = report(&scene, "cluster", "prod/api:v1", &whole);
    assert_eq!(answer.status, 403, "{}", answer.text());
    flag(&scene, "ci", "prod/api:v1", "tested");
    flag(&scene, "qa", "prod/api:v1", "qa-passed");
    held(&scene, &image, "v1", "CVE-2022-37434");
}

const LENIENT: &str = r#"
flags: {tested: {}}
rules:
  - {name: ci, subjects: ["user:ci"], images: ["prod/**"], allow: [pull, push, "flag:tested"]}
  - {name: clusters, subjects: ["user:cluster"], images: ["prod/**"], allow: [pull]}
  - {name: on-call, subjects: ["user:oncall"], images: ["prod/**"], allow: [pull, break-glass]}
gates:
  - {name: arrivals, images: ["prod/**"], on: [push], mode: audit, require: {flags: [tested]}}
  - {name: flagged, images: ["prod/**"], subjects: [user:cluster], require: {flags: [tested]}, grace: {flag_expired: 1d}}
  - {name: scanned, images: ["prod/**"], subjects: [user:cluster], mode: audit, require: {vulnerabilities: {}}}
  - {name: sooner, images: ["prod/**"], subjects: [user:cluster], require: {vulnerabilities: {unscanned: warn}}}
"#;

/// Gate and reason of the latest request with this operation.
fn told(scene: &Scene, operation: &str, count: usize) -> (String, String) {
    let is_such = |record: &&Value| {
        record["operation"] == operation
            && record["decision"] == "allow"
            && !record["gate"].is_null()
    };
    let records = scene.gate.requests(|records| records.iter().filter(is_such).count() == count);
    let last = records.iter().rfind(is_such).unwrap();
    let text = |key: &str| last[key].as_str().unwrap().to_owned();
    (text("gate"), text("reason"))
}

#[test]
fn what_gates_let_through_although_something_is_missing_stands_in_the_trail() {
    let users: [(&str, &[&str]); 3] = [("ci", &[]), ("cluster", &[]), ("oncall", &[])];
    let scene = Scene::with(LENIENT, &users, Setup::own_clock);
    let image = Image::oci("lenient");
    scene.client("ci").push("prod/api", "v1", &image);
    let (gate, reason) = told(&scene, "manifest_put", 1);
    assert_eq!(
        (&*gate, &*reason),
        ("arrivals", "gate \"arrivals\": it is not flagged tested (audit)")
    );

    let glass = json!({
        "gate": "flagged", "image": "prod/api:v1", "expires_in": "1h", "reason": "incident 311",
    });
    let made = api(&scene.gate.basic("oncall"), "POST", "/api/v1/exceptions", &glass);
    let until = made.expect(201).json()["expires_at"].as_str().unwrap().to_owned();
    let pull = || scene.client("cluster").get("/v2/prod/api/manifests/v1").expect(200);
    pull();
    let never = "gate \"scanned\": it was never scanned (audit); \
                 gate \"sooner\": it was never scanned (warning)";
    let (gate, reason) = told(&scene, "manifest_read", 1);
    let broken = format!("gate \"flagged\": its glass is broken until {until}; {never}");
    assert_eq!((&*gate, reason), ("flagged", broken));
    let layer = &image.layers[0].digest;
    scene.client("cluster").get(&format!("/v2/prod/api/blobs/{layer}")).expect(200);
    assert_eq!(told(&scene, "blob_read", 1).0, "flagged");

    // Its flag has ended, and it passed before.
    scene.gate.clock().set(2 * HOUR);
    let flagged = json!({"flag": "tested", "expires_in": "1h"});
    let target = "/api/v1/image/flags?ref=prod/api:v1";
    api(&scene.gate.basic("ci"), "POST", target, &flagged).expect(200);
    pull();
    assert_eq!(told(&scene, "manifest_read", 2).1, never);
    scene.gate.clock().set(4 * HOUR);
    wait_for("the pass that gives grace", Duration::from_secs(30), || {
        let answer = scene.client("cluster").get("/v2/prod/api/manifests/v1");
        (answer.status == 200).then_some(())
    });
    let (gate, reason) = told(&scene, "manifest_read", 3);
    assert_eq!(gate, "flagged");
    assert!(reason.starts_with("gate \"flagged\": its flag tested expired at "), "{reason}");
    assert!(reason.contains(" (grace until ") && reason.ends_with(never), "{reason}");

    // The end of what was made at three in the morning.
    let ended = wait_for("the end of the exception", Duration::from_secs(60), || {
        scene.gate.audit().into_iter().find(|record| record["event"] == "exception.expired")
    });
    assert_eq!((&ended["gate"], &ended["reference"]), (&json!("flagged"), &json!("v1")));
    assert_eq!(ended["digest"], image.digest());
}
