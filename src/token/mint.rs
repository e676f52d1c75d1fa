//! Making tokens.

use std::time::Duration;

use jiff::Timestamp;

use crate::identity::Access;
use crate::secret::Secret;

use super::claims::Claims;
use super::family::{NoRandomBytes, TokenId};
use super::grant::Grant;
use super::ring::KeyRing;
use super::signed::{ACCESS_TOKEN, MAX_TOKEN};
use crate::public_url::PublicUrl;

/// What a token is to say.
#[derive(Debug, Clone)]
pub struct Order {
    /// For whom, and how far at most.
    pub grant: Grant,
    /// The family that it belongs to; none: one of its own.
    pub family: Option<TokenId>,
    /// The service that it is for; none: this gate.
    pub audience: Option<String>,
    /// What was asked for at the token endpoint; none: all that it may do.
    pub access: Option<Vec<Access>>,
    /// How long it is to live.
    pub lifetime: Duration,
    /// The end of the credential that it is made from; the token does not outlive it.
    pub not_after: Option<Timestamp>,
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// It would not be taken back.
    #[error("the token would be longer than {MAX_TOKEN} bytes: ask for fewer repositories at once")]
    TooLong,
    /// A token for another gate is for those whom this gate knows itself.
    #[error("this gate makes no tokens for another gate on behalf of whom it does not know itself")]
    NotOurs,
    /// The credential that it is made from has ended, or the lifetime is no time.
    #[error("a token must end after it is made")]
    NoTime,
    /// The system gave no random bytes.
    #[error(transparent)]
    Random(#[from] NoRandomBytes),
    /// The key does not sign.
    #[error("the token could not be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// Makes a token and says what is in it.
///
/// # Errors
/// See [`MintError`]; what can happen in good order is [`MintError::TooLong`].
pub fn mint(
    order: Order,
    keys: &KeyRing,
    issuer: &PublicUrl,
    now: Timestamp,
) -> Result<(Secret, Claims), MintError> {
    let Order { grant, family, audience, access, lifetime, not_after } = order;
    // A subject that was revoked in this very second begins anew in the next one.
    let made = now.as_second().max(grant.auth_time.as_second());
    let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
    let end = made.saturating_add(lifetime);
    let exp = not_after.map_or(end, |bound| end.min(bound.as_second()));
    if exp <= made {
        return Err(MintError::NoTime);
    }
    // Who asserts its groups is looked up where the token is made; nobody else asks for that.
    let asserted = if audience.is_some() { Vec::new() } else { grant.asserted };
    let jti = TokenId::random()?;
    let claims = Claims {
        iss: issuer.as_str().to_owned(),
        aud: audience.unwrap_or_else(|| issuer.service().to_owned()),
        sub: grant.subject.to_string(),
        iat: made,
        nbf: made,
        exp,
        family: family.unwrap_or_else(|| jti.clone()),
        jti,
        auth_time: grant.auth_time.as_second(),
        kind: grant.kind,
        via: grant.via,
        asserted,
        groups: grant.groups,
        bounds: grant.bounds,
        access,
    };
    let token = keys.sign(ACCESS_TOKEN, &claims).map_err(MintError::Sign)?;
    if token.expose().len() > MAX_TOKEN {
        return Err(MintError::TooLong);
    }
    Ok((token, claims))
}
