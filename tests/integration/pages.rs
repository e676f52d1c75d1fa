//! The pages, in a real browser over TLS, in front of a real gate and registry.

use std::time::Duration;

use serde_json::{Value, json};

use crate::barriers::report_of;
use crate::support::browser::{Browser, DESK, ENTER, TAB, Window};
use crate::support::client::Ask;
use crate::support::docker::Docker;
use crate::support::gate::{Setup, password_of};
use crate::support::images::Image;
use crate::support::process::wait_for;
use crate::support::scene::Scene;

const POLICY: &str = r#"
flags: {tested: {}}
rules:
  - {name: all, subjects: ["user:ci"], images: ["**"], allow: [all, report]}
  - {name: reviews, subjects: ["user:rita"], images: ["prod/**"], allow: [pull, "flag:tested"]}
gates:
  - name: production
    images: ["prod/**"]
    subjects: ["user:rita"]
    require: {flags: [tested], vulnerabilities: {max_severity: high}}
"#;

/// A registry with an image that somebody is to look at, and one that is not theirs.
fn scene() -> (Scene, Image) {
    let scene = Scene::new(POLICY, &[("ci", &[]), ("rita", &[])]);
    let image = Image::docker("release");
    let ci = scene.client("ci");
    ci.push("prod/api", "v2.1.0", &image);
    let worker = Image::docker("worker");
    ci.push("prod/worker", "v1", &worker);
    ci.push("secret/plans", "v1", &image);
    report(&scene, "prod/api:v2.1.0", &report_of(&image));
    let mut hostile = report_of(&worker);
    let found = &mut hostile["Results"][0]["Vulnerabilities"][0];
    assert_eq!(found["VulnerabilityID"], "CVE-2019-18276");
    found["Title"] = json!("<img src=x onerror=alert(1)>");
    report(&scene, "prod/worker:v1", &hostile);
    (scene, image)
}

fn report(scene: &Scene, image: &str, report: &Value) {
    let report = report.to_string();
    let sent = Ask::body("application/json", report.as_bytes());
    let target = format!("/api/v1/image/report?ref={image}");
    scene.gate.basic("ci").send("PUT", &target, &sent).expect(200);
}

fn sign_in(browser: &Browser, name: &str) {
    browser.fill("Name", name);
    browser.fill("Password or token", &password_of(name));
    browser.press("Sign in");
    browser.says(&format!("user:{name}"));
}

/// From the form to a flag and a token, and out again.
fn visit(scene: &Scene, image: &Image, browser: &Browser) {
    let docker = Docker::start(&scene.gate);
    docker.login("rita").ok();
    docker.pull("prod/api:v2.1.0").refused("it is not flagged tested");
    browser.says("Password or token");
    sign_in(browser, "rita");
    browser.says("prod/api");
    let text = browser.text();
    assert!(text.contains("prod/worker") && !text.contains("secret"), "{text}");
    // A letter too few, and the tag.
    browser.fill("Repository, tag, label, digest, vulnerability or package", "prod v2.1");
    browser.press("Search");
    browser.says("1 fits");
    browser.press("v2.1.0");
    browser.says("it is not flagged tested");
    browser.says("4 medium");
    browser.says("CVE-2019-5094");
    browser.says("1.43.4-2+deb9u1");
    browser.says("e2fsprogs: Crafted ext4 partition leads to out-of-bounds write");
    browser.says(image.digest());
    browser.fill("Why", "looked at it");
    browser.press("Set");
    browser.says("looked at it");
    browser.says("passed");
    let text = browser.text();
    assert!(!text.contains("it is not flagged"), "{text}");
    docker.pull("prod/api:v2.1.0").ok();
    docker.run(&["rmi", &docker.at_gate("prod/api:v2.1.0")]).ok();
    docker.logout().ok();
    browser.press("config.json");
    browser.says("architecture");
    let shown: Value = serde_json::from_str(&browser.text()).unwrap();
    assert_eq!(shown, serde_json::from_slice::<Value>(&image.config.bytes).unwrap());
    browser.open("/?q=worker");
    browser.press("v1");
    browser.says("<img src=x onerror=alert(1)>");
    browser.press("Tokens");
    browser.says("My tokens");
    browser.fill("What it is for", "a laptop");
    browser.fill("Lives for", "8h");
    browser.fill("Actions", "pull");
    browser.press("Make it");
    browser.says("It is shown this once");
    let token = browser.text_of("access-token");
    docker.login_with("token", &token).ok();
    docker.pull("prod/api:v2.1.0").ok();
    docker.run(&["rmi", &docker.at_gate("prod/api:v2.1.0")]).ok();
    browser.press("Tokens");
    let text = wait_for("the list of tokens", Duration::from_secs(60), || {
        let text = browser.text();
        (text.contains("a laptop") && !text.contains("It is shown this once")).then_some(text)
    });
    assert!(!text.contains(&token), "{text}");
    // The name of the token stands below what it is for.
    let (_, below) = text.split_once("a laptop").unwrap();
    let id = below.split_whitespace().next().unwrap();
    browser.press(&format!("Revoke a laptop {id}"));
    wait_for("the revocation", Duration::from_secs(60), || {
        (docker.pull("prod/api:v2.1.0").code != Some(0)).then_some(())
    });

    browser.press("Sign out");
    browser.says("Password or token");
    browser.open("/ui/tokens");
    assert!(browser.path().starts_with("/ui/sign-in?next="), "{}", browser.path());
}

#[test]
fn somebody_signs_in_looks_at_an_image_flags_it_and_makes_a_token() {
    let (scene, image) = scene();
    visit(&scene, &image, &Browser::start(&scene.gate, DESK));
}

#[test]
fn the_same_works_on_a_narrow_screen() {
    let (scene, image) = scene();
    visit(&scene, &image, &Browser::start(&scene.gate, Window { width: 380 }));
}

#[test]
fn the_same_works_where_no_script_runs() {
    let (scene, image) = scene();
    let browser = Browser::start(&scene.gate, DESK);
    browser.disable_script();
    visit(&scene, &image, &browser);
}

#[test]
fn no_page_is_wider_than_a_narrow_screen() {
    let (scene, _) = scene();
    let browser = Browser::start(&scene.gate, Window { width: 380 });
    let fits = |page: &str| {
        let width = browser.measure("return document.documentElement.scrollWidth");
        assert_eq!(width, json!(380), "{page}");
    };
    fits("sign in");
    sign_in(&browser, "rita");
    for page in [
        "/",
        "/?q=prod",
        "/ui/repository?name=prod/api",
        "/ui/image?ref=prod/api:v2.1.0",
        "/ui/access?ref=prod/api:v2.1.0&action=pull",
        "/ui/image/delete?ref=prod/api:v2.1.0",
        "/ui/vulnerability?id=CVE-2022-37434",
        "/ui/tokens",
        "/ui/start",
        "/ui/image?ref=no/such:v1",
    ] {
        browser.open(page);
        fits(page);
    }
}

#[test]
fn the_same_works_with_the_keyboard_alone() {
    let (scene, image) = scene();
    let mut browser = Browser::start(&scene.gate, DESK);
    browser.unplug_mouse();
    visit(&scene, &image, &browser);
}

#[test]
fn what_is_to_be_filled_in_first_has_the_focus() {
    let (scene, _) = scene();
    let browser = Browser::start(&scene.gate, DESK);
    // The name has the focus.
    browser.keys("rita");
    browser.keys(TAB);
    browser.keys(&password_of("rita"));
    browser.keys(ENTER);
    browser.says("Repositories");
    browser.keys("v2.1.0");
    browser.keys(ENTER);
    browser.says("1 fits");
}

#[test]
fn a_letter_is_no_command() {
    let (scene, _) = scene();
    let browser = Browser::start(&scene.gate, DESK);
    sign_in(&browser, "rita");
    browser.open("/ui/image?ref=prod/api:v2.1.0");
    let focused = "return document.activeElement.tagName";
    assert_eq!(browser.measure(focused), json!("BODY"));
    // Whoever speaks to the machine says such letters without meaning to (WCAG 2.1.4).
    browser.keys("/");
    assert_eq!(browser.measure(focused), json!("BODY"));
}

#[test]
fn an_image_is_found_by_its_label_and_shows_what_is_attached_to_it() {
    let looks_into_images = |setup: Setup| setup.setting("inventory", "{crawl: true}");
    let scene = Scene::with(POLICY, &[("ci", &[])], looks_into_images);
    let image = Image::docker("payments");
    let ci = scene.client("ci");
    ci.push("team/api", "v1", &image);
    ci.push("team/other", "v1", &Image::docker("billing"));
    let sbom = Image::artifact("sbom", &image.manifest);
    ci.attach("team/api", "application/spdx+json", &sbom, &image);
    let browser = Browser::start(&scene.gate, DESK);
    sign_in(&browser, "ci");
    // Images are looked into a little after they came.
    wait_for("the label", Duration::from_secs(60), || {
        browser.open("/?q=seed%3Dpayments");
        browser.text().contains("team/api:v1").then_some(())
    });
    assert!(!browser.text().contains("team/other"), "{}", browser.text());
    browser.press("v1");
    browser.says("SBOM");
    browser.says("application/spdx+json");
    let name = sbom.digest().split_at("sha256:".len() + 12).0;
    browser.press(name);
    browser.says(sbom.digest());
}
