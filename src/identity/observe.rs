//! What happens to credentials, for metrics and the audit trail.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use policy::Subject;

/// One thing that happened. It never holds a secret.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum TokenEvent<'a> {
    /// A token was made.
    Issued {
        /// How it was asked for.
        grant: GrantType,
        /// Whom it is for.
        subject: &'a Subject,
        /// Its `jti`.
        token_id: &'a str,
        /// Where it was asked for.
        address: IpAddr,
    },
    /// A token was shown.
    Checked {
        /// What came of it.
        result: CheckResult,
    },
    /// A refresh token came back that was replaced: all that comes from it is revoked.
    Reused {
        /// Whose it was.
        subject: &'a Subject,
        /// Its family.
        family: &'a str,
        /// From where it came.
        address: IpAddr,
    },
    /// A name and password were shown and not accepted.
    LoginFailed {
        /// The name, as it was typed: of any content.
        account: &'a str,
        /// From where.
        address: IpAddr,
        /// Why, as a word of a fixed set: a [`super::Rejection::label`], `expired`, `throttled` or
        /// `busy`.
        reason: &'static str,
    },
}

/// How a token was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GrantType {
    /// With a name and a password, in a header or a form.
    Password,
    /// With another token, which it does not outlive.
    Token,
    /// With a refresh token.
    Refresh,
    /// With an ID token of an identity provider.
    Federation,
    /// With nothing.
    Anonymous,
}

/// What came of checking a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckResult {
    /// It had been checked before.
    Cached,
    /// Its signature was checked now.
    Verified,
    /// It was right once.
    Expired,
    /// It was right once, and somebody revoked it.
    Revoked,
    /// It is not ours, or its subject is gone.
    Invalid,
}

impl GrantType {
    /// A word for the metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Token => "token",
            Self::Refresh => "refresh_token",
            Self::Federation => "federation",
            Self::Anonymous => "anonymous",
        }
    }
}

impl CheckResult {
    /// A word for the metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Verified => "verified",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Invalid => "invalid",
        }
    }
}

/// Who is told. It is called in the middle of a request, so it must not wait for anything.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(TokenEvent<'_>) + Send + Sync>);

impl Observer {
    /// Tells `observe`.
    pub fn new(observe: impl Fn(TokenEvent<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }

    /// Tells nobody.
    #[must_use]
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    pub(crate) fn tell(&self, event: TokenEvent<'_>) {
        (self.0)(event);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
