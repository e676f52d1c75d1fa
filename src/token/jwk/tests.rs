use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::*;

/// RFC 8037, appendix A.2.
const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// RFC 7638, section 3.1.
const RSA_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn ed25519() -> Map<String, Value> {
    members(&json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": ED25519_X}))
}

/// RFC 9449, section 4.1.
fn p256() -> Map<String, Value> {
    members(&json!({
        "kty": "EC", "crv": "P-256", "kid": "k",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    }))
}

fn rsa() -> Map<String, Value> {
    members(&json!({"kty": "RSA", "kid": "k", "n": RSA_N, "e": "AQAB"}))
}

fn with(mut members: Map<String, Value>, name: &str, value: Value) -> Map<String, Value> {
    members.insert(name.to_owned(), value);
    members
}

fn without(mut members: Map<String, Value>, name: &str) -> Map<String, Value> {
    members.remove(name).unwrap();
    members
}

fn usable(members: &Map<String, Value>) -> PublicKey {
    match Jwk::read(members) {
        Jwk::Usable(id, key) if id == "k" => key,
        other => panic!("{other:?}"),
    }
}

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    for (jwk, expected) in [
        // RFC 8037, appendix A.3.
        (ed25519(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        // RFC 9449, section 6.1.
        (p256(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
        // RFC 7638, section 3.1.
        (rsa(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
    ] {
        assert_eq!(usable(&jwk).thumbprint(), expected);
    }
}

#[test]
fn each_type_of_key_has_its_one_algorithm() {
    for (jwk, algorithm, name) in [
        (ed25519(), Algorithm::EdDSA, "EdDSA"),
        (p256(), Algorithm::ES256, "ES256"),
        (rsa(), Algorithm::RS256, "RS256"),
    ] {
        let key = usable(&jwk);
        assert_eq!((key.algorithm(), key.algorithm_name()), (algorithm, name));
        assert_eq!(usable(&with(jwk.clone(), "alg", json!(name))), key);
        for other in
            ["EdDSA", "ES256", "RS256", "RS512", "PS256", "ES384", "HS256", "none", "RSA-OAEP", ""]
        {
            if other != name {
                assert_eq!(Jwk::read(&with(jwk.clone(), "alg", json!(other))), Jwk::Other);
            }
        }
        assert_eq!(Jwk::read(&with(jwk, "alg", Value::Null)), Jwk::Other);
    }
}

#[test]
fn what_is_published_reads_back() {
    for jwk in [ed25519(), p256(), rsa()] {
        let key = usable(&jwk);
        assert_eq!(usable(&members(&key.jwk("k"))), key);
    }
}

#[test]
fn keys_for_other_uses_are_passed_over() {
    for jwk in [ed25519(), p256(), rsa()] {
        for (name, value, taken) in [
            ("use", json!("sig"), true),
            ("use", json!("enc"), false),
            ("use", Value::Null, false),
            ("key_ops", json!(["verify"]), true),
            ("key_ops", json!(["sign", "verify"]), true),
            ("key_ops", json!(["encrypt", "wrapKey"]), false),
            ("key_ops", json!([]), false),
            ("key_ops", json!("verify"), false),
            ("x5c", json!(["AAAA"]), true),
            ("x5t", json!("AAAA"), true),
        ] {
            let read = Jwk::read(&with(jwk.clone(), name, value.clone()));
            assert_eq!(matches!(read, Jwk::Usable(..)), taken, "{name} {value}");
            assert!(taken || read == Jwk::Other);
        }
    }
}

#[test]
fn keys_of_other_types_and_without_a_name_are_passed_over() {
    let other = |value: Value| assert_eq!(Jwk::read(&members(&value)), Jwk::Other, "{value}");
    other(json!({}));
    other(json!({"kty": 7, "kid": "k"}));
    other(json!({"kty": "OKP", "crv": "X25519", "kid": "k", "x": ED25519_X}));
    other(json!({"kty": "OKP", "crv": "Ed448", "kid": "k", "x": ED25519_X}));
    other(json!({"kty": "EC", "crv": "P-384", "kid": "k", "x": ED25519_X, "y": ED25519_X}));
    other(json!({"kty": "EC", "crv": "secp256k1", "kid": "k", "x": ED25519_X, "y": ED25519_X}));
    // The public key of another type as a shared secret.
    other(json!({"kty": "oct", "kid": "k", "k": ED25519_X, "alg": "HS256"}));
    other(json!({"kty": "oct", "kid": "k", "k": ED25519_X, "crv": "Ed25519", "x": ED25519_X}));
    for jwk in [ed25519(), p256(), rsa()] {
        assert_eq!(Jwk::read(&without(jwk.clone(), "kid")), Jwk::Other);
        for kid in [json!(""), json!(1), Value::Null] {
            assert_eq!(Jwk::read(&with(jwk.clone(), "kid", kid)), Jwk::Other);
        }
    }
}

#[test]
fn what_is_no_sound_key_is_passed_over() {
    let all = |byte: u8, length: usize| json!(URL_SAFE_NO_PAD.encode(vec![byte; length]));
    for (jwk, name, value) in [
        (ed25519(), "x", all(1, 31)),
        (ed25519(), "x", all(1, 33)),
        (ed25519(), "x", json!(format!("{ED25519_X}="))),
        (ed25519(), "x", json!([1])),
        // Not on the curve.
        (p256(), "y", all(1, 32)),
        (p256(), "x", all(0, 32)),
        (p256(), "x", all(0xff, 32)),
        (p256(), "y", json!("9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRD")),
        // Too short, too long, even, and exponents that sign nothing.
        (rsa(), "n", all(0xff, 128)),
        (rsa(), "n", all(0xff, 1025)),
        (rsa(), "n", json!(RSA_N.replace("DKgw", "DKgg"))),
        (rsa(), "n", json!("")),
        (rsa(), "e", json!("AQ")),
        (rsa(), "e", json!("Ag")),
        (rsa(), "e", json!("")),
        (rsa(), "e", json!("AAAA")),
    ] {
        assert_eq!(Jwk::read(&with(jwk, name, value.clone())), Jwk::Other, "{name} {value}");
    }
}

#[test]
fn zeros_in_front_of_a_number_make_no_other_key() {
    let n = URL_SAFE_NO_PAD.decode(RSA_N).unwrap();
    let padded = URL_SAFE_NO_PAD.encode([&[0, 0][..], &n].concat());
    assert_eq!(usable(&with(rsa(), "n", json!(padded))), usable(&rsa()));
    // They do not make a short modulus long either.
    let short = [&[0; 200][..], &[0xff; 128]].concat();
    let short = json!(URL_SAFE_NO_PAD.encode(short));
    assert_eq!(Jwk::read(&with(rsa(), "n", short)), Jwk::Other);
}

#[test]
fn a_private_part_is_seen_whatever_the_key_is_for() {
    for jwk in [ed25519(), p256(), rsa()] {
        for name in PRIVATE {
            assert_eq!(Jwk::read(&with(jwk.clone(), name, json!("AQAB"))), Jwk::Private);
            let encrypting = with(jwk.clone(), "use", json!("enc"));
            assert_eq!(Jwk::read(&with(encrypting, name, Value::Null)), Jwk::Private);
        }
    }
}

#[test]
fn a_point_is_taken_apart_and_put_together() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let bytes = pair.public_key().as_ref();
    let Some(PublicKey::P256 { x, y }) = PublicKey::p256(bytes) else { panic!("{bytes:?}") };
    assert_eq!(point(&x, &y), bytes);
    assert_eq!(PublicKey::p256(&bytes[..64]), None);
    assert_eq!(PublicKey::p256(&[bytes, &[0]].concat()), None);
}
