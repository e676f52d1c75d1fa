//! What an access token says.

use jiff::Timestamp;
use policy::{Caller, Subject};
use serde::{Deserialize, Deserializer, Serialize};

use crate::identity::{Access, Ceiling, Principal};

use super::access;

/// The claims of an access token (RFC 7519, section 4; RFC 9068). All are required and typed, and a
/// claim that is not known makes a token invalid, because it might be one that narrows it.
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
    pub jti: String,
    /// What kind of subject it is; agrees with `sub`.
    pub kind: Kind,
    /// The groups that it carries; absent: all that its subject has.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// The most that it may do.
    #[serde(with = "access")]
    pub access: Vec<Access>,
}

/// The kinds of subject that have tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person, who is looked up at each use.
    User,
    /// Nobody in particular.
    Anonymous,
}

/// A list where the claim is there. `null` is no list and must not read as "all".
fn present<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Vec<String>>, D::Error> {
    Vec::deserialize(input).map(Some)
}

impl Kind {
    /// The kind of a subject, where tokens are made for that kind.
    pub(super) fn of(subject: &Subject) -> Option<Self> {
        match subject {
            Subject::User(_) => Some(Self::User),
            Subject::Anonymous => Some(Self::Anonymous),
            Subject::Service(_) | Subject::Peer { .. } => None,
        }
    }
}

impl Claims {
    /// Whom the token is for; none where `sub` and `kind` do not agree.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        match self.kind {
            Kind::User => {
                let name = self.sub.strip_prefix("user:").filter(|name| !name.is_empty())?;
                Some(Subject::User(name.to_owned()))
            }
            Kind::Anonymous => (self.sub == "anonymous").then_some(Subject::Anonymous),
        }
    }

    /// When the token ends; none if no clock shows such a time.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.exp).ok()
    }

    /// The caller that the token stands for, with the groups that its subject has now.
    pub(crate) fn principal(&self, subject: Subject, groups: Vec<String>) -> Principal {
        Principal {
            caller: Caller { subject, groups, granting: self.groups.clone() },
            ceiling: Ceiling::Access(self.access.clone()),
            token_id: Some(self.jti.clone()),
        }
    }
}
