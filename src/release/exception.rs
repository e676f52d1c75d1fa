//! Breaking glass: letting an image through a gate, for a while.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use oci::{Digest, RepositoryName};
use policy::Subject;

/// Lets some digests pass one gate in one repository until a time. Unlike an exception of the policy,
/// it is made at once, by whoever may break the glass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Its name.
    pub id: ExceptionId,
    /// The gate.
    pub gate: String,
    /// The repository.
    pub repository: RepositoryName,
    /// The image as it was named, such as `prod/api:v1.4.2`, for people.
    pub image: String,
    /// What it was then: the manifest first, then its children. The tag may move; these do not.
    pub digests: Vec<Digest>,
    /// Who made it.
    pub by: Subject,
    /// When.
    pub at: Timestamp,
    /// Until when it holds.
    pub expires_at: Timestamp,
    /// Why; never empty.
    pub reason: String,
    /// When it was taken back, if it was, and by whom.
    pub removed: Option<(Timestamp, Subject)>,
}

/// The name of an exception: `exc_` and 16 lower-case letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExceptionId(String);

/// The text is no name of an exception.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name of an exception, which is `exc_` and 16 lower-case letters and digits")]
pub struct InvalidExceptionId(String);

const PREFIX: &str = "exc_";
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const LENGTH: usize = 16;

impl ExceptionId {
    /// Made of 16 random bytes.
    #[must_use]
    pub fn of_random(bytes: [u8; LENGTH]) -> Self {
        let letter = |byte: u8| LETTERS.get(usize::from(byte) % LETTERS.len()).copied();
        let letters = bytes.into_iter().filter_map(letter).map(char::from);
        Self(PREFIX.chars().chain(letters).collect())
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExceptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ExceptionId {
    type Err = InvalidExceptionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_one = text.strip_prefix(PREFIX).is_some_and(|rest| {
            rest.len() == LENGTH && rest.bytes().all(|byte| LETTERS.contains(&byte))
        });
        if is_one { Ok(Self(text.to_owned())) } else { Err(InvalidExceptionId(text.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let id = ExceptionId::of_random(std::array::from_fn(|at| at as u8 * 16));
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_eq!(id.as_str().len(), PREFIX.len() + LENGTH);
        for wrong in ["", "exc_", "exc_abc", "tok_aaaaaaaaaaaaaaaa", "exc_AAAAAAAAAAAAAAAA"] {
            assert_eq!(
                wrong.parse::<ExceptionId>(),
                Err(InvalidExceptionId(wrong.to_owned())),
                "{wrong}"
            );
        }
    }
}
