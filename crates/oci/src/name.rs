//! Repository names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name that docker-registry accepts, in bytes.
const MAX_LENGTH: usize = 255;

/// A repository name such as `team/app`: path segments of lower-case letters and digits, joined by
/// `.`, `_`, `__` or dashes (spec, "Pulling manifests", `<name>`), 255 bytes at most.
///
/// Cloning is cheap: the text is shared.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(Arc<str>);

/// Why a text is no repository name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing there.
    #[error("a repository name may not be empty")]
    Empty,
    /// Longer than 255 bytes.
    #[error("a repository name has at most {MAX_LENGTH} characters")]
    TooLong,
    /// A segment that the grammar does not know.
    #[error(
        "`{0}` cannot be a part of a repository name: lower-case letters and digits, \
         joined by `.`, `_`, `__` or dashes"
    )]
    Segment(String),
}

impl RepositoryName {
    /// Reads a name.
    ///
    /// # Errors
    /// Says which part breaks the grammar.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() {
            return Err(InvalidName::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(InvalidName::TooLong);
        }
        for segment in text.split('/') {
            if !is_segment(segment) {
                return Err(InvalidName::Segment(segment.to_owned()));
            }
        }
        Ok(Self(text.into()))
    }

    /// Whether `text` could stand between two `/` of a name.
    #[must_use]
    pub fn is_segment(text: &str) -> bool {
        text.len() <= MAX_LENGTH && is_segment(text)
    }

    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `text` is `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_segment(text: &str) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut rest = text.as_bytes();
    loop {
        let word = rest.iter().take_while(|byte| is_word(byte)).count();
        if word == 0 {
            return false;
        }
        rest = rest.get(word..).unwrap_or_default();
        rest = match rest {
            [] => return true,
            [b'.', tail @ ..] | [b'_', b'_', tail @ ..] | [b'_', tail @ ..] => tail,
            [b'-', ..] => {
                let dashes = rest.iter().take_while(|&&byte| byte == b'-').count();
                rest.get(dashes..).unwrap_or_default()
            }
            _ => return false,
        };
    }
}

impl FromStr for RepositoryName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::new(text)
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_of_the_specification_is_accepted() {
        for name in [
            "a",
            "a1",
            "team/app",
            "a.b",
            "a_b",
            "a__b",
            "a---b",
            "library/blobs/manifests",
            "0/1/2",
        ] {
            assert_eq!(RepositoryName::new(name).map(|n| n.to_string()), Ok(name.to_owned()));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for name in [
            "", "A", "a/", "/a", "a//b", "a/../b", ".", "..", "a.", ".a", "a..b", "a___b", "_a",
            "-a", "a-", "a%2fb", "a b", "a\\b", "a;b", "a\0", "é", "a._b", "a/B",
        ] {
            assert!(RepositoryName::new(name).is_err(), "{name:?}");
        }
        assert!(RepositoryName::new(&"a".repeat(255)).is_ok());
        assert_eq!(RepositoryName::new(&"a".repeat(256)), Err(InvalidName::TooLong));
    }
}
