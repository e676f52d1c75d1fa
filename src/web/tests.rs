//! The pages as a browser asks for them.

mod activity;
mod findings;
mod glass;
mod mistakes;
mod provider;
mod scans;
mod searching;
mod size;
mod start;
mod strangers;
mod tags;
mod tokens;
mod trail;

use std::net::{IpAddr, Ipv4Addr};

use axum::body::Body;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION,
    ORIGIN, SET_COOKIE,
};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::content::samples::{Sample, image};
use crate::identity::ClientAddress;
use crate::service::api::tests::scene::{As, PASSWORD, Scene};
use crate::upstream::fake::Shelf;

mod access;

const POLICY: &str = r#"
administrators: ["user:root"]
flags: {tested: {}}
rules:
  - {name: reads, subjects: ["user:alice"], images: ["prod/**"], allow: [pull, "flag:tested", report]}
  - {name: reports, subjects: ["user:bob"], images: ["prod/**"], allow: [pull, report]}
gates:
  - {name: production, images: ["prod/**"], require: {flags: [tested]}}
"#;

const HERE: &str = "https://gate.example";

/// What a stranger writes who hopes that somebody looks at it.
pub(super) const HOSTILE: &str = r#"<img src=x onerror="alert(1)">'"#;
pub(super) const ESCAPED: &str = "&#60;img src=x onerror=&#34;alert(1)&#34;&#62;&#39;";

pub(super) struct Browser {
    pub(super) scene: Scene,
    router: Router,
    cookie: Option<String>,
}

pub(super) struct Page {
    pub(super) status: StatusCode,
    headers: http::HeaderMap,
    pub(super) text: String,
}

impl Page {
    pub(super) fn header(&self, name: http::HeaderName) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// What forms of the page carry.
    fn form_token(&self) -> String {
        let (_, rest) = self.text.split_once(r#"name="form_token" value=""#).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Browser {
    async fn new() -> Self {
        Self::with(POLICY, false).await
    }

    /// Before another policy, and perhaps a scanner.
    pub(super) async fn with(policy: &str, has_scanner: bool) -> Self {
        let scene = Scene::with(policy, has_scanner).await;
        let router = router(Arc::clone(&scene.api));
        Self { scene, router, cookie: None }
    }

    /// Signed in as alice, with an image to look at.
    async fn of_alice() -> (Self, Sample) {
        let mut browser = Self::new().await;
        let amd64 = image("amd64", &["a"]);
        let tagged = |shelf: Shelf| shelf.tagged("prod/api", "v1", &amd64);
        browser.shelve(|shelf| tagged(shelf).tagged("secret/app", "v1", &amd64));
        let page = browser.sign_in("alice", PASSWORD).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        (browser, amd64)
    }

    async fn ask(&self, request: http::request::Builder, body: String) -> Page {
        let request = request.extension(ClientAddress(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))));
        let request = match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        };
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await;
        let (head, body) = response.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Page { status: head.status, headers: head.headers, text }
    }

    pub(super) async fn get(&self, path: &str) -> Page {
        self.ask(Request::get(path), String::new()).await
    }

    /// Puts an image into the registry.
    pub(super) fn shelve(&self, change: impl FnOnce(Shelf) -> Shelf) {
        let mut shelf = self.scene.shelf.lock().unwrap();
        *shelf = change(std::mem::take(&mut *shelf));
    }

    /// Sends what Trivy found in an image.
    pub(super) async fn report(&self, image: &str, of: &Sample, at: &str, found: &[Value]) {
        let results = json!([{"Target": "debian", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": found}]);
        self.report_of(image, of, at, &results).await;
    }

    pub(super) async fn report_of(&self, image: &str, of: &Sample, at: &str, results: &Value) {
        let config = of.manifest.config.as_ref().unwrap().digest.to_string();
        let report = json!({
            "SchemaVersion": 2, "CreatedAt": at, "ArtifactName": "api",
            "ArtifactType": "container_image", "Metadata": {"ImageID": config},
            "Results": results,
        });
        let path = format!("/image/report?ref={image}");
        let who = As::User("alice");
        let sent = self.scene.ask(who, Method::PUT, &path, &report.to_string()).await;
        assert_eq!(sent.status, StatusCode::OK, "{}", sent.text);
    }

    /// The text of a page that is there.
    pub(super) async fn text(&self, path: &str) -> String {
        let page = self.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        page.text
    }

    /// Puts an image into the registry, and has the gate see it.
    pub(super) async fn learn(&self, repository: &str, tag: &str, sample: &Sample) {
        self.shelve(|shelf| shelf.tagged(repository, tag, sample));
        let tagged = (repository.to_owned(), tag.to_owned(), sample.digest.clone());
        self.scene.learn([tagged]).await;
    }

    async fn post_from(&self, origin: Option<&str>, path: &str, form: &[(&str, &str)]) -> Page {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = match origin {
            Some(origin) => request.header(ORIGIN, origin),
            None => request,
        };
        self.ask(request, body).await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        self.post_from(Some(HERE), path, form).await
    }

    /// With the token of a page of this session.
    pub(super) async fn send(&self, path: &str, form: &[(&str, &str)]) -> Page {
        let token = self.get("/ui/start").await.form_token();
        let form: Vec<_> = form.iter().copied().chain([("form_token", token.as_str())]).collect();
        self.post(path, &form).await
    }

    pub(super) async fn sign_in(&mut self, name: &str, password: &str) -> Page {
        let form = [("username", name), ("password", password), ("next", "/ui/tokens")];
        let page = self.post("/ui/sign-in", &form).await;
        if let Some(cookie) = page.headers.get(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        }
        page
    }
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_led_to_the_form_and_back() {
    let mut browser = Browser::new().await;
    let page = browser.get("/ui/image?ref=prod/api:v1").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    let way = "/ui/sign-in?next=%2Fui%2Fimage%3Fref%3Dprod%2Fapi%3Av1";
    assert_eq!(page.header(LOCATION), way);
    let form = browser.get(way).await;
    assert!(
        form.text.contains(r#"name="next" value="/ui/image?ref=prod/api:v1""#),
        "{}",
        form.text
    );
    let page = browser.sign_in("alice", PASSWORD).await;
    assert_eq!((page.status, page.header(LOCATION)), (StatusCode::SEE_OTHER, "/ui/tokens"));
    let cookie = page.header(SET_COOKIE);
    assert!(cookie.starts_with("__Host-portcullis=pcr_"), "{cookie}");
    for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(cookie.split("; ").any(|it| it == attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let page = browser.get("/ui/tokens").await;
    assert!(
        page.text.contains("user:alice") && page.text.contains("this session"),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn a_wrong_password_says_no_more_than_a_wrong_name() {
    let mut browser = Browser::new().await;
    let wrong = browser.sign_in("alice", "guess").await;
    let unknown = browser.sign_in("nobody", "guess").await;
    assert_eq!(
        (wrong.status, unknown.status),
        (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED)
    );
    assert_eq!(wrong.text.replace("alice", "nobody"), unknown.text);
    assert!(wrong.text.contains("this name and password do not go together"), "{}", wrong.text);
    assert!(wrong.headers.get(SET_COOKIE).is_none());
    // What was typed is text wherever it comes back.
    let page = browser.sign_in(HOSTILE, "guess").await;
    assert!(page.text.contains(ESCAPED) && !page.text.contains("<img"), "{}", page.text);
}

#[tokio::test]
async fn a_session_that_somebody_else_put_there_is_not_taken_over() {
    let mut browser = Browser::new().await;
    browser.sign_in("bob", PASSWORD).await;
    let planted = browser.cookie.clone().unwrap();
    browser.sign_in("alice", PASSWORD).await;
    let own = browser.cookie.clone().unwrap();
    assert_ne!(own, planted);
    browser.cookie = Some(planted);
    assert_eq!(browser.get("/ui/tokens").await.status, StatusCode::SEE_OTHER, "it still holds");
    browser.cookie = Some(own);
    assert_eq!(browser.get("/ui/tokens").await.status, StatusCode::OK);
}

#[tokio::test]
async fn no_other_credential_is_a_session_and_a_session_is_no_other_credential() {
    let (browser, _) = Browser::of_alice().await;
    let cookie = browser.cookie.clone().unwrap();
    let secret = cookie.split_once('=').unwrap().1;
    let answer = browser.scene.get(As::Basic("alice", secret), "/tokens").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
    let refresh = json!({ "refresh_token": secret }).to_string();
    let answer = browser.scene.post(As::Nobody, "/refresh", &refresh).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
    let made = json!({"expires": "1h", "refreshable": true}).to_string();
    let made = browser.scene.create(As::User("alice"), &made).await;
    let refresh = made["refresh_token"].as_str().unwrap();
    let page = browser.ask(Request::get("/ui/tokens"), String::new()).await;
    assert_eq!(page.status, StatusCode::OK);
    let other = Browser { cookie: Some(format!("__Host-portcullis={refresh}")), ..browser };
    assert_eq!(other.get("/ui/tokens").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_form_that_another_site_sends_changes_nothing() {
    let (browser, _) = Browser::of_alice().await;
    let token = browser.get("/ui/start").await.form_token();
    let form = [("ref", "prod/api:v1"), ("flag", "tested"), ("do", "set"), ("form_token", &token)];
    for origin in [None, Some("null"), Some("https://evil.example"), Some("http://gate.example")] {
        let page = browser.post_from(origin, "/ui/image/flags", &form).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{origin:?}");
    }
    for wrong in ["", "x", &token[1..]] {
        let form =
            [("ref", "prod/api:v1"), ("flag", "tested"), ("do", "set"), ("form_token", wrong)];
        let page = browser.post("/ui/image/flags", &form).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{wrong}");
    }
    let page = browser.get("/ui/image?ref=prod/api:v1").await;
    assert!(page.text.contains("Nobody has flagged this image"), "{}", page.text);
    let signed = browser.post_from(
        Some("https://evil.example"),
        "/ui/sign-in",
        &[("username", "alice"), ("password", PASSWORD)],
    );
    assert_eq!(signed.await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn signing_out_ends_the_session_also_for_who_kept_the_cookie() {
    let (browser, _) = Browser::of_alice().await;
    let page = browser.send("/ui/sign-out", &[]).await;
    assert_eq!((page.status, page.header(LOCATION)), (StatusCode::SEE_OTHER, "/ui/sign-in"));
    assert!(page.header(SET_COOKIE).contains("Max-Age=0"), "{}", page.header(SET_COOKIE));
    assert_eq!(browser.get("/ui/tokens").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_after_a_week_in_any_case() {
    let (browser, _) = Browser::of_alice().await;
    const HOUR: i64 = 3600;
    for _ in 0..16 {
        browser.scene.wait(10 * HOUR);
        assert_eq!(browser.get("/ui/start").await.status, StatusCode::OK);
    }
    browser.scene.wait(10 * HOUR);
    assert_eq!(browser.get("/ui/start").await.status, StatusCode::SEE_OTHER, "after a week");
    let (browser, _) = Browser::of_alice().await;
    browser.scene.wait(12 * HOUR + 1);
    assert_eq!(browser.get("/ui/start").await.status, StatusCode::SEE_OTHER, "unused");
}

#[tokio::test]
async fn whoever_is_disabled_sees_no_page_any_more() {
    let (browser, _) = Browser::of_alice().await;
    assert_eq!(browser.get("/ui/start").await.status, StatusCode::OK);
    browser.scene.disable("alice");
    assert_eq!(browser.get("/ui/start").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn every_page_forbids_what_is_from_elsewhere() {
    let (browser, _) = Browser::of_alice().await;
    let stranger = Browser::new().await;
    for (who, path) in [
        (&stranger, "/ui/sign-in"),
        (&stranger, "/"),
        (&browser, "/"),
        (&browser, "/ui/image?ref=prod/api:v1"),
        (&browser, "/ui/image?ref=no/such:v1"),
        (&browser, "/ui/image"),
        (&browser, "/no/such/page"),
    ] {
        let page = who.get(path).await;
        let policy = page.header(CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none';"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(page.header(CACHE_CONTROL), "no-store", "{path}");
        assert!(!page.text.contains("style=") && !page.text.contains("onclick"), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_must_not_be_known_look_the_same() {
    let (browser, _) = Browser::of_alice().await;
    let page = async |path: &str| browser.get(path).await;
    let (denied, absent) =
        (page("/ui/image?ref=secret/app:v1").await, page("/ui/image?ref=absent/app:v1").await);
    assert_eq!((denied.status, absent.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    assert_eq!(denied.text.replace("secret/", "absent/"), absent.text);
    let (denied, absent) = (
        page("/ui/repository?name=secret/app").await,
        page("/ui/repository?name=absent/app").await,
    );
    assert_eq!(denied.text.replace("secret/", "absent/"), absent.text);
    let raw = page("/ui/image/raw?ref=secret/app:v1").await;
    assert_eq!(raw.status, StatusCode::NOT_FOUND, "{}", raw.text);
}

#[tokio::test]
async fn an_administrator_knows_of_an_image_and_reads_nothing_in_it() {
    let (mut browser, _) = Browser::of_alice().await;
    browser.sign_in("root", PASSWORD).await;
    let page = browser.get("/ui/image?ref=prod/api:v1").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("for those who may read it"), "{}", page.text);
    assert!(page.text.contains("A release gate holds this image"), "{}", page.text);
    assert!(!page.text.contains("/ui/image/raw"), "it leads nowhere: {}", page.text);
    let raw = browser.get("/ui/image/raw?ref=prod/api:v1").await;
    assert_eq!(raw.status, StatusCode::NOT_FOUND, "{}", raw.text);
}

#[tokio::test]
async fn a_flag_is_set_on_the_page_and_the_gate_opens() {
    let (browser, _) = Browser::of_alice().await;
    let page = browser.get("/ui/image?ref=prod/api:v1").await;
    assert!(page.text.contains("it is not flagged tested"), "{}", page.text);
    // What the gate holds is not handed out here either.
    for file in ["", "&of=manifest", "&of=config"] {
        let raw = browser.get(&format!("/ui/image/raw?ref=prod/api:v1{file}")).await;
        assert_eq!(raw.status, StatusCode::NOT_FOUND, "{}", raw.text);
    }
    let form = [
        ("ref", "prod/api:v1"),
        ("flag", "tested"),
        ("reason", HOSTILE),
        ("link", "https://ci.example/7"),
        ("do", "set"),
    ];
    let page = browser.send("/ui/image/flags", &form).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    assert_eq!(page.header(LOCATION), "/ui/image?ref=prod/api:v1#flags");
    let page = browser.get("/ui/image?ref=prod/api:v1").await;
    assert!(page.text.contains(ESCAPED) && !page.text.contains("<img"), "{}", page.text);
    assert!(page.text.contains(r#"href="https://ci.example/7""#), "{}", page.text);
    assert!(!page.text.contains("it is not flagged tested"), "{}", page.text);
    let raw = browser.get("/ui/image/raw?ref=prod/api:v1").await;
    assert_eq!(raw.status, StatusCode::OK, "{}", raw.text);
    assert!(page.text.contains("/ui/image/raw?ref=prod/api:v1&#38;of=config"), "{}", page.text);
    let script = [
        ("ref", "prod/api:v1"),
        ("flag", "tested"),
        ("link", "javascript:alert(1)"),
        ("do", "set"),
    ];
    let page = browser.send("/ui/image/flags", &script).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
    let gone = [("ref", "prod/api:v1"), ("flag", "tested"), ("do", "remove")];
    assert_eq!(browser.send("/ui/image/flags", &gone).await.status, StatusCode::SEE_OTHER);
    let page = browser.get("/ui/image?ref=prod/api:v1").await;
    assert!(page.text.contains("it is not flagged tested"), "{}", page.text);
}

#[tokio::test]
async fn a_token_is_made_on_the_page_and_shown_once() {
    let (browser, _) = Browser::of_alice().await;
    let form = [
        ("comment", HOSTILE),
        ("expires", "8h"),
        ("images", "prod/**"),
        ("actions", "pull"),
        ("groups", ""),
    ];
    let made = browser.send("/ui/tokens", &form).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    let (_, rest) = made.text.split_once(r#"<pre id="access-token">"#).unwrap();
    let token = rest.split('<').next().unwrap().to_owned();
    let whoami = browser.scene.get(As::Token(&token), "/whoami").await;
    assert_eq!(whoami.json()["subject"], "user:alice", "{}", whoami.text);
    let listed = browser.get("/ui/tokens").await;
    assert!(!listed.text.contains(&token), "it is shown again");
    assert!(listed.text.contains(ESCAPED) && !listed.text.contains("<img"), "{}", listed.text);
    assert!(listed.text.contains("images: prod/**; actions: "), "{}", listed.text);
    // What was made in a session by password outlives it.
    browser.send("/ui/sign-out", &[]).await;
    let whoami = browser.scene.get(As::Token(&token), "/whoami").await;
    assert_eq!(whoami.status, StatusCode::OK, "{}", whoami.text);
}

#[tokio::test]
async fn a_token_is_revoked_on_the_page_and_only_ones_own() {
    let (browser, _) = Browser::of_alice().await;
    let made = browser.scene.create(As::User("alice"), r#"{"expires": "1h"}"#).await;
    let theirs = browser.scene.create(As::User("bob"), r#"{"expires": "1h"}"#).await;
    let page = browser.send("/ui/tokens/revoke", &[("id", theirs["id"].as_str().unwrap())]).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND, "{}", page.text);
    let page = browser.send("/ui/tokens/revoke", &[("id", made["id"].as_str().unwrap())]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    let token = made["access_token"].as_str().unwrap();
    let whoami = browser.scene.get(As::Token(token), "/whoami").await;
    assert_eq!(whoami.status, StatusCode::UNAUTHORIZED);
    let mine = browser.get("/ui/tokens?everybody=yes").await;
    assert_eq!(mine.status, StatusCode::FORBIDDEN, "{}", mine.text);
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_names_of_their_content() {
    let browser = Browser::new().await;
    let page = browser.get("/ui/sign-in").await;
    for name in [assets::style(), assets::script(), assets::icon()] {
        let path = format!("/ui/assets/{name}");
        assert!(page.text.contains(&path), "{path}");
        let asset = browser.get(&path).await;
        assert_eq!(asset.status, StatusCode::OK, "{path}");
        assert_eq!(asset.header(CACHE_CONTROL), "public, max-age=31536000, immutable");
    }
    assert_eq!(browser.get("/ui/assets/style.css").await.status, StatusCode::NOT_FOUND);
}
