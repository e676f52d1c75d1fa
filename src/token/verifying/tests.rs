use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use proptest::prelude::*;

use super::*;
use crate::token::KeyRing;

/// RFC 8037, appendix A.2, and RFC 9449, section 4.1.
const ED25519: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const X: &str = "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs";
const Y: &str = "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA";

fn ed25519(kid: &str) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": ED25519})
}

fn p256(kid: &str) -> Value {
    json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": X, "y": Y})
}

fn read(keys: &[Value]) -> Result<VerifyingKeys, BadJwks> {
    VerifyingKeys::from_jwks(json!({ "keys": keys }).to_string().as_bytes())
}

fn ring() -> KeyRing {
    let random = SystemRandom::new();
    let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    KeyRing::new(ed25519.as_ref(), [p256.as_ref()]).unwrap()
}

#[test]
fn usable_keys_are_found_among_others() {
    let keys = read(&[
        json!({"kty": "oct", "kid": "shared", "k": ED25519}),
        ed25519("a"),
        json!({"kty": "RSA", "use": "enc", "kid": "encrypts", "n": "AQAB", "e": "AQAB"}),
        p256("b"),
        json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519}),
    ])
    .unwrap();
    assert_eq!(keys.kids().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(keys.get("a").unwrap().0, Algorithm::EdDSA);
    assert_eq!(keys.get("b").unwrap().0, Algorithm::ES256);
    assert!(keys.get("shared").is_none() && keys.get("").is_none());
    assert!(!keys.is_empty());
}

#[test]
fn a_set_without_a_usable_key_is_refused() {
    for keys in [
        &[][..],
        &[json!({})],
        &[json!({"kty": "oct", "kid": "k", "k": ED25519, "alg": "HS256"})],
        &[json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519})],
    ] {
        assert!(matches!(read(keys), Err(BadJwks::Unusable)), "{keys:?}");
    }
}

#[test]
fn one_name_stands_for_one_key() {
    assert_eq!(read(&[ed25519("k"), ed25519("k")]).unwrap().kids().count(), 1);
    for keys in [[ed25519("k"), p256("k")], [p256("k"), ed25519("k")]] {
        assert!(matches!(read(&keys), Err(BadJwks::Ambiguous(kid)) if kid == "k"));
    }
}

#[test]
fn a_private_key_spoils_the_set() {
    let mut private = p256("b");
    private["d"] = json!("AAAA");
    let text = read(&[ed25519("a"), private]).unwrap_err().to_string();
    assert!(text.contains("private key (number 2)"), "{text}");
}

#[test]
fn a_set_is_bounded() {
    let many = |count: usize| -> Vec<_> { (0..count).map(|n| ed25519(&n.to_string())).collect() };
    assert_eq!(read(&many(100)).unwrap().kids().count(), 100);
    assert!(matches!(read(&many(101)), Err(BadJwks::TooMany)));
    let mut long = json!({"keys": [ed25519("k")]}).to_string().into_bytes();
    long.resize(MAX_JWKS, b' ');
    assert!(VerifyingKeys::from_jwks(&long).is_ok());
    long.push(b' ');
    assert!(matches!(VerifyingKeys::from_jwks(&long), Err(BadJwks::TooLong)));
}

#[test]
fn what_is_no_key_set_is_refused() {
    let deep = "[".repeat(100_000);
    let twice = r#"{"keys": [], "keys": []}"#;
    for text in
        ["", "null", "[]", "{}", r#"{"keys": {}}"#, r#"{"keys": [1]}"#, "<html>", &deep, twice]
    {
        let read = VerifyingKeys::from_jwks(text.as_bytes());
        assert!(matches!(read, Err(BadJwks::Form(_))), "{text:.20}");
    }
}

#[test]
fn what_we_publish_is_what_others_read() {
    // Often enough that coordinates with zeros in front are among them.
    for _ in 0..600 {
        let ring = ring();
        let read = VerifyingKeys::from_jwks(ring.jwks().to_string().as_bytes()).unwrap();
        assert_eq!(read.jwks(), ring.jwks());
        assert_eq!(read.kids().count(), 2);
        assert_eq!(read.fingerprint("t"), ring.verifying().fingerprint("t"));
    }
}

#[test]
fn what_is_remembered_of_a_token_is_not_found_under_other_keys() {
    let one = read(&[ed25519("a")]).unwrap();
    let two = read(&[ed25519("a"), p256("b")]).unwrap();
    let prints = [
        one.fingerprint("t"),
        two.fingerprint("t"),
        one.fingerprint("u"),
        read(&[ed25519("b")]).unwrap().fingerprint("t"),
        read(&[p256("a")]).unwrap().fingerprint("t"),
    ];
    for (place, print) in prints.iter().enumerate() {
        assert_eq!(prints.iter().position(|other| other == print), Some(place));
    }
    let same = read(&[p256("b"), ed25519("a")]).unwrap();
    assert_eq!(same.fingerprint("t"), two.fingerprint("t"), "the order means nothing");
}

#[test]
fn debugging_shows_names_alone() {
    assert_eq!(format!("{:?}", read(&[ed25519("k")]).unwrap()), r#"VerifyingKeys(["k"])"#);
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec![
            "sig", "enc", "EdDSA", "ES256", "RS256", "HS256", "OKP", "EC", "RSA", "oct", "Ed25519",
            "P-256", "AQAB", "", ED25519, X, Y,
        ])
        .prop_map(Value::from),
        "[A-Za-z0-9_=-]{0,600}".prop_map(Value::from),
        prop::collection::vec("verify|sign|\\PC{0,4}", 0..3).prop_map(Value::from),
    ]
}

fn jwk() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "kty", "crv", "use", "alg", "kid", "key_ops", "x", "y", "n", "e", "d", "k",
    ]);
    let changes = prop::collection::vec((name, value()), 0..6);
    (any::<bool>(), changes).prop_map(|(first, changes)| {
        let mut key = if first { ed25519("k") } else { p256("k") };
        for (name, value) in changes {
            key[name] = value;
        }
        key
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(VerifyingKeys::from_jwks(&bytes).is_err());
    }

    #[test]
    fn whatever_is_taken_is_asymmetric_public_and_named(
        keys in prop::collection::vec(jwk(), 0..4)
    ) {
        if let Ok(taken) = read(&keys) {
            prop_assert!(!taken.is_empty());
            prop_assert!(!keys.iter().any(|key| key["kty"] != "oct" && key.get("d").is_some()));
            for kid in taken.kids() {
                let (algorithm, _) = taken.get(kid).unwrap();
                let source = keys.iter().any(|key| {
                    key["kid"] == kid && match algorithm {
                        Algorithm::EdDSA => key["kty"] == "OKP",
                        Algorithm::ES256 => key["kty"] == "EC",
                        Algorithm::RS256 => key["kty"] == "RSA",
                        _ => false,
                    }
                });
                prop_assert!(source, "{kid}");
            }
            let again = VerifyingKeys::from_jwks(taken.jwks().to_string().as_bytes()).unwrap();
            prop_assert_eq!(again.jwks(), taken.jwks());
        }
    }
}
