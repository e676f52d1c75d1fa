//! The plain text at both ends of a regular expression: `team-17/[a-z]+/base`.

use crate::regex::MAX_END;

/// The plain text that an expression begins with, and the expression that follows it.
pub(crate) fn split_beginning(text: &str) -> (String, &str) {
    let text = text.strip_prefix('^').unwrap_or(text);
    let mut literal = String::new();
    let mut rest = text;
    loop {
        let (char, after) = match rest.as_bytes() {
            [b'\\', char @ (b'.' | b'-'), ..] => (*char, rest.get(2..)),
            [char, ..] if is_plain(*char) => (*char, rest.get(1..)),
            _ => return (literal, rest),
        };
        let after = after.unwrap_or_default();
        if after.starts_with(['?', '*', '+', '{']) {
            return (literal, rest);
        }
        literal.push(char::from(char));
        rest = after;
    }
}

/// The expression that comes before the plain text at the end, and that text. Where the cut is wrong,
/// as in `\x2d`, what comes before it is no expression.
pub(crate) fn split_end(text: &str) -> (&str, String) {
    let end = text.strip_suffix('$').filter(|before| !before.ends_with('\\'));
    let mut before = end.unwrap_or(text);
    let mut literal = Vec::new();
    while literal.len() < MAX_END {
        let (char, length) = match before.as_bytes() {
            [.., b'\\', b'\\', _] => break,
            [.., b'\\', char @ (b'.' | b'-')] => (*char, 2),
            [.., b'\\', _] => break,
            [.., char] if is_plain(*char) => (*char, 1),
            _ => break,
        };
        literal.push(char::from(char));
        before = before.get(..before.len() - length).unwrap_or_default();
    }
    (before, literal.iter().rev().collect())
}

/// Whether a character stands for itself in any expression.
fn is_plain(char: u8) -> bool {
    char.is_ascii_alphanumeric() || b"/_-".contains(&char)
}
