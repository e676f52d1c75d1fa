//! Making tokens.

use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Header};
use policy::Subject;

use crate::identity::Access;
use crate::secret::Secret;

use super::claims::{Claims, Kind};
use super::ring::KeyRing;
use super::verify::{MAX_TOKEN, TYPE};
use crate::public_url::PublicUrl;

/// What a token is to say.
#[derive(Debug, Clone)]
pub struct Order {
    /// Whom it is for.
    pub subject: Subject,
    /// The groups that it carries; none: all that its subject has.
    pub groups: Option<Vec<String>>,
    /// The most that it may do.
    pub access: Vec<Access>,
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
    /// There are no tokens for that kind of subject.
    #[error("there are no access tokens for `{0}`")]
    Subject(Subject),
    /// The credential that it is made from has ended, or the lifetime is no time.
    #[error("a token must end after it is made")]
    NoTime,
    /// The system gave no random bytes.
    #[error("no random numbers are to be had from the system")]
    Random,
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
    let Some(kind) = Kind::of(&order.subject) else {
        return Err(MintError::Subject(order.subject));
    };
    let made = now.as_second();
    let lifetime = i64::try_from(order.lifetime.as_secs()).unwrap_or(i64::MAX);
    let end = made.saturating_add(lifetime);
    let exp = order.not_after.map_or(end, |bound| end.min(bound.as_second()));
    if exp <= made {
        return Err(MintError::NoTime);
    }
    let claims = Claims {
        iss: issuer.as_str().to_owned(),
        aud: issuer.service().to_owned(),
        sub: order.subject.to_string(),
        iat: made,
        nbf: made,
        exp,
        jti: identifier()?,
        kind,
        groups: order.groups,
        access: order.access,
    };
    let token = sign(&claims, keys)?;
    Ok((token, claims))
}

fn sign(claims: &Claims, keys: &KeyRing) -> Result<Secret, MintError> {
    let (id, key) = keys.signer();
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(id.to_owned());
    let token = Secret::new(jsonwebtoken::encode(&header, claims, key).map_err(MintError::Sign)?);
    if token.expose().len() > MAX_TOKEN {
        return Err(MintError::TooLong);
    }
    Ok(token)
}

/// 128 random bits as text.
fn identifier() -> Result<String, MintError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| MintError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
