use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use arc_swap::ArcSwap;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tower::ServiceExt as _;

use oci::RepositoryName;
use policy::{Action, Policy, SourceFile};

use super::*;
use crate::clock::Clock;
use crate::identity::users::Users;
use crate::identity::{Access, Authenticator, Observer, TokenEvent};
use crate::public_url::PublicUrl;
use crate::secret::Secret;
use crate::state::sample;
use crate::token::{Claims, KeyRing, Order, Settings, Succession, mint, verify};

mod refusals;

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

struct Gate {
    router: Router,
    keys: Arc<KeyRing>,
    events: Arc<Mutex<Vec<String>>>,
    state: Arc<crate::state::State>,
    _folder: TempDir,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

const POLICY: &str = r#"
rules:
  - {name: public, subjects: [anyone], images: ["public/**"], allow: [pull]}
  - {name: team, subjects: [user:alice], images: ["team/**"], allow: [pull]}
  - {name: work, subjects: [user:alice], images: ["w/**"], allow: [pull, push, attach]}
  - {name: at-home, subjects: [user:alice], images: ["h/**"], allow: [pull], networks: [fd00::/8]}
  - {name: later, subjects: [user:alice], images: ["l/**"], allow: [pull], starts: 2026-01-03}
"#;

impl Gate {
    fn new() -> Self {
        let cheap = Params::new(8, 1, 1, None).unwrap();
        let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, cheap)
            .hash_password(b"s3cret:&=+")
            .unwrap();
        let text = format!("users:\n  alice: {{password: '{hash}', groups: [ops]}}\n");
        let users = Users::parse(Path::new("users.yaml"), &text).unwrap();
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let keys = Arc::new(KeyRing::new(der.as_ref(), []).unwrap());
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let observer = Observer::new(move |event| {
            seen.lock().unwrap().push(match event {
                TokenEvent::Issued { grant, subject, .. } => format!("issued {grant:?} {subject}"),
                TokenEvent::LoginFailed { account, reason, .. } => {
                    format!("failed {account} {reason}")
                }
                TokenEvent::Reused { subject, .. } => format!("reused {subject}"),
                TokenEvent::Checked { result } => format!("checked {}", result.label()),
            });
        });
        let (state, folder) = sample::kept(Arc::new(Clock::start()));
        let authenticator = Authenticator::new(
            PublicUrl::new("https://svc.example").unwrap(),
            Arc::clone(&keys),
            Arc::new(ArcSwap::from_pointee(users)),
            Arc::clone(&state),
            observer,
        )
        .unwrap();
        let source = SourceFile::new(Path::new("policy.yaml"), POLICY);
        let policy = Arc::new(Policy::compile(&[source]).unwrap().policy);
        let issue = Issue {
            state: Arc::clone(&state),
            authenticator: Arc::new(authenticator),
            succession: Succession::new(&[0; 32]),
            settings: Settings::default(),
            policy: Box::new(move || Arc::clone(&policy)),
            now: Arc::new(now),
        };
        Self { router: router(Arc::new(issue)), keys, events, state, _folder: folder }
    }

    async fn send(&self, request: http::request::Builder, body: &str) -> Answer {
        let address = ClientAddress(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let request = request.extension(address).body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: head.status, headers: head.headers, text }
    }

    async fn get(&self, query: &str, basic: Option<(&str, &str)>) -> Answer {
        let mut request = Request::get(format!("/token?{query}"));
        if let Some((name, password)) = basic {
            let encoded = STANDARD.encode(format!("{name}:{password}"));
            request = request.header(AUTHORIZATION, format!("Basic {encoded}"));
        }
        self.send(request, "").await
    }

    async fn alice(&self, query: &str) -> Answer {
        self.get(query, Some(("alice", "s3cret:&=+"))).await
    }

    async fn post(&self, form: &str) -> Answer {
        let request =
            Request::post("/token").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, form).await
    }

    /// What the token of an answer says.
    fn claims(&self, answer: &Answer) -> Claims {
        let json = answer.json();
        assert_eq!(answer.status, StatusCode::OK, "{json}");
        assert_eq!(json["token"], json["access_token"]);
        self.claims_of(&json["token"])
    }

    fn claims_of(&self, token: &Value) -> Claims {
        let issuer = PublicUrl::new("https://svc.example").unwrap();
        verify(token.as_str().unwrap(), &self.keys, &issuer, now()).unwrap()
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn scope(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        self.json()["scope"].as_str().unwrap().to_owned()
    }

    /// Status, OAuth's code, the registry's code and the text, which is the same in both forms.
    fn refusal(&self) -> String {
        let json = self.json();
        assert_eq!(json["error_description"], json["errors"][0]["message"]);
        assert_eq!(self.headers[CACHE_CONTROL], "no-store");
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let (error, code) = (word(&json["error"]), word(&json["errors"][0]["code"]));
        let text = word(&json["error_description"]);
        format!("{} {error} {code}: {text}", self.status.as_u16())
    }
}

const FORM: &str =
    "grant_type=password&service=svc.example&username=alice&password=s3cret%3A%26%3D%2B";

#[tokio::test]
async fn the_requests_of_real_clients_are_answered() {
    let gate = Gate::new();
    for (client, query, expected) in [
        (
            "docker login",
            "account=alice&client_id=docker&offline_token=true&service=svc.example",
            "",
        ),
        ("podman login", "account=alice&service=svc.example", ""),
        ("oras login", "service=svc.example", ""),
        (
            "docker pull",
            "account=alice&scope=repository%3Ateam%2Fapp%3Apull&service=svc.example",
            "repository:team/app:pull",
        ),
        (
            "docker push",
            "account=alice&scope=repository:w/app:push,pull&service=svc.example",
            "repository:w/app:pull,push",
        ),
        (
            "docker push with a mount",
            "account=alice&scope=repository:w/app:push,pull&scope=repository:team/app:pull&service=svc.example",
            "repository:team/app:pull repository:w/app:pull,push",
        ),
        (
            "podman push",
            "account=alice&scope=repository:w/app:pull,push&scope=repository:w/app:pull,push&service=svc.example",
            "repository:w/app:pull,push",
        ),
        (
            "skopeo delete",
            "account=alice&scope=repository:w/app:*&service=svc.example",
            "repository:w/app:pull,push",
        ),
        (
            "crane delete",
            "scope=repository:w/app:delete&scope=repository:w/app:push,pull&service=svc.example",
            "repository:w/app:pull,push",
        ),
        ("crane catalog", "scope=registry:catalog:*&service=svc.example", "registry:catalog:*"),
        (
            "a mount from what is hidden",
            "scope=repository:w/app:push,pull&scope=repository:secret/app:pull&service=svc.example",
            "repository:w/app:pull,push",
        ),
    ] {
        let answer = gate.alice(query).await;
        assert_eq!(answer.scope(), expected, "{client}");
        assert_eq!(gate.claims(&answer).sub, "user:alice", "{client}");
    }
    for (client, form, expected) in [
        (
            "containerd pull",
            "client_id=containerd-client&scope=repository%3Ateam%2Fapp%3Apull",
            "repository:team/app:pull",
        ),
        (
            "containerd push",
            "client_id=containerd-client&scope=repository%3Aw%2Fapp%3Apull+repository%3Aw%2Fapp%3Apull%2Cpush",
            "repository:w/app:pull,push",
        ),
        (
            "containerd mount",
            "client_id=containerd-client&scope=repository:team/app:pull+repository:w/app:pull+repository:w/app:pull,push",
            "repository:team/app:pull repository:w/app:pull,push",
        ),
        (
            "BuildKit",
            "client_id=buildkit-client&scope=repository:team/app:pull",
            "repository:team/app:pull",
        ),
        ("docker with the containerd store", "access_type=offline&client_id=docker", ""),
    ] {
        let answer = gate.post(&format!("{FORM}&{form}")).await;
        assert_eq!(answer.scope(), expected, "{client}");
        assert_eq!(gate.claims(&answer).sub, "user:alice", "{client}");
    }
    for (client, query, expected) in [
        (
            "anonymous pull",
            "scope=repository:public/app:pull&service=svc.example",
            "repository:public/app:pull",
        ),
        (
            "anonymous pull of what is hidden",
            "scope=repository:team/app:pull&service=svc.example",
            "",
        ),
    ] {
        let answer = gate.get(query, None).await;
        assert_eq!(answer.scope(), expected, "{client}");
        assert_eq!(gate.claims(&answer).sub, "anonymous", "{client}");
    }
}

#[tokio::test]
async fn an_answer_says_what_clients_need_and_is_not_stored() {
    let gate = Gate::new();
    let answer = gate.alice("service=svc.example&scope=repository:team/app:pull").await;
    let mut json = answer.json();
    for name in ["token", "access_token"] {
        json[name] = json!("…");
    }
    insta::assert_snapshot!(
        json,
        @r#"{"access_token":"…","expires_in":3600,"issued_at":"2026-01-02T03:04:05Z","scope":"repository:team/app:pull","token":"…","token_type":"Bearer"}"#
    );
    assert_eq!(answer.headers[CACHE_CONTROL], "no-store");
    assert_eq!(answer.headers[CONTENT_TYPE], "application/json");
    let claims = gate.claims(&answer);
    assert_eq!(claims.exp - claims.iat, 3600);
    assert_eq!((claims.iss.as_str(), claims.aud.as_str()), ("https://svc.example", "svc.example"));
}

#[tokio::test]
async fn asking_for_more_gives_what_may_be_had() {
    let gate = Gate::new();
    let scopes = ["team/app:*", "secret/app:pull", "team/app:delete,push"]
        .map(|scope| format!("&scope=repository:{scope}"))
        .concat();
    let answer = gate.alice(&format!("account=root&service=svc.example{scopes}")).await;
    assert_eq!(answer.scope(), "repository:team/app:pull");
    assert_eq!(gate.claims(&answer).sub, "user:alice");
}

#[tokio::test]
async fn a_token_holds_what_rules_may_grant_elsewhere_and_later() {
    let scopes = "scope=repository:h/app:pull,push&scope=repository:l/app:pull,push";
    let answer = Gate::new().alice(&format!("service=svc.example&{scopes}")).await;
    assert_eq!(answer.scope(), "repository:h/app:pull repository:l/app:pull");
}

#[tokio::test]
async fn a_token_shown_as_the_password_gives_no_more_than_it_has() {
    let gate = Gate::new();
    let order = Order {
        grant: Grant {
            groups: Some(vec!["ops".to_owned()]),
            ..Grant::unlimited(Subject::User("alice".to_owned()), Kind::User, now())
        },
        family: None,
        audience: None,
        access: Some(vec![Access::Repository {
            name: RepositoryName::new("w/app").unwrap(),
            actions: vec![Action::Pull],
        }]),
        lifetime: Duration::from_secs(90),
        not_after: None,
    };
    let issuer = PublicUrl::new("https://svc.example").unwrap();
    let (token, first) = mint(order, &gate.keys, &issuer, now()).unwrap();
    let wanted = "service=svc.example&scope=repository:w/app:pull,push&scope=repository:team/app:pull&scope=registry:catalog:*";
    let answer = gate.get(wanted, Some(("alice", token.expose()))).await;
    assert_eq!(answer.scope(), "repository:w/app:pull");
    assert_eq!(answer.json()["expires_in"], 90);
    let second = gate.claims(&answer);
    assert_eq!((second.exp, second.groups), (first.exp, first.groups));
    assert_ne!(second.jti, first.jti);
    assert_eq!(gate.events.lock().unwrap().last().unwrap(), "issued Token user:alice");
}

/// An identity token has no list of what it is good for, so it would be good for more.
#[tokio::test]
async fn a_token_for_some_repositories_gets_no_identity_token() {
    let gate = Gate::new();
    let first = gate.alice("scope=repository:team/app:pull").await.json();
    let token = first["token"].as_str().unwrap();
    let query = "offline_token=true&scope=repository:w/app:push";
    let answer = gate.get(query, Some(("alice", token))).await;
    assert_eq!(answer.json()["refresh_token"], Value::Null);
    assert_eq!(answer.scope(), "");
    let form = format!(
        "grant_type=password&username=alice&password={token}&access_type=offline&service=svc.example"
    );
    assert_eq!(gate.post(&form).await.json()["refresh_token"], Value::Null);
    let whole = gate.alice("offline_token=true").await.json();
    assert!(whole["refresh_token"].as_str().unwrap().starts_with("pcr_"));
}

#[tokio::test]
async fn the_keys_are_published() {
    let gate = Gate::new();
    let answer = gate.send(Request::get("/.well-known/jwks.json"), "").await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, gate.keys.jwks()));
}

#[tokio::test]
async fn a_request_without_an_address_is_a_fault_of_ours_and_gets_nothing() {
    let gate = Gate::new();
    let request = Request::get("/token").body(Body::empty()).unwrap();
    let response = gate.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn no_secret_comes_back_in_an_error_or_an_event() {
    const CANARY: &str = "canary-c0ffee";
    let gate = Gate::new();
    let mut texts = Vec::new();
    for form in [
        format!("grant_type=password&username=alice&password={CANARY}"),
        format!("grant_type=password&username=alice&password={CANARY}&password={CANARY}"),
        format!("grant_type=refresh_token&refresh_token={CANARY}"),
        format!("grant_type=password&password={CANARY}"),
    ] {
        texts.push(gate.post(&form).await.text);
    }
    for query in [format!("access_token={CANARY}"), format!("password={CANARY}")] {
        texts.push(gate.get(&query, None).await.text);
    }
    texts.push(gate.get("", Some(("alice", CANARY))).await.text);
    texts.extend(gate.events.lock().unwrap().clone());
    assert!(texts.iter().all(|text| !text.contains(CANARY)), "{texts:?}");
}

#[tokio::test]
async fn a_token_for_another_gate_is_kept_so_that_its_end_can_be_told_there() {
    let gate = Gate::new();
    let credential = gate.alice("service=svc.example").await.json();
    let form = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&audience=other.example\
         &subject_token_type=urn:ietf:params:oauth:token-type:access_token&subject_token={}\
         &scope=repository:team/app:pull",
        credential["token"].as_str().unwrap()
    );
    let answer = gate.post(&form).await;
    assert_eq!(answer.json()["issued_token_type"], ACCESS_TOKEN);
    let token = Secret::new(answer.json()["access_token"].as_str().unwrap().to_owned());
    let issuer = PublicUrl::new("https://svc.example").unwrap();
    assert!(verify(token.expose(), &gate.keys, &issuer, now()).is_err(), "it is not for this gate");
    let claims = crate::token::made_here(token.expose(), &gate.keys, &issuer).unwrap();
    assert_eq!(
        (claims.aud.as_str(), claims.groups),
        ("other.example", Some(vec!["ops".to_owned()]))
    );
    let id = claims.family;
    let kept = gate.state.ask(|store| async move { store.family(&id).await }).await.unwrap();
    let kept = kept.unwrap();
    assert_eq!(kept.audience.as_deref(), Some("other.example"));
    assert_eq!(kept.parent, Some(gate.claims_of(&credential["token"]).family));
    let again = form.replace(credential["token"].as_str().unwrap(), token.expose());
    assert_eq!(gate.post(&again).await.status, StatusCode::UNAUTHORIZED);
}
