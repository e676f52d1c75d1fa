//! Checking access tokens.

use jiff::Timestamp;

use super::claims::Claims;
use super::invalid::InvalidToken;
use super::ring::KeyRing;
use super::signed::{ACCESS_TOKEN, Expected, header, verify_signature};
use super::verifying::VerifyingKeys;
use crate::proxy::seal::UPLOAD_LIFE;
use crate::public_url::PublicUrl;

/// How far the clocks of two gates that share keys may be apart, in seconds.
pub const LEEWAY: i64 = 30;

/// Checks a token of this gate: its length, then its header, then its signature, and only then what
/// it says.
///
/// # Errors
/// Says which check failed.
pub fn verify(
    token: &str,
    keys: &KeyRing,
    issuer: &PublicUrl,
    now: Timestamp,
) -> Result<Claims, InvalidToken> {
    verify_from(token, keys.verifying(), issuer.as_str(), issuer.service(), now)
}

/// As [`verify`], for a token of any gate: `issuer` made it, for the service `audience`.
///
/// # Errors
/// Says which check failed.
pub fn verify_from(
    token: &str,
    keys: &VerifyingKeys,
    issuer: &str,
    audience: &str,
    now: Timestamp,
) -> Result<Claims, InvalidToken> {
    let claims = authentic(token, keys, issuer, audience)?;
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
    let claims = authentic(token, keys.verifying(), issuer.as_str(), issuer.service())?;
    match in_time(&claims, now) {
        Err(InvalidToken::Expired)
            if claims.exp.saturating_add(UPLOAD_LIFE.as_secs()) > now.as_second() => {}
        other => other?,
    }
    Ok(claims)
}

/// What a token of this gate says, whatever service it is for and whenever it holds.
///
/// # Errors
/// Says which check failed.
pub(crate) fn made_here(
    token: &str,
    keys: &KeyRing,
    issuer: &PublicUrl,
) -> Result<Claims, InvalidToken> {
    made_by(token, keys.verifying(), issuer.as_str())
}

/// Everything about a token but its time.
fn authentic(
    token: &str,
    keys: &VerifyingKeys,
    issuer: &str,
    audience: &str,
) -> Result<Claims, InvalidToken> {
    let claims = made_by(token, keys, issuer)?;
    if claims.aud != audience {
        return Err(InvalidToken::Audience);
    }
    Ok(claims)
}

fn made_by(token: &str, keys: &VerifyingKeys, issuer: &str) -> Result<Claims, InvalidToken> {
    let claims: Claims = verify_signature(token, keys, Expected::Typed(ACCESS_TOKEN))?;
    if claims.iss != issuer {
        return Err(InvalidToken::Issuer);
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
    header(text, Expected::Typed(ACCESS_TOKEN))
        .is_ok_and(|header| header.typ.as_deref() == Some(ACCESS_TOKEN))
}

#[cfg(test)]
mod tests;
