//! What can be done to an image.

use std::fmt;
use std::str::FromStr;

/// One thing that policy decides. `push` and `all` in a policy file are short for several of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Read it.
    Pull,
    /// Read it although a release gate holds it back: for signers, scanners, QA.
    Inspect,
    /// Make a tag that does not exist.
    Create,
    /// Move a tag that exists.
    Overwrite,
    /// Add signatures, SBOMs and attestations to an image that the caller may read.
    Attach,
    /// Remove it.
    Delete,
}

/// The text names no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no action")]
pub struct UnknownAction(pub String);

impl Action {
    /// Every action there is.
    pub const ALL: [Self; 6] =
        [Self::Pull, Self::Inspect, Self::Create, Self::Overwrite, Self::Attach, Self::Delete];

    /// The name in policy files, denials and the audit trail.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Inspect => "inspect",
            Self::Create => "create",
            Self::Overwrite => "overwrite",
            Self::Attach => "attach",
            Self::Delete => "delete",
        }
    }
}

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        Self::ALL
            .into_iter()
            .find(|action| action.as_str() == text)
            .ok_or_else(|| UnknownAction(text.to_owned()))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
