//! Why a token of another gate is not accepted.

use crate::token::InvalidToken;

/// Why what another gate vouches for does not count here. For the log: a client learns none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// No gate of that issuer or name is trusted, or none any more.
    #[error("the gate that vouches for it is not trusted here")]
    NotTrusted,
    /// Its keys are not to be had.
    #[error("the keys of the gate that made the token are not known yet")]
    NoKeys,
    /// The token does not hold.
    #[error("the other gate's token does not hold")]
    Token(#[from] InvalidToken),
    /// A token for an anonymous caller, or for somebody that a third gate vouches for. Trust is for
    /// those whom the other gate itself knows.
    #[error("the other gate does not know the token's holder itself")]
    SecondHand,
    /// It lives longer than `max_ttl`.
    #[error("the other gate's token lives longer than `max_ttl` allows")]
    LongLived,
    /// It does not say which groups it carries, so it would carry whatever they become.
    #[error("the other gate's token does not name its groups")]
    Groups,
    /// What the gate has revoked was not to be had yet.
    #[error("it is not known yet what the other gate has revoked")]
    Unheard,
    /// What is known of it is too old.
    #[error("what the other gate has revoked was not to be had for too long")]
    Stale,
    /// It was older than what had been seen before.
    #[error("the other gate tells less than before of what it has revoked")]
    RolledBack,
    /// The token, its family, or all of its subject.
    #[error("the other gate has revoked it")]
    Revoked,
}

impl PeerError {
    /// A word for metrics and the audit trail, of a fixed set.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::NotTrusted => "peer_not_trusted",
            Self::NoKeys => "peer_no_keys",
            Self::Token(_) => "peer_token",
            Self::SecondHand => "peer_second_hand",
            Self::LongLived => "peer_long_lived",
            Self::Groups => "peer_groups",
            Self::Unheard => "peer_unheard",
            Self::Stale => "peer_stale",
            Self::RolledBack => "peer_rolled_back",
            Self::Revoked => "peer_revoked",
        }
    }
}
