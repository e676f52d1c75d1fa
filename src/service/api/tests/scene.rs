//! An API on a state of its own, and short ways to ask it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::super::*;
use crate::audit::{self, Decision};
use crate::clock::Clock;
use crate::identity::federation::Federation;
use crate::identity::users::{Files, Texts, Users};
use crate::identity::{Access, ClientAddress};
use crate::inventory::{Forgetful, Lesson, Settings};
use crate::issue::sample;
use crate::release::Health;
use crate::shadow::{Difference, Pair, Verdict};
use crate::state::{State, sample as state_sample};
use crate::token::{Grant, Kind, Order, mint};
use crate::upstream::fake::{Fake, Shelf};
use crate::watch::Reloaded;

const POLICY: &str = r#"
administrators: ["user:root", "group:admins"]
groups:
  staff: ["user:alice", "user:bob"]
  ci: ["service:ci/build"]
  admins: external
rules:
  - {name: reads, subjects: ["group:staff", "group:admins", "group:ci"], images: ["**"], allow: [pull]}
  - name: late
    subjects: ["service:late"]
    images: ["**"]
    allow: [pull]
    starts: 2026-01-01
    networks: [192.0.2.0/24]
"#;

/// Of somebody who does not come here.
const BCRYPT: &str = "$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";

pub(crate) const PASSWORD: &str = "s3cret";

pub(crate) struct Scene {
    /// What the routes are made of.
    pub(crate) api: Arc<Api>,
    router: Router,
    gate: sample::Scene,
    pub(crate) issue: Arc<Issue>,
    audit: Arc<Audit>,
    folder: TempDir,
    /// What the registry holds.
    pub(crate) shelf: Arc<Mutex<Shelf>>,
    registry: Fake,
}

/// Who asks, and with what.
#[derive(Clone)]
pub(crate) enum As<'a> {
    Nobody,
    Local,
    /// With the password that all users have.
    User(&'a str),
    Basic(&'a str, &'a str),
    Token(&'a str),
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

fn users(disabled: &str, of_chief: &str) -> Users {
    let cheap = Params::new(8, 1, 1, None).unwrap();
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, cheap)
        .hash_password(PASSWORD.as_bytes())
        .unwrap();
    let names = [("alice", "ops"), ("bob", ""), ("chief", of_chief), ("gone", ""), ("root", "")];
    let entries = names.map(|(name, groups)| {
        let off = name == "gone" || name == disabled;
        format!("  {name}: {{password: '{hash}', groups: [{groups}], disabled: {off}}}\n")
    });
    let files = Files {
        users: "users.yaml".into(),
        users_may_be_absent: false,
        htpasswd: Some("htpasswd".into()),
    };
    let texts = Texts {
        users: Some(format!("users:\n{}", entries.concat())),
        htpasswd: Some(format!("old:{BCRYPT}\n")),
    };
    files.parse(&texts).unwrap()
}

/// A shadow policy that decided a request differently than the policy in force.
fn shadow(folder: &Path) -> Shadow {
    let write = |name: &str, text: &str| {
        std::fs::create_dir(folder.join(name)).unwrap();
        std::fs::write(folder.join(name).join("a.yaml"), text).unwrap();
        folder.join(name)
    };
    let now = Timestamp::from_second(1_700_000_000).unwrap();
    let policy = Arc::new(Reloaded::start(PolicyFiles(write("policies", POLICY))).unwrap());
    let sha256 = policy.current().sha256;
    let (shadow, error) = Shadow::start(write("next", "groups: {staff: external}"), policy, now);
    assert!(error.is_none(), "{error:?}");
    let by = Pair { policy: sha256, shadow: shadow.policy().unwrap().sha256 };
    let difference = Difference {
        subject: "user:alice".to_owned(),
        operation: "manifest_read",
        repository: Some("team/app".to_owned()),
        reference: Some("v1".to_owned()),
        decision: Decision::Allow,
        shadow: Verdict::Deny,
        shadow_rule: None,
        shadow_reason: Some("no rule allows it".to_owned()),
    };
    shadow.decided(by, Some(difference), now);
    shadow
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(POLICY, false).await
    }

    /// One with images, and perhaps a scanner.
    pub(crate) async fn with(policy: &str, has_scanner: bool) -> Self {
        let kept = state_sample::kept(Arc::new(Clock::start()));
        Self::on(kept, policy, has_scanner).await
    }

    /// One with identity providers.
    pub(crate) async fn federated(policy: &str, federation: Federation) -> Self {
        let kept = state_sample::kept(Arc::new(Clock::start()));
        let gate = sample::Scene::on(kept, policy, users("", "admins"), federation);
        Self::around(gate, policy, false).await
    }

    /// The same on a state that is there.
    pub(crate) async fn on(kept: (Arc<State>, TempDir), policy: &str, has_scanner: bool) -> Self {
        let federation = Federation::default();
        let gate = sample::Scene::on(kept, policy, users("", "admins"), federation);
        Self::around(gate, policy, has_scanner).await
    }

    async fn around(gate: sample::Scene, policy: &str, has_scanner: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let audit = audit::Settings::new(folder.path().join("audit.jsonl"));
        let audit = Arc::new(Audit::open(&audit).unwrap());
        let issue = Arc::clone(&gate.issue);
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let shown = Arc::clone(&shelf);
        let registry = Fake::start(move |asked| shown.lock().unwrap().answer(asked)).await;
        let in_force = folder.path().join("in-force");
        std::fs::create_dir(&in_force).unwrap();
        std::fs::write(in_force.join("policy.yaml"), policy).unwrap();
        let scanner = has_scanner
            .then(|| Health::new("scanner.example:8080".to_owned(), Duration::from_secs(3600)));
        let images = Images {
            inventory: Inventory::new(Settings::default(), Arc::new(Forgetful)),
            upstream: Arc::new(registry.upstream()),
            release: Arc::new(Release::sample(Arc::clone(&issue.state))),
            seal: Arc::new(Seal::new(&[7; 32])),
            has_scanner,
        };
        let api = Arc::new(Api {
            images,
            issue: Arc::clone(&issue),
            users: Arc::clone(&gate.users),
            audit: Arc::clone(&audit),
            metrics: Arc::new(Metrics::new()),
            shadow: Some(Arc::new(shadow(folder.path()))),
            policies: Arc::new(Reloaded::start(PolicyFiles(in_force)).unwrap()),
            peers: Arc::new(Peers::nobody()),
            status: Arc::new(Status::new(gate.now(), scanner.map(Arc::new))),
        });
        Self { router: router(Arc::clone(&api)), api, gate, issue, audit, folder, shelf, registry }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.gate.now()
    }

    /// How often the registry was asked for something.
    pub(crate) fn asked(&self) -> usize {
        self.registry.asked().len()
    }

    /// The gate learns where tags lead.
    pub(crate) async fn learn(&self, tags: impl IntoIterator<Item = (String, String, Digest)>) {
        let at = self.now();
        let lesson = |(repository, tag, digest): (String, String, Digest)| {
            let tag = Tag::new(&tag).unwrap();
            (RepositoryName::new(&repository).unwrap(), Lesson::Tag { tag, digest, at })
        };
        let lessons: Vec<_> = tags.into_iter().map(lesson).collect();
        let state = &self.issue.state;
        state.ask(move |store| async move { store.learn(&lessons, at).await }).await.unwrap();
    }

    pub(crate) fn wait(&self, seconds: i64) {
        self.gate.wait(seconds);
    }

    /// What was told of credentials since the last time that somebody asked.
    pub(crate) fn events(&self) -> Vec<String> {
        self.gate.events()
    }

    pub(crate) fn disable(&self, user: &str) {
        self.gate.users.store(Arc::new(users(user, "admins")));
    }

    /// Takes chief out of all groups.
    pub(crate) fn demote(&self) {
        self.gate.users.store(Arc::new(users("", "")));
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: head.status, headers: head.headers, text }
    }

    pub(crate) async fn ask(&self, who: As<'_>, method: Method, path: &str, body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let address = ClientAddress(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        let request = match who {
            As::Local => request.extension(LocalAdministrator { uid: 1000 }),
            _ => request.extension(address),
        };
        let basic = |name: &str, password: &str| {
            format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
        };
        let request = match who {
            As::Nobody | As::Local => request,
            As::User(name) => request.header(AUTHORIZATION, basic(name, PASSWORD)),
            As::Basic(name, password) => request.header(AUTHORIZATION, basic(name, password)),
            As::Token(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
        };
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(crate) async fn get(&self, who: As<'_>, path: &str) -> Answer {
        self.ask(who, Method::GET, path, "").await
    }

    pub(crate) async fn post(&self, who: As<'_>, path: &str, body: &str) -> Answer {
        self.ask(who, Method::POST, path, body).await
    }

    /// Makes a token, which has to work.
    pub(crate) async fn create(&self, who: As<'_>, body: &str) -> Value {
        let answer = self.post(who, "/tokens", body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()
    }

    /// Whether a token is one with which its holder is known.
    pub(crate) async fn holds(&self, token: &Value) -> bool {
        let answer = self.get(As::Token(token.as_str().unwrap()), "/whoami").await;
        assert!([200, 401].contains(&answer.status.as_u16()), "{}", answer.text);
        answer.status == StatusCode::OK
    }

    /// Whether a token is one with which an upload that was begun goes on.
    pub(crate) async fn uploads(&self, token: &Value) -> bool {
        let bearer = format!("Bearer {}", token.as_str().unwrap());
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer.parse().unwrap())]);
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        self.issue.authenticator.authenticate_upload(&headers, address, self.now()).await.is_ok()
    }

    /// A token of the token endpoint.
    pub(crate) fn for_the_registry(&self, subject: &str, kind: Kind) -> String {
        let order = Order {
            grant: Grant::unlimited(subject.parse().unwrap(), kind, self.now()),
            family: None,
            audience: None,
            access: Some(vec![Access::Catalog]),
            lifetime: Duration::from_secs(3600),
            not_after: None,
        };
        let authenticator = &self.issue.authenticator;
        mint(order, &authenticator.keys(), authenticator.issuer(), self.now())
            .unwrap()
            .0
            .expose()
            .to_owned()
    }

    /// The audit trail, without what differs from run to run.
    pub(crate) async fn audit(&self) -> Vec<String> {
        self.audit.close().await;
        let text = std::fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap();
        let line = |line: &str| {
            let mut record: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
            record.remove("time");
            record.remove("token_id").inspect(|id| assert_eq!(id.as_str().unwrap().len(), 22));
            Value::Object(record).to_string()
        };
        text.lines().map(line).collect()
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The status and the text of a problem, which has to be one.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.headers[CONTENT_TYPE], "application/problem+json", "{}", self.text);
        assert_eq!(self.headers["cache-control"], "no-store");
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16());
        assert_eq!(json["type"], "about:blank");
        assert_eq!(json["title"], self.status.canonical_reason().unwrap());
        format!("{} {}", self.status.as_u16(), json["detail"].as_str().unwrap())
    }
}
