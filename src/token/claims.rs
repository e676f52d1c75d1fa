//! What an access token says.

use std::sync::Arc;

use jiff::Timestamp;
use policy::Bounds;
use serde::{Deserialize, Deserializer, Serialize};

use crate::identity::{Access, Ceiling, Principal};

use super::access;
use super::family::TokenId;
use super::grant::{Grant, Kind};
use super::written_bounds;

/// The claims of an access token (RFC 7519, section 4; RFC 9068). A claim that is not known makes a
/// token invalid, because it might be one that narrows it; those that may be left out are said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The public URL of the gate that made it.
    pub iss: String,
    /// The service that it is for; one, never a list.
    pub aud: String,
    /// The subject as policy writes it: `user:alice`, or `anonymous`.
    pub sub: String,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// From when it holds.
    pub nbf: i64,
    /// From when it holds no more.
    pub exp: i64,
    /// Its own name, for the audit trail.
    pub jti: TokenId,
    /// The family that it belongs to, with which it is revoked. A token that was made from a
    /// password belongs to a family of its own, which is named as the token is.
    pub family: TokenId,
    /// When the credential was shown from which the family comes (OpenID Connect Core, section 2).
    pub auth_time: i64,
    /// How its subject is known; agrees with `sub`.
    pub kind: Kind,
    /// The provider or the peer that vouches for the subject; absent: none.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// See [`Grant::asserted`]; absent: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asserted: Vec<String>,
    /// The groups that it carries; absent: all that its subject has.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// How far it reaches; absent: as far as its subject does.
    #[serde(default, with = "written_bounds", skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Arc<Bounds>>,
    /// What of that it was asked for at the token endpoint; absent: all of it.
    #[serde(default, with = "access", skip_serializing_if = "Option::is_none")]
    pub access: Option<Vec<Access>>,
}

/// A value where the claim is there. `null` is no value and must not read as "all".
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    input: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(input).map(Some)
}

impl Claims {
    /// On whose behalf the token is; none where its claims contradict each other.
    #[must_use]
    pub fn grant(&self) -> Option<Grant> {
        let subject = self.sub.parse().ok()?;
        let vouched = matches!(self.kind, Kind::Federated | Kind::Peer);
        if !self.kind.fits(&subject) || vouched != self.via.is_some() {
            return None;
        }
        Some(Grant {
            subject,
            kind: self.kind,
            via: self.via.clone(),
            asserted: self.asserted.clone(),
            groups: self.groups.clone(),
            bounds: self.bounds.clone(),
            auth_time: Timestamp::from_second(self.auth_time).ok()?,
        })
    }

    /// When the token ends; none if no clock shows such a time.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.exp).ok()
    }

    /// The caller that the token stands for, with the groups that its subject has now.
    pub(crate) fn principal(&self, grant: &Grant, groups: Vec<String>) -> Principal {
        Principal {
            caller: grant.caller(groups),
            ceiling: match &self.access {
                Some(list) => Ceiling::Access(list.clone()),
                None => Ceiling::Unlimited,
            },
            token_id: Some(self.jti.to_string()),
        }
    }
}
