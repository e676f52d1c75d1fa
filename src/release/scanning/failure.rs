//! Why a scan came to nothing.

use oci::{Digest, RepositoryName};

use super::SCANNER;
use crate::scanner;
use crate::store::StoreError;
use crate::token::MintError;
use crate::upstream;

/// Why there is no report of an image.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The policy decides what scanners may read.
    #[error(
        "the policy does not let service:{SCANNER} pull and inspect {0}; add a rule that does, such \
         as {{subjects: [\"service:{SCANNER}\"], images: [\"**\"], allow: [pull, inspect]}}"
    )]
    Denied(RepositoryName),
    /// Somebody wants nothing scanned.
    #[error("the service {SCANNER} is disabled; enable it")]
    Disabled,
    /// It was deleted.
    #[error("the manifest is gone")]
    Gone,
    /// It is an image of a kind that the scanner does not know.
    #[error("the scanner does not take manifests of the type {0}")]
    Unscannable(&'static str),
    /// It is of another image.
    #[error("the scanner reports on the image {found}, and was asked for {asked}; look at its log")]
    OtherImage {
        /// The configuration of what was to be scanned.
        asked: Digest,
        /// The one that it reports on.
        found: Digest,
    },
    /// It is not known what it is.
    #[error(transparent)]
    Upstream(#[from] upstream::Error),
    /// There is no word of the state, or it takes none.
    #[error(transparent)]
    State(#[from] StoreError),
    /// There is no token.
    #[error("there is no token for the scanner")]
    Token(#[from] MintError),
    /// The scanner failed.
    #[error(transparent)]
    Scanner(#[from] scanner::Error),
}

impl Failure {
    /// Whether the scanner itself did not do its part.
    pub(super) fn is_of_the_scanner(&self) -> bool {
        matches!(self, Self::Scanner(_))
    }

    /// Whether trying again is of no use.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Denied(_) | Self::Gone | Self::Unscannable(_) => true,
            Self::Upstream(error) => matches!(error, upstream::Error::Unreadable(..)),
            _ => false,
        }
    }
}
