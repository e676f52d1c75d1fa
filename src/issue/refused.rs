//! Why something is not done with tokens.

use crate::store::StoreError;
use crate::token::{MintError, NoRandomBytes};

/// Why a token was not made, shown or revoked. The texts are for whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// What is asked for cannot be.
    #[error("{0}")]
    Wrong(String),
    /// Whoever asks may not.
    #[error("{0}")]
    Denied(String),
    /// It is not there, or whoever asks cannot know that it is.
    #[error("{0}")]
    Missing(String),
    /// It is not in a state in which this can be done.
    #[error("{0}")]
    Conflict(String),
    /// The token could not be made.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The state could not be asked.
    #[error(transparent)]
    State(#[from] StoreError),
}

impl From<NoRandomBytes> for Refused {
    fn from(error: NoRandomBytes) -> Self {
        MintError::from(error).into()
    }
}

impl Refused {
    pub(crate) fn wrong(text: impl Into<String>) -> Self {
        Self::Wrong(text.into())
    }

    pub(crate) fn denied(text: impl Into<String>) -> Self {
        Self::Denied(text.into())
    }
}
