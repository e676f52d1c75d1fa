//! What every ID token must say, whoever it is of (OpenID Connect Core, section 3.1.3.7).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::claim::Claims;
use super::error::FederationError;
use crate::token::{LEEWAY, MAX_TOKEN};

/// The longest life of an ID token, in seconds. Jobs have theirs for minutes.
const LONGEST: i64 = 24 * 3600;

/// What a token says before anything about it was checked. It chooses among the providers that are
/// configured and among the keys that they have, and nothing else.
#[derive(Debug)]
pub(super) struct Unverified {
    pub(super) kid: String,
    pub(super) issuer: String,
}

impl Unverified {
    pub(super) fn read(token: &str) -> Result<Self, FederationError> {
        #[derive(Deserialize)]
        struct Header {
            kid: String,
        }
        #[derive(Deserialize)]
        struct Body {
            iss: String,
        }
        if token.len() > MAX_TOKEN {
            return Err(FederationError::TooLong);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(body), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(FederationError::Form);
        };
        let Header { kid } = part(header).ok_or(FederationError::Form)?;
        let Body { iss } = part(body).ok_or(FederationError::Form)?;
        Ok(Self { kid, issuer: iss })
    }
}

fn part<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// For whom a token must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Audience<'a> {
    /// A service that is shown a token which its holder got elsewhere.
    Service(&'a str),
    /// The client that had it made, on behalf of somebody who signed in.
    Client(&'a str),
}

/// Checks whom the token is of and for, and when.
pub(super) fn check(
    claims: &Claims,
    issuer: &str,
    audience: Audience<'_>,
    now: Timestamp,
) -> Result<(), FederationError> {
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err(FederationError::Issuer);
    }
    if !is_for(claims, audience)? {
        return Err(FederationError::Audience);
    }
    let exp = time(claims, "exp")?.ok_or(FederationError::Claims("exp"))?;
    let iat = time(claims, "iat")?.ok_or(FederationError::Claims("iat"))?;
    let nbf = time(claims, "nbf")?.unwrap_or(iat);
    if exp <= iat {
        return Err(FederationError::Claims("exp"));
    }
    if exp.saturating_sub(iat) > LONGEST {
        return Err(FederationError::Lifetime);
    }
    let now = now.as_second();
    if iat.max(nbf) > now.saturating_add(LEEWAY) {
        return Err(FederationError::Early);
    }
    if exp.saturating_add(LEEWAY) <= now {
        return Err(FederationError::Expired);
    }
    Ok(())
}

/// A time in whole seconds, if the claim is there.
fn time(claims: &Claims, name: &'static str) -> Result<Option<i64>, FederationError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or(FederationError::Claims(name)),
    }
}

/// Whether we are the audience, or one of several. Of several, one may have had the token made:
/// `azp`. Then it must have been us, as another one could show a token here that it got for itself.
///
/// One that we had made ourselves names nobody else as the one who did, and of several audiences it
/// has to name us.
fn is_for(claims: &Claims, audience: Audience<'_>) -> Result<bool, FederationError> {
    let wrong = || FederationError::Claims("aud");
    let named: Vec<&str> = match claims.get("aud").ok_or_else(wrong)? {
        Value::String(one) => vec![one],
        Value::Array(several) => {
            let several: Option<_> = several.iter().map(Value::as_str).collect();
            several.ok_or_else(wrong)?
        }
        _ => return Err(wrong()),
    };
    let party = match claims.get("azp") {
        None => None,
        Some(party) => Some(party.as_str().ok_or(FederationError::Claims("azp"))?),
    };
    let is_alone = named.len() == 1;
    let (ours, is_ours) = match audience {
        Audience::Service(ours) => (ours, is_alone || party.is_none_or(|party| party == ours)),
        Audience::Client(ours) => (ours, party.map_or(is_alone, |party| party == ours)),
    };
    Ok(named.contains(&ours) && is_ours)
}

/// Whether the token was made for the very sign-in that carried this value (section 3.1.2.1), and
/// not for another one from which somebody took it.
pub(super) fn check_nonce(claims: &Claims, expected: &str) -> Result<(), FederationError> {
    let nonce = claims.get("nonce").and_then(Value::as_str).unwrap_or_default();
    match verify_slices_are_equal(expected.as_bytes(), nonce.as_bytes()) {
        Ok(()) => Ok(()),
        Err(_) => Err(FederationError::Nonce),
    }
}
