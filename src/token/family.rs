//! Families: what the gate remembers of the tokens that it gives out.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::grant::Grant;

/// The name of a family or of an access token: 128 random bits in 22 letters of base64url. Names of
/// both kinds are revoked in one way, so they are of one type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId(Box<str>);

/// The text is no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a token: 22 letters, digits, `-` and `_`")]
pub struct InvalidTokenId;

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random numbers are to be had from the system")]
pub struct NoRandomBytes;

const LENGTH: usize = 22;

impl TokenId {
    /// A new name.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random() -> Result<Self, NoRandomBytes> {
        let mut bytes = [0; 16];
        rand::fill(&mut bytes).map_err(|_| NoRandomBytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenId {
    type Err = InvalidTokenId;

    fn from_str(text: &str) -> Result<Self, InvalidTokenId> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if text.len() == LENGTH && text.bytes().all(fits) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidTokenId)
        }
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for TokenId {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TokenId {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(D::Error::custom)
    }
}

/// Tokens that come from one act of signing in or of making a token. All of them end together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub id: TokenId,
    /// What kind of tokens are in it.
    pub kind: FamilyKind,
    /// For whom, and how far.
    pub grant: Grant,
    /// The service that the access tokens are for; none: this gate.
    pub audience: Option<String>,
    /// How long each access token lives.
    pub access_ttl: Duration,
    /// When it was made.
    pub made_at: Timestamp,
    /// By whom: a subject, or `local:UID` for somebody on the gate's own machine.
    pub made_by: String,
    /// What it is for, in the words of whoever made it.
    pub comment: String,
    /// The family of the credential that it was made with; it is revoked together with that one.
    pub parent: Option<TokenId>,
    /// When it ends, whatever happens.
    pub ends_at: Timestamp,
    /// It ends earlier if it is not used for so long.
    pub idle: Option<Duration>,
    /// When it was last used; not to the second.
    pub last_use: Option<LastUse>,
    /// Set once it is revoked.
    pub revoked_at: Option<Timestamp>,
}

/// What kind of tokens are in a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FamilyKind {
    /// One access token, which cannot be refreshed.
    Access,
    /// A refresh token that is replaced by its successor when it is used.
    Rotating,
    /// The identity token of `docker login`, which cannot be replaced.
    Login,
    /// What a browser keeps of signing in to the pages.
    Session,
}

/// When a family was last used, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: Timestamp,
    /// From where.
    pub from: IpAddr,
}

impl FamilyKind {
    /// The word in the state, in lists and in the audit trail.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Rotating => "rotating",
            Self::Login => "login",
            Self::Session => "session",
        }
    }
}

/// Why a family is not good for anything any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// Somebody revoked it.
    #[error("the token was revoked")]
    Revoked,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// It was not used for too long.
    #[error("the token was not used for too long")]
    Idle,
}

impl Family {
    /// Whether it still holds.
    ///
    /// # Errors
    /// Why not.
    pub fn holds(&self, now: Timestamp) -> Result<(), Ended> {
        if self.revoked_at.is_some() {
            return Err(Ended::Revoked);
        }
        if self.ends_at <= now {
            return Err(Ended::Expired);
        }
        let used = self.last_use.map_or(self.made_at, |last| last.at.max(self.made_at));
        let idle_end = self.idle.map(|idle| used.saturating_add(idle).unwrap_or(self.ends_at));
        if idle_end.is_some_and(|end| end <= now) {
            return Err(Ended::Idle);
        }
        Ok(())
    }
}
