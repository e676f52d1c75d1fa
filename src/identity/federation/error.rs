//! Why an ID token is not accepted.

use crate::jwks::JwksError;
use crate::token::InvalidToken;

/// Why an ID token, or what came of one, does not hold. For the log and the audit trail: a client
/// learns none of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FederationError {
    /// No provider of that name.
    #[error("there is no such provider among `federation`")]
    UnknownProvider,
    /// Beyond [`crate::token::MAX_TOKEN`].
    #[error("the ID token is longer than {} bytes", crate::token::MAX_TOKEN)]
    TooLong,
    /// Not three parts of base64 with JSON in them.
    #[error("this is no signed ID token")]
    Form,
    /// Another algorithm than the key is for, another type, or a header that brings its own key.
    #[error("the ID token's header is not that of a token that the provider's key signs")]
    Algorithm,
    /// The provider has no key of that name.
    #[error("the ID token was signed with a key that the provider does not have")]
    Key,
    /// The signature is another's.
    #[error("the ID token's signature is wrong")]
    Signature,
    /// Another issuer made it.
    #[error("the ID token is of another issuer")]
    Issuer,
    /// It is for another service.
    #[error("the ID token is for another audience")]
    Audience,
    /// It belongs to another sign-in.
    #[error("the ID token was made for another sign-in")]
    Nonce,
    /// Made, or to hold, later than now.
    #[error("the ID token does not hold yet")]
    Early,
    /// Its time is over.
    #[error("the ID token has expired")]
    Expired,
    /// It holds for longer than a day.
    #[error("the ID token holds for longer than a day; have a shorter one made")]
    Lifetime,
    /// A claim that each ID token has is missing, of another type, or contradicts another one.
    #[error("the ID token has no usable `{0}`")]
    Claims(&'static str),
    /// A claim of `require` is missing, or is something else.
    #[error("the ID token's claim `{0}` is not what `require` asks for")]
    Required(String),
    /// The claims make no name.
    #[error("the ID token's claims make no name as `subject` says")]
    Subject,
    /// The provider's keys are not to be had.
    #[error("the ID token cannot be checked")]
    KeysUnavailable(#[from] JwksError),
    /// What came of it has ended.
    #[error("the session that began with an ID token is over")]
    SessionOver,
}

impl FederationError {
    /// A word of a fixed set, for metrics and the audit trail.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::UnknownProvider => "unknown_provider",
            Self::TooLong => "id_token_too_long",
            Self::Form => "id_token_form",
            Self::Algorithm => "id_token_algorithm",
            Self::Key => "id_token_key",
            Self::Signature => "id_token_signature",
            Self::Issuer => "id_token_issuer",
            Self::Audience => "id_token_audience",
            Self::Nonce => "id_token_nonce",
            Self::Early => "id_token_early",
            Self::Expired => "id_token_expired",
            Self::Lifetime => "id_token_lifetime",
            Self::Claims(_) => "id_token_claims",
            Self::Required(_) => "id_token_required_claim",
            Self::Subject => "id_token_subject",
            Self::KeysUnavailable(_) => "provider_keys_unavailable",
            Self::SessionOver => "session_over",
        }
    }
}

impl From<InvalidToken> for FederationError {
    fn from(error: InvalidToken) -> Self {
        match error {
            InvalidToken::TooLong => Self::TooLong,
            InvalidToken::Form => Self::Form,
            InvalidToken::Header => Self::Algorithm,
            InvalidToken::Key => Self::Key,
            InvalidToken::Signature => Self::Signature,
            InvalidToken::Claims => Self::Form,
            InvalidToken::Issuer => Self::Issuer,
            InvalidToken::Audience => Self::Audience,
            InvalidToken::Early => Self::Early,
            InvalidToken::Expired => Self::Expired,
        }
    }
}
