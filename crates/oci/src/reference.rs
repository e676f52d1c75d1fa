//! What a manifest is asked for by.

use std::fmt;
use std::str::FromStr;

use crate::{Digest, InvalidDigest, InvalidTag, Tag};

/// A tag or a digest. No tag contains a colon and every digest does, so a text is never both.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// By tag.
    Tag(Tag),
    /// By digest.
    Digest(Digest),
}

/// The text is neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// It has no colon, so a tag was meant.
    #[error(transparent)]
    Tag(#[from] InvalidTag),
    /// It has a colon, so a digest was meant.
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
}

impl Reference {
    /// Reads a reference.
    ///
    /// # Errors
    /// As the kind of reference that was meant says.
    pub fn new(text: &str) -> Result<Self, InvalidReference> {
        if text.contains(':') {
            Ok(Self::Digest(Digest::new(text)?))
        } else {
            Ok(Self::Tag(Tag::new(text)?))
        }
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        Self::new(text)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}
