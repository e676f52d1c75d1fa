//! Text that is shown to people, on terminals and in logs.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// Whether a character may mislead whoever reads the line: control characters (C0, DEL, C1), line
/// and paragraph separators, and those that turn the direction of writing.
#[must_use]
pub fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}')
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}')
        || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// An error with all its causes in one line: `cannot read it: permission denied`.
#[derive(Debug, Clone, Copy)]
pub struct Causes<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// The text with everything escaped that is not to be seen as itself. What files and other people
/// say is repeated in messages and lists; some characters in it would act on the terminal.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        if is_unsafe(char) {
            safe.extend(char.escape_default());
        } else {
            safe.push(char);
        }
    }
    Cow::Owned(safe)
}

/// A line of a file as it may be shown. The renderer makes control characters of one byte visible;
/// others are replaced by a sign of as many bytes, so that underlines stay right.
pub(crate) fn shown(line: &str) -> String {
    let visible = |char: char| match char.len_utf8() {
        2 if is_unsafe(char) => '·',
        3 if is_unsafe(char) => '␦',
        _ => char,
    };
    line.chars().map(visible).collect()
}
