//! Checking tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;

use super::claims::Claims;
use super::ring::KeyRing;
use crate::proxy::seal::UPLOAD_LIFE;
use crate::public_url::PublicUrl;

/// The longest token, in bytes. A longer one is neither made nor looked at.
pub const MAX_TOKEN: usize = 8 * 1024;

/// How far the clocks of two gates that share keys may be apart, in seconds.
pub const LEEWAY: i64 = 30;

/// The `typ` of access tokens (RFC 9068, section 2.1).
pub(super) const TYPE: &str = "at+jwt";

/// Why a text is no token of ours that holds now. For the log: a client learns only whether its
/// token has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Beyond [`MAX_TOKEN`].
    #[error("the token is longer than {MAX_TOKEN} bytes")]
    TooLong,
    /// Not three parts of base64, the first of which is a JSON object.
    #[error("this is no signed token")]
    Form,
    /// Another `alg` or `typ`, or a header field beside `alg`, `typ` and `kid`.
    #[error("the token's header is not that of an access token")]
    Header,
    /// No key of that `kid`.
    #[error("the token was signed with a key that is not known here")]
    Key,
    /// The signature is another's.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim is missing, of another type, unknown, or contradicts another one.
    #[error("the token's claims are not those of an access token")]
    Claims,
    /// Another gate made it.
    #[error("the token is of another issuer")]
    Issuer,
    /// It is for another gate.
    #[error("the token is for another service")]
    Audience,
    /// Made, or to hold, later than now.
    #[error("the token does not hold yet")]
    Early,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
}

/// The three fields that a header may have. `jwk`, `jku`, `x5c`, `crit` and whatever else might
/// want to change how a token is checked make it another thing (RFC 8725, section 3).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// Checks a token: its length, then its header, then its signature, and only then what it says.
///
/// # Errors
/// Says which check failed.
pub fn verify(
    token: &str,
    keys: &KeyRing,
    issuer: &PublicUrl,
    now: Timestamp,
) -> Result<Claims, InvalidToken> {
    let claims = authentic(token, keys, issuer)?;
    in_time(&claims, now)?;
    Ok(claims)
}

/// As [`verify`], for a token that may have expired, but not more than the longest life of an upload
/// ago.
///
/// # Errors
/// Says which check failed.
pub(crate) fn verify_expired(
    token: &str,
    keys: &KeyRing,
    issuer: &PublicUrl,
    now: Timestamp,
) -> Result<Claims, InvalidToken> {
    let claims = authentic(token, keys, issuer)?;
    match in_time(&claims, now) {
        Err(InvalidToken::Expired)
            if claims.exp.saturating_add(UPLOAD_LIFE.as_secs()) > now.as_second() => {}
        other => other?,
    }
    Ok(claims)
}

/// Everything about a token but its time.
fn authentic(token: &str, keys: &KeyRing, issuer: &PublicUrl) -> Result<Claims, InvalidToken> {
    let header = header(token)?;
    if header.alg != "EdDSA" || header.typ != TYPE {
        return Err(InvalidToken::Header);
    }
    let key = keys.verifier(&header.kid).ok_or(InvalidToken::Key)?;
    let claims = jsonwebtoken::decode::<Claims>(token, key, &signature_alone())
        .map_err(|error| match error.kind() {
            ErrorKind::Json(_) | ErrorKind::Utf8(_) => InvalidToken::Claims,
            _ => InvalidToken::Signature,
        })?
        .claims;
    if claims.iss != issuer.as_str() {
        return Err(InvalidToken::Issuer);
    }
    if claims.aud != issuer.service() {
        return Err(InvalidToken::Audience);
    }
    if claims.grant().is_none() || claims.exp <= claims.iat || claims.auth_time > claims.iat {
        return Err(InvalidToken::Claims);
    }
    Ok(claims)
}

/// Whether the token holds at `now`, give or take [`LEEWAY`].
///
/// # Errors
/// [`InvalidToken::Early`] or [`InvalidToken::Expired`].
pub(crate) fn in_time(claims: &Claims, now: Timestamp) -> Result<(), InvalidToken> {
    let now = now.as_second();
    if claims.iat.max(claims.nbf) > now.saturating_add(LEEWAY) {
        return Err(InvalidToken::Early);
    }
    if claims.exp.saturating_add(LEEWAY) <= now {
        return Err(InvalidToken::Expired);
    }
    Ok(())
}

/// Whether a text has the form and header of an access token, whoever signed it. Passwords do not.
pub(crate) fn looks_like_one(text: &str) -> bool {
    header(text).is_ok_and(|header| header.typ == TYPE)
}

fn header(token: &str) -> Result<Header, InvalidToken> {
    if token.len() > MAX_TOKEN {
        return Err(InvalidToken::TooLong);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(InvalidToken::Form);
    };
    let bytes = URL_SAFE_NO_PAD.decode(header).map_err(|_| InvalidToken::Form)?;
    serde_json::from_slice(&bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => InvalidToken::Header,
        _ => InvalidToken::Form,
    })
}

/// The claims are checked here and not by the crate: it takes `exp` as optional and floating, lists
/// as audiences, and the time from the system.
fn signature_alone() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

#[cfg(test)]
mod tests;
