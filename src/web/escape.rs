//! How templates write the text of strangers.

use std::fmt::{self, Write};

use askama::filters::{Escaper, Html};
use document::is_unsafe;

/// As text of HTML; and what would turn the direction of writing around, or is not to be seen at all,
/// is written so that it is. Ends of lines and tabs stay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visible;

fn is_hidden(letter: char) -> bool {
    is_unsafe(letter) && !matches!(letter, '\n' | '\r' | '\t')
}

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut to: W, mut text: &str) -> fmt::Result {
        while let Some((at, letter)) = text.char_indices().find(|(_, letter)| is_hidden(*letter)) {
            let (before, rest) = text.split_at(at);
            Html.write_escaped_str(&mut to, before)?;
            write!(to, "{}", letter.escape_default())?;
            text = rest.get(letter.len_utf8()..).unwrap_or_default();
        }
        Html.write_escaped_str(&mut to, text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut written = String::new();
        Visible.write_escaped_str(&mut written, text).unwrap();
        written
    }

    #[test]
    fn what_turns_text_around_is_seen_and_lines_stay_lines() {
        assert_eq!(written("a\u{202e}<b>\u{7}\u{2066}"), r"a\u{202e}&#60;b&#62;\u{7}\u{2066}");
        assert_eq!(written("ä\n\tb\r\n"), "ä\n\tb\r\n");
        assert_eq!(written(""), "");
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left_and_all_else_is_as_html_has_it(text in any::<String>()) {
            let mut plain = String::new();
            Html.write_escaped_str(&mut plain, &text).unwrap();
            let written = written(&text);
            prop_assert!(!written.contains(is_hidden));
            if !text.contains(is_hidden) {
                prop_assert_eq!(written, plain);
            }
        }
    }
}
