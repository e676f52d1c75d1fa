//! Signing in at an identity provider, as a browser does it.

mod attacks;
mod refusals;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::config::Config;
use crate::identity::federation::Federation;
use crate::issue::sample::START;
use crate::sample_provider::{Key, Provider, pairs};

const POLICY: &str = r#"
administrators: ["user:root"]
groups: {reviewers: external}
rules:
  - {name: reviews, subjects: ["group:reviewers"], images: ["prod/**"], allow: [pull, report]}
"#;

const DEPARTURE: &str = "__Host-portcullis-sign-in";
const SESSION: &str = "__Host-portcullis";

/// A gate at which people sign in by way of one of two providers, and a browser before it.
struct World {
    browser: Browser,
    jar: BTreeMap<String, String>,
    corporate: Provider,
    partner: Provider,
    _folder: TempDir,
}

/// The entry of a provider.
fn entry(name: &str, provider: &Provider, subject: &str, sign_in: &str) -> String {
    format!(
        "  - {{name: {name}, issuer: \"{}\", audience: gate.example, ca: \"{}\", kind: user, \
         require: {{department: build}}, subject: \"{subject}\", session: 8h, \
         groups: {{reviewers: {{claim: roles, value: reviewer}}}}, sign_in: {sign_in}}}\n",
        provider.issuer(),
        provider.ca().display(),
    )
}

impl World {
    async fn new() -> Self {
        let secret = "{client_id: portcullis, client_secret_file: secret, title: Widgets & Sons}";
        Self::with(Some("s+cret: %"), secret).await
    }

    /// With the secret that the provider knows, and what the gate's configuration says.
    async fn with(secret: Option<&str>, sign_in: &str) -> Self {
        let key = Key::es256("key-1");
        let [corporate, partner] = [0, 0].map(|_| Provider::start(std::slice::from_ref(&key)));
        corporate.register("portcullis", secret);
        partner.register("gate", None);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), "s+cret: %\n").unwrap();
        let text = configuration(&format!(
            "{}{}",
            entry("corporate", &corporate, "corp.{preferred_username}", sign_in),
            entry("partner", &partner, "partner.{preferred_username}", "{client_id: gate}"),
        ));
        let scene = Scene::federated(POLICY, federation(folder.path(), &text)).await;
        let router = router(Arc::clone(&scene.api));
        let browser = Browser { scene, router, cookie: None };
        let world = Self { browser, jar: BTreeMap::new(), corporate, partner, _folder: folder };
        world.corporate.knows(world.claims(json!({})));
        world.partner.knows(world.claims(json!({"iss": world.partner.issuer(), "aud": "gate"})));
        world
    }

    /// What the provider says of eve, with changes.
    fn claims(&self, changes: Value) -> Value {
        let now = self.browser.scene.now().as_second();
        let mut claims = json!({
            "iss": self.corporate.issuer(), "aud": "portcullis", "sub": "1f0a", "iat": now,
            "exp": now + 300, "preferred_username": "eve", "department": "build",
            "roles": ["reviewer"],
        });
        let Value::Object(changes) = changes else { panic!() };
        changes.into_iter().for_each(|(name, value)| claims[name] = value);
        claims
    }

    async fn ask(&mut self, request: http::request::Builder, body: String) -> Page {
        let cookies: Vec<_> = self.jar.iter().map(|(name, it)| format!("{name}={it}")).collect();
        self.browser.cookie = (!cookies.is_empty()).then(|| cookies.join("; "));
        let page = self.browser.ask(request, body).await;
        for set in page.headers.get_all(SET_COOKIE) {
            let set = set.to_str().unwrap();
            for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
                assert!(set.split("; ").any(|it| it == attribute), "{set}");
            }
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            match set.contains("Max-Age=0") {
                true => self.jar.remove(name),
                false => self.jar.insert(name.to_owned(), value.to_owned()),
            };
        }
        page
    }

    async fn get(&mut self, path: &str) -> Page {
        self.ask(Request::get(path), String::new()).await
    }

    /// Presses the button of a provider.
    async fn depart(&mut self, provider: &str, next: &str) -> Page {
        let form = [("provider", provider), ("next", next)];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.ask(Request::post("/ui/sign-in/with").header(ORIGIN, HERE), body).await
    }

    /// The same, to the address to which the browser goes then.
    async fn target(&mut self, provider: &str) -> String {
        let page = self.depart(provider, "/ui/tokens").await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        target(&page)
    }

    /// The address at which the browser comes back from the provider, without the origin.
    async fn back(&mut self) -> String {
        let target = self.target("corporate").await;
        local(&self.corporate.visit(&target))
    }

    /// The whole way.
    async fn sign_in(&mut self) -> Page {
        let back = self.back().await;
        self.get(&back).await
    }

    fn is_signed_in(&self) -> bool {
        self.jar.contains_key(SESSION)
    }

    /// Why the last sign-in came to nothing, which must have been told.
    #[track_caller]
    fn reason(&self) -> String {
        let events = self.browser.scene.events();
        let [event] = events.as_slice() else { panic!("{events:?}") };
        assert!(event.starts_with("LoginFailed"), "{event}");
        assert!(!self.is_signed_in(), "{event}");
        let (_, reason) = event.split_once("reason: \"").unwrap();
        reason.split('"').next().unwrap().to_owned()
    }
}

fn configuration(federation: &str) -> String {
    format!(
        "upstream: {{url: \"http://127.0.0.1:5000\"}}\npublic_url: {HERE}\n\
         listen: [{{address: \"127.0.0.1:5080\", tls: off}}]\nfederation:\n{federation}"
    )
}

fn federation(folder: &Path, text: &str) -> Federation {
    let config = Config::parse(&folder.join("portcullis.yaml"), text, |_| None);
    let config = config.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    Federation::new(config.federation).unwrap()
}

fn target(page: &Page) -> String {
    page.header(http::header::REFRESH).strip_prefix("0; url=").unwrap().to_owned()
}

fn local(back: &str) -> String {
    back.strip_prefix(HERE).unwrap().to_owned()
}

#[tokio::test]
async fn whoever_signs_in_at_a_provider_is_known_by_its_word_and_has_its_groups() {
    let mut world = World::new().await;
    {
        let mut shelf = world.browser.scene.shelf.lock().unwrap();
        *shelf = std::mem::take(&mut *shelf).tagged("prod/api", "v1", &image("amd64", &["a"]));
    }
    let form = world.get("/ui/sign-in?next=/ui/image?ref=prod/api:v1").await;
    assert!(form.text.contains("Sign in with Widgets &#38; Sons<"), "{}", form.text);
    // The other one has no title of its own.
    assert!(form.text.contains("Sign in with partner<"), "{}", form.text);
    let page = world.depart("corporate", "/ui/image?ref=prod/api:v1").await;
    let target = target(&page);
    assert!(target.starts_with(&format!("{}/authorize?", world.corporate.issuer())), "{target}");
    let asked = pairs(&target);
    assert_eq!(asked["scope"], "openid profile email");
    assert_eq!(asked["redirect_uri"], format!("{HERE}/ui/sign-in/callback/corporate"));
    assert_eq!((asked["response_type"].as_str(), asked.len()), ("code", 8));
    let page = world.get(&local(&world.corporate.visit(&target))).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    assert_eq!(page.header(LOCATION), "/ui/image?ref=prod/api:v1");
    assert!(world.is_signed_in() && !world.jar.contains_key(DEPARTURE), "{:?}", world.jar);
    let page = world.get("/ui/tokens").await;
    assert!(page.text.contains("user:corp.eve"), "{}", page.text);
    assert_eq!(world.get("/ui/image?ref=prod/api:v1").await.status, StatusCode::OK);
    assert!(world.browser.scene.events().is_empty());
    let audit = world.browser.scene.audit().await.concat();
    let began = r#""event":"session.began","kind":"federated","reason":"oidc:corporate""#;
    assert!(audit.contains(began), "{audit}");
}

#[tokio::test]
async fn a_session_ends_with_what_the_provider_vouched_for() {
    let mut world = World::new().await;
    world.sign_in().await;
    world.browser.scene.wait(8 * 3600 - 1);
    assert_eq!(world.get("/ui/start").await.status, StatusCode::OK);
    world.browser.scene.wait(1);
    assert_eq!(world.get("/ui/start").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_session_that_was_there_before_ends() {
    let mut world = World::new().await;
    world.sign_in().await;
    let former = world.jar.clone();
    world.sign_in().await;
    let own = std::mem::replace(&mut world.jar, former);
    assert_eq!(world.get("/ui/start").await.status, StatusCode::SEE_OTHER, "it still holds");
    world.jar = own;
    assert_eq!(world.get("/ui/start").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_client_without_a_secret_shows_none() {
    let mut world = World::with(None, "{client_id: portcullis, scopes: [openid, groups]}").await;
    let target = world.target("corporate").await;
    assert_eq!(pairs(&target)["scope"], "openid groups");
    let back = local(&world.corporate.visit(&target));
    assert_eq!(world.get(&back).await.status, StatusCode::SEE_OTHER);
    // Of the second entry, at the same time.
    let target = world.target("partner").await;
    let back = local(&world.partner.visit(&target));
    assert_eq!(world.get(&back).await.status, StatusCode::SEE_OTHER);
    let page = world.get("/ui/tokens").await;
    assert!(page.text.contains("user:partner.eve"), "{}", page.text);
}

#[tokio::test]
async fn what_the_provider_says_of_itself_is_not_asked_for_each_time() {
    let mut world = World::new().await;
    for _ in 0..3 {
        world.sign_in().await;
    }
    let asked = world.corporate.asked();
    let documents = asked.iter().filter(|path| path.contains("openid-configuration"));
    // Once for the addresses, and once for the keys.
    assert_eq!(documents.count(), 2, "{asked:?}");
    world.browser.scene.wait(301);
    world.corporate.knows(world.claims(json!({})));
    world.sign_in().await;
    assert!(world.is_signed_in());
}

#[tokio::test]
async fn whoever_came_by_a_provider_has_no_password_to_log_in_with() {
    let mut world = World::new().await;
    world.sign_in().await;
    let page = world.get("/ui/start").await;
    assert!(page.text.contains("the gate has no password of yours"), "{}", page.text);
    assert!(page.text.contains("docker login --username token gate.example\n"), "{}", page.text);
    assert!(!page.text.contains("eve gate.example"), "{}", page.text);
    // Its entry is for people: no job comes with its tokens.
    assert!(!page.text.contains("oidc:"), "{}", page.text);
}
