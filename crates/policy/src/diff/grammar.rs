//! Which letters may stand where.

use crate::image_text::MAX_TAG;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    /// A segment of a repository.
    Segment,
    Tag,
    /// A part of the name of a subject.
    Name,
}

/// Where a text stands in its grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Standing {
    Start,
    /// It may end here.
    Whole,
    Dot,
    Underscore,
    TwoUnderscores,
    Dashes,
}

impl Grammar {
    pub(super) fn after(self, standing: Standing, letter: char) -> Option<Standing> {
        use Standing::{Dashes, Dot, Start, TwoUnderscores, Underscore, Whole};
        match self {
            Self::Name => (letter != '/').then_some(Whole),
            Self::Tag => {
                let is_word = letter.is_ascii_alphanumeric() || letter == '_';
                let follows = standing == Whole && matches!(letter, '.' | '-');
                (is_word || follows).then_some(Whole)
            }
            Self::Segment => match (standing, letter) {
                (_, 'a'..='z' | '0'..='9') => Some(Whole),
                (Whole, '.') => Some(Dot),
                (Whole, '_') => Some(Underscore),
                (Underscore, '_') => Some(TwoUnderscores),
                (Whole | Dashes, '-') => Some(Dashes),
                (Start | Dot | Underscore | TwoUnderscores | Dashes | Whole, _) => None,
            },
        }
    }

    pub(super) fn is_whole(self, text: &str) -> bool {
        if self == Self::Tag && text.len() > MAX_TAG {
            return false;
        }
        let mut standing = Standing::Start;
        for letter in text.chars() {
            match self.after(standing, letter) {
                Some(next) => standing = next,
                None => return false,
            }
        }
        standing == Standing::Whole
    }

    /// The letters that may stand anywhere in it, the plainest first.
    pub(super) fn letters(self) -> impl Iterator<Item = char> {
        let more = if self == Self::Segment { "._-" } else { "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-." };
        PLAIN.chars().chain(more.chars())
    }
}

/// For wildcards, the plainest first.
pub(super) const PLAIN: &str = "xyzabcdefghijklmnopqrstuvw0123456789";
