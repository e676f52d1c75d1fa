//! What administrators look after, in a real browser in front of a real gate and registry.

use std::time::Duration;

use serde_json::json;

use crate::support::browser::{Browser, DESK, Window};
use crate::support::gate::password_of;
use crate::support::images::Image;
use crate::support::process::wait_for;
use crate::support::scene::Scene;

const POLICY: &str = r#"
administrators: ["user:root"]
flags: {tested: {}}
rules:
  - {name: all, subjects: ["user:ci"], images: ["**"], allow: [all]}
  - {name: reads, subjects: ["user:rita"], images: ["prod/**"], allow: [pull]}
  - {name: breaks, subjects: ["user:root"], images: ["prod/**"], allow: [pull, break-glass]}
gates:
  - {name: production, images: ["prod/**"], subjects: ["user:rita"], require: {flags: [tested]}}
"#;

const MANIFEST: &str = "/v2/prod/api/manifests/v1";

const SOON: Duration = Duration::from_secs(30);

fn scene() -> Scene {
    let scene = Scene::new(POLICY, &[("ci", &[]), ("rita", &[]), ("root", &[])]);
    scene.client("ci").push("prod/api", "v1", &Image::docker("release"));
    scene
}

pub(crate) fn sign_in(scene: &Scene, name: &str, window: Window) -> Browser {
    let browser = Browser::start(&scene.gate, window);
    browser.fill("Name", name);
    browser.fill("Password or token", &password_of(name));
    browser.press("Sign in");
    browser.says(&format!("user:{name}"));
    browser
}

#[test]
fn a_broken_policy_is_told_with_place_and_remedy_while_the_old_one_stays_in_force() {
    let scene = scene();
    let browser = sign_in(&scene, "root", DESK);
    browser.press("Administration");
    browser.says("How it is doing");
    browser.press("Reloads");
    browser.says("1 file, 3 rules");
    scene.gate.write_policy(&POLICY.replace("allow: [all]", "alow: [all]"));
    wait_for("the refusal", SOON, || {
        browser.open("/ui/admin/reloads");
        browser.text().contains("the last good one stays").then_some(())
    });
    let text = browser.text();
    for part in ["unknown key `alow`", ":5", "did you mean `allow`"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    browser.press("Overview");
    browser.says("what the folder holds is not in force; 3 rules of before are");
    browser.press("Policy");
    browser.says("The policy folder holds something else than what is in force");
    // The state has the text of what is in force.
    let link = browser.measure(
        "return [...document.querySelectorAll('#files a')].map(link => link.getAttribute('href'))[0]",
    );
    browser.open(link.as_str().unwrap());
    browser.says("allow: [all]");
    assert!(!browser.text().contains("alow"), "{}", browser.text());
    assert_eq!(scene.client("ci").get(MANIFEST).status, 200);
    scene.gate.write_policy(POLICY);
    wait_for("the policy of before", SOON, || {
        browser.open("/ui/admin");
        (!browser.text().contains("is not in force")).then_some(())
    });
}

#[test]
fn an_exception_that_is_added_on_the_page_lets_a_held_image_through_until_it_is_taken_back() {
    let scene = scene();
    let rita = scene.client("rita");
    let held = rita.get(MANIFEST).expect(403);
    assert!(held.message().contains("tested"), "{}", held.message());
    let browser = sign_in(&scene, "root", DESK);
    // It is counted in the background, and at most once a minute.
    wait_for("the count", SOON * 3, || {
        browser.open("/ui/admin/gates");
        browser.text().contains("Holds now: 1").then_some(())
    });
    browser.press("Exceptions from gates");
    browser.says("The glass of no gate is broken");
    browser.fill("Image", "prod/api:v1");
    browser.fill("Why", "the shop is down");
    browser.press("Let it through");
    browser.press("Take back the exception of prod/api:v1 from production");
    browser.says("taken back by user:root");
    assert_eq!(rita.get(MANIFEST).status, 403);
    browser.fill("Image", "prod/api:v1");
    browser.fill("Why", "it still is");
    browser.press("Let it through");
    browser.says("it still is");
    rita.get(MANIFEST).expect(200);
    let audit = scene.gate.audit_text();
    assert!(audit.contains("exception.added") && audit.contains("the shop is down"), "{audit}");
}

#[test]
fn whoever_is_no_administrator_finds_no_way_there_and_no_page() {
    let scene = scene();
    let browser = sign_in(&scene, "rita", DESK);
    assert!(!browser.text().contains("Administration"), "{}", browser.text());
    for page in ["/ui/admin", "/ui/admin/policy", "/ui/admin/exceptions", "/ui/admin/keys"] {
        browser.open(page);
        browser.says("You may not do this");
        assert!(!browser.text().contains("production"), "{}", browser.text());
    }
}

#[test]
fn no_page_of_administrators_is_wider_than_a_narrow_screen() {
    let scene = scene();
    let browser = sign_in(&scene, "root", Window { width: 380 });
    for page in [
        "",
        "/policy",
        "/reloads",
        "/shadow",
        "/gates",
        "/exceptions",
        "/scanning",
        "/services",
        "/users",
        "/keys",
        "/trust",
    ] {
        browser.open(&format!("/ui/admin{page}"));
        browser.says("Overview");
        let width = browser.measure("return document.documentElement.scrollWidth");
        assert_eq!(width, json!(380), "{page}");
    }
}
