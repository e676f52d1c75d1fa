use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use oci::RepositoryName;
use policy::{Action, Subject};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::identity::Access;
use crate::token::{Grant, Kind, MAX_TOKEN, MintError, Order, mint};

const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

fn issuer() -> PublicUrl {
    PublicUrl::new("https://gate.example:5443").unwrap()
}

fn new_key() -> Vec<u8> {
    Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap().as_ref().to_vec()
}

struct Gate {
    der: Vec<u8>,
    ring: KeyRing,
}

impl Gate {
    fn new() -> Self {
        let der = new_key();
        let ring = KeyRing::new(&der, []).unwrap();
        Self { der, ring }
    }

    fn kid(&self) -> &str {
        self.ring.kid()
    }

    /// Signs whatever it is given, with the gate's own key.
    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        let key = EncodingKey::from_ed_der(&self.der);
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::EdDSA).unwrap();
        format!("{message}.{signature}")
    }

    fn header(&self) -> Value {
        json!({"alg": "EdDSA", "typ": "at+jwt", "kid": self.kid()})
    }

    fn check(&self, token: &str) -> Result<Claims, InvalidToken> {
        verify(token, &self.ring, &issuer(), at(0))
    }
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn claims() -> Value {
    json!({
        "iss": "https://gate.example:5443", "aud": "gate.example:5443", "sub": "user:alice",
        "iat": NOW, "nbf": NOW, "exp": NOW + 3600, "jti": "abcdefghijklmnopqrstuv",
        "family": "abcdefghijklmnopqrstuv", "auth_time": NOW, "kind": "user", "access": [],
    })
}

fn order(repositories: usize) -> Order {
    let access = (0..repositories)
        .map(|number| Access::Repository {
            name: RepositoryName::new(&format!("team/repository-{number}")).unwrap(),
            actions: vec![Action::Pull, Action::Inspect],
        })
        .collect();
    Order {
        grant: Grant::unlimited(Subject::User("alice".to_owned()), Kind::User, at(0)),
        family: None,
        audience: None,
        access: Some(access),
        lifetime: Duration::from_secs(3600),
        not_after: None,
    }
}

#[test]
fn a_minted_token_is_taken_back_with_all_that_it_says() {
    let gate = Gate::new();
    for groups in [None, Some(vec![]), Some(vec!["ci".to_owned()])] {
        let mut order = order(2);
        order.grant.groups = groups;
        order.access.as_mut().unwrap().push(Access::Catalog);
        let (token, minted) = mint(order.clone(), &gate.ring, &issuer(), at(0)).unwrap();
        let read = gate.check(token.expose()).unwrap();
        assert_eq!(read, minted);
        assert_eq!((read.access, read.groups), (order.access, order.grant.groups));
    }
}

#[test]
fn no_groups_and_all_groups_are_written_differently() {
    let gate = Gate::new();
    let mut none = claims();
    none["groups"] = json!([]);
    assert_eq!(gate.check(&gate.sign(&gate.header(), &none)).unwrap().groups, Some(vec![]));
    assert_eq!(gate.check(&gate.sign(&gate.header(), &claims())).unwrap().groups, None);
    none["groups"] = Value::Null;
    assert_eq!(gate.check(&gate.sign(&gate.header(), &none)), Err(InvalidToken::Claims));
}

#[test]
fn another_algorithm_is_refused_whatever_the_signature() {
    let gate = Gate::new();
    let jwks = gate.ring.jwks();
    let public = URL_SAFE_NO_PAD.decode(jwks["keys"][0]["x"].as_str().unwrap()).unwrap();
    for alg in ["none", "nOnE", "None", "HS256", "ES256", "eddsa", "Ed25519", ""] {
        let header = json!({"alg": alg, "typ": "at+jwt", "kid": gate.kid()});
        // With the right signature, with none, and with the public key taken for a shared secret.
        let message = format!("{}.{}", encode(&header), encode(&claims()));
        let shared = EncodingKey::from_secret(&public);
        let hmac =
            jsonwebtoken::crypto::sign(message.as_bytes(), &shared, Algorithm::HS256).unwrap();
        for token in
            [gate.sign(&header, &claims()), format!("{message}."), format!("{message}.{hmac}")]
        {
            assert_eq!(gate.check(&token), Err(InvalidToken::Header), "{alg}");
        }
    }
}

#[test]
fn a_token_cannot_bring_or_choose_its_key() {
    let gate = Gate::new();
    let stranger = Gate::new();
    let jwk = &stranger.ring.jwks()["keys"][0];
    let with = |name: &str, value: Value| {
        let mut header = gate.header();
        header[name] = value;
        header
    };
    // The key of the header is the stranger's and so is the signature; the name is of our key.
    for header in [
        with("jwk", jwk.clone()),
        with("jku", json!("http://127.0.0.1:1/keys")),
        with("x5u", json!("http://127.0.0.1:1/chain")),
        with("x5c", json!(["AAAA"])),
        with("crit", json!(["exp"])),
        with("zip", json!("DEF")),
    ] {
        assert_eq!(gate.check(&stranger.sign(&header, &claims())), Err(InvalidToken::Header));
        // Even a token that we signed must not have it.
        assert_eq!(gate.check(&gate.sign(&header, &claims())), Err(InvalidToken::Header));
    }
    for kid in ["../", "../../etc/passwd", "", "\u{0}", stranger.kid()] {
        let token = stranger.sign(&with("kid", json!(kid)), &claims());
        assert_eq!(gate.check(&token), Err(InvalidToken::Key), "{kid:?}");
    }
    let token = stranger.sign(&gate.header(), &claims());
    assert_eq!(gate.check(&token), Err(InvalidToken::Signature));
}

#[test]
fn a_header_needs_its_three_fields() {
    let gate = Gate::new();
    for field in ["alg", "typ", "kid"] {
        let mut header = gate.header();
        header.as_object_mut().unwrap().remove(field);
        assert_eq!(gate.check(&gate.sign(&header, &claims())), Err(InvalidToken::Header));
    }
    for typ in ["JWT", "rt+jwt", "application/at+jwt", "AT+JWT"] {
        let mut header = gate.header();
        header["typ"] = json!(typ);
        assert_eq!(gate.check(&gate.sign(&header, &claims())), Err(InvalidToken::Header), "{typ}");
    }
}

#[test]
fn every_claim_is_required_and_typed() {
    let gate = Gate::new();
    assert!(gate.check(&gate.sign(&gate.header(), &claims())).is_ok());
    for name in ["iss", "aud", "sub", "iat", "nbf", "exp", "jti", "family", "auth_time", "kind"] {
        let mut less = claims();
        less.as_object_mut().unwrap().remove(name);
        let token = gate.sign(&gate.header(), &less);
        assert_eq!(gate.check(&token), Err(InvalidToken::Claims), "no {name}");
    }
    for (name, value) in [
        ("nbf", json!("9")),
        ("nbf", json!(1.5)),
        ("exp", json!("9999999999")),
        ("exp", json!(9_999_999_999.5)),
        ("exp", json!(1e300)),
        ("exp", Value::Null),
        ("iat", json!(true)),
        ("aud", json!(["gate.example:5443"])),
        ("aud", json!(["gate.example:5443", "other"])),
        ("iss", json!(["https://gate.example:5443"])),
        ("sub", json!(7)),
        ("sub", json!("user:")),
        ("sub", json!("alice")),
        ("sub", json!("anonymous")),
        ("sub", json!("service:alice")),
        ("jti", json!("")),
        ("family", json!("x")),
        ("auth_time", json!("9")),
        ("auth_time", json!(NOW + 1)),
        ("via", json!("eu")),
        ("via", Value::Null),
        ("asserted", Value::Null),
        ("groups", Value::Null),
        ("access", Value::Null),
        ("bounds", Value::Null),
        ("bounds", json!({"images": [], "actions": ["pull"]})),
        ("bounds", json!({"images": ["**"], "actions": []})),
        ("bounds", json!({"images": ["**"], "actions": ["fly"]})),
        ("bounds", json!({"images": ["A"], "actions": ["pull"]})),
        ("bounds", json!({"images": ["a"], "actions": ["pull"], "except": "b"})),
        ("kind", json!("federated")),
        ("kind", json!("peer")),
        ("kind", json!("anonymous")),
        ("kind", json!("admin")),
        ("groups", json!("admins")),
        ("access", json!({})),
        ("access", json!([{"type": "repository", "name": "a", "actions": ["fly"]}])),
        ("admin", json!(true)),
    ] {
        let mut other = claims();
        other[name] = value.clone();
        let token = gate.sign(&gate.header(), &other);
        assert_eq!(gate.check(&token), Err(InvalidToken::Claims), "{name}: {value}");
    }
}

#[test]
fn a_claim_that_comes_twice_is_refused() {
    let gate = Gate::new();
    let twice = claims().to_string().replacen('{', r#"{"sub":"user:root","#, 1);
    let message = format!("{}.{}", encode(&gate.header()), URL_SAFE_NO_PAD.encode(twice));
    let key = EncodingKey::from_ed_der(&gate.der);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::EdDSA).unwrap();
    assert_eq!(gate.check(&format!("{message}.{signature}")), Err(InvalidToken::Claims));
}

#[test]
fn a_token_of_or_for_another_gate_is_refused_even_with_our_key() {
    let gate = Gate::new();
    for (name, value, error) in [
        ("iss", "https://sibling.example:5443", InvalidToken::Issuer),
        ("iss", "https://gate.example:5443/", InvalidToken::Issuer),
        ("aud", "sibling.example:5443", InvalidToken::Audience),
        ("aud", "gate.example", InvalidToken::Audience),
        ("aud", "", InvalidToken::Audience),
    ] {
        let mut other = claims();
        other[name] = json!(value);
        assert_eq!(gate.check(&gate.sign(&gate.header(), &other)), Err(error), "{name} {value}");
    }
}

#[test]
fn a_token_holds_from_its_start_to_its_end_give_or_take_the_leeway() {
    let gate = Gate::new();
    let (token, _) = mint(order(1), &gate.ring, &issuer(), at(0)).unwrap();
    let when = |seconds| verify(token.expose(), &gate.ring, &issuer(), at(seconds)).map(|_| ());
    assert_eq!(when(-31), Err(InvalidToken::Early));
    assert_eq!(when(-30), Ok(()));
    assert_eq!(when(3600 + 29), Ok(()));
    assert_eq!(when(3600 + 30), Err(InvalidToken::Expired));
    assert_eq!(when(86_400), Err(InvalidToken::Expired));
    assert_eq!(when(-86_400), Err(InvalidToken::Early));
    // Whichever of its two beginnings is later counts.
    for name in ["iat", "nbf"] {
        let mut later = claims();
        later[name] = json!(NOW + 31);
        assert_eq!(gate.check(&gate.sign(&gate.header(), &later)), Err(InvalidToken::Early));
    }
}

#[test]
fn times_at_the_end_of_the_world_do_no_harm() {
    let gate = Gate::new();
    for (name, value) in
        [("exp", i64::MAX), ("exp", i64::MIN), ("nbf", i64::MIN), ("iat", i64::MIN)]
    {
        let mut other = claims();
        other[name] = json!(value);
        let result = gate.check(&gate.sign(&gate.header(), &other));
        let holds = name == "nbf" || (name == "exp" && value > 0);
        assert_eq!(result.is_ok(), holds, "{name} {value}");
    }
}

#[test]
fn length_is_checked_before_anything_else() {
    let gate = Gate::new();
    // Right in every other way, and deep enough to hurt whoever parses it.
    let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    let header = encode(&gate.header());
    let token = format!("{header}.{}.AAAA", URL_SAFE_NO_PAD.encode(deep));
    assert!(token.len() > 1 << 20);
    assert_eq!(gate.check(&token), Err(InvalidToken::TooLong));
    let small = format!("{}.x.y", URL_SAFE_NO_PAD.encode("[".repeat(6000)));
    assert!(gate.check(&small).is_err());
}

#[test]
fn a_token_that_would_not_be_taken_back_is_not_made() {
    let gate = Gate::new();
    let (token, _) = mint(order(80), &gate.ring, &issuer(), at(0)).unwrap();
    assert!(token.expose().len() <= MAX_TOKEN);
    let error = mint(order(100), &gate.ring, &issuer(), at(0)).unwrap_err();
    assert!(matches!(error, MintError::TooLong));
}

#[test]
fn a_token_does_not_outlive_what_it_was_made_from() {
    let gate = Gate::new();
    let mut short = order(1);
    short.not_after = Some(at(90));
    let (_, claims) = mint(short.clone(), &gate.ring, &issuer(), at(0)).unwrap();
    assert_eq!(claims.exp, NOW + 90);
    short.not_after = Some(at(0));
    assert!(matches!(mint(short, &gate.ring, &issuer(), at(0)), Err(MintError::NoTime)));
}

#[test]
fn a_token_for_another_gate_holds_there_and_not_here() {
    let (gate, stranger) = (Gate::new(), Gate::new());
    let mut order = order(1);
    order.audience = Some("there.example:5443".to_owned());
    let (token, minted) = mint(order, &gate.ring, &issuer(), at(0)).unwrap();
    assert_eq!(gate.check(token.expose()), Err(InvalidToken::Audience));
    let published =
        |gate: &Gate| VerifyingKeys::from_jwks(gate.ring.jwks().to_string().as_bytes()).unwrap();
    let keys = published(&gate);
    let there = |keys: &VerifyingKeys, issuer: &str, audience: &str, seconds: i64| {
        verify_from(token.expose(), keys, issuer, audience, at(seconds))
    };
    let (from, to) = ("https://gate.example:5443", "there.example:5443");
    assert_eq!(there(&keys, from, to, 0), Ok(minted));
    assert_eq!(there(&published(&stranger), from, to, 0), Err(InvalidToken::Key));
    assert_eq!(there(&keys, "https://other.example", to, 0), Err(InvalidToken::Issuer));
    assert_eq!(there(&keys, from, "third.example", 0), Err(InvalidToken::Audience));
    assert_eq!(there(&keys, from, to, 86_400), Err(InvalidToken::Expired));
    assert_eq!(there(&keys, from, to, -86_400), Err(InvalidToken::Early));
}

#[test]
fn an_older_key_checks_and_the_newest_signs() {
    let (old, new) = (Gate::new(), new_key());
    let (token, _) = mint(order(1), &old.ring, &issuer(), at(0)).unwrap();
    let rotated = KeyRing::new(&new, [old.der.as_slice()]).unwrap();
    assert!(verify(token.expose(), &rotated, &issuer(), at(0)).is_ok());
    let (token, _) = mint(order(1), &rotated, &issuer(), at(0)).unwrap();
    assert_eq!(old.check(token.expose()), Err(InvalidToken::Key));
    let alone = KeyRing::new(&new, []).unwrap();
    assert!(verify(token.expose(), &alone, &issuer(), at(0)).is_ok());
    assert_eq!(rotated.jwks()["keys"].as_array().unwrap().len(), 2);
}

#[test]
fn a_password_does_not_look_like_a_token() {
    let gate = Gate::new();
    let (token, _) = mint(order(1), &gate.ring, &issuer(), at(0)).unwrap();
    assert!(looks_like_one(token.expose()));
    for text in ["", "hunter2", "a.b.c", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA", "e30.e30.e30"] {
        assert!(!looks_like_one(text), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_or_pass(text in "\\PC{0,200}|[A-Za-z0-9_.-]{0,300}") {
        prop_assert!(Gate::new().check(&text).is_err());
    }

    #[test]
    fn no_changed_byte_passes(place in any::<prop::sample::Index>(), byte in 0x21_u8..0x7f) {
        let gate = Gate::new();
        let (token, _) = mint(order(1), &gate.ring, &issuer(), at(0)).unwrap();
        let mut bytes = token.expose().as_bytes().to_vec();
        let place = place.index(bytes.len());
        prop_assume!(bytes[place] != byte);
        bytes[place] = byte;
        prop_assert!(gate.check(std::str::from_utf8(&bytes).unwrap()).is_err());
    }
}
