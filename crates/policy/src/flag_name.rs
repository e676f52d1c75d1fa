//! The names of flags.

use std::fmt;
use std::str::FromStr;

/// What stands before the name where flagging is an action.
const PREFIX: &str = "flag:";

/// The longest name.
const MAX: usize = 32;

/// The name of a flag: 1 to 32 lower-case letters, digits and dashes. Held inline, so that an
/// action is as cheap to hand on as before there were flags.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlagName {
    /// `flag:NAME`, and zeros after it.
    word: [u8; PREFIX.len() + MAX],
    length: u8,
}

/// The text is no name of a flag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no name of a flag: 1 to {MAX} lower-case letters, digits and dashes", .0.escape_debug())]
pub struct InvalidFlagName(pub String);

impl FlagName {
    /// Reads a name.
    ///
    /// # Errors
    /// It is empty, longer than 32 characters, or holds others than `a` to `z`, digits and dashes.
    pub fn new(name: &str) -> Result<Self, InvalidFlagName> {
        let wrong = || InvalidFlagName(name.to_owned());
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > MAX || !name.bytes().all(is_plain) {
            return Err(wrong());
        }
        let mut word = [0; PREFIX.len() + MAX];
        let length = PREFIX.len() + name.len();
        for (place, byte) in word.iter_mut().zip(PREFIX.bytes().chain(name.bytes())) {
            *place = byte;
        }
        Ok(Self { word, length: u8::try_from(length).map_err(|_| wrong())? })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.word().get(PREFIX.len()..).unwrap_or_default()
    }

    /// The action of setting it: `flag:NAME`.
    pub(crate) fn word(&self) -> &str {
        let word = self.word.get(..usize::from(self.length)).unwrap_or_default();
        str::from_utf8(word).unwrap_or_default()
    }

    /// The name in `flag:NAME`; none where the text is about no flag.
    pub(crate) fn in_word(word: &str) -> Option<&str> {
        word.strip_prefix(PREFIX)
    }
}

impl FromStr for FlagName {
    type Err = InvalidFlagName;

    fn from_str(name: &str) -> Result<Self, InvalidFlagName> {
        Self::new(name)
    }
}

impl fmt::Display for FlagName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for FlagName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        let longest = "a".repeat(32);
        for name in ["a", "tested", "qa-passed", "2nd", &longest] {
            let read = FlagName::new(name).unwrap();
            assert_eq!(read.as_str(), name);
            assert_eq!(read.word(), format!("flag:{name}"));
        }
        for wrong in ["", "Tested", "a b", "a_b", "flag:a", "é", "*", &"a".repeat(33)] {
            assert!(FlagName::new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_in_the_order_of_their_text() {
        let mut names = ["b", "ab", "a", "a-b", "a0"].map(|name| FlagName::new(name).unwrap());
        names.sort_unstable();
        assert_eq!(names.map(|name| name.to_string()), ["a", "a-b", "a0", "ab", "b"]);
    }
}
