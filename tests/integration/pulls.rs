//! Who pulled what, and where tags pointed, with real clients in front of a real registry.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::text;
use crate::support::browser::{Browser, DESK};
use crate::support::client::Ask;
use crate::support::docker::Docker;
use crate::support::gate::password_of;
use crate::support::images::{Image, Index};
use crate::support::process::wait_for;
use crate::support::scene::Scene;
use crate::support::skopeo::Skopeo;

const POLICY: &str = r#"
administrators: ["user:boss"]
groups: {fleet: external, lab: external}
rules:
  - {name: all, subjects: ["user:ci"], images: ["**"], allow: [all, report]}
  - {name: fleet, subjects: ["group:fleet", "group:lab"], images: ["prod/**"], allow: [pull]}
  - {name: scans, subjects: ["user:scan"], images: ["prod/**"], allow: [inspect]}
"#;

const USERS: &[(&str, &[&str])] =
    &[("ci", &[]), ("boss", &[]), ("scan", &[]), ("node", &["fleet"]), ("dev", &["lab"])];

/// Far more than it takes.
const SOON: Duration = Duration::from_secs(60);

fn shown(scene: &Scene, who: &str, image: &str) -> Value {
    scene.gate.basic(who).get(&format!("/api/v1/image?ref={image}")).expect(200).json()
}

/// Waits until somebody is told to have pulled it last.
fn pulled(scene: &Scene, image: &str, by: &str) -> Value {
    wait_for("a pull to be written down", SOON, || {
        let told = shown(scene, "boss", image);
        (told["last_pulled_by"] == format!("user:{by}")).then_some(told)
    })
}

#[test]
fn what_docker_and_skopeo_pull_is_told_and_what_scanners_look_at_is_not() {
    let scene = Scene::new(POLICY, USERS);
    let image = Image::docker("pulled");
    scene.client("ci").push("prod/app", "v1", &image);
    let told = wait_for("word of the push", SOON, || {
        let told = shown(&scene, "boss", "prod/app:v1");
        (told["pushed_by"] == "user:ci").then_some(told)
    });
    assert_eq!(told["last_pulled_at"], Value::Null);

    // None of these is a pull.
    Skopeo::signed_in(&scene.gate, "scan").pull("prod/app:v1").ok();
    scene.client("node").head("/v2/prod/app/manifests/v1").expect(200);

    let docker = Docker::start(&scene.gate);
    docker.login("node").ok();
    docker.pull("prod/app:v1").ok();
    docker.run(&["rmi", &docker.at_gate("prod/app:v1")]).ok();
    let told = pulled(&scene, "prod/app:v1", "node");
    let first = text(&told, "first_pulled_at");
    assert!(first >= text(&told, "pushed_at"), "{told}");

    Skopeo::signed_in(&scene.gate, "dev").pull("prod/app:v1").ok();
    let told = pulled(&scene, "prod/app:v1", "dev");
    assert_eq!(told["first_pulled_at"], first.as_str());
    assert!(text(&told, "last_pulled_at") >= first);
    let by_digest = format!("prod/app@{}", image.digest());
    assert_eq!(shown(&scene, "boss", &by_digest)["last_pulled_by"], "user:dev");
    // Whoever pulls it knows when somebody did, and not who.
    let told = shown(&scene, "node", "prod/app:v1");
    assert!(told["last_pulled_at"].is_string() && told["last_pulled_by"].is_null(), "{told}");
}

#[test]
fn pulls_outlive_a_restart_and_those_of_an_index_count_for_what_was_read() {
    let mut scene = Scene::new(POLICY, USERS);
    let index = Index::docker("multi");
    scene.client("ci").push_index("prod/multi", "v1", &index);
    Skopeo::signed_in(&scene.gate, "dev").pull("prod/multi:v1").ok();
    // It is written down at the end at the latest.
    scene.gate.restart();
    for reference in [":v1".to_owned(), format!("@{}", index.images[0].digest())] {
        let told = shown(&scene, "boss", &format!("prod/multi{reference}"));
        assert_eq!(told["last_pulled_by"], "user:dev", "{told}");
    }
}

#[test]
fn a_tag_that_moves_tells_where_it_was_and_who_moved_it() {
    let scene = Scene::new(POLICY, USERS);
    let [one, two, three] = ["one", "two", "three"].map(Image::oci);
    let ci = scene.client("ci");
    ci.push("prod/app", "v1", &one);
    // Pushed past the gate, and seen by whoever pulls it.
    scene.registry.client().push("prod/app", "v1", &two);
    scene.client("node").get("/v2/prod/app/manifests/v1").expect(200);
    ci.push("prod/app", "v1", &three);
    let seen = |moves: &[Value]| {
        let told = moves.iter().map(|it| (it["digest"].clone(), it["by"].clone()));
        told.collect::<Vec<_>>()
    };
    let by = |image: &Image, by: Value| (json!(image.digest()), by);
    let all = [by(&three, json!("user:ci")), by(&two, Value::Null), by(&one, json!("user:ci"))];
    // Where it points and who did that are written down one after the other.
    wait_for("the history of the tag", SOON, || {
        let told = shown(&scene, "node", "prod/app:v1");
        (seen(told["history"].as_array().unwrap()) == all).then_some(())
    });
    ci.delete("/v2/prod/app/manifests/v1");
    scene.registry.client().push("prod/app", "v1", &one);
    scene.client("node").get("/v2/prod/app/manifests/v1").expect(200);
    let moves = wait_for("the tag to be seen again", SOON, || {
        let told = shown(&scene, "node", "prod/app:v1");
        let moves = told["history"].as_array().unwrap().clone();
        (moves[0]["digest"] == one.digest()).then_some(moves)
    });
    assert_eq!(seen(&moves[moves.len() - 3..]), all);
}

#[test]
fn the_page_of_a_vulnerability_shows_first_what_a_group_pulled_last() {
    let scene = Scene::new(POLICY, USERS);
    let ci = scene.client("ci");
    for name in ["alpha", "beta", "gamma"] {
        let image = Image::docker(name);
        ci.push(&format!("prod/{name}"), "v1", &image);
        let report = json!({
            "SchemaVersion": 2, "CreatedAt": "2026-01-01T00:00:00Z", "ArtifactName": name,
            "ArtifactType": "container_image",
            "Metadata": {"OS": {"Family": "debian", "Name": "12"}, "ImageID": image.config.digest},
            "Results": [{"Target": name, "Class": "os-pkgs", "Type": "debian",
                "Vulnerabilities": [{"VulnerabilityID": "CVE-2026-0001", "PkgName": "zlib1g",
                    "InstalledVersion": "1.2", "Severity": "HIGH", "Title": "it overflows"}]}],
        })
        .to_string();
        let sent = Ask::body("application/json", report.as_bytes());
        let target = format!("/api/v1/image/report?ref=prod/{name}:v1");
        scene.gate.basic("ci").send("PUT", &target, &sent).expect(200);
    }
    scene.client("dev").get("/v2/prod/alpha/manifests/v1").expect(200);
    scene.client("node").get("/v2/prod/gamma/manifests/v1").expect(200);
    pulled(&scene, "prod/alpha:v1", "dev");
    pulled(&scene, "prod/gamma:v1", "node");

    let browser = Browser::start(&scene.gate, DESK);
    browser.fill("Name", "node");
    browser.fill("Password or token", &password_of("node"));
    browser.press("Sign in");
    browser.says("Repositories");
    browser.open("/ui/vulnerability?id=CVE-2026-0001");
    browser.says("it overflows");
    let first = |text: &str| {
        let mut found: Vec<_> = ["alpha", "beta", "gamma"]
            .into_iter()
            .map(|name| (text.find(&format!("prod/{name}")).unwrap(), name))
            .collect();
        found.sort_unstable();
        found[0].1.to_owned()
    };
    assert!(!browser.text().contains("lab"), "{}", browser.text());
    browser.open("/ui/vulnerability?id=CVE-2026-0001&group=fleet");
    browser.says("Pulled by fleet");
    assert_eq!(first(&browser.text()), "gamma");
    browser.open("/ui/vulnerability?id=CVE-2026-0001&group=lab");
    browser.says("a group that you are in");
}
