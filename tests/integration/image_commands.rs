//! `portcullis image` over the wire: what is known of images, and what one tells of them.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::cli::Cli;
use crate::support::images::{Image, Index};
use crate::support::process::wait_for;
use crate::support::release::{flag, nothing_found, trivy};
use crate::support::scanner::{Mood, Scanner, Step};
use crate::support::scene::Scene;

const POLICY: &str = r#"
flags: {tested: {}}
rules:
  - name: ci
    subjects: ["user:ci"]
    images: ["**"]
    allow: [pull, push, "flag:tested", report, scan]
  - {name: cluster, subjects: ["user:cluster"], images: ["prod/**"], allow: [pull]}
  - {name: makers, subjects: ["user:maker"], images: ["prod/**"], allow: [pull, break-glass]}
  - {name: scans, subjects: ["service:portcullis-scanner"], images: ["**"], allow: [pull, inspect]}
gates:
  - name: production
    images: ["prod/**"]
    require: {vulnerabilities: {max_severity: medium, scan_pending: block}}
"#;

const USERS: [(&str, &[&str]); 3] = [("ci", &[]), ("cluster", &[]), ("maker", &[])];

const FOUND: [(&str, &str, &str); 2] =
    [("CVE-2022-37434", "CRITICAL", "1:1.2.12"), ("CVE-2018-25032", "LOW", "")];

fn gzip(value: &Value) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(value.to_string().as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// The names of the images that a list shows.
fn names(list: &Value) -> Vec<String> {
    let images = list["images"].as_array().unwrap().iter();
    let name = |image: &Value| match image["tag"].as_str() {
        Some(tag) => format!("{}:{tag}", image["repository"].as_str().unwrap()),
        None => image["repository"].as_str().unwrap().to_owned(),
    };
    images.map(name).collect()
}

/// That the package is not used by the image, as its makers say it.
fn vex(image: &Image) -> Value {
    let product = format!("pkg:oci/api@{}", image.digest().replace(':', "%3A"));
    json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.com/vex/1", "author": "Example makers",
        "timestamp": "2026-01-03T00:00:00Z", "version": 1,
        "statements": [{
            "vulnerability": {"name": "CVE-2022-37434"},
            "products": [{
                "@id": product, "subcomponents": [{"@id": "pkg:deb/debian/zlib1g"}],
            }],
            "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path",
        }],
    })
}

#[test]
fn what_is_told_of_images_is_found_by_those_who_may_know_of_them() {
    let scene = Scene::new(POLICY, &USERS);
    let [ci, cluster, maker] = ["ci", "cluster", "maker"].map(|user| Cli::of(&scene.gate, user));
    let (api, web, hidden) = (Image::oci("api"), Image::oci("web"), Image::oci("hidden"));
    for (repository, image) in [("prod/api", &api), ("prod/web", &web), ("dev/api", &hidden)] {
        scene.client("ci").push(repository, "v1", image);
    }
    flag(&scene, "ci", "prod/web:v1", "tested");
    let file = ci.file("api.json.gz", &gzip(&trivy(&api, "2026-01-01T00:00:00Z", &FOUND)));
    let file = file.display().to_string();
    let said = ci.run(&["image", "report", "prod/api:v1", &file]).ok().out;
    assert!(
        said.starts_with(&format!("report of Trivy kept for prod/api@{}", api.digest())),
        "{said}"
    );
    assert!(said.contains("1 critical, 1 low"), "{said}");
    let denied = cluster.run(&["image", "report", "prod/api:v1", &file]);
    assert_eq!(denied.code, Some(1), "{}", denied.err);

    // Tags are written down within a moment.
    wait_for("all tags", Duration::from_secs(20), || {
        let listed = names(&ci.json(&["image", "list"]));
        (listed == ["dev/api:v1", "prod/api:v1", "prod/web:v1"]).then_some(())
    });
    assert_eq!(names(&cluster.json(&["image", "list"])), ["prod/api:v1", "prod/web:v1"]);
    assert_eq!(names(&cluster.json(&["image", "list", "dev/api"])), [""; 0]);
    assert_eq!(
        names(&ci.json(&["image", "list", "prod/web", "dev/api"])),
        ["prod/web:v1", "dev/api:v1"]
    );
    let searches: [(&[&str], &[&str]); 6] = [
        (&["api", "v1"], &["dev/api:v1", "prod/api:v1"]),
        (&["API", "prod"], &["prod/api:v1"]),
        (&["--flag", "tested"], &["prod/web:v1"]),
        (&["--severity", "high"], &["prod/api:v1"]),
        (&["--cve", "CVE-2018-25032"], &["prod/api"]),
        (&["--package", "zlib1g", "--severity", "critical"], &["prod/api"]),
    ];
    for (words, found) in searches {
        assert_eq!(names(&ci.json(&[&["image", "search"], words].concat())), found, "{words:?}");
    }
    let table = ci.run(&["image", "search", "--cve", "CVE-2022-37434"]).ok().out;
    assert!(table.contains("CVE-2022-37434 (critical) in zlib1g"), "{table}");
    assert!(ci.run(&["image", "search", "nothing"]).ok().out.contains("no images"));

    let held = cluster.run(&["gate", "show", "prod/api:v1"]);
    assert!(
        held.code == Some(1) && held.out.contains("CVE-2022-37434"),
        "{}{}",
        held.out,
        held.err
    );
    // What clears findings is for those who may break the glass, also for whoever may report.
    let document = maker.file("api.vex.json", vex(&api).to_string().as_bytes());
    let document = document.display().to_string();
    assert_eq!(ci.run(&["image", "report", "prod/api:v1", &document]).code, Some(1));
    scene.client("cluster").get("/v2/prod/api/manifests/v1").expect(403);
    let said = maker.run(&["image", "report", "prod/api:v1", &document]).ok().out;
    assert!(said.contains("1 OpenVEX statement of Example makers kept for prod/api"), "{said}");
    scene.client("cluster").get("/v2/prod/api/manifests/v1").expect(200);
    let shown = cluster.run(&["gate", "show", "prod/api:v1"]).ok().out;
    assert!(shown.contains("cleared: CVE-2022-37434 in zlib1g by Example makers"), "{shown}");
    // Word of another image clears nothing here.
    let document = maker.file("web.vex.json", vex(&api).to_string().as_bytes());
    maker.run(&["image", "report", "prod/web:v1", &document.display().to_string()]).ok();
    let found =
        ci.file("web.json", trivy(&web, "2026-01-01T00:00:00Z", &FOUND).to_string().as_bytes());
    ci.run(&["image", "report", "prod/web:v1", &found.display().to_string()]).ok();
    scene.client("cluster").get("/v2/prod/web/manifests/v1").expect(403);
}

#[test]
fn a_scan_is_waited_for_on_a_terminal_and_by_programs() {
    let scanner = Scanner::start("Bearer", "");
    scanner.on_scan(Arc::new(|_| Ok(())));
    let settings = format!("{{url: \"{}\"}}", scanner.url());
    let scene = Scene::with(POLICY, &USERS, |setup| setup.setting("scanner", &settings));
    let ci = Cli::of(&scene.gate, "ci");
    let image = Image::oci("scanned");
    // It is there, and not by a push through the gate: nobody has it scanned yet.
    scene.registry.client().push("prod/api", "v1", &image);
    scanner.be(Step::Report, Mood::Says(nothing_found("prod/api", &image)));
    let arguments = ["image", "scan", "prod/api:v1", "--wait"];
    let shown = ci.on_a_terminal(&arguments).ok().out;
    assert!(shown.contains("0 of 1 scanned, "), "{shown}");
    let last = shown.lines().rfind(|line| !line.trim().is_empty()).unwrap();
    assert!(last.contains(image.digest()) && last.contains("done"), "{shown}");
    scene.client("cluster").get("/v2/prod/api/manifests/v1").expect(200);

    let said = ci.run(&[&arguments[..], &["--output", "json"]].concat()).ok();
    assert_eq!(said.err, "", "what is under way is told on terminals alone");
    let told: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(told["digest"], image.digest());
    assert_eq!(told["scans"].as_array().unwrap().len(), 1);
    assert_eq!(told["scans"][0]["state"], "done");
    let cluster = Cli::of(&scene.gate, "cluster");
    assert_eq!(cluster.run(&arguments).code, Some(1), "who may not scan");
    // Each image of an index is scanned; the index is told whole.
    let index = Index::oci("scanned");
    scene.registry.client().push_index("prod/api", "multi", &index);
    let told = ci.json(&["image", "scan", "prod/api:multi"]);
    assert_eq!(told["scans"].as_array().unwrap().len(), 2);
    assert_eq!(told["scans"][1]["platform"], "linux/arm64");
}
