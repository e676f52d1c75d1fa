//! Every page and what forms are answered with, looked at by axe: in light, in dark, and on a narrow
//! screen in both.
//!
//! With `PORTCULLIS_PICTURES=FOLDER` it takes the pictures of the documentation on its way.

use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use serde_json::{Value, json};

use crate::support::browser::{Browser, DESK, Window};
use crate::support::client::Ask;
use crate::support::gate::{Gate, Setup, password_of};
use crate::support::images::{Image, Index};
use crate::support::process::wait_for;
use crate::support::scene::Scene;
use crate::trust::{setup_there, trust};

const POLICY: &str = r#"
administrators: ["user:ada"]
groups:
  clusters: ["user:cluster"]
flags:
  tested: {expires_after: 90d}
  qa-passed: {}
rules:
  - name: developers
    subjects: ["user:ada", "user:ci"]
    images: ["**"]
    allow: [all, "flag:tested", "flag:qa-passed", report, inspect]
  - {name: clusters, subjects: ["group:clusters"], images: ["prod/**"], allow: [pull]}
gates:
  - name: production
    images: ["prod/**"]
    require: {flags: [tested], vulnerabilities: {max_severity: high}}
  - {name: quality, images: ["prod/**"], mode: audit, require: {flags: [qa-passed]}}
"#;

/// What Trivy found in an image of Debian (tests/fixtures/reports), as the report of this one.
pub(crate) fn report_of(image: &Image) -> Value {
    let report = include_str!("../fixtures/reports/debian-stretch.json");
    let mut report: Value = serde_json::from_str(report).unwrap();
    report["Metadata"]["ImageID"] = json!(image.config.digest);
    report["CreatedAt"] = json!("2026-01-01T00:00:00Z");
    report
}

/// A registry with something to see on every page, and a gate that it trusts.
fn scene() -> (Scene, Gate) {
    let eu = setup_there().start();
    let trusted = format!("[{}]", trust(&eu, ", groups: {release: clusters}"));
    let users: [(&str, &[&str]); 3] = [("ada", &[]), ("ci", &[]), ("cluster", &[])];
    let more =
        |setup: Setup| setup.setting("inventory", "{crawl: true}").setting("trust", &trusted);
    let scene = Scene::with(POLICY, &users, more);
    let ci = scene.client("ci");
    let image = Image::docker("release");
    let earlier = Image::docker("earlier");
    for (repository, tag, image) in [
        ("prod/api", "latest", &earlier),
        ("prod/api", "v2.0.9", &earlier),
        ("prod/api", "v2.1.0", &image),
        ("prod/api", "latest", &image),
        ("dev/api", "main", &image),
        ("prod/worker", "v1.4.2", &Image::docker("worker")),
    ] {
        ci.push(repository, tag, image);
    }
    ci.push_index("prod/tools", "v3", &Index::oci("tools"));
    let sbom = Image::artifact("sbom", &image.manifest);
    ci.attach("prod/api", "application/spdx+json", &sbom, &image);
    let basic = scene.gate.basic("ci");
    let report = report_of(&earlier).to_string();
    let sent = Ask::body("application/json", report.as_bytes());
    basic.send("PUT", "/api/v1/image/report?ref=prod/api:v2.0.9", &sent).expect(200);
    let flag = json!({"flag": "tested", "reason": "pipeline 4711"}).to_string();
    let sent = Ask::body("application/json", flag.as_bytes());
    basic.send("PUT", "/api/v1/image/flags?ref=prod/api:v2.0.9", &sent).expect(200);
    scene.client("cluster").get("/v2/prod/api/manifests/v2.0.9").expect(200);
    let report = report_of(&image).to_string();
    let sent = Ask::body("application/json", report.as_bytes());
    basic.send("PUT", "/api/v1/image/report?ref=prod/api:v2.1.0", &sent).expect(200);
    scene.client("cluster").get("/v2/prod/api/manifests/v2.1.0").expect(403);
    let flag = json!({"flag": "qa-passed", "reason": "release checklist 2.1"}).to_string();
    let sent = Ask::body("application/json", flag.as_bytes());
    basic.send("PUT", "/api/v1/image/flags?ref=prod/api:v2.1.0", &sent).expect(200);
    (scene, eu)
}

/// Each page and the name of its picture.
const PAGES: [(&str, &str); 29] = [
    ("search", "/?q=api"),
    ("repositories", "/"),
    ("repository", "/ui/repository?name=prod/api"),
    ("image", "/ui/image?ref=prod/api:v2.1.0"),
    ("platforms", "/ui/image?ref=prod/tools:v3"),
    ("access", "/ui/access?ref=prod/api:v2.1.0&as=user:cluster&action=pull"),
    ("delete", "/ui/image/delete?ref=prod/api:v2.0.9"),
    ("vulnerability", "/ui/vulnerability?id=CVE-2019-18276&group=clusters"),
    ("tokens", "/ui/tokens"),
    ("start", "/ui/start"),
    ("administration", "/ui/admin"),
    ("policy", "/ui/admin/policy"),
    ("policy-file", "/ui/admin/policy/file?name=policies/test.yaml"),
    ("reloads", "/ui/admin/reloads"),
    ("shadow", "/ui/admin/shadow"),
    ("gates", "/ui/admin/gates"),
    ("exceptions", "/ui/admin/exceptions"),
    ("audit", "/ui/admin/audit?subject=user:ci"),
    ("scanning", "/ui/admin/scanning"),
    ("services", "/ui/admin/services"),
    ("users", "/ui/admin/users"),
    ("keys", "/ui/admin/keys"),
    ("trust", "/ui/admin/trust"),
    ("access-mistake", "/ui/access?ref=prod/api:v2.1.0&as=user:cluster&action=pull&address=here"),
    ("search-mistake", "/?q=:"),
    ("last-tokens", "/ui/tokens?everybody=yes"),
    ("nothing", "/ui/image?ref=no/such:v1"),
    ("empty", "/?q=nothing-is-called-this"),
    ("no-page", "/ui/no-such-page"),
];

/// What somebody sees who may pull what the gate does not hold, and nothing else.
const PAGES_OF_A_CLUSTER: [(&str, &str); 3] = [
    ("closed", "/ui/image?ref=prod/api:v2.1.0"),
    ("denied", "/ui/admin"),
    ("what-one-may-do", "/ui/access?ref=prod/api:v2.0.9&action=delete"),
];

/// A way of looking at pages.
#[derive(Clone, Copy)]
struct Look {
    name: &'static str,
    colours: &'static str,
    window: Window,
    /// Whether pictures of it are in the documentation.
    is_shown: bool,
}

/// States that no picture is needed of, or that look otherwise each time.
const UNSHOWN: [&str; 7] = [
    "sign-in-mistake",
    "access-mistake",
    "search-mistake",
    "last-tokens",
    "what-one-may-do",
    "token-made",
    "flag-mistake",
];

/// Looks at the page that is there, and tells what keeps people out.
fn look(browser: &Browser, page: &str, look: Look) -> Vec<String> {
    let is_shown = look.is_shown && !UNSHOWN.contains(&page);
    if let Some(folder) = env::var_os("PORTCULLIS_PICTURES").filter(|_| is_shown) {
        let file = Path::new(&folder).join(format!("{page}-{}.webp", look.name));
        fs::write(file, browser.picture()).unwrap();
    }
    let width = browser.measure("return document.documentElement.scrollWidth");
    assert!(width.as_u64().unwrap() <= u64::from(look.window.width), "{page} is too wide");
    let found = browser.barriers().into_iter();
    found.map(|barrier| format!("{page}, {}: {barrier}", look.name)).collect()
}

fn sign_in(browser: &Browser, name: &str, password: &str) {
    browser.fill("Name", name);
    browser.fill("Password or token", password);
    browser.press("Sign in");
}

/// What forms are answered with.
fn forms(browser: &Browser, look_as: Look) -> Vec<String> {
    browser.open("/ui/tokens");
    browser.fill("What it is for", "nightly pulls of the staging cluster");
    browser.fill("Lives for", "soon");
    browser.press("Make it");
    browser.says("No token was made");
    let mut found = look(browser, "token-mistake", look_as);
    browser.fill("Lives for", "8h");
    browser.press("Make it");
    browser.says("It is shown this once");
    found.extend(look(browser, "token-made", look_as));
    browser.open("/ui/image?ref=prod/api:v2.1.0");
    browser.fill("For how long", "soon");
    browser.press("Set");
    browser.says("Back to what you wrote");
    found.extend(look(browser, "flag-mistake", look_as));
    found
}

fn look_at_all(look_as: Look) {
    let (scene, _trusted) = scene();
    let browser = Browser::start(&scene.gate, look_as.window);
    browser.prefer(look_as.colours);
    browser.open("/");
    let mut found = look(&browser, "sign-in", look_as);
    sign_in(&browser, "ada", "not her password");
    browser.says("do not go together");
    found.extend(look(&browser, "sign-in-mistake", look_as));
    sign_in(&browser, "ada", &password_of("ada"));
    browser.says("user:ada");
    wait_for("word of the trusted gate", Duration::from_secs(30), || {
        browser.open("/ui/admin/trust");
        browser.text().contains("and it answered").then_some(())
    });
    let denied = scene.client("cluster").get("/v2/dev/api/manifests/main").expect(403);
    let denial = format!("/ui/denial?id={}", denied.header("x-request-id").unwrap());
    for (page, path) in PAGES.into_iter().chain([("denial", denial.as_str())]) {
        browser.open(path);
        found.extend(look(&browser, page, look_as));
    }
    found.extend(forms(&browser, look_as));
    browser.press("Sign out");
    sign_in(&browser, "cluster", &password_of("cluster"));
    browser.says("user:cluster");
    for (page, path) in PAGES_OF_A_CLUSTER {
        browser.open(path);
        found.extend(look(&browser, page, look_as));
    }
    assert_eq!(found, [""; 0], "{}", found.join("\n"));
}

#[test]
fn no_page_has_barriers_in_light() {
    look_at_all(Look { name: "light", colours: "light", window: DESK, is_shown: true });
}

#[test]
fn no_page_has_barriers_in_dark() {
    look_at_all(Look { name: "dark", colours: "dark", window: DESK, is_shown: true });
}

#[test]
fn no_page_has_barriers_on_a_narrow_screen() {
    let window = Window { width: 380 };
    look_at_all(Look { name: "narrow", colours: "light", window, is_shown: true });
}

#[test]
fn no_page_has_barriers_on_a_narrow_screen_in_dark() {
    let window = Window { width: 380 };
    look_at_all(Look { name: "narrow-dark", colours: "dark", window, is_shown: false });
}
