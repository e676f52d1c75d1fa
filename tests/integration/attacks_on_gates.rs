//! Ways around a release gate, each tried as it was found elsewhere.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::{Ask, Credentials};
use crate::support::docker::Docker;
use crate::support::gate::Setup;
use crate::support::images::{Blob, Image, OCI_MANIFEST};
use crate::support::process::wait_for;
use crate::support::release::nothing_found;
use crate::support::scanner::{Mood, Scanner, Step};
use crate::support::scene::Scene;
use crate::support::upstream::{Reply, Upstream, answer};

const POLICY: &str = r#"
rules:
  - {name: ci, subjects: ["user:ci"], images: ["**"], allow: [pull, push, scan]}
  - name: clusters
    subjects: ["user:cluster", "user:portcullis-scanner"]
    images: ["**"]
    allow: [pull]
  - {name: scans, subjects: ["service:portcullis-scanner"], images: ["**"], allow: [pull, inspect]}
gates:
  - name: scanned
    images: ["prod/**"]
    require: {vulnerabilities: {max_severity: critical}}
"#;

const LONG: Duration = Duration::from_secs(60);

const USERS: [(&str, &[&str]); 3] = [("ci", &[]), ("cluster", &[]), ("portcullis-scanner", &[])];

/// A gate that has everything scanned by a scanner that is never done.
fn scene() -> (Scanner, Scene) {
    let scanner = Scanner::start("Bearer", "");
    scanner.on_scan(Arc::new(|_| Ok(())));
    scanner.be(Step::Report, Mood::NeverReady);
    let settings = format!("{{url: \"{}\"}}", scanner.url());
    let scene = Scene::with(POLICY, &USERS, |setup| setup.setting("scanner", &settings));
    (scanner, scene)
}

#[test]
fn g1_a_pull_straight_after_the_push_is_denied() {
    let (_scanner, scene) = scene();
    let docker = Docker::start(&scene.gate);
    let image = Image::docker("g1");
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("image.tar");
    let name = docker.at_gate("prod/api:v1");
    image.write_docker_archive(&archive, &name);
    docker.run(&["load", "--input", archive.to_str().unwrap()]).ok();
    docker.login("ci").ok();
    docker.push("prod/api:v1").ok();
    // Nor does it get out by another name: what is copied is pushed anew, as it cannot be mounted.
    docker.run(&["tag", &name, &docker.at_gate("dev/api:v1")]).ok();
    docker.push("dev/api:v1").ok();
    let mounted = scene.recorder.seen().iter().any(|seen| seen.target.contains("mount="));
    assert!(!mounted, "nobody may read what is mounted");
    docker.run(&["image", "rm", &name, &docker.at_gate("dev/api:v1")]).ok();
    docker.pull("prod/api:v1").refused("pull of prod/api:v1 is denied by gate \"scanned\": it ");
    docker.login("cluster").ok();
    docker.pull("prod/api:v1").refused("pull of prod/api:v1 is denied by gate \"scanned\": it ");
    let digest = scene.stored("prod/api", "v1").unwrap();
    let stored = scene.registry.client().get("/v2/prod/api/manifests/v1").json();
    let mut targets = vec![format!("/v2/prod/api/manifests/{digest}")];
    for part in stored["layers"].as_array().unwrap().iter().chain([&stored["config"]]) {
        targets.push(format!("/v2/prod/api/blobs/{}", part["digest"].as_str().unwrap()));
    }
    for target in targets {
        scene.client("cluster").get(&target).expect(403);
        assert_ne!(scene.client("cluster").head(&target).status, 200, "{target}");
    }
}

#[test]
fn g4_who_calls_himself_a_scanner_is_none() {
    let (_scanner, scene) = scene();
    scene.client("ci").push("prod/api", "v1", &Image::oci("g4"));
    let headers = [
        ("user-agent", "Trivy/0.60 harbor-scanner-adapter"),
        ("x-scanner", "portcullis-scanner"),
        ("x-user", "service:portcullis-scanner"),
        ("x-remote-user", "portcullis-scanner"),
        ("x-forwarded-user", "service:portcullis-scanner"),
        ("x-portcullis-subject", "service:portcullis-scanner"),
        ("harbor-scanner", "true"),
        ("scanner", "Sample"),
        ("cookie", "sid=portcullis-scanner"),
    ];
    let target = "/v2/prod/api/manifests/v1";
    let anonymous = scene.gate.anonymous();
    let guessed = |password: &str| {
        let name = "portcullis-scanner".to_owned();
        anonymous.with(Credentials::Basic(name, password.to_owned()))
    };
    let everything = [&headers[..]];
    for headers in headers.chunks(1).chain(everything) {
        let ask = Ask::headers(headers);
        scene.client("cluster").send("GET", target, &ask).expect(403);
        anonymous.send("GET", target, &ask).expect(401);
    }
    guessed("").send("GET", target, &Ask::headers(&headers)).expect(401);
    // A token says no more than policy does, whatever is asked for.
    let token = scene.client("cluster").token(&["repository:prod/api:pull,inspect,push"]);
    scene.gate.bearer(&token).get(target).expect(403);
    // A user of that name is a user.
    let namesake = scene.client("portcullis-scanner");
    let token = namesake.token(&["repository:prod/api:pull,inspect"]);
    for somebody in [namesake, scene.gate.bearer(&token), scene.gate.basic("portcullis-scanner")] {
        somebody.get(target).expect(403);
    }
}

#[test]
fn g6_a_report_that_is_cut_off_or_of_another_image_releases_nothing() {
    let (scanner, scene) = scene();
    let (image, other) = (Image::oci("g6"), Image::oci("g6, another"));
    scene.client("ci").push("prod/api", "v1", &image);
    let wrong = [nothing_found("prod/api", &other), json!({"vulnerabilities": []})];
    let scan = || scene.gate.basic("ci").post("/api/v1/image/scan?ref=prod/api:v1", &json!(null));
    let held = || {
        let target = "/v2/prod/api/manifests/v1";
        scene.client("cluster").get(target).expect(403);
        scene.client("cluster").head(target).expect(403);
    };
    let failures = || {
        let is_it = |record: &&Value| {
            record["event"] == "scan.failed" && record["digest"] == image.digest()
        };
        scene.gate.audit().iter().filter(is_it).count()
    };
    for report in wrong {
        let before = failures();
        scanner.be(Step::Report, Mood::Says(report));
        // A scan that runs already is not begun anew.
        wait_for("the end of a scan", LONG, || {
            scan();
            (failures() > before).then_some(())
        });
        held();
    }
    let asked = || scanner.asked().iter().filter(|line| line.ends_with("/report")).count();
    let before = asked();
    scanner.be(Step::Report, Mood::Breaks);
    // It is not ready twice. A scan that is just ending is not begun anew.
    wait_for("a report that is cut off", LONG, || {
        scan();
        (asked() >= before + 3).then_some(())
    });
    held();
    scanner.be(Step::Report, Mood::Says(nothing_found("prod/api", &image)));
    wait_for("the report", LONG, || {
        let answer = scene.client("cluster").get("/v2/prod/api/manifests/v1");
        (answer.status == 200).then_some(())
    });
}

/// A manifest with more than 5 MiB that is good in every other way.
fn too_large() -> Blob {
    let (config, rest) = (Image::oci("g5").config, "x".repeat(5 << 20));
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.descriptor(), "layers": [],
        "annotations": {"org.example.rest": rest},
    });
    Blob::json(OCI_MANIFEST, &manifest)
}

#[test]
fn g5_a_manifest_of_five_mebibytes_is_refused_unseen_by_the_registry() {
    let (_scanner, scene) = scene();
    let manifest = too_large();
    let ci = scene.client("ci");
    ci.push_blob("prod/api", &Image::oci("g5").config).expect(201);
    for reference in ["v1", &manifest.digest] {
        let refused = scene.unasked(|| ci.put_manifest("prod/api", reference, &manifest));
        assert_eq!((refused.status, &*refused.code()), (413, "SIZE_INVALID"), "{reference}");
    }
    // Nor is one handed out that the registry has by another way.
    let digest = manifest.digest.clone();
    let bytes = manifest.bytes;
    let upstream = Upstream::start(move |head| {
        if !head.contains("/manifests/") {
            return Reply::Whole(answer("200 OK", "", b"{}"));
        }
        let headers =
            format!("Content-Type: {OCI_MANIFEST}\r\nDocker-Content-Digest: {digest}\r\n");
        let body = if head.starts_with("HEAD ") { &[][..] } else { &bytes };
        Reply::Whole(answer("200 OK", &headers, body))
    });
    let gate = Setup::new(&upstream.url(), POLICY).user("cluster", &[]).start();
    for repository in ["prod/api", "dev/api"] {
        let answer = gate.client("cluster").get(&format!("/v2/{repository}/manifests/v1"));
        assert!(answer.status >= 400, "{repository}: {}", answer.status);
        assert!(answer.body.len() < 1 << 16, "{repository}");
    }
}
