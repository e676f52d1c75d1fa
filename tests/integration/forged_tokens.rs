//! Tokens that somebody made who is not this gate, and some that only it could have made.

use std::fs;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::federation::Jobs;
use crate::support::api::{claims, text};
use crate::support::client::{Ask, Credentials};
use crate::support::gate::Gate;
use crate::support::images::Image;
use crate::support::provider::{Key, Provider, jwks};
use crate::support::scene::Scene;
use crate::support::wire::Wire;

const POLICY: &str = r#"
rules:
  - name: the-team-works-here
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push]
"#;

/// A gate whose key somebody stole, so that nothing but the claims can be wrong with a token.
struct Stolen {
    scene: Scene,
    header: Value,
    claims: Value,
    key: EncodingKey,
}

impl Stolen {
    fn new() -> Self {
        let scene = Scene::new(POLICY, &[("alice", &[])]);
        scene.registry.client().push("team/app", "v1", &Image::oci("forged"));
        let token = scene.client("alice").token(&["repository:team/app:pull"]);
        let header = token.split('.').next().unwrap();
        let header = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header).unwrap());
        let listed = scene.gate.run(&["keys", "list", "--output", "json"]).ok().out;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let file = text(&listed[0], "file");
        let key = EncodingKey::from_ed_pem(&fs::read(&file).unwrap()).unwrap();
        Self { claims: claims(&token), header: header.unwrap(), key, scene }
    }

    fn gate(&self) -> &Gate {
        &self.scene.gate
    }

    /// A token with changes of its header and its claims; `null` takes one away.
    fn sign(&self, header: &Value, claims: &Value) -> String {
        let with = |value: &Value, changes: &Value| {
            let mut value = value.clone();
            let members = value.as_object_mut().unwrap();
            for (name, change) in changes.as_object().unwrap() {
                match change {
                    Value::Null => drop(members.remove(name)),
                    change => drop(members.insert(name.clone(), change.clone())),
                }
            }
            value.to_string()
        };
        self.sign_text(&with(&self.header, header), &with(&self.claims, claims))
    }

    fn sign_text(&self, header: &str, claims: &str) -> String {
        sign(header, claims, &self.key, Algorithm::EdDSA)
    }

    #[track_caller]
    fn refused(&self, token: &str, why: &Value) {
        assert_eq!(self.gate().pulls(token), 401, "{why}");
        // Nor where a password is expected, nor where a token is exchanged.
        let service = self.gate().name();
        let fields = [
            ("grant_type", "password"),
            ("service", &*service),
            ("username", "token"),
            ("password", token),
        ];
        let status = self.gate().anonymous().form(&fields).status;
        assert!(matches!(status, 401 | 429), "{why}: {status}");
        assert_eq!(self.gate().bearer(token).get("/api/v1/whoami").status, 401, "{why}");
    }
}

fn sign(header: &str, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// The public key in the ways in which it is written: bare, as SubjectPublicKeyInfo (RFC 8410,
/// section 4), that as PEM, and as it stands in the key set.
fn public_halves(gate: &Gate) -> [Vec<u8>; 5] {
    let keys = gate.anonymous().get("/.well-known/jwks.json").expect(200).json();
    let x = text(&keys["keys"][0], "x");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(&x).unwrap();
    let der = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", &bytes[..]].concat();
    let body = BASE64_STANDARD.encode(&der);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----");
    [bytes, der, pem.clone().into_bytes(), format!("{pem}\n").into_bytes(), x.into_bytes()]
}

#[test]
fn a_stolen_key_would_do_and_no_other_algorithm_or_key_in_the_header_does() {
    let stolen = Stolen::new();
    let none = json!({});
    assert_eq!(stolen.gate().pulls(&stolen.sign(&none, &none)), 200, "or this test shows nothing");

    let header = |changes: Value| {
        let mut header = stolen.header.clone();
        let changes = changes.as_object().unwrap().clone();
        header.as_object_mut().unwrap().extend(changes);
        header.to_string()
    };
    let body = stolen.claims.to_string();
    for secret in public_halves(stolen.gate()) {
        let secret = EncodingKey::from_secret(&secret);
        let token = sign(&header(json!({"alg": "HS256"})), &body, &secret, Algorithm::HS256);
        stolen.refused(&token, &json!("HS256"));
    }
    for alg in ["none", "nOnE", "", "EDDSA", "ES256", "RS256"] {
        let token = stolen.sign(&json!({ "alg": alg }), &none);
        stolen.refused(&token, &json!(alg));
        let (message, _) = token.rsplit_once('.').unwrap();
        stolen.refused(&format!("{message}."), &json!(alg));
    }

    // Whoever brings the key along, or says where it is to be fetched.
    let other = Key::eddsa(stolen.header["kid"].as_str().unwrap());
    let server = Provider::start(std::slice::from_ref(&other));
    server.put("/jwks.json", &jwks(std::slice::from_ref(&other)).to_string());
    let url = format!("{}/jwks.json", server.issuer());
    for changes in [
        json!({}),
        json!({ "jwk": other.jwk }),
        json!({ "jku": url }),
        json!({ "x5u": url }),
        json!({ "x5c": ["MIIB"] }),
        json!({ "kid": "../../../etc/passwd", "jwk": other.jwk }),
        json!({ "kid": url, "jku": url }),
        json!({ "crit": ["jku"], "jku": url }),
    ] {
        let mut header = stolen.header.clone();
        header.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        stolen.refused(&other.sign_as(&header, &stolen.claims), &changes);
    }
    assert!(server.asked().is_empty(), "nothing is fetched because a token says so");
}

#[test]
fn claims_that_are_missing_or_of_another_type_are_refused_whoever_signed_them() {
    let stolen = Stolen::new();
    let now = stolen.claims["iat"].as_i64().unwrap();
    for changes in [
        json!({"exp": null}),
        json!({"exp": (now + 600).to_string()}),
        json!({"exp": 1e300}),
        json!({"exp": now + 600, "nbf": "9"}),
        json!({"nbf": null}),
        json!({"nbf": now + 600}),
        json!({"iat": null}),
        json!({"iat": now + 600, "exp": now + 900}),
        json!({"iat": now - 900, "nbf": now - 900, "exp": now - 600, "auth_time": now - 900}),
        json!({"auth_time": null}),
        json!({"auth_time": now + 600}),
        json!({"jti": null}),
        json!({"jti": ["a"]}),
        json!({"family": null}),
        json!({"sub": null}),
        json!({"sub": 1}),
        json!({"sub": "user:nobody"}),
        json!({"sub": "root"}),
        json!({"kind": null}),
        json!({"kind": "administrator"}),
        json!({"kind": "service"}),
        json!({"kind": "federated", "via": "ci"}),
        json!({"kind": "peer", "via": "eu", "sub": "peer:eu/user:alice"}),
        json!({"access": {"type": "repository"}}),
        json!({"groups": "team"}),
        json!({"bounds": 1}),
        json!({"administrator": true}),
        // Of another gate, for another gate, or no access token at all.
        json!({"iss": "https://other.example"}),
        json!({"iss": null}),
        json!({"aud": "other.example:5443"}),
        json!({"aud": null}),
        json!({"aud": [stolen.claims["aud"]]}),
    ] {
        stolen.refused(&stolen.sign(&json!({}), &changes), &changes);
    }
    for header in [json!({"typ": "JWT"}), json!({"typ": null}), json!({"typ": "revocations+jwt"})] {
        stolen.refused(&stolen.sign(&header, &json!({})), &header);
    }
    let twice = stolen.claims.to_string().replacen('{', "{\"sub\":\"user:root\",", 1);
    stolen.refused(&stolen.sign_text(&stolen.header.to_string(), &twice), &json!("sub twice"));
}

#[test]
fn a_token_of_one_kind_is_not_taken_for_one_of_another() {
    let jobs = Jobs::at("", &[("alice", &["release"])], |setup| setup);
    let gate = &jobs.scene.gate;
    let order = json!({"expires": "1h", "refreshable": true});
    let made = gate.basic("alice").post("/api/v1/tokens", &order).expect(201).json();
    let [access, refresh] = ["access_token", "refresh_token"].map(|name| text(&made, name));
    let elsewhere = json!({"expires": "1h", "audience": "gate-b.example:5443"});
    let elsewhere = gate.basic("alice").post("/api/v1/tokens", &elsewhere).expect(201).json();
    let (elsewhere, id_token) = (text(&elsewhere, "access_token"), jobs.token(json!({})));
    gate.bearer(&access).get("/v2/").expect(200);
    for token in [&refresh, &elsewhere, &id_token] {
        gate.bearer(token).get("/v2/").expect(401);
        gate.bearer(token).get("/api/v1/whoami").expect(401);
    }
    for token in [&access, &elsewhere, &id_token] {
        let answer = gate.refresh(token);
        assert!(matches!(answer.status, 400 | 401), "{answer:?}");
        let service = gate.name();
        let fields =
            [("grant_type", "refresh_token"), ("service", &*service), ("refresh_token", token)];
        let answer = gate.anonymous().form(&fields);
        assert!(matches!(answer.status, 400 | 401), "{answer:?}");
    }
    // A token that rotates says what to use as a password instead, and stays as it is.
    let password = Credentials::Basic("alice".to_owned(), refresh.clone());
    let said = gate.anonymous().with(password).ask_for_token(&[]).expect(401).message();
    assert!(said.contains("replaced at each use"), "{said}");
    gate.refreshed(&refresh);
}

#[test]
fn what_is_huge_or_deep_is_refused_before_it_is_read() {
    let stolen = Stolen::new();
    let gate = stolen.gate();
    let good = stolen.sign(&json!({}), &json!({}));
    let before = gate.memory();
    let huge = format!("{good}{}", "A".repeat(1 << 20));
    let request = format!(
        "GET /v2/team/app/manifests/v1 HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {huge}\r\n\r\n",
        gate.name()
    );
    // Over HTTP/2 an answer arrives whole, however early it comes.
    let client = gate.anonymous().http2();
    for _ in 0..20 {
        let answer = Wire::open(&gate.anonymous()).ask(&request);
        assert!(answer.is_none_or(|answer| matches!(answer.status, 400 | 401 | 431)));
        let service = gate.name();
        for name in ["password", "refresh_token", "subject_token"] {
            let fields = [("grant_type", name), ("service", &*service), (name, &*huge)];
            client.form(&fields).expect(413);
        }
        let value = json!({ "value": huge }).to_string();
        let ask = Ask::body("application/json", value.as_bytes());
        client.send("POST", "/api/v1/tokens/revoke", &ask).expect(413);
    }
    let (deep, end) = ("[".repeat(2500), "]".repeat(2500));
    let header = stolen.header.to_string().replacen('{', &format!("{{\"x\":{deep}{end},"), 1);
    stolen.refused(&stolen.sign_text(&header, &stolen.claims.to_string()), &json!("deep header"));
    let body = stolen.claims.to_string().replacen('{', &format!("{{\"groups\":{deep}{end},"), 1);
    stolen.refused(&stolen.sign_text(&stolen.header.to_string(), &body), &json!("deep claims"));
    let long = stolen.sign(&json!({}), &json!({"groups": vec!["x".repeat(100); 100]}));
    assert!(long.len() > 8 << 10);
    assert_eq!(gate.pulls(&long), 401);
    let peak = gate.peak_memory();
    assert!(peak < before + (32 << 20), "{before} {peak}");
    assert_eq!(gate.pulls(&good), 200);
}
