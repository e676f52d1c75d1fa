//! The signature of a token: its length first, then its header, then the signature, and only then
//! what it says. What its claims must be is up to who asks.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::feed::{self, MAX_LIST};
use super::invalid::InvalidToken;
use super::verifying::VerifyingKeys;

/// The longest token, in bytes. A longer one is neither made nor looked at.
pub const MAX_TOKEN: usize = 8 * 1024;

/// The `typ` of access tokens (RFC 9068, section 2.1).
pub const ACCESS_TOKEN: &str = "at+jwt";

/// What kind of token is expected. Each kind has a `typ` of its own, so that none is taken for
/// another (RFC 8725, section 3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected<'a> {
    /// A token of a gate: the header holds this `typ`, `alg` and `kid`, and nothing else.
    Typed(&'a str),
    /// The list of revocations of a gate: with a header as those, and much longer.
    Revocations,
    /// An ID token of an OIDC provider: the header needs `alg` and `kid`; `typ` is `JWT` if it is
    /// there, and what else providers write beside them, such as `x5t`, means nothing.
    IdToken,
}

impl Expected<'_> {
    /// In bytes.
    fn longest(self) -> usize {
        match self {
            Self::Typed(_) | Self::IdToken => MAX_TOKEN,
            Self::Revocations => MAX_LIST,
        }
    }
}

/// Header parameters that want to change how a token is checked, or to bring the key that checks
/// it (RFC 7515, section 4.1; RFC 7516, section 4.1; RFC 7797). None is ever followed.
const REFUSED: [&str; 8] = ["b64", "crit", "enc", "jku", "jwk", "x5c", "x5u", "zip"];

/// What a header says that counts.
pub(super) struct Header {
    alg: String,
    pub(super) typ: Option<String>,
    pub(super) kid: String,
}

/// The header of a token of a gate.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    alg: String,
    typ: String,
    kid: String,
}

/// The claims of a token that one of the keys signed.
///
/// # Errors
/// Says which check failed.
pub fn verify_signature<C: DeserializeOwned>(
    token: &str,
    keys: &VerifyingKeys,
    expected: Expected<'_>,
) -> Result<C, InvalidToken> {
    let header = header(token, expected)?;
    let right_type = match (expected, &header.typ) {
        (Expected::Typed(expected), Some(typ)) => typ == expected,
        (Expected::Revocations, Some(typ)) => typ == feed::TYPE,
        (Expected::IdToken, Some(typ)) => typ.eq_ignore_ascii_case("JWT"),
        (Expected::IdToken, None) => true,
        (Expected::Typed(_) | Expected::Revocations, None) => false,
    };
    if !right_type {
        return Err(InvalidToken::Header);
    }
    let (algorithm, key) = keys.get(&header.kid).ok_or(InvalidToken::Key)?;
    if named(&header.alg) != Some(algorithm) {
        return Err(InvalidToken::Header);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(InvalidToken::Form)?;
    let (_, claims) = message.split_once('.').ok_or(InvalidToken::Form)?;
    match jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, algorithm) {
        Ok(true) => {}
        Ok(false) | Err(_) => return Err(InvalidToken::Signature),
    }
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| InvalidToken::Claims)?;
    serde_json::from_slice(&claims).map_err(|_| InvalidToken::Claims)
}

/// The algorithms that are used here. Names are compared letter by letter (RFC 7515, section 4.1.1).
fn named(alg: &str) -> Option<Algorithm> {
    match alg {
        "EdDSA" => Some(Algorithm::EdDSA),
        "ES256" => Some(Algorithm::ES256),
        "RS256" => Some(Algorithm::RS256),
        _ => None,
    }
}

/// The header of a token; its signature has not been looked at.
pub(super) fn header(token: &str, expected: Expected<'_>) -> Result<Header, InvalidToken> {
    if token.len() > expected.longest() {
        return Err(InvalidToken::TooLong);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(InvalidToken::Form);
    };
    let bytes = URL_SAFE_NO_PAD.decode(header).map_err(|_| InvalidToken::Form)?;
    match expected {
        Expected::Typed(_) | Expected::Revocations => {
            let Strict { alg, typ, kid } = read(&bytes)?;
            Ok(Header { alg, typ: Some(typ), kid })
        }
        Expected::IdToken => lenient(&read(&bytes)?).ok_or(InvalidToken::Header),
    }
}

fn read<T: DeserializeOwned>(header: &[u8]) -> Result<T, InvalidToken> {
    serde_json::from_slice(header).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => InvalidToken::Header,
        _ => InvalidToken::Form,
    })
}

fn lenient(members: &Map<String, Value>) -> Option<Header> {
    if REFUSED.iter().any(|name| members.contains_key(*name)) {
        return None;
    }
    let text = |name: &str| members.get(name)?.as_str().map(str::to_owned);
    let typ = text("typ");
    (typ.is_some() || !members.contains_key("typ")).then_some(Header {
        alg: text("alg")?,
        typ,
        kid: text("kid")?,
    })
}

#[cfg(test)]
mod tests;
