use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Waker};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::AUTHORIZATION;

use super::*;
use crate::identity::{Access, Ceiling};
use crate::state::sample;
use crate::token::{Grant, Kind, Order, RefreshToken, mint};

mod keys;
mod staleness;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn hash(password: &str) -> String {
    let cheap = Params::new(8, 1, 1, None).unwrap();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, cheap)
        .hash_password(password.as_bytes())
        .unwrap()
        .to_string()
}

fn users(alice: &str) -> Users {
    let text = format!(
        "users:\n  alice: {{password: '{}', {alice}}}\n  bob: {{password: '{}'}}\n  gone: {{password: '{}', disabled: true}}\n",
        hash("correct:horse:"),
        hash("battery"),
        hash("staple"),
    );
    Users::parse(Path::new("users.yaml"), &text).unwrap()
}

struct Gate {
    authenticator: Arc<Authenticator>,
    users: Arc<ArcSwap<Users>>,
    events: Arc<Mutex<Vec<String>>>,
}

impl Gate {
    fn new() -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::with(Arc::new(KeyRing::new(der.as_ref(), []).unwrap()))
    }

    fn with(keys: impl Into<Keys>) -> Self {
        Self::on(keys, sample::absent())
    }

    fn on(keys: impl Into<Keys>, state: Arc<State>) -> Self {
        let users = Arc::new(ArcSwap::from_pointee(users("groups: [ops, dev]")));
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let observer = Observer::new(move |event| seen.lock().unwrap().push(format!("{event:?}")));
        let issuer = PublicUrl::new("https://gate.example").unwrap();
        let authenticator = Arc::new(
            Authenticator::new(issuer, keys, Arc::clone(&users), state, observer).unwrap(),
        );
        Self { authenticator, users, events }
    }

    fn token(&self, subject: Subject, groups: Option<Vec<String>>) -> String {
        let kind = match &subject {
            Subject::User(_) => Kind::User,
            Subject::Service(_) => Kind::Service,
            Subject::Peer { .. } => Kind::Peer,
            Subject::Anonymous => Kind::Anonymous,
        };
        let order = Order {
            grant: Grant { groups, ..Grant::unlimited(subject, kind, at(0)) },
            family: None,
            audience: None,
            access: Some(vec![Access::Catalog]),
            lifetime: Duration::from_secs(600),
            not_after: None,
        };
        let (token, _) =
            mint(order, &self.authenticator.keys(), self.authenticator.issuer(), at(0)).unwrap();
        token.expose().to_owned()
    }

    fn alice(&self) -> String {
        self.token(Subject::User("alice".to_owned()), None)
    }

    async fn send(
        &self,
        value: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Option<Principal>, AuthError> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::try_from(value).unwrap());
        self.authenticator.authenticate(&headers, address, now).await
    }

    async fn bearer(&self, token: &str, now: Timestamp) -> Result<Principal, AuthError> {
        self.send(&format!("Bearer {token}"), HERE, now).await.map(Option::unwrap)
    }

    async fn basic(
        &self,
        name: &str,
        password: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Principal, AuthError> {
        let encoded = STANDARD.encode(format!("{name}:{password}"));
        self.send(&format!("Basic {encoded}"), address, now).await.map(Option::unwrap)
    }

    fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.events.lock().unwrap())
    }
}

fn invalid(reason: Rejection) -> AuthError {
    AuthError::Invalid { reason }
}

#[tokio::test]
async fn nothing_shown_is_nobody_known() {
    let none = Gate::new().authenticator.authenticate(&HeaderMap::new(), HERE, at(0)).await;
    assert!(matches!(none, Ok(None)));
}

#[tokio::test]
async fn a_password_makes_its_user_known_with_the_groups_of_the_file() {
    let alice = Gate::new().basic("alice", "correct:horse:", HERE, at(0)).await.unwrap();
    assert_eq!(alice.caller.subject, Subject::User("alice".to_owned()));
    assert_eq!(alice.caller.groups, ["ops", "dev"]);
    assert_eq!((alice.caller.granting, alice.token_id), (None, None));
    assert_eq!(alice.ceiling, Ceiling::Unlimited);
}

#[tokio::test]
async fn a_wrong_name_reads_like_a_wrong_password() {
    let gate = Gate::new();
    let mut texts = Vec::new();
    for (name, password, reason) in [
        ("alice", "wrong", Rejection::WrongPassword),
        ("nobody", "wrong", Rejection::UnknownUser),
        ("", "", Rejection::UnknownUser),
        ("gone", "wrong", Rejection::WrongPassword),
        ("gone", "staple", Rejection::Disabled),
        ("alice", "", Rejection::WrongPassword),
    ] {
        let error = gate.basic(name, password, HERE, at(0)).await.unwrap_err();
        assert_eq!(error, invalid(reason), "{name}");
        texts.push(error.to_string());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[tokio::test]
async fn a_token_is_checked_once_and_then_remembered() {
    let gate = Gate::new();
    let token = gate.alice();
    for _ in 0..3 {
        gate.bearer(&token, at(0)).await.unwrap();
    }
    insta::assert_snapshot!(gate.events().join("\n"), @r"
    Checked { result: Verified }
    Checked { result: Cached }
    Checked { result: Cached }
    ");
}

#[tokio::test]
async fn a_remembered_token_expires_like_any_other() {
    let gate = Gate::new();
    let token = gate.alice();
    gate.bearer(&token, at(0)).await.unwrap();
    gate.bearer(&token, at(629)).await.unwrap();
    assert_eq!(gate.bearer(&token, at(630)).await.unwrap_err(), AuthError::Expired);
    assert_eq!(gate.bearer(&token, at(631)).await.unwrap_err(), AuthError::Expired);
    assert_eq!(gate.events().last().unwrap(), "Checked { result: Expired }");
}

#[tokio::test]
async fn a_token_that_fails_is_not_remembered() {
    let gate = Gate::new();
    let token = gate.alice();
    gate.bearer(&token, at(-31)).await.unwrap_err();
    gate.bearer(&token, at(0)).await.unwrap();
    assert_eq!(gate.events(), ["Checked { result: Invalid }", "Checked { result: Verified }"]);
}

/// Otherwise whoever fetches tokens for nobody would crowd out the uses that count, and make a write
/// of each.
#[tokio::test]
async fn no_use_is_noted_of_what_the_endpoint_made_from_no_token() {
    let gate = Gate::new();
    for (access, of_a_family) in
        [(Some(Vec::new()), false), (Some(Vec::new()), true), (None, false), (None, true)]
    {
        let family = of_a_family.then(|| TokenId::random().unwrap());
        let order = Order {
            grant: Grant::unlimited(Subject::Anonymous, Kind::Anonymous, at(0)),
            family,
            audience: None,
            access: access.clone(),
            lifetime: Duration::from_secs(600),
            not_after: None,
        };
        let authenticator = &gate.authenticator;
        let (token, claims) =
            mint(order, &authenticator.keys(), authenticator.issuer(), at(0)).unwrap();
        gate.bearer(token.expose(), at(1)).await.unwrap();
        let noted = authenticator.state().noted_use(&claims.family).is_some();
        assert_eq!(noted, access.is_none() || of_a_family);
    }
}

#[tokio::test]
async fn the_groups_of_a_token_are_those_that_its_user_has_now() {
    let gate = Gate::new();
    let token = gate.alice();
    assert_eq!(gate.bearer(&token, at(0)).await.unwrap().caller.groups, ["ops", "dev"]);
    gate.users.store(Arc::new(users("groups: [dev]")));
    assert_eq!(gate.bearer(&token, at(1)).await.unwrap().caller.groups, ["dev"]);
}

#[tokio::test]
async fn fewer_groups_in_a_token_narrow_grants_and_hide_none() {
    let gate = Gate::new();
    let token = gate.token(Subject::User("alice".to_owned()), Some(vec!["dev".to_owned()]));
    let alice = gate.bearer(&token, at(0)).await.unwrap();
    assert_eq!(alice.caller.groups, ["ops", "dev"]);
    assert_eq!(alice.caller.granting, Some(vec!["dev".to_owned()]));
    assert_eq!(alice.ceiling, Ceiling::Access(vec![Access::Catalog]));
    assert!(alice.token_id.is_some());
}

#[tokio::test]
async fn a_disabled_or_removed_user_is_refused_at_the_next_request() {
    for gone in ["users:\n", "disabled"] {
        let gate = Gate::new();
        let token = gate.alice();
        gate.bearer(&token, at(0)).await.unwrap();
        gate.basic("alice", "correct:horse:", HERE, at(0)).await.unwrap();
        gate.users.store(Arc::new(match gone {
            "disabled" => users("disabled: true"),
            _ => Users::default(),
        }));
        let gone = gate.bearer(&token, at(1)).await.unwrap_err();
        assert_eq!(gone, invalid(Rejection::SubjectGone));
        gate.basic("alice", "correct:horse:", HERE, at(1)).await.unwrap_err();
    }
}

#[tokio::test]
async fn an_anonymous_token_is_nobodys() {
    let gate = Gate::new();
    let nobody = gate.bearer(&gate.token(Subject::Anonymous, None), at(0)).await.unwrap();
    assert_eq!(nobody.caller.subject, Subject::Anonymous);
    assert!(nobody.caller.groups.is_empty());
}

#[tokio::test]
async fn a_password_that_was_right_is_remembered_for_a_minute_under_the_same_users() {
    let gate = Gate::new();
    let fingerprint = gate.authenticator.passwords.fingerprint(&["alice", "correct:horse:"]);
    let remembered = |seconds| {
        let users = gate.users.load_full();
        gate.authenticator.passwords.was_right(&fingerprint, &users, at(seconds))
    };
    assert!(!remembered(0));
    gate.basic("alice", "wrong", HERE, at(0)).await.unwrap_err();
    assert!(!remembered(0));
    gate.basic("alice", "correct:horse:", HERE, at(0)).await.unwrap();
    assert!(remembered(59));
    assert!(!remembered(60));
    gate.users.store(Arc::new(users("groups: [dev]")));
    assert!(!remembered(1));
}

#[tokio::test]
async fn names_and_passwords_that_run_together_are_not_confused() {
    let gate = Gate::new();
    let print = |parts: &[&str]| gate.authenticator.passwords.fingerprint(parts);
    assert_ne!(print(&["ab", "c"]), print(&["a", "bc"]));
    assert_ne!(print(&["ab"]), print(&["ab", ""]));
}

#[tokio::test]
async fn a_thousand_guesses_are_throttled_and_the_victim_is_not_locked_out() {
    let gate = Gate::new();
    let mut tried = 0;
    for guess in 0..1000 {
        match gate.basic("bob", &format!("guess {guess}"), HERE, at(0)).await.unwrap_err() {
            AuthError::Throttled { retry_after } => assert!(!retry_after.is_zero()),
            _ => tried += 1,
        }
    }
    assert_eq!(tried, 10);
    // Not even the right password now, or the answer would tell which one it is.
    let now = gate.basic("bob", "battery", HERE, at(0)).await.unwrap_err();
    assert!(matches!(now, AuthError::Throttled { .. }));
    gate.basic("bob", "battery", THERE, at(0)).await.unwrap();
    // That it is remembered as right helps nobody here either.
    let now = gate.basic("bob", "battery", HERE, at(0)).await.unwrap_err();
    assert!(matches!(now, AuthError::Throttled { .. }));
    gate.basic("alice", "correct:horse:", HERE, at(0)).await.unwrap();
    gate.basic("bob", "battery", HERE, at(10)).await.unwrap();
}

#[tokio::test]
async fn guessing_through_many_accounts_is_throttled_as_well() {
    let gate = Gate::new();
    let mut tried = 0;
    for guess in 0..1000 {
        let error = gate.basic(&format!("user-{guess}"), "x", HERE, at(0)).await.unwrap_err();
        tried += usize::from(!matches!(error, AuthError::Throttled { .. }));
    }
    assert_eq!(tried, 50);
    gate.basic("bob", "battery", THERE, at(0)).await.unwrap();
}

#[tokio::test]
async fn many_logins_at_once_with_the_right_password_all_succeed() {
    let gate = Gate::new();
    let logins: Vec<_> = (0..50)
        .map(|_| {
            let authenticator = Arc::clone(&gate.authenticator);
            tokio::spawn(async move {
                let credentials = Credentials::Basic {
                    username: "bob".to_owned(),
                    password: Secret::new("battery".to_owned()),
                };
                authenticator.check(&credentials, HERE, at(0)).await.map(|_| ())
            })
        })
        .collect();
    for login in logins {
        assert_eq!(login.await.unwrap(), Ok(()));
    }
}

#[tokio::test]
async fn the_right_password_is_no_failure_however_often_it_is_checked() {
    let gate = Gate::new();
    for _ in 0..20 {
        gate.basic("bob", "battery", HERE, at(0)).await.unwrap();
        // Other users, so that it is hashed again.
        gate.users.store(Arc::new(users("groups: []")));
    }
}

#[tokio::test]
async fn a_client_that_goes_away_pays_for_its_attempt() {
    let gate = Gate::new();
    for _ in 0..10 {
        // Once there is a turn, it is polled until the hash runs, and then dropped.
        drop(gate.authenticator.passwords.turn().await);
        let mut login = pin!(gate.basic("bob", "wrong", HERE, at(0)));
        let _ = login.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    let next = gate.basic("bob", "battery", HERE, at(0)).await.unwrap_err();
    assert!(matches!(next, AuthError::Throttled { .. }), "{next:?}");
}

#[tokio::test]
async fn a_password_beyond_a_kibibyte_is_not_hashed() {
    let gate = Gate::new();
    let mut tried = 0;
    for _ in 0..200 {
        match gate.basic("alice", &"x".repeat(1025), HERE, at(0)).await.unwrap_err() {
            AuthError::Throttled { .. } => {}
            error => {
                assert_eq!(error, invalid(Rejection::PasswordTooLong));
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 10);
}

#[tokio::test]
async fn a_token_serves_as_its_users_password() {
    let gate = Gate::new();
    let token = gate.alice();
    for name in ["alice", "token"] {
        let alice = gate.basic(name, &token, HERE, at(0)).await.unwrap();
        assert_eq!(alice.caller.subject, Subject::User("alice".to_owned()));
        assert_eq!(alice.ceiling, Ceiling::Access(vec![Access::Catalog]));
    }
    let stolen = gate.basic("bob", &token, HERE, at(0)).await.unwrap_err();
    assert_eq!(stolen, invalid(Rejection::AnothersToken));
    let late = gate.basic("alice", &token, HERE, at(700)).await.unwrap_err();
    assert_eq!(late, AuthError::Expired);
}

#[tokio::test]
async fn no_secret_is_in_an_error_an_event_or_a_debug_text() {
    const CANARY: &str = "canary-c0ffee";
    let gate = Gate::new();
    let token = gate.alice();
    let refresh = RefreshToken::random().unwrap().written();
    let mut texts = Vec::new();
    for value in [
        format!("Basic {}", STANDARD.encode(format!("{token}:x"))),
        format!("Basic {}", STANDARD.encode(format!("{}:", refresh.expose()))),
        format!("Bearer {CANARY}"),
        format!("Bearer {token}x"),
        format!("Basic {}", STANDARD.encode(format!("alice:{CANARY}"))),
        format!("Basic {}", STANDARD.encode(format!("nobody:{CANARY}"))),
        format!("Basic {}", STANDARD.encode(format!("alice:{}", CANARY.repeat(100)))),
        format!("Basic {CANARY}"),
        format!("Digest {CANARY}"),
    ] {
        let error = gate.send(&value, HERE, at(0)).await.unwrap_err();
        texts.push(format!("{error} {error:?}"));
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::try_from(value).unwrap());
        texts.push(format!("{:?}", Credentials::from_headers(&headers)));
    }
    gate.bearer(&token, at(0)).await.unwrap();
    texts.extend(gate.events());
    let encoded = STANDARD.encode(CANARY);
    for text in &texts {
        assert!(!text.contains(CANARY) && !text.contains(&encoded), "{text}");
        assert!(!text.contains(&token) && !text.contains(refresh.expose()), "{text}");
    }
}
