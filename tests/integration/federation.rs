//! Jobs that log in with tokens of their own service, and store no secret.

use std::fs;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::client::{Answer, Ask, Client, Credentials};
use crate::support::docker::Docker;
use crate::support::gate::Setup;
use crate::support::images::Image;
use crate::support::process::wait_for;
use crate::support::provider::{Key, Mood, Provider, jwks};
use crate::support::scene::Scene;

const POLICY: &str = r#"
groups: {release: external}
rules:
  - name: jobs-work-here
    subjects: ["service:ci/*"]
    images: ["team/**"]
    allow: [pull, push]
  - name: releases-go-here
    subjects: [group:release]
    images: ["release/**"]
    allow: [pull, push]
"#;

/// A provider whose jobs may come in if they are of the project 20.
pub(crate) struct Jobs {
    provider: Provider,
    key: Key,
    pub(crate) scene: Scene,
}

impl Jobs {
    fn new() -> Self {
        Self::with("")
    }

    /// With more settings of the provider.
    fn with(more: &str) -> Self {
        Self::at(more, &[], |setup| setup)
    }

    /// With users beside them, and more settings of the gate.
    pub(crate) fn at(
        more: &str,
        users: &[(&str, &[&str])],
        set: impl FnOnce(Setup) -> Setup,
    ) -> Self {
        let key = Key::rs256("key-1");
        let provider = Provider::start(std::slice::from_ref(&key));
        let federation = format!(
            "[{{name: ci, issuer: \"{}\", audience: gate.example, ca: \"{}\", \
             require: {{project: 20}}, subject: \"ci/{{project}}\", session: 1h, \
             groups: {{release: {{claim: protected, value: true}}}}{more}}}]",
            provider.issuer(),
            provider.ca().display(),
        );
        let scene =
            Scene::with(POLICY, users, |setup| set(setup.setting("federation", &federation)));
        Self { provider, key, scene }
    }

    /// What the provider says of a job, with changes.
    fn claims(&self, changes: Value) -> Value {
        let now = Timestamp::now().as_second();
        let mut claims = json!({
            "iss": self.provider.issuer(), "aud": "gate.example", "sub": "job:widgets:1",
            "iat": now, "exp": now + 300, "project": "20", "protected": "false",
        });
        let Value::Object(changes) = changes else { panic!() };
        changes.into_iter().for_each(|(name, value)| claims[name] = value);
        claims
    }

    pub(crate) fn token(&self, changes: Value) -> String {
        self.key.sign(&self.claims(changes))
    }

    /// Who shows this token as docker does.
    pub(crate) fn client(&self, token: &str) -> Client {
        let credentials = Credentials::Tokens("oidc:ci".to_owned(), token.to_owned());
        self.scene.gate.anonymous().with(credentials)
    }

    fn ask(&self, token: &str) -> Answer {
        self.client(token).ask_for_token(&["repository:team/app:pull,push"])
    }

    fn post(&self, username: &str, password: &str) -> Answer {
        let service = self.scene.gate.name();
        let form = format!(
            "grant_type=password&service={service}&client_id=test&username={username}\
             &password={password}&scope=repository:team/app:pull,push"
        );
        let ask = Ask::body("application/x-www-form-urlencoded", form.as_bytes());
        self.scene.gate.anonymous().send("POST", "/token", &ask)
    }

    /// Why logins failed, as the audit trail tells it.
    fn reasons(&self) -> Vec<String> {
        let events = self.scene.gate.audit();
        let failed = events.iter().filter(|event| event["event"] == "login.failed");
        failed.map(|event| event["reason"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

#[test]
fn a_job_pushes_and_pulls_with_its_own_token_and_it_lies_nowhere() {
    let jobs = Jobs::new();
    let token = jobs.token(json!({}));
    let job = jobs.client(&token);
    job.push("team/app", "v1", &Image::oci("federation"));
    job.get("/v2/team/app/manifests/v1").expect(200);
    // It is not of the group that may write there.
    assert_eq!(job.send("POST", "/v2/release/app/blobs/uploads/", &Ask::default()).status, 403);
    let gate = &jobs.scene.gate;
    let events = gate.requests(|events| !events.is_empty());
    let pushed = events.iter().find(|event| event["status"] == 201).unwrap();
    assert_eq!(pushed["subject"], "service:ci/20", "{pushed}");
    let (_, signature) = token.rsplit_once('.').unwrap();
    assert!(!gate.log().contains(signature) && !gate.audit_text().contains(signature));
}

#[test]
fn a_claim_makes_a_job_a_member_of_a_group() {
    let jobs = Jobs::new();
    let token = jobs.token(json!({"protected": true}));
    jobs.client(&token).push("release/app", "v1", &Image::oci("federation"));
    let made = jobs.ask(&token).expect(200).json();
    let claims = made["token"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims: Value =
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["sub"], "service:ci/20");
    assert_eq!((&claims["kind"], &claims["via"]), (&json!("federated"), &json!("ci")));
    assert_eq!(claims["asserted"], json!(["release"]));
}

#[test]
fn the_name_of_a_provider_is_understood_on_both_sides_of_the_colon() {
    let jobs = Jobs::new();
    let token = jobs.token(json!({}));
    jobs.post("oidc:ci", &token).expect(200);
    jobs.post("oidc", &format!("ci:{token}")).expect(200);
    jobs.ask(&token).expect(200);
    for (username, password) in [
        ("oidc:github", token.clone()),
        ("oidc", token.clone()),
        ("oidc", format!("github:{token}")),
    ] {
        jobs.post(username, &password).expect(401);
    }
}

/// Somebody may be called so, or type a name in the wrong place (T14).
#[test]
fn a_password_is_not_told_as_the_name_of_a_provider() {
    let jobs = Jobs::new();
    jobs.post("oidc", "canary-Zm9vYmFy:rest").expect(401);
    jobs.post("oidc:ci", "hunter2").expect(401);
    let log = jobs.scene.gate.log();
    assert!(log.contains(r#""provider":"ci""#), "{log}");
    assert!(!log.contains("canary-Zm9vYmFy"), "{log}");
    assert_eq!(jobs.reasons(), ["unknown_provider", "id_token_form"]);
}

#[test]
fn tokens_that_do_not_hold_are_refused_alike_and_the_audit_trail_knows_why() {
    let jobs = Jobs::new();
    let now = Timestamp::now().as_second();
    let stranger = Key::es256("key-9");
    let refused = [
        (jobs.token(json!({"aud": "another.example"})), "id_token_audience"),
        (jobs.token(json!({"project": "21"})), "id_token_required_claim"),
        (jobs.token(json!({"iat": now - 900, "exp": now - 60})), "id_token_expired"),
        (jobs.token(json!({"iss": "http://169.254.169.254"})), "id_token_issuer"),
        (stranger.sign(&jobs.claims(json!({}))), "id_token_key"),
        ("hunter2".to_owned(), "id_token_form"),
    ];
    let texts: Vec<_> =
        refused.iter().map(|(token, _)| jobs.ask(token).expect(401).message()).collect();
    assert!(texts.windows(2).all(|pair| pair[0] == pair[1]), "{texts:?}");
    let expected: Vec<_> = refused.iter().map(|(_, reason)| (*reason).to_owned()).collect();
    let limit = Duration::from_secs(60);
    wait_for("the audit trail", limit, || (jobs.reasons().len() >= expected.len()).then_some(()));
    assert_eq!(jobs.reasons(), expected);
}

#[test]
fn keys_are_asked_for_once_and_serve_while_the_provider_is_away() {
    let (jobs, begun) = (Jobs::new(), Instant::now());
    jobs.ask(&jobs.token(json!({}))).expect(200);
    jobs.provider.be(Mood::Down);
    jobs.ask(&jobs.token(json!({"n": 2}))).expect(200);
    // Nobody makes the gate ask by inventing keys, or a provider.
    for number in 0..20 {
        let stranger = Key::es256(&format!("key-{number}"));
        for changes in [json!({}), json!({"iss": "https://evil.example"})] {
            let answer = jobs.ask(&stranger.sign(&jobs.claims(changes)));
            assert!(matches!(answer.status, 401 | 429), "{answer:?}");
        }
    }
    let allowed = 2 + begun.elapsed().as_secs() / 10;
    assert!(jobs.provider.times_asked_for_keys() as u64 <= allowed, "{:?}", jobs.provider.asked());
}

#[test]
fn a_key_that_is_taken_out_of_the_file_signs_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let (old, new) = (Key::rs256("key-1"), Key::es256("key-2"));
    fs::write(&file, jwks(std::slice::from_ref(&old)).to_string()).unwrap();
    let jobs = Jobs::with(&format!(", jwks: \"{}\"", file.display()));
    let [by_old, by_new] = [&old, &new].map(|key| key.sign(&jobs.claims(json!({}))));
    jobs.ask(&by_old).expect(200);
    jobs.ask(&by_new).expect(401);
    fs::write(&file, jwks(&[new]).to_string()).unwrap();
    let limit = Duration::from_secs(30);
    wait_for("the new key", limit, || (jobs.ask(&by_new).status == 200).then_some(()));
    jobs.ask(&by_old).expect(401);
    assert!(jobs.provider.asked().is_empty());
}

#[test]
fn docker_logs_in_with_a_token() {
    let jobs = Jobs::new();
    let docker = Docker::start(&jobs.scene.gate);
    docker.login_with("oidc:ci", &jobs.token(json!({}))).ok();
    jobs.client(&jobs.token(json!({}))).push("team/app", "v1", &Image::oci("federation"));
    docker.pull("team/app:v1").ok();
    docker.pull("release/app:v1").refused("");
    docker.logout().ok();
    docker.login_with("oidc:ci", &jobs.token(json!({"project": "21"}))).refused("unauthorized");
}
