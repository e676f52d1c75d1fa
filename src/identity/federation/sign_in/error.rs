//! Why somebody did not get in by way of a provider.

use super::discovery::DiscoveryError;
use crate::fetch::FetchError;
use crate::identity::AuthError;
use crate::upstream::PasswordError;

/// Why a sign-in with a provider came to nothing. No text holds a secret; those of a provider are a
/// stranger's.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No provider of that name, or nobody signs in there.
    #[error("there is no sign-in with a provider of this name")]
    UnknownProvider,
    /// The browser shows no sign-in that this gate began.
    #[error("this sign-in did not begin in this browser, or has ended already")]
    NotBegun,
    /// It began too long ago.
    #[error("this sign-in took longer than ten minutes")]
    Late,
    /// What came is no answer of a provider.
    #[error("this is not what a provider answers")]
    Malformed,
    /// The answer is that to another request.
    #[error("the answer belongs to another sign-in")]
    State,
    /// The answer is another provider's, or may be.
    #[error("the answer does not come from the provider with which this sign-in began")]
    Issuer,
    /// The provider let nobody in.
    #[error("the provider answers `{error}`{}", said(.description.as_deref()))]
    Refused {
        /// A word of the protocol, or of its own.
        error: String,
        /// What it says about it.
        description: Option<String>,
    },
    /// The provider gives no token for the code, or knows another secret.
    #[error(
        "{host} gives no token for the code (`{error}`); look at `client_id`, at \
         `client_secret_file`, and at the address for the way back that is registered there"
    )]
    Code {
        /// Host and port.
        host: String,
        /// What it answers.
        error: String,
    },
    /// It is not known where to ask.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The provider does not answer.
    #[error("the provider gives no token")]
    Exchange(#[from] FetchError),
    /// The secret that the provider gave to the gate is not to be had.
    #[error("the file of `client_secret_file` cannot be used")]
    Secret(#[from] PasswordError),
    /// The provider knows who it is, and the gate does not let them in.
    #[error(transparent)]
    NotLetIn(#[from] AuthError),
}

fn said(description: Option<&str>) -> String {
    description.map_or_else(String::new, |text| format!(": {text}"))
}
