//! Scans: what is pushed is scanned by an adapter that pulls from the gate itself, and a gate of the
//! policy waits for the report.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::support::client::{Ask, Client, Credentials};
use crate::support::clock::MINUTE;
use crate::support::gate::Setup;
use crate::support::images::Image;
use crate::support::process::wait_for;
use crate::support::scanner::{Mood, Scanner, Step};
use crate::support::scene::Scene;

const POLICY: &str = r#"
rules:
  - {name: ci, subjects: ["user:ci"], images: ["**"], allow: [pull, push]}
  - {name: cluster, subjects: ["user:cluster"], images: ["**"], allow: [pull]}
  - {name: scans, subjects: ["service:portcullis-scanner"], images: ["**"], allow: [pull, inspect]}
gates:
  - name: scanned
    images: ["prod/**"]
    require: {vulnerabilities: {max_severity: critical}}
"#;

const LONG: Duration = Duration::from_secs(60);

struct World {
    scanner: Scanner,
    scene: Scene,
    image: Image,
    /// What each pull of the scanner saw.
    pulls: Arc<Mutex<Vec<Vec<u16>>>>,
}

/// Who has the credential that the scanner was handed: as it is, and at the token endpoint.
fn holders(anonymous: &Client, header: &str) -> Vec<Client> {
    match header.split_once(' ').unwrap() {
        ("Bearer", token) => vec![anonymous.with(Credentials::Bearer(token.to_owned()))],
        (_, pair) => {
            let pair = String::from_utf8(BASE64_STANDARD.decode(pair).unwrap()).unwrap();
            let (name, token) = pair.split_once(':').unwrap();
            let (name, token) = (name.to_owned(), token.to_owned());
            vec![
                anonymous.with(Credentials::Basic(name.clone(), token.clone())),
                anonymous.with(Credentials::Tokens(name, token)),
            ]
        }
    }
}

/// Pulls the image as scanners do; then tries what it should not be able to do.
fn pull(who: &Client, artifact: &Value) -> Vec<u16> {
    let repository = artifact["repository"].as_str().unwrap();
    let manifest = format!("/v2/{repository}/manifests/{}", artifact["digest"].as_str().unwrap());
    let read = who.get(&manifest);
    let mut seen = vec![who.head(&manifest).status, read.status];
    if read.status == 200 {
        let manifest = read.json();
        let layers = manifest["layers"].as_array().unwrap().iter();
        for blob in layers.chain([&manifest["config"]]) {
            let blob =
                who.get(&format!("/v2/{repository}/blobs/{}", blob["digest"].as_str().unwrap()));
            seen.push(blob.status);
        }
    }
    seen.push(who.get("/v2/dev/other/manifests/v1").status);
    let upload = format!("/v2/{repository}/blobs/uploads/");
    seen.push(who.send("POST", &upload, &Ask::default()).status);
    seen
}

impl World {
    /// One whose scanner wants this kind of credential, and never has a report until it is told.
    fn new(kind: &str, more: impl FnOnce(Setup) -> Setup) -> Self {
        let scanner = Scanner::start(kind, "");
        let settings = format!("{{url: \"{}\"}}", scanner.url());
        let users: [(&str, &[&str]); 2] = [("ci", &[]), ("cluster", &[])];
        let scene = Scene::with(POLICY, &users, |setup| more(setup.setting("scanner", &settings)));
        let pulls = Arc::new(Mutex::new(Vec::new()));
        let (anonymous, seen) = (scene.gate.anonymous(), Arc::clone(&pulls));
        scanner.on_scan(Arc::new(move |body| {
            let header = body["registry"]["authorization"].as_str().unwrap();
            for who in holders(&anonymous, header) {
                seen.lock().unwrap().push(pull(&who, &body["artifact"]));
            }
            Ok(())
        }));
        let image = Image::oci("scanned");
        scene.registry.client().push("dev/other", "v1", &image);
        Self { scanner, scene, image, pulls }
    }

    fn push(&self) {
        self.scene.client("ci").push("prod/api", "v1", &self.image);
    }

    /// Status and message of a pull by somebody whom the gate holds back.
    fn pulled(&self) -> (u16, String) {
        let answer = self.scene.client("cluster").get("/v2/prod/api/manifests/v1");
        (answer.status, answer.text())
    }

    fn until_released(&self) {
        wait_for("the report", LONG, || (self.pulled().0 == 200).then_some(()));
    }

    fn until_held_because(&self, why: &str) {
        wait_for(why, LONG, || {
            let (status, told) = self.pulled();
            (status == 403 && told.contains(why)).then_some(())
        });
    }

    fn until_asked_for_a_report(&self) {
        wait_for("a scan", LONG, || {
            self.scanner.asked().iter().any(|line| line.ends_with("/report")).then_some(())
        });
    }

    fn until_recorded(&self, event: &str) -> Value {
        wait_for(event, LONG, || {
            self.scene.gate.audit().into_iter().find(|record| record["event"] == event)
        })
    }
}

#[test]
fn a_push_is_scanned_with_a_credential_that_pulls_this_one_image_and_then_it_is_released() {
    for kind in ["Basic", "Bearer"] {
        let world = World::new(kind, |setup| setup);
        world.scanner.be(Step::Report, Mood::NeverReady);
        world.push();
        world.until_asked_for_a_report();
        world.until_held_because("prod/api:v1");
        world.scanner.be(Step::Report, Mood::Well);
        world.until_released();
        let pulls = world.pulls.lock().unwrap();
        assert_eq!(pulls.len(), if kind == "Basic" { 2 } else { 1 });
        for seen in pulls.iter() {
            let [other, upload] = seen[seen.len() - 2..] else { panic!("{seen:?}") };
            assert!(seen[..seen.len() - 2].iter().all(|status| *status == 200), "{seen:?}");
            assert_eq!(seen.len(), 2 + world.image.layers.len() + 1 + 2, "{seen:?}");
            for refused in [other, upload] {
                assert!(matches!(refused, 401 | 403 | 404), "{seen:?}");
            }
        }
        let record = world.until_recorded("scan.finished");
        assert_eq!(record["subject"], "service:portcullis-scanner");
        assert_eq!(record["repository"], "prod/api");
        assert_eq!(record["digest"], world.image.digest());
        assert_eq!(record["reason"], "Sample 1.2.3: 1 finding");
        assert_eq!(world.scene.gate.count("portcullis_scans_total{result=\"done\"}"), 1.0);
    }
}

#[test]
fn the_queue_outlives_a_restart_and_a_gate_that_was_killed() {
    let mut world = World::new("Bearer", Setup::own_clock);
    world.scanner.be(Step::Report, Mood::NeverReady);
    world.push();
    world.until_asked_for_a_report();
    world.scene.gate.restart();
    wait_for("the second try", LONG, || {
        let scans = world.scanner.asked();
        let scans = scans.iter().filter(|line| line.starts_with("POST ")).count();
        (scans == 2).then_some(())
    });
    world.scene.gate.kill_and_restart();
    world.scanner.be(Step::Report, Mood::Well);
    // The lease of whoever was killed ends.
    world.scene.gate.clock().set(5 * MINUTE);
    world.until_released();
}

#[test]
fn while_the_scanner_is_away_the_image_says_so_and_it_is_asked_again_later() {
    let world = World::new("Bearer", Setup::own_clock);
    world.scanner.be(Step::Metadata, Mood::Fails(503));
    world.push();
    let record = world.until_recorded("scan.failed");
    let reason = record["reason"].as_str().unwrap();
    assert!(reason.contains("503") && reason.contains("; tried again at "), "{reason}");
    world.until_held_because("it could not be scanned since ");
    world.scanner.be(Step::Metadata, Mood::Well);
    world.scene.gate.clock().set(2 * MINUTE);
    world.until_released();
    let check = world.scene.gate.run(&["check"]).ok();
    assert!(check.out.contains("answers: Sample 1.2.3, reports as application/"), "{}", check.out);
}
