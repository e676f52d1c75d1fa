//! Tags.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::Digest;

/// A tag such as `v1.4.2`: a word character, then up to 127 word characters, dots and dashes
/// (spec, "Pulling manifests", `<reference>` as a tag).
///
/// Cloning is cheap: the text is shared.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

/// The text is no tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a tag: 1 to 128 letters, digits, `_`, `.` and `-`, the first neither a dot nor a dash"
)]
pub struct InvalidTag;

impl Tag {
    /// Reads a tag.
    ///
    /// # Errors
    /// The text breaks the grammar.
    pub fn new(text: &str) -> Result<Self, InvalidTag> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        match text.as_bytes() {
            [first, rest @ ..]
                if rest.len() < 128
                    && is_word(*first)
                    && rest.iter().all(|&byte| is_word(byte) || matches!(byte, b'.' | b'-')) =>
            {
                Ok(Self(text.into()))
            }
            _ => Err(InvalidTag),
        }
    }

    /// The image that a tag of the form `sha256-HEX`, with or without `.sig`, `.att` or `.sbom`,
    /// belongs to: where clients keep what is attached to an image if the registry has no
    /// referrers (spec, "Referrers Tag Schema"; the endings are cosign's).
    ///
    /// Tags for SHA-512 name nothing: they hold only half of the hash.
    #[must_use]
    pub fn referrers_subject(&self) -> Option<Digest> {
        let hex = self.0.strip_prefix("sha256-")?;
        let endings = [".sig", ".att", ".sbom"];
        let hex = endings.iter().find_map(|ending| hex.strip_suffix(ending)).unwrap_or(hex);
        Digest::new(&format!("sha256:{hex}")).ok()
    }

    /// The tag as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = InvalidTag;

    fn from_str(text: &str) -> Result<Self, InvalidTag> {
        Self::new(text)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_of_the_specification_holds() {
        for tag in ["v1", "_x", "1.2.3-rc.1", "LATEST", &"a".repeat(128)] {
            assert!(Tag::new(tag).is_ok(), "{tag:?}");
        }
        for tag in ["", ".a", "-a", "a/b", "a:b", "a b", "pr%6fd", "a\0", "é", &"a".repeat(129)] {
            assert_eq!(Tag::new(tag), Err(InvalidTag), "{tag:?}");
        }
    }

    #[test]
    fn a_referrers_tag_names_its_subject() {
        let hex = "0a".repeat(32);
        let subject = |tag: String| Tag::new(&tag).unwrap().referrers_subject();
        for ending in ["", ".sig", ".att", ".sbom"] {
            let named = subject(format!("sha256-{hex}{ending}"));
            assert_eq!(named.map(|digest| digest.to_string()), Some(format!("sha256:{hex}")));
        }
        for tag in [
            hex.clone(),
            format!("sha256-{}", "0A".repeat(32)),
            format!("sha256-{hex}0"),
            format!("sha256-{hex}.sig.sig"),
            format!("sha256-{hex}.zip"),
            format!("sha512-{hex}"),
            format!("v1-sha256-{hex}"),
        ] {
            assert_eq!(subject(tag.clone()), None, "{tag}");
        }
    }
}
