use std::collections::BTreeMap;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA512, RsaEncoding, RsaKeyPair,
};
use jsonwebtoken::EncodingKey;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::token::jwk::PublicKey;

/// One key of each type, by the names `ed`, `ec` and `rsa`.
struct Provider {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
    rsa: RsaKeyPair,
    keys: VerifyingKeys,
}

impl Provider {
    fn new() -> Self {
        let ed = Ed25519KeyPair::generate().unwrap();
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let mut keys = BTreeMap::new();
        let x = ed.public_key().as_ref().try_into().unwrap();
        keys.insert("ed".to_owned(), PublicKey::Ed25519(x));
        keys.insert("ec".to_owned(), PublicKey::p256(ec.public_key().as_ref()).unwrap());
        // RFC 8017, appendix A.1.1: a sequence of modulus and exponent.
        let n = rsa.public_key().as_ref()[9..265].to_vec();
        keys.insert("rsa".to_owned(), PublicKey::Rsa { n, e: vec![1, 0, 1] });
        Self { ed, ec, rsa, keys: VerifyingKeys::new(keys) }
    }

    /// Signs with the key of that name, whatever the header says.
    fn sign(&self, with: &str, header: &Value) -> String {
        let message = message(header);
        let rsa = |encoding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            self.rsa
                .sign(encoding, &SystemRandom::new(), message.as_bytes(), &mut signature)
                .unwrap();
            signature
        };
        let signature = match with {
            "ed" => self.ed.sign(message.as_bytes()).as_ref().to_vec(),
            "ec" => {
                self.ec.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec()
            }
            "rsa" => rsa(&RSA_PKCS1_SHA256),
            "rsa512" => rsa(&RSA_PKCS1_SHA512),
            other => panic!("{other}"),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn id_token(&self, token: &str) -> Result<Value, InvalidToken> {
        verify_signature(token, &self.keys, Expected::IdToken)
    }

    fn typed(&self, token: &str) -> Result<Value, InvalidToken> {
        verify_signature(token, &self.keys, Expected::Typed("revocations+jwt"))
    }
}

fn message(header: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(&json!({"sub": "x"})))
}

const ALGORITHMS: [(&str, &str); 3] = [("ed", "EdDSA"), ("ec", "ES256"), ("rsa", "RS256")];

#[test]
fn a_token_of_each_algorithm_is_taken() {
    let provider = Provider::new();
    for (kid, alg) in ALGORITHMS {
        let token = provider.sign(kid, &json!({"alg": alg, "kid": kid}));
        assert_eq!(provider.id_token(&token).unwrap(), json!({"sub": "x"}));
        let typed = json!({"alg": alg, "kid": kid, "typ": "revocations+jwt"});
        assert!(provider.typed(&provider.sign(kid, &typed)).is_ok());
    }
}

#[test]
fn keys_and_algorithms_cannot_be_mixed() {
    let provider = Provider::new();
    for (kid, own) in ALGORITHMS {
        for (signer, _) in ALGORITHMS {
            for alg in ["EdDSA", "ES256", "RS256", "RS512", "PS256", "HS256", "none", "nOnE", ""] {
                let token = provider.sign(signer, &json!({"alg": alg, "kid": kid}));
                let error = if alg == own { InvalidToken::Signature } else { InvalidToken::Header };
                let expected = if alg == own && signer == kid { Ok(()) } else { Err(error) };
                assert_eq!(provider.id_token(&token).map(|_| ()), expected, "{kid} {signer} {alg}");
            }
        }
    }
    let token = provider.sign("rsa512", &json!({"alg": "RS256", "kid": "rsa"}));
    assert_eq!(provider.id_token(&token), Err(InvalidToken::Signature));
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let provider = Provider::new();
    for (kid, alg) in ALGORITHMS {
        let public = match kid {
            "ed" => provider.ed.public_key().as_ref(),
            "ec" => provider.ec.public_key().as_ref(),
            _ => provider.rsa.public_key().as_ref(),
        };
        for alg in [alg, "HS256"] {
            let message = message(&json!({"alg": alg, "kid": kid}));
            let shared = EncodingKey::from_secret(public);
            let signature =
                jsonwebtoken::crypto::sign(message.as_bytes(), &shared, Algorithm::HS256).unwrap();
            for token in [format!("{message}.{signature}"), format!("{message}.")] {
                assert!(provider.id_token(&token).is_err(), "{kid} {alg}");
            }
        }
    }
}

#[test]
fn what_providers_write_into_headers_means_nothing() {
    let provider = Provider::new();
    for (name, value) in [
        ("typ", json!("JWT")),
        ("typ", json!("jwt")),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
        ("cty", json!("JWT")),
        ("pi.atm", json!([1, {"a": null}])),
    ] {
        let mut header = json!({"alg": "RS256", "kid": "rsa"});
        header[name] = value;
        assert!(provider.id_token(&provider.sign("rsa", &header)).is_ok(), "{name}");
        header["typ"] = json!("revocations+jwt");
        let typed = provider.typed(&provider.sign("rsa", &header));
        assert_eq!(typed.is_ok(), name == "typ", "a gate writes no {name}");
    }
}

#[test]
fn a_token_changes_neither_its_checks_nor_its_key() {
    let provider = Provider::new();
    for name in REFUSED {
        for value in [json!("http://127.0.0.1:1/"), json!(["exp"]), json!({}), Value::Null] {
            for typ in ["JWT", "revocations+jwt"] {
                let header = json!({"alg": "EdDSA", "kid": "ed", "typ": typ, name: value});
                let token = provider.sign("ed", &header);
                assert_eq!(provider.id_token(&token), Err(InvalidToken::Header), "{name}");
                assert_eq!(provider.typed(&token), Err(InvalidToken::Header), "{name}");
            }
        }
    }
}

#[test]
fn one_kind_of_token_is_not_taken_for_another() {
    let provider = Provider::new();
    for typ in [json!("at+jwt"), json!("rt+jwt"), json!("JWT"), json!(1), Value::Null] {
        let token = provider.sign("ed", &json!({"alg": "EdDSA", "kid": "ed", "typ": typ}));
        assert_eq!(provider.typed(&token), Err(InvalidToken::Header), "{typ}");
        assert_eq!(provider.id_token(&token).is_ok(), typ == "JWT", "{typ}");
    }
    let token = provider.sign("ed", &json!({"alg": "EdDSA", "kid": "ed"}));
    assert_eq!(provider.typed(&token), Err(InvalidToken::Header));
}

#[test]
fn a_header_names_its_key_and_its_algorithm() {
    let provider = Provider::new();
    for header in [
        json!({"alg": "EdDSA"}),
        json!({"kid": "ed"}),
        json!({"alg": "EdDSA", "kid": 1}),
        json!({"alg": ["EdDSA"], "kid": "ed"}),
        json!({"alg": null, "kid": "ed"}),
    ] {
        let token = provider.sign("ed", &header);
        assert_eq!(provider.id_token(&token), Err(InvalidToken::Header), "{header}");
    }
    for kid in ["", "other", "../ed", "ED", "ed "] {
        let token = provider.sign("ed", &json!({"alg": "EdDSA", "kid": kid}));
        assert_eq!(provider.id_token(&token), Err(InvalidToken::Key), "{kid:?}");
    }
}

#[test]
fn a_token_has_three_parts_and_no_more_than_so_many_bytes() {
    let provider = Provider::new();
    let token = provider.sign("ed", &json!({"alg": "EdDSA", "kid": "ed"}));
    let (message, signature) = token.rsplit_once('.').unwrap();
    for text in ["", ".", "..", message, &format!("{token}."), &format!("{token}.{signature}")] {
        assert_eq!(provider.id_token(text), Err(InvalidToken::Form), "{text}");
    }
    assert_eq!(provider.id_token(&format!("{message}.")), Err(InvalidToken::Signature));
    assert_eq!(provider.id_token(&format!("{token}=")), Err(InvalidToken::Signature));
    let long = format!("{token}{}", "A".repeat(MAX_TOKEN - token.len() + 1));
    assert_eq!(provider.id_token(&long), Err(InvalidToken::TooLong));
    assert_eq!(provider.id_token(&long[..MAX_TOKEN]), Err(InvalidToken::Signature));
}

#[test]
fn a_deep_header_hurts_nobody() {
    let provider = Provider::new();
    let deep = format!(r#"{{"alg":"EdDSA","kid":"ed","x":{}"#, "[".repeat(5000));
    let token = format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(deep));
    assert!(token.len() <= MAX_TOKEN);
    assert_eq!(provider.id_token(&token), Err(InvalidToken::Form));
    assert!(provider.typed(&token).is_err());
}

#[test]
fn claims_are_read_only_after_the_signature() {
    let provider = Provider::new();
    let header = json!({"alg": "EdDSA", "kid": "ed"});
    let forged = provider.sign("ed", &header).replace(
        &URL_SAFE_NO_PAD.encode(json!({"sub": "x"}).to_string()),
        &URL_SAFE_NO_PAD.encode("not even JSON"),
    );
    assert_eq!(provider.id_token(&forged), Err(InvalidToken::Signature));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_or_pass(text in "\\PC{0,100}|[A-Za-z0-9_-]{0,90}(\\.[A-Za-z0-9_-]{0,90}){2}") {
        let x = Ed25519KeyPair::generate().unwrap().public_key().as_ref().try_into().unwrap();
        let keys = VerifyingKeys::new([("k".to_owned(), PublicKey::Ed25519(x))].into());
        for expected in [Expected::IdToken, Expected::Typed("at+jwt")] {
            prop_assert!(verify_signature::<Value>(&text, &keys, expected).is_err());
        }
    }
}
