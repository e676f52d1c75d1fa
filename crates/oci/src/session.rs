//! Upload sessions.

use std::fmt;

/// The longest text that the gate puts into one path segment or query value of its own.
const MAX_LENGTH: usize = 4096;

/// The last path segment of an upload's location. Which characters it has is the gate's affair, as
/// the gate issues it: unreserved ones (RFC 3986 §2.3), at most 4096.
///
/// `Debug` shows only the length: whoever holds the text can go on with the upload.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(Box<str>);

/// The text is no upload session of the gate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an upload session that this registry gave out")]
pub struct InvalidSession;

impl SessionId {
    /// Reads a session.
    ///
    /// # Errors
    /// The text is empty, too long, a dot segment (RFC 3986 §3.3), or has other characters.
    pub fn new(text: &str) -> Result<Self, InvalidSession> {
        if is_sealed_text(text) && !matches!(text, "." | "..") {
            Ok(Self(text.into()))
        } else {
            Err(InvalidSession)
        }
    }

    /// The session as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text has the form of what the gate seals: 1 to 4096 unreserved characters.
pub(crate) fn is_sealed_text(text: &str) -> bool {
    (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(is_unreserved)
}

/// RFC 3986 §2.3: what needs no percent-encoding anywhere in a URI.
pub(crate) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({} characters)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_path_segment_is_a_session() {
        for text in ["a", "A-z_0.9~", "...", &"a".repeat(4096)] {
            assert_eq!(SessionId::new(text).as_ref().map(SessionId::as_str), Ok(text));
        }
        for text in ["", ".", "..", "a/b", "a%20", "a=", "a b", "é", &"a".repeat(4097)] {
            assert_eq!(SessionId::new(text), Err(InvalidSession), "{text:?}");
        }
    }

    #[test]
    fn a_session_is_not_printed() {
        let printed = SessionId::new("let-me-in").map(|session| format!("{session:?}"));
        assert_eq!(printed, Ok("SessionId(9 characters)".to_owned()));
    }
}
