//! One public key as JSON (RFC 7517, section 4).

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value, json};

/// The members that hold a private key, whichever type it is of (RFC 7518, section 6).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// How many bits the modulus of an RSA key may have.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A public key of one of the three types that are taken here, in the form in which it is compared
/// and published. Each type has one algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PublicKey {
    /// EdDSA (RFC 8037).
    Ed25519([u8; 32]),
    /// ES256: a point on P-256 (RFC 7518, section 6.2.1).
    P256 { x: [u8; 32], y: [u8; 32] },
    /// RS256: modulus and exponent, without zeros in front.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

/// What a JWK is to us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Jwk {
    /// A key that checks tokens, and its name.
    Usable(String, PublicKey),
    /// Another type, another use, another algorithm, no name, or not understood.
    Other,
    /// It holds a private part, so anyone may have signed with it.
    Private,
}

impl Jwk {
    pub(super) fn read(members: &Map<String, Value>) -> Self {
        // A symmetric key is private as a whole, and none of ours.
        if text(members, "kty") == Some("oct") {
            return Self::Other;
        }
        if PRIVATE.iter().any(|name| members.contains_key(*name)) {
            return Self::Private;
        }
        match (text(members, "kid"), PublicKey::read(members)) {
            (Some(id), Some(key)) if !id.is_empty() && is_for(members, key.algorithm_name()) => {
                Self::Usable(id.to_owned(), key)
            }
            _ => Self::Other,
        }
    }
}

/// Whether a key is for checking signatures of that algorithm, as far as it says (RFC 7517,
/// sections 4.2 to 4.4).
fn is_for(members: &Map<String, Value>, algorithm: &str) -> bool {
    let says = |name: &str, wanted: &str| members.get(name).is_none_or(|value| value == wanted);
    let verifies = match members.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|word| word == "verify"),
        Some(_) => false,
    };
    says("use", "sig") && says("alg", algorithm) && verifies
}

impl PublicKey {
    /// The key of a JWK; none where it is of another type or is no key at all.
    fn read(members: &Map<String, Value>) -> Option<Self> {
        let key = match (text(members, "kty")?, text(members, "crv")) {
            ("OKP", Some("Ed25519")) => Self::Ed25519(coordinate(members, "x")?),
            ("EC", Some("P-256")) => {
                Self::P256 { x: coordinate(members, "x")?, y: coordinate(members, "y")? }
            }
            ("RSA", None) => Self::Rsa { n: number(members, "n")?, e: number(members, "e")? },
            _ => return None,
        };
        key.is_sound().then_some(key)
    }

    /// A point of the curve as aws-lc gives it: uncompressed (SEC 1, section 2.3.3).
    pub(super) fn p256(point: &[u8]) -> Option<Self> {
        let (x, y) = point.strip_prefix(&[4])?.split_at_checked(32)?;
        Some(Self::P256 { x: x.try_into().ok()?, y: y.try_into().ok()? })
    }

    fn is_sound(&self) -> bool {
        match self {
            Self::Ed25519(x) => ParsedPublicKey::new(&ED25519, x).is_ok(),
            Self::P256 { x, y } => {
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(x, y)).is_ok()
            }
            Self::Rsa { n, e } => {
                let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
                // With the exponent 1 each number would be its own signature.
                let sound = RSA_BITS.contains(&bits(n)) && odd(n) && odd(e) && bits(e) > 1;
                // What the checks later do once for each token.
                let parts = RsaPublicKeyComponents { n, e };
                sound && parts.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).is_ok()
            }
        }
    }

    /// The one algorithm that the key checks.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::EdDSA,
            Self::P256 { .. } => Algorithm::ES256,
            Self::Rsa { .. } => Algorithm::RS256,
        }
    }

    /// The same as it is written.
    pub(super) fn algorithm_name(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "EdDSA",
            Self::P256 { .. } => "ES256",
            Self::Rsa { .. } => "RS256",
        }
    }

    pub(super) fn decoding_key(&self) -> DecodingKey {
        match self {
            Self::Ed25519(x) => DecodingKey::from_ed_der(x),
            Self::P256 { x, y } => DecodingKey::from_ec_der(&point(x, y)),
            Self::Rsa { n, e } => DecodingKey::from_rsa_raw_components(n, e),
        }
    }

    /// The members that make the key what it is, in the order of RFC 7638, section 3.2 (and of RFC
    /// 8037, section 2).
    fn required(&self) -> Vec<(&'static str, String)> {
        let text = str::to_owned;
        let bytes = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ed25519(x) => {
                vec![("crv", text("Ed25519")), ("kty", text("OKP")), ("x", bytes(x))]
            }
            Self::P256 { x, y } => {
                vec![("crv", text("P-256")), ("kty", text("EC")), ("x", bytes(x)), ("y", bytes(y))]
            }
            Self::Rsa { n, e } => vec![("e", bytes(e)), ("kty", text("RSA")), ("n", bytes(n))],
        }
    }

    /// The JWK thumbprint (RFC 7638, section 3): the name of the gate's own keys.
    pub(super) fn thumbprint(&self) -> String {
        // Written by hand, as a JSON library may order members as it likes. Nothing needs escaping.
        let members: Vec<_> = self
            .required()
            .into_iter()
            .map(|(name, value)| format!(r#""{name}":"{value}""#))
            .collect();
        let canonical = format!("{{{}}}", members.join(","));
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()))
    }

    /// The key as it is published.
    pub(super) fn jwk(&self, id: &str) -> Value {
        let what = self.required().into_iter().map(|(name, value)| (name.to_owned(), json!(value)));
        let use_ = [("use", "sig"), ("alg", self.algorithm_name()), ("kid", id)];
        what.chain(use_.map(|(name, value)| (name.to_owned(), json!(value)))).collect()
    }
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name)?.as_str()
}

fn coordinate(members: &Map<String, Value>, name: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text(members, name)?).ok()?.try_into().ok()
}

fn number(members: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text(members, name)?).ok()?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Some(bytes.into_iter().skip(zeros).collect())
}

/// The length of a number that has no zeros in front.
fn bits(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |first| first.leading_zeros() as usize);
    number.len() * 8 - unused
}

fn point(x: &[u8; 32], y: &[u8; 32]) -> [u8; 65] {
    let mut point = [4; 65];
    let (_, coordinates) = point.split_at_mut(1);
    for (place, byte) in coordinates.iter_mut().zip(x.iter().chain(y)) {
        *place = *byte;
    }
    point
}

#[cfg(test)]
mod tests;
