//! What becomes known of an image that has passed, and how long it may go on to pass.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::client::{Client, Credentials};
use crate::support::clock::{DAY, HOUR, MINUTE};
use crate::support::gate::Setup;
use crate::support::images::Image;
use crate::support::process::wait_for;
use crate::support::release::{nothing_found, report, trivy};
use crate::support::scanner::{Mood, Scanner, Step};
use crate::support::scene::Scene;

const POLICY: &str = r#"
administrators: [user:admin]
rules:
  - {name: ci, subjects: ["user:ci"], images: ["**"], allow: [pull, push, report, scan]}
  - {name: cluster, subjects: ["user:cluster"], images: ["**"], allow: [pull]}
  - {name: scans, subjects: ["service:portcullis-scanner"], images: ["**"], allow: [pull, inspect]}
gates:
  - name: strict
    images: ["strict/**"]
    require: {vulnerabilities: {max_severity: medium}}
  - name: patient
    images: ["patient/**"]
    require: {vulnerabilities: {max_severity: medium}}
    grace: {new_finding: 14d}
  - name: scanned
    images: ["scanned/**"]
    require: {vulnerabilities: {max_severity: medium, max_report_age: 2d}}
    grace: {report_too_old: 5d}
  - name: eager
    images: ["eager/**"]
    require: {vulnerabilities: {max_severity: medium, scan_pending: allow}}
    grace: {scan_failed: 7d}
"#;

const LONG: Duration = Duration::from_secs(120);

fn scene(more: impl FnOnce(Setup) -> Setup) -> Scene {
    Scene::with(POLICY, &[("ci", &[]), ("cluster", &[])], |setup| more(setup.own_clock()))
}

/// Status and text of a pull by somebody whom gates hold back.
fn pull(scene: &Scene, repository: &str) -> (u16, String) {
    let answer = scene.client("cluster").get(&format!("/v2/{repository}/manifests/v1"));
    (answer.status, answer.text())
}

fn held(scene: &Scene, repository: &str, why: &str) {
    let (status, told) = pull(scene, repository);
    assert!(status == 403 && told.contains(why), "{repository}: {status} {told}");
}

/// What a scanner says, or could not say, becomes known in the background.
fn passes_soon(scene: &Scene, repository: &str) {
    wait_for(repository, LONG, || (pull(scene, repository).0 == 200).then_some(()));
}

fn in_grace(scene: &Scene, gate: &str) -> f64 {
    scene.gate.count(&format!("portcullis_gate_grace_images{{gate=\"{gate}\"}}"))
}

fn administrator(scene: &Scene) -> Client {
    let password = scene.gate.admin_password().to_owned();
    scene.gate.anonymous().with(Credentials::Basic("admin".to_owned(), password))
}

/// What the command foresees, which is what the API does: each image with its gate, and since when
/// it is held.
fn forecast(scene: &Scene, within: &str) -> Vec<(String, String, Timestamp)> {
    let command = ["gate", "forecast", "--within", within];
    let told = scene.gate.run(&[&command[..], &["--output", "json"]].concat());
    let told_by_command: Value = serde_json::from_str(&told.out).expect(&told.err);
    let target = format!("/api/v1/gates/forecast?within={within}");
    let told_by_api = administrator(scene).get(&target).expect(200).json();
    let read = |told: &Value| -> Vec<_> {
        let entries = told["entries"].as_array().unwrap().iter();
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
        entries
            .map(|entry| {
                let at = text(entry, "held_at").parse::<Timestamp>().unwrap();
                // What is held already is held since each was asked.
                let at = if entry["is_held_now"] == true { Timestamp::UNIX_EPOCH } else { at };
                (text(entry, "repository"), text(entry, "gate"), at)
            })
            .collect()
    };
    let foreseen = read(&told_by_command);
    assert_eq!(foreseen, read(&told_by_api));
    assert_eq!(told.code, Some(i32::from(!foreseen.is_empty())), "{}", told.err);
    foreseen
}

/// Tags are written down within a moment.
fn all_are_foreseen(scene: &Scene, count: usize) {
    let foreseen = || administrator(scene).get("/api/v1/gates/forecast").expect(200).json();
    wait_for("all tags", LONG, || (foreseen()["images"] == count).then_some(()));
}

#[test]
fn a_new_finding_stops_the_next_pull_or_in_grace_the_one_that_was_foreseen() {
    let scene = scene(|setup| setup);
    let image = |name: &str| Image::oci(name);
    let (strict, patient, late) = (image("strict"), image("patient"), image("late"));
    let found = [("CVE-2022-37434", "CRITICAL", "1:1.2.12")];
    for (repository, image) in [("strict/api", &strict), ("patient/api", &patient)] {
        scene.client("ci").push(repository, "v1", image);
        let clean = trivy(image, "2026-01-01T00:00:00Z", &[]);
        report(&scene, "ci", &format!("{repository}:v1"), &clean).expect(200);
        assert_eq!(pull(&scene, repository).0, 200);
    }
    all_are_foreseen(&scene, 2);
    assert_eq!(forecast(&scene, "60d"), []);
    for (repository, image) in [("strict/api", &strict), ("patient/api", &patient)] {
        let bad = trivy(image, "2026-01-02T00:00:00Z", &found);
        report(&scene, "ci", &format!("{repository}:v1"), &bad).expect(200);
    }
    held(&scene, "strict/api", "CVE-2022-37434");
    assert_eq!(pull(&scene, "patient/api").0, 200);
    // The same in an image that never passed has no grace.
    scene.client("ci").push("patient/late", "v1", &late);
    let bad = trivy(&late, "2026-01-02T00:00:00Z", &found);
    report(&scene, "ci", "patient/late:v1", &bad).expect(200);
    held(&scene, "patient/late", "CVE-2022-37434");

    assert_eq!([in_grace(&scene, "patient"), in_grace(&scene, "strict")], [1.0, 0.0]);
    let verdicts = "portcullis_gate_verdicts_total{reason=\"vulnerabilities\",verdict=\"held\"}";
    assert_eq!(scene.gate.count(verdicts), 2.0);
    let shown = scene.gate.run(&["gate", "show", "patient/api:v1"]).ok().out;
    assert!(shown.contains("in grace: ") && shown.contains("CVE-2022-37434"), "{shown}");
    let denied = |record: &&Value| record["gate"] == "strict" && record["status"] == 403;
    let records = scene.gate.requests(|records| records.iter().any(|it| denied(&it)));
    let record = records.iter().find(denied).unwrap();
    assert_eq!(record["repository"], "strict/api");
    assert_eq!(record["subject"], "user:cluster");
    let reason = record["reason"].as_str().unwrap();
    assert!(reason.contains("CVE-2022-37434"), "{reason}");

    let now = |name: &str, gate: &str| (name.to_owned(), gate.to_owned(), Timestamp::UNIX_EPOCH);
    let held_now = [now("patient/late", "patient"), now("strict/api", "strict")];
    all_are_foreseen(&scene, 3);
    assert_eq!(forecast(&scene, "7d"), held_now);
    let foreseen = forecast(&scene, "20d");
    let [(repository, gate, at), rest @ ..] = &*foreseen else { panic!("{foreseen:?}") };
    assert_eq!((&**repository, &**gate, rest), ("patient/api", "patient", &held_now[..]));

    let until = at.as_second() - Timestamp::now().as_second();
    scene.gate.clock().set(until - MINUTE);
    assert_eq!(pull(&scene, "patient/api").0, 200);
    scene.gate.clock().set(until + MINUTE);
    held(&scene, "patient/api", "CVE-2022-37434");
    assert_eq!(in_grace(&scene, "patient"), 0.0);
    assert_eq!(forecast(&scene, "7d").len(), 3);
}

#[test]
fn what_is_mended_is_in_grace_no_longer() {
    let scene = scene(|setup| setup);
    let image = Image::oci("mended");
    scene.client("ci").push("patient/api", "v1", &image);
    let found = [("CVE-2022-37434", "CRITICAL", "1:1.2.12")];
    let told = |created: &str, findings: &[(&str, &str, &str)]| {
        report(&scene, "ci", "patient/api:v1", &trivy(&image, created, findings)).expect(200);
        assert_eq!(pull(&scene, "patient/api").0, 200);
        in_grace(&scene, "patient")
    };
    let told = [
        told("2026-01-01T00:00:00Z", &[]),
        told("2026-01-02T00:00:00Z", &found),
        told("2026-01-03T00:00:00Z", &[]),
    ];
    assert_eq!(told, [0.0, 1.0, 0.0]);
}

/// A scanner that takes every scan, and the gate that asks it.
fn with_scanner() -> (Scanner, Scene) {
    let scanner = Scanner::start("Bearer", "");
    scanner.on_scan(Arc::new(|_| Ok(())));
    let settings = format!("{{url: \"{}\"}}", scanner.url());
    let scene = scene(|setup| setup.setting("scanner", &settings));
    (scanner, scene)
}

fn until_failed(scene: &Scene, repository: &str) {
    let is_it =
        |record: &Value| record["event"] == "scan.failed" && record["repository"] == repository;
    wait_for("a scan that fails", LONG, || scene.gate.audit().iter().any(is_it).then_some(()));
}

#[test]
fn a_scanner_that_is_away_for_a_week_stops_what_has_passed_when_its_grace_is_over() {
    let (scanner, scene) = with_scanner();
    let (known, pending, unknown) =
        (Image::oci("known"), Image::oci("pending"), Image::oci("unknown"));
    scanner.be(Step::Report, Mood::Says(nothing_found("scanned/api", &known)));
    scene.client("ci").push("scanned/api", "v1", &known);
    passes_soon(&scene, "scanned/api");
    // It passes as long as nobody knows anything, and is pulled then.
    scanner.be(Step::Report, Mood::NeverReady);
    scene.client("ci").push("eager/api", "v1", &pending);
    passes_soon(&scene, "eager/api");

    // Not 503: a report that may be there a moment later is asked for again.
    for step in [Step::Metadata, Step::Scan, Step::Report] {
        scanner.be(step, Mood::Fails(500));
    }
    until_failed(&scene, "eager/api");
    // The audit trail tells it a moment before it counts.
    wait_for("its grace", LONG, || {
        let passes = pull(&scene, "eager/api").0 == 200;
        (passes && in_grace(&scene, "eager") == 1.0).then_some(())
    });
    scene.client("ci").push("eager/late", "v1", &unknown);
    scene.client("ci").push("scanned/late", "v1", &unknown);
    until_failed(&scene, "eager/late");
    until_failed(&scene, "scanned/late");
    let away = "it could not be scanned since ";
    held(&scene, "eager/late", away);
    assert_eq!([in_grace(&scene, "eager"), in_grace(&scene, "scanned")], [1.0, 0.0]);

    scene.gate.clock().set(7 * DAY - HOUR);
    assert_eq!(pull(&scene, "eager/api").0, 200);
    assert_eq!(pull(&scene, "scanned/api").0, 200);
    assert_eq!([in_grace(&scene, "eager"), in_grace(&scene, "scanned")], [1.0, 1.0]);
    held(&scene, "eager/late", away);
    held(&scene, "scanned/late", away);

    scene.gate.clock().set(7 * DAY + HOUR);
    held(&scene, "eager/api", away);
    held(&scene, "scanned/api", "its newest report is of ");
    assert_eq!([in_grace(&scene, "eager"), in_grace(&scene, "scanned")], [0.0, 0.0]);

    // It comes back, and somebody asks it.
    scanner.be(Step::Metadata, Mood::Well);
    scanner.be(Step::Scan, Mood::Well);
    scanner.be(Step::Report, Mood::Says(nothing_found("scanned/api", &known)));
    let target = "/api/v1/image/scan?ref=scanned/api:v1";
    scene.gate.basic("ci").post(target, &json!(null)).expect(202);
    passes_soon(&scene, "scanned/api");
    assert_eq!(in_grace(&scene, "scanned"), 0.0);
}
