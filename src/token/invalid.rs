//! Why a token does not hold.

use super::signed::MAX_TOKEN;

/// Why a text is no token of ours that holds now. For the log: a client learns only whether its
/// token has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Beyond [`MAX_TOKEN`].
    #[error("the token is longer than {MAX_TOKEN} bytes")]
    TooLong,
    /// Not three parts of base64, the first of which is a JSON object.
    #[error("this is no signed token")]
    Form,
    /// Another `alg` or `typ`, or a header field beside `alg`, `typ` and `kid`.
    #[error("the token's header is not that of an access token")]
    Header,
    /// No key of that `kid`.
    #[error("the token was signed with a key that is not known here")]
    Key,
    /// The signature is another's.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim is missing, of another type, unknown, or contradicts another one.
    #[error("the token's claims are not those of an access token")]
    Claims,
    /// Another gate made it.
    #[error("the token is of another issuer")]
    Issuer,
    /// It is for another gate.
    #[error("the token is for another service")]
    Audience,
    /// Made, or to hold, later than now.
    #[error("the token does not hold yet")]
    Early,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
}
