//! Gates that trust each other: what a token of one is good for at another, and when it is not.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::client::{Answer, Ask, Client, Credentials};
use crate::support::gate::{Gate, Setup};
use crate::support::images::Image;
use crate::support::process::wait_for;
use crate::support::provider::{Key, Provider};
use crate::support::scene::Scene;

/// The policy of the gate that trusts.
const HERE: &str = r#"
groups: {builders: external, ci: external, staff: external}
rules:
  - name: builders-read-the-team
    subjects: [group:builders]
    images: ["team/**"]
    allow: [pull]
  - name: one-of-them-by-name
    subjects: ["peer:eu/user:alice"]
    images: ["named/**"]
    allow: [pull]
  - name: groups-of-the-same-name-are-not-the-same
    subjects: [group:ci]
    images: ["ci/**"]
    allow: [pull]
  - name: our-own-users
    subjects: [authenticated]
    images: ["own/**"]
    allow: [pull]
  - name: a-user-of-the-same-name-is-another
    subjects: [user:alice]
    images: ["alice/**"]
    allow: [pull]
administrators: [group:staff, user:admin, user:alice]
"#;

/// Of the gate that is trusted. It holds no images of its own.
const THERE: &str = r#"
groups: {ci: external}
rules:
  - name: ci-may-do-all-of-it-there
    subjects: [group:ci]
    images: ["**"]
    allow: [all]
administrators: [user:admin]
"#;

const EXCHANGE: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
    &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token";

/// Long enough for one look at a list and what comes after.
const SOON: Duration = Duration::from_secs(60);

fn there() -> Gate {
    setup_there().start()
}

pub(crate) fn setup_there() -> Setup {
    Setup::new("http://127.0.0.1:9", THERE).user("alice", &["ci", "secret"]).user("bob", &["ci"])
}

pub(crate) fn trust(gate: &Gate, more: &str) -> String {
    format!(
        "{{name: eu, issuer: 'https://{}', ca: {}, poll: 1s{more}}}",
        gate.name(),
        gate.ca().display()
    )
}

fn here(trust: &str) -> Scene {
    here_with(|setup| setup.setting("trust", trust))
}

pub(crate) fn here_with(more: impl FnOnce(Setup) -> Setup) -> Scene {
    let scene = Scene::with(HERE, &[("alice", &[]), ("carol", &[])], more);
    for repository in ["team/app", "named/app", "ci/app", "own/app", "alice/app"] {
        scene.registry.client().push(repository, "v1", &Image::oci(repository));
    }
    scene
}

/// A gate that trusts another, which it has heard of.
fn pair() -> (Gate, Scene) {
    let eu = there();
    let here = here(&format!("[{}]", trust(&eu, ", groups: {ci: builders}")));
    let token = token(&eu, "alice", &here.gate.name());
    wait_for("the first list", SOON, || (read(&here, &token, "team") == 200).then_some(()));
    (eu, here)
}

fn post(client: &Client, form: &str) -> Answer {
    client.send("POST", "/token", &Ask::body("application/x-www-form-urlencoded", form.as_bytes()))
}

/// A token that one gate makes for another, as whoever runs a job asks for it. It reaches as far as
/// the one that it is made from.
fn token(gate: &Gate, user: &str, audience: &str) -> String {
    let scopes =
        ["team", "named", "ci", "own", "alice"].map(|name| format!("repository:{name}/app:pull"));
    let own = gate.client(user).token(&scopes.each_ref().map(String::as_str));
    let scopes = scopes.join("+").replace(':', "%3A").replace('/', "%2F");
    let service = gate.name();
    let form = format!(
        "{EXCHANGE}&service={service}&audience={audience}&subject_token={own}&scope={scopes}"
    );
    let answer = post(&gate.anonymous(), &form).expect(200).json();
    answer["access_token"].as_str().unwrap().to_owned()
}

/// What reading an image comes to, with the token itself.
fn read(scene: &Scene, token: &str, name: &str) -> u16 {
    let client = scene.gate.anonymous().with(Credentials::Bearer(token.to_owned()));
    client.get(&format!("/v2/{name}/app/manifests/v1")).status
}

fn claims(token: &str) -> Value {
    let text = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

/// What `docker login -u token` and then a pull come to.
fn pull_as_docker(scene: &Scene, token: &str) -> u16 {
    let credentials = Credentials::Tokens("token".to_owned(), token.to_owned());
    scene.gate.anonymous().with(credentials).get("/v2/team/app/manifests/v1").status
}

fn soon(what: &str, holds: impl Fn() -> bool) {
    wait_for(what, SOON, || holds().then_some(()));
}

#[test]
fn a_token_of_a_trusted_gate_opens_what_its_mapped_groups_and_its_name_open_and_no_more() {
    let (eu, here) = pair();
    let token = token(&eu, "alice", &here.gate.name());
    assert_eq!(claims(&token)["groups"], json!(["ci", "secret"]));
    assert_eq!(read(&here, &token, "team"), 200, "mapped");
    assert_eq!(read(&here, &token, "named"), 200, "by the name that it has here");
    for name in ["ci", "own", "alice"] {
        assert!(matches!(read(&here, &token, name), 403 | 404), "{name}");
    }
    assert_eq!(pull_as_docker(&here, &token), 200);
    here.gate
        .requests(|records| records.iter().any(|record| record["subject"] == "peer:eu/user:alice"));
}

#[test]
fn what_is_made_from_a_token_of_another_gate_ends_with_it() {
    let (eu, here) = pair();
    let theirs = token(&eu, "alice", &here.gate.name());
    let credentials = Credentials::Tokens("token".to_owned(), theirs.clone());
    let derived = here.gate.anonymous().with(credentials).token(&["repository:team/app:pull"]);
    let (their_claims, our_claims) = (claims(&theirs), claims(&derived));
    assert_eq!(our_claims["family"], their_claims["family"]);
    assert_eq!(our_claims["auth_time"], their_claims["auth_time"]);
    assert!(our_claims["exp"].as_i64() <= their_claims["exp"].as_i64());
    assert_eq!(our_claims["sub"], "peer:eu/user:alice");
    assert_eq!(read(&here, &derived, "team"), 200);
    let disable = ["user", "disable", "alice"];
    assert_eq!(eu.run(&disable).code, Some(0));
    soon("the end of what alice has", || read(&here, &theirs, "team") == 401);
    assert_eq!(read(&here, &derived, "team"), 401);
    let docker = Credentials::Tokens("token".to_owned(), theirs);
    here.gate.anonymous().with(docker).ask_for_token(&["repository:team/app:pull"]).expect(401);
    assert_eq!(read(&here, &token(&eu, "bob", &here.gate.name()), "team"), 200);
}

#[test]
fn a_token_for_one_gate_is_good_at_no_other() {
    let eu = there();
    let trusted = format!("[{}]", trust(&eu, ", groups: {ci: builders}"));
    let (us, asia) = (here(&trusted), here(&trusted));
    let for_us = token(&eu, "alice", &us.gate.name());
    soon("the first list", || read(&us, &for_us, "team") == 200);
    let for_asia = token(&eu, "alice", &asia.gate.name());
    soon("the first list", || read(&asia, &for_asia, "team") == 200);
    assert_eq!((read(&us, &for_asia, "team"), read(&asia, &for_us, "team")), (401, 401));
    // Nor at the gate that made it.
    let own = eu.anonymous().with(Credentials::Bearer(for_us.clone()));
    own.get("/v2/").expect(401);
    // And trust is not passed on: a gate makes no tokens for others on a peer's word.
    let form = format!(
        "{EXCHANGE}&service={}&audience={}&subject_token={for_us}",
        us.gate.name(),
        asia.gate.name()
    );
    let refused = post(&us.gate.anonymous(), &form);
    assert!((400..500).contains(&refused.status), "{refused:?}");
}

#[test]
fn a_gate_that_is_taken_out_of_trust_opens_nothing_after_the_restart() {
    let (eu, mut here) = pair();
    let theirs = token(&eu, "alice", &here.gate.name());
    let credentials = Credentials::Tokens("token".to_owned(), theirs.clone());
    let derived = here.gate.anonymous().with(credentials).token(&["repository:team/app:pull"]);
    assert_eq!(read(&here, &derived, "team"), 200);
    let config = fs::read_to_string(here.gate.config()).unwrap();
    let without: String = config
        .lines()
        .filter(|line| !line.starts_with("trust:"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_ne!(config, without);
    fs::write(here.gate.config(), without).unwrap();
    here.gate.restart();
    assert_eq!((read(&here, &theirs, "team"), read(&here, &derived, "team")), (401, 401));
}

/// A gate that misbehaves as it is told.
struct Rogue {
    key: Key,
    server: Provider,
}

const ROGUE: &str = "https://rogue.example";

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

impl Rogue {
    fn start() -> Self {
        let key = Key::eddsa("rogue");
        Self { server: Provider::start(std::slice::from_ref(&key)), key }
    }

    fn trust(&self) -> String {
        let (server, ca) = (self.server.issuer(), self.server.ca().display());
        format!(
            "[{{name: eu, issuer: '{ROGUE}', jwks: '{server}/keys', revocations: '{server}/list', \
             ca: {ca}, poll: 1s, groups: {{ci: builders}}}}]"
        )
    }

    fn sign(&self, typ: &str, claims: &Value) -> String {
        self.key.sign_as(&json!({"alg": "EdDSA", "typ": typ, "kid": "rogue"}), claims)
    }

    fn token(&self, audience: &str, changes: &Value) -> String {
        let id = "abcdefghijklmnopqrstuv";
        let mut claims = json!({
            "iss": ROGUE, "aud": audience, "sub": "user:alice", "kind": "user", "jti": id,
            "family": id, "iat": now(), "nbf": now(), "exp": now() + 3600, "auth_time": now(),
            "groups": ["ci"],
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.sign("at+jwt", &claims)
    }

    /// From now on this is its list.
    fn tells(&self, sequence: i64, life: i64, ids: &[&str]) {
        let claims = json!({
            "iss": ROGUE, "seq": sequence, "iat": now(), "exp": now() + life, "ids": ids,
            "subjects": {},
        });
        self.server.put("/list", &self.sign("revocations+jwt", &claims));
    }
}

#[test]
fn what_another_gate_revokes_ends_here_and_a_list_of_before_does_not_bring_it_back() {
    let rogue = Rogue::start();
    rogue.tells(5, 600, &[]);
    let mut here = here(&rogue.trust());
    let token = rogue.token(&here.gate.name(), &json!({}));
    soon("the first list", || read(&here, &token, "team") == 200);
    rogue.tells(6, 600, &["abcdefghijklmnopqrstuv"]);
    soon("the revocation", || read(&here, &token, "team") == 401);
    let other = rogue.token(
        &here.gate.name(),
        &json!({"jti": "other-other-other-oth1", "family": "other-other-other-oth1"}),
    );
    assert_eq!(read(&here, &other, "team"), 200);
    // Somebody shows the list of before: then the gate as a whole is not believed.
    rogue.tells(5, 600, &[]);
    soon("the gate to be refused", || read(&here, &other, "team") == 401);
    assert_eq!(read(&here, &token, "team"), 401);
    here.gate.restart();
    let asked = rogue.server.asked().len();
    soon("another look", || rogue.server.asked().len() > asked + 2);
    assert_eq!(read(&here, &other, "team"), 401, "also after a restart");
    assert!(here.gate.log().contains("restored from an old backup"));
    rogue.tells(7, 600, &[]);
    soon("the gate to be believed again", || read(&here, &other, "team") == 200);
}

#[test]
fn a_gate_of_which_nothing_is_heard_any_more_is_refused_when_its_list_has_ended() {
    let rogue = Rogue::start();
    let here = here(&rogue.trust());
    let token = rogue.token(&here.gate.name(), &json!({}));
    assert_eq!(read(&here, &token, "team"), 401, "nothing was heard yet");
    soon("the first list", || {
        // The gate may look late: it pauses for longer while there is no list.
        rogue.tells(1, 6, &[]);
        read(&here, &token, "team") == 200
    });
    rogue.server.put("/list", "");
    soon("the end of the list", || read(&here, &token, "team") == 401);
    rogue.tells(1, 600, &[]);
    soon("a new list", || read(&here, &token, "team") == 200);
}

#[test]
fn a_token_that_says_too_much_or_too_little_is_refused() {
    let rogue = Rogue::start();
    rogue.tells(1, 600, &[]);
    let here = here(&rogue.trust());
    let name = here.gate.name();
    let token = |changes: Value| rogue.token(&name, &changes);
    soon("the first list", || read(&here, &token(json!({})), "team") == 200);
    for changes in [
        json!({"aud": "other.example"}),
        json!({"aud": [name]}),
        json!({"iss": format!("https://{name}")}),
        json!({"iss": "https://127.0.0.1:1"}),
        json!({"exp": now() + 3700}),
        json!({"exp": now() - 60, "iat": now() - 120, "nbf": now() - 120, "auth_time": now() - 120}),
        json!({"groups": null}),
        json!({"sub": "anonymous", "kind": "anonymous"}),
        json!({"sub": "peer:us/user:alice", "kind": "peer", "via": "us"}),
        json!({"sub": "user:alice", "kind": "service"}),
        json!({"administrator": true}),
    ] {
        assert_eq!(read(&here, &token(changes.clone()), "team"), 401, "{changes}");
    }
}

#[test]
fn nobody_is_an_administrator_because_another_gate_says_so() {
    let rogue = Rogue::start();
    rogue.tells(1, 600, &[]);
    let trust = rogue.trust().replace("{ci: builders}", "{ci: builders, chiefs: staff}");
    let here = here(&trust);
    let name = here.gate.name();
    let users = |groups: &[&str]| {
        let token = rogue.token(&name, &json!({"sub": "user:admin", "groups": groups}));
        here.gate.anonymous().with(Credentials::Bearer(token)).get("/api/v1/users").status
    };
    soon("the first list", || read(&here, &rogue.token(&name, &json!({})), "team") == 200);
    assert_eq!(users(&["ci", "staff", "administrators"]), 403, "none of these is mapped to them");
    assert_eq!(users(&["chiefs"]), 200, "what is mapped is meant");
}
