//! People who sign in to the pages at the provider of their company.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::browser::{Browser, DESK};
use crate::support::client::{Answer, Ask};
use crate::support::images::Image;
use crate::support::process::wait_for;
use crate::support::provider::{Key, Provider, pairs};
use crate::support::scene::Scene;

const POLICY: &str = r#"
groups: {reviewers: external}
rules:
  - {name: all, subjects: ["user:ci"], images: ["**"], allow: [all]}
  - {name: reviews, subjects: ["group:reviewers"], images: ["prod/**"], allow: [pull]}
"#;

const SECRET: &str = "canary-client-secret";

/// A registry with an image for reviewers and one for nobody else, behind a gate at which people of
/// the provider sign in.
fn scene() -> (Scene, Provider, TempDir) {
    let provider = Provider::start(&[Key::rs256("key-1")]);
    provider.register("portcullis", Some(SECRET));
    provider.name_itself();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, SECRET).unwrap();
    let federation = format!(
        "[{{name: corporate, issuer: \"{}\", audience: gate.example, ca: \"{}\", kind: user, \
         require: {{employed: true}}, subject: \"{{preferred_username}}\", session: 1h, \
         groups: {{reviewers: {{claim: groups, value: release-managers}}}}, \
         sign_in: {{client_id: portcullis, client_secret_file: \"{}\", title: Widgets}}}}]",
        provider.issuer(),
        provider.ca().display(),
        secret.display(),
    );
    let scene =
        Scene::with(POLICY, &[("ci", &[])], |setup| setup.setting("federation", &federation));
    let ci = scene.client("ci");
    ci.push("prod/api", "v1", &Image::docker("release"));
    ci.push("secret/plans", "v1", &Image::docker("plans"));
    provider.knows(claims(&provider, &json!(["release-managers", "all"])));
    (scene, provider, folder)
}

fn claims(provider: &Provider, groups: &Value) -> Value {
    let now = Timestamp::now().as_second();
    json!({
        "iss": provider.issuer(), "aud": "portcullis", "sub": "1f0a", "iat": now, "exp": now + 300,
        "preferred_username": "eve", "employed": true, "groups": groups,
    })
}

/// What a browser does, step by step.
struct Visitor<'a> {
    scene: &'a Scene,
    cookies: Vec<(String, String)>,
}

impl Visitor<'_> {
    fn ask(&mut self, method: &str, target: &str, body: &str) -> Answer {
        let cookies: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let origin = format!("https://{}", self.scene.gate.name());
        let headers = [("origin", origin.as_str()), ("cookie", cookies.as_str())];
        let media_type = "application/x-www-form-urlencoded";
        let ask = Ask { headers: &headers, ..Ask::body(media_type, body.as_bytes()) };
        let answer = self.scene.gate.anonymous().send(method, target, &ask);
        for set in answer.headers.get_all("set-cookie") {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(other, _)| other != name);
            if !set.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    /// The address of the provider to which the browser is sent.
    fn depart(&mut self) -> String {
        let answer = self.ask("POST", "/ui/sign-in/with", "provider=corporate&next=/ui/tokens");
        let refresh = answer.expect(200).header("refresh").unwrap().to_owned();
        refresh.strip_prefix("0; url=").unwrap().to_owned()
    }
}

#[test]
fn somebody_signs_in_across_a_restart_and_nothing_that_is_secret_is_written_anywhere() {
    let (mut scene, provider, _folder) = scene();
    let mut visitor = Visitor { scene: &scene, cookies: Vec::new() };
    let target = visitor.depart();
    let back = provider.visit(&target);
    let kept = visitor.cookies;
    // As another replica would: nothing of a sign-in is in the memory of one.
    scene.gate.restart();
    let mut visitor = Visitor { scene: &scene, cookies: kept };
    let back = back.strip_prefix(&format!("https://{}", scene.gate.name())).unwrap();
    let answer = visitor.ask("GET", back, "").expect(303);
    assert_eq!(answer.header("location"), Some("/ui/tokens"));
    let page = visitor.ask("GET", "/ui/tokens", "").expect(200).text();
    assert!(page.contains("user:eve"), "{page}");
    // The same answer a second time, in the browser as it was before.
    let replayed = visitor.ask("GET", back, "");
    assert_eq!(replayed.status, 400, "{}", replayed.text());

    let gate = &scene.gate;
    let told = wait_for("the audit trail", Duration::from_secs(10), || {
        let events = gate.audit();
        let failed = events.iter().any(|event| event["event"] == "login.failed");
        failed.then_some(events)
    });
    let began = told.iter().find(|event| event["event"] == "session.began").unwrap();
    assert_eq!(
        (&began["subject"], &began["reason"]),
        (&json!("user:eve"), &json!("oidc:corporate"))
    );
    let failed = told.iter().find(|event| event["event"] == "login.failed").unwrap();
    assert_eq!(failed["reason"], "sign_in_not_begun");
    let counted = r#"portcullis_login_failures_total{reason="sign_in_not_begun"}"#;
    assert!(gate.count(counted) >= 1.0, "{}", gate.metrics());

    let exchanged = &provider.exchanged()[0];
    let sent = pairs(&target);
    let written = gate.log() + &gate.audit_text();
    for secret in [
        SECRET,
        "canary-access-token",
        &exchanged["code"],
        &exchanged["code_verifier"],
        &sent["nonce"],
        &sent["state"],
    ] {
        assert!(!written.contains(secret), "{secret} is in the log or the audit trail");
    }
    assert!(!target.contains(&exchanged["code_verifier"]));
}

#[test]
fn a_browser_signs_in_at_the_provider_and_shows_what_its_groups_may_read() {
    let (scene, provider, _folder) = scene();
    let browser = Browser::start(&scene.gate, DESK);
    browser.press("Sign in with Widgets");
    browser.says("Who are you?");
    browser.press("Let me in");
    browser.says("user:eve");
    browser.says("prod/api");
    let text = browser.text();
    assert!(!text.contains("secret/plans"), "{text}");
    // Signed out, without the group, and to where somebody wanted to go.
    browser.press("Sign out");
    browser.says("Password or token");
    provider.knows(claims(&provider, &json!(["all"])));
    browser.open("/ui/tokens");
    browser.press("Sign in with Widgets");
    browser.press("Let me in");
    browser.says("this session");
    assert_eq!(browser.path(), "/ui/tokens");
    browser.open("/");
    browser.says("user:eve");
    let text = browser.text();
    assert!(!text.contains("prod/api"), "{text}");
}
