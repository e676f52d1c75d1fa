//! Why a caller is not known.

use std::time::Duration;

use super::peers::PeerError;
use crate::token::{Ended, InvalidToken};

/// Why a credential was not accepted. The texts may be shown to the client; the reason of
/// [`AuthError::Invalid`] is for the log, as it would tell a guesser which names exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The request cannot be understood: 400.
    #[error("{0}")]
    Malformed(&'static str),
    /// The credential is wrong: 401.
    #[error("the user name, the password or the token is wrong")]
    Invalid {
        /// What is wrong with it.
        #[source]
        reason: Rejection,
    },
    /// The token was right once: 401.
    #[error("the token has expired; log in again")]
    Expired,
    /// Too many failures: 429.
    #[error("too many failed logins; try again in {} s", whole_seconds(*.retry_after))]
    Throttled {
        /// How long to wait.
        retry_after: Duration,
    },
    /// More passwords are waiting to be checked than can be: 503.
    #[error("too many logins at once; try again in a few seconds")]
    Busy,
    /// The credential is good, and not for this: 401. The text says what to use.
    #[error("{0}")]
    Misused(&'static str),
    /// What would have to be known to believe the credential is not to be had: 503.
    #[error("the gate cannot check this credential at the moment; try again in a few seconds")]
    Unavailable,
}

/// How long a client that came at a busy moment should wait.
const BUSY: Duration = Duration::from_secs(5);

impl AuthError {
    /// Whether the credential itself is no good, and another one would be taken.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::Invalid { .. } | Self::Expired | Self::Misused(_))
    }

    /// The `Retry-After` of the answer, in seconds, where waiting helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Throttled { retry_after } => Some(whole_seconds(*retry_after)),
            Self::Busy | Self::Unavailable => Some(whole_seconds(BUSY)),
            Self::Malformed(_) | Self::Invalid { .. } | Self::Expired | Self::Misused(_) => None,
        }
    }
}

/// Rounded up, so that who waits for that long has waited for long enough.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

/// What is wrong with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Neither `Basic` nor `Bearer`.
    #[error("the authorization scheme is neither Basic nor Bearer")]
    Scheme,
    /// Nobody has that name.
    #[error("there is no such user")]
    UnknownUser,
    /// The user has another password.
    #[error("the password is wrong")]
    WrongPassword,
    /// The password was right, but its user is disabled.
    #[error("the user is disabled")]
    Disabled,
    /// Longer than any password may be.
    #[error("the password is longer than 1 KiB")]
    PasswordTooLong,
    /// Whom the token is for is gone, or disabled.
    #[error("the token's subject is gone or disabled")]
    SubjectGone,
    /// Somebody revoked it.
    #[error("the token is revoked")]
    Revoked,
    /// Its family is over.
    #[error(transparent)]
    Ended(Ended),
    /// A refresh token that the gate never gave out, or has forgotten.
    #[error("there is no such refresh token")]
    UnknownToken,
    /// A refresh token that was replaced: somebody else may have it.
    #[error("the refresh token was used before; all tokens that come from it are revoked")]
    Reused,
    /// A token used as a password under the name of another.
    #[error("the token is not that user's")]
    AnothersToken,
    /// The token does not hold.
    #[error(transparent)]
    Token(#[from] InvalidToken),
    /// What an identity provider vouches for does not count here, for a reason that is a word of a
    /// fixed set.
    #[error("the identity provider's token is not accepted: {0}")]
    Federation(&'static str),
    /// A provider vouches for a user whose name is that of another one, whom the gate knows itself.
    #[error("a user of this name is known here already, and not by way of an identity provider")]
    NameTaken,
    /// What another gate vouches for does not count here.
    #[error(transparent)]
    Peer(#[from] PeerError),
}

impl Rejection {
    /// A word for the metrics, of a fixed set.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::UnknownUser => "unknown_user",
            Self::WrongPassword => "wrong_password",
            Self::Disabled => "disabled",
            Self::PasswordTooLong => "password_too_long",
            Self::SubjectGone => "subject_gone",
            Self::Revoked | Self::Ended(Ended::Revoked) => "revoked",
            Self::Ended(Ended::Expired) => "expired",
            Self::Ended(Ended::Idle) => "idle",
            Self::UnknownToken => "unknown_token",
            Self::Reused => "reused",
            Self::AnothersToken => "anothers_token",
            Self::Token(_) => "token",
            Self::Federation(label) => label,
            Self::NameTaken => "name_taken",
            Self::Peer(error) => error.label(),
        }
    }
}

impl From<Rejection> for AuthError {
    fn from(reason: Rejection) -> Self {
        match reason {
            Rejection::Token(InvalidToken::Expired)
            | Rejection::Peer(PeerError::Token(InvalidToken::Expired)) => Self::Expired,
            reason => Self::Invalid { reason },
        }
    }
}

impl From<InvalidToken> for AuthError {
    fn from(error: InvalidToken) -> Self {
        Rejection::Token(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_told_in_whole_seconds_that_suffice() {
        let throttled =
            |millis| AuthError::Throttled { retry_after: Duration::from_millis(millis) };
        assert_eq!(throttled(1).retry_after(), Some(1));
        assert_eq!(throttled(2000).retry_after(), Some(2));
        assert_eq!(throttled(2001).retry_after(), Some(3));
        assert_eq!(throttled(2001).to_string(), "too many failed logins; try again in 3 s");
        assert_eq!(AuthError::Expired.retry_after(), None);
    }

    #[test]
    fn the_reason_is_for_the_log_alone() {
        let error = AuthError::from(Rejection::UnknownUser);
        assert_eq!(error.to_string(), "the user name, the password or the token is wrong");
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), "there is no such user");
    }
}
