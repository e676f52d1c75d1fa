//! Tokens say who somebody is and the most they may do; the policy decides.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::client::{Answer, Ask, Client, Credentials};
use crate::support::gate::password_of;
use crate::support::images::Image;
use crate::support::scene::Scene;

const POLICY: &str = r#"
groups: {team: external}
rules:
  - name: the-team-works-here
    subjects: [group:team]
    images: ["team/**"]
    allow: [pull, push]
  - name: everyone-may-pull-the-public
    subjects: [anyone]
    images: ["public/**"]
    allow: [pull]
"#;

fn scene() -> Scene {
    let scene = Scene::new(POLICY, &[("alice", &["team"]), ("bob", &[])]);
    scene.client("alice").push("team/app", "v1", &Image::oci("tokens"));
    scene
}

fn part(token: &str, index: usize) -> Value {
    let text = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

fn pull(scene: &Scene, token: &str) -> u16 {
    let client = scene.gate.anonymous().with(Credentials::Bearer(token.to_owned()));
    client.get("/v2/team/app/manifests/v1").status
}

#[test]
fn a_token_has_every_claim_and_answers_both_spellings() {
    let scene = scene();
    let answer = scene.client("alice").ask_for_token(&["repository:team/app:pull"]).expect(200);
    let json = answer.json();
    assert_eq!(json["token"], json["access_token"]);
    assert!(json["expires_in"].as_u64().unwrap() >= 60);
    assert!(json["issued_at"].is_string());
    assert!(json["refresh_token"].is_null(), "not asked for");
    let token = json["token"].as_str().unwrap();
    let header = part(token, 0);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("EdDSA")));
    assert!(header["kid"].is_string());
    let claims = part(token, 1);
    for claim in ["iss", "aud", "sub", "iat", "nbf", "exp", "jti", "kind", "access"] {
        assert!(!claims[claim].is_null(), "{claim} in {claims}");
    }
    let keys = scene.gate.anonymous().get("/.well-known/jwks.json").expect(200).json();
    let known: Vec<_> = keys["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
    assert!(known.contains(&&header["kid"]), "{keys}");
    assert!(keys["keys"].as_array().unwrap().iter().all(|key| key["d"].is_null()));
}

#[test]
fn a_token_grants_what_policy_grants_of_what_was_asked_for() {
    let scene = scene();
    let granted = |user: &str, scopes: &[&str]| {
        let answer = scene.client(user).ask_for_token(scopes).expect(200).json();
        part(answer["token"].as_str().unwrap(), 1)["access"].clone()
    };
    let all = granted("alice", &["repository:team/app:pull,push,delete"]).to_string();
    assert!(all.contains("pull") && !all.contains("delete"), "{all}");
    assert!(!granted("bob", &["repository:team/app:pull,push"]).to_string().contains("pull"));
    let two = granted("alice", &["repository:team/app:pull", "repository:other/app:pull"]);
    assert!(two.to_string().contains("team/app"), "{two}");
    let many: Vec<_> = (0..101).map(|n| format!("repository:team/app{n}:pull")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let answer = scene.client("alice").ask_for_token(&many);
    assert!(matches!(answer.status, 400 | 414), "{answer:?}");
}

#[test]
fn a_token_for_one_repository_opens_no_other_and_one_for_pulling_pushes_nothing() {
    let scene = scene();
    let alice = scene.client("alice");
    let token = alice.token(&["repository:team/app:pull"]);
    let signed = alice.with(Credentials::Bearer(token));
    signed.get("/v2/team/app/manifests/v1").expect(200);
    for (method, target) in
        [("GET", "/v2/team/other/manifests/v1"), ("POST", "/v2/team/app/blobs/uploads/")]
    {
        let answer = scene.unasked(|| signed.send(method, target, &Ask::default()));
        // Another token would help here, and the challenge says so.
        assert!(matches!(answer.status, 401 | 403), "{answer:?}");
        if answer.status == 401 {
            assert!(answer.header("www-authenticate").unwrap().contains("insufficient_scope"));
        }
    }
}

#[test]
fn forged_tokens_are_worth_nothing() {
    let scene = scene();
    let token = scene.client("alice").token(&["repository:team/app:pull"]);
    assert_eq!(pull(&scene, &token), 200);
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let with = |index: usize, changes: Value| {
        let mut value = part(&token, index);
        let map = value.as_object_mut().unwrap();
        for (key, change) in changes.as_object().unwrap() {
            map.insert(key.clone(), change.clone());
        }
        encode(&value)
    };
    let mut forged = vec![
        format!("{}.{claims}.", with(0, json!({"alg": "none"}))),
        format!("{}.{claims}.{signature}", with(0, json!({"alg": "nOnE"}))),
        format!("{}.{claims}.{signature}", with(0, json!({"alg": "HS256"}))),
        format!("{}.{claims}.{signature}", with(0, json!({"typ": "JWT"}))),
        format!("{}.{claims}.{signature}", with(0, json!({"kid": "../../etc/passwd"}))),
        format!("{}.{claims}.{signature}", with(0, json!({"jku": "http://127.0.0.1:1/"}))),
        format!("{header}.{}.{signature}", with(1, json!({"sub": "user:admin"}))),
        format!("{header}.{}.{signature}", with(1, json!({"exp": 99_999_999_999u64}))),
        format!("{header}.{claims}.{}", "A".repeat(86)),
        format!("{header}.{claims}"),
        format!("{header}.{claims}.{signature}."),
        format!("{header}.{claims}.{signature}="),
    ];
    // The same bytes in another spelling of base64 are not the same token.
    forged.push(format!("{header}.{claims}.{signature} "));
    for token in forged {
        assert_eq!(
            pull(&scene, token.trim_end()),
            if token.ends_with(' ') { 200 } else { 401 },
            "{token}"
        );
    }
    let huge = format!("{header}.{}.{signature}", "A".repeat(12 << 10));
    assert!(matches!(pull(&scene, &huge), 401 | 431));
}

#[test]
fn a_token_of_another_gate_is_worth_nothing_here() {
    let (here, there) = (scene(), scene());
    let token = there.client("alice").token(&["repository:team/app:pull"]);
    assert_eq!(pull(&there, &token), 200);
    assert_eq!(pull(&here, &token), 401);
}

#[test]
fn a_token_holds_over_a_restart_and_fails_after_its_end() {
    let mut scene = scene();
    let token = scene.client("alice").token(&["repository:team/app:pull"]);
    scene.gate.restart();
    assert_eq!(pull(&scene, &token), 200);
}

fn post(client: &Client, form: &str) -> Answer {
    client.send("POST", "/token", &Ask::body("application/x-www-form-urlencoded", form.as_bytes()))
}

#[test]
fn the_token_endpoint_takes_forms_as_containerd_sends_them() {
    let scene = scene();
    let anonymous = scene.gate.anonymous();
    let (service, password) = (scene.gate.name(), password_of("alice"));
    let form = |password: &str| {
        format!(
            "grant_type=password&service={service}&client_id=containerd-client&username=alice\
             &password={password}&scope=repository%3Ateam%2Fapp%3Apull+repository%3Ateam%2Fb%3Apull"
        )
    };
    let answer = post(&anonymous, &form(&password)).expect(200).json();
    assert_eq!(pull(&scene, answer["access_token"].as_str().unwrap()), 200);
    let wrong = post(&anonymous, &form("wrong"));
    assert!(matches!(wrong.status, 400 | 401), "{wrong:?}");
    assert_eq!(wrong.json()["error"], "invalid_grant");
    assert!(!wrong.message().is_empty(), "clients show the errors array");
    let unknown = post(&anonymous, &format!("grant_type=magic&service={service}")).expect(400);
    assert_eq!(unknown.json()["error"], "unsupported_grant_type");
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_answered_alike() {
    let scene = scene();
    let ask = |name: &str| {
        let credentials = Credentials::Basic(name.into(), "wrong".into());
        let answer = scene.gate.anonymous().with(credentials).ask_for_token(&[]).expect(401);
        answer.shape(name)
    };
    assert_eq!(ask("alice"), ask("nobody"));
}

#[test]
fn a_password_may_go_with_each_request_instead() {
    let scene = scene();
    let basic = |name: &str| Credentials::Basic(name.into(), password_of(name));
    let alice = scene.gate.anonymous().with(basic("alice"));
    alice.get("/v2/").expect(200);
    alice.get("/v2/team/app/manifests/v1").expect(200);
    scene.gate.anonymous().with(basic("bob")).get("/v2/team/app/manifests/v1").expect(403);
    let wrong = Credentials::Basic("alice".into(), "wrong".into());
    scene.gate.anonymous().with(wrong).get("/v2/").expect(401);
}

#[test]
fn anonymous_callers_get_a_token_for_what_anyone_may_pull_and_a_challenge_first() {
    let scene = scene();
    let image = Image::oci("public");
    scene.registry.client().push("public/app", "v1", &image);
    let anonymous = scene.gate.anonymous();
    anonymous.get("/v2/").expect(401);
    let token = anonymous.token(&["repository:public/app:pull"]);
    let signed = anonymous.with(Credentials::Bearer(token));
    signed.get("/v2/").expect(200);
    assert_eq!(signed.get("/v2/public/app/manifests/v1").expect(200).body, image.manifest.bytes);
    let status = signed.get("/v2/team/app/manifests/v1").status;
    assert!(matches!(status, 401 | 403), "{status}");
}

#[test]
fn many_guesses_are_slowed_and_the_owner_is_not_locked_out() {
    let scene = scene();
    let guess = Credentials::Basic("alice".into(), "guess".into());
    let guesser = scene.gate.anonymous().with(guess);
    let statuses: Vec<_> = (0..60).map(|_| guesser.ask_for_token(&[]).status).collect();
    assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
    let token = scene.client("bob").ask_for_token(&[]);
    assert!(matches!(token.status, 200 | 429), "{token:?}");
}
