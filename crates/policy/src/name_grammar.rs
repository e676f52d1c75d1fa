//! The grammars of repository names and tags, character by character: to find out whether an
//! expression can match any name at all.

/// How far a name has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reading {
    /// A segment of a repository begins.
    Segment,
    /// Behind a letter or digit of a segment.
    Word,
    /// Behind a joint of a segment, that has to be followed by a letter or digit.
    Dot,
    Underscore,
    Underscores,
    Dashes,
    /// A tag begins.
    Tag,
    /// Behind a character of a tag.
    InTag,
}

impl Reading {
    /// What can stand in any name.
    pub(crate) const ALPHABET: &[u8] =
        b"abcdefghijklmnopqrstuvwxyz0123456789/._-ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    /// After one character more. `None`: no name goes on like that.
    pub(crate) fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Tag, b'.' | b'-') => None,
            (
                Self::Tag | Self::InTag,
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-',
            ) => Some(Self::InTag),
            (Self::Tag | Self::InTag, _) => None,
            (_, b'a'..=b'z' | b'0'..=b'9') => Some(Self::Word),
            (Self::Word, b'/') => Some(Self::Segment),
            (Self::Word, b'.') => Some(Self::Dot),
            (Self::Word, b'_') => Some(Self::Underscore),
            (Self::Underscore, b'_') => Some(Self::Underscores),
            (Self::Word | Self::Dashes, b'-') => Some(Self::Dashes),
            _ => None,
        }
    }

    /// Whether a name can end here.
    pub(crate) fn may_end(self) -> bool {
        matches!(self, Self::Word | Self::InTag)
    }
}

#[cfg(test)]
mod tests {
    use oci::{RepositoryName, Tag};
    use proptest::prelude::*;

    use super::*;

    fn accepts(start: Reading, text: &str) -> bool {
        let end = text.bytes().try_fold(start, Reading::next);
        end.is_some_and(Reading::may_end)
    }

    proptest! {
        #[test]
        fn the_grammars_are_those_of_the_names(text in "[ab0A/._:-]{0,8}|[ -~]{0,3}") {
            prop_assert_eq!(accepts(Reading::Segment, &text), RepositoryName::new(&text).is_ok());
            prop_assert_eq!(accepts(Reading::Tag, &text), Tag::new(&text).is_ok());
        }
    }
}
