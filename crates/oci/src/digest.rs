//! Content digests.

use std::fmt;
use std::str::FromStr;

/// A content digest, `sha256:` or `sha512:` and lower-case hexadecimal (image spec, "Digests").
///
/// Held as bytes, so that one content has one value and a map of millions of them stays small.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Digest {
    /// `sha256:…`
    Sha256([u8; 32]),
    /// `sha512:…`
    Sha512(Box<[u8; 64]>),
}

/// The algorithms that the image specification registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// SHA-256, which every registry knows.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// The text is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDigest {
    /// Another algorithm than the two.
    #[error("the digest's algorithm is not known here: use sha256 or sha512")]
    Algorithm,
    /// The part after the colon.
    #[error("the digest is not {0} lower-case hexadecimal characters")]
    Hex(usize),
}

impl Digest {
    /// Reads a digest.
    ///
    /// # Errors
    /// Says whether the algorithm or the hexadecimal part is at fault.
    pub fn new(text: &str) -> Result<Self, InvalidDigest> {
        let (algorithm, hex) = text.split_once(':').ok_or(InvalidDigest::Algorithm)?;
        match algorithm {
            "sha256" => from_hex(hex).map(Self::Sha256),
            "sha512" => from_hex(hex).map(|bytes| Self::Sha512(Box::new(bytes))),
            _ => Err(InvalidDigest::Algorithm),
        }
    }

    /// How it is computed.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The hash itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(bytes) => bytes,
            Self::Sha512(bytes) => bytes.as_slice(),
        }
    }
}

impl Algorithm {
    /// The name before the colon.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

impl FromStr for Algorithm {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        match text {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(InvalidDigest::Algorithm),
        }
    }
}

/// Exactly `2 * N` lower-case hexadecimal characters.
fn from_hex<const N: usize>(text: &str) -> Result<[u8; N], InvalidDigest> {
    let invalid = InvalidDigest::Hex(N * 2);
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != N * 2 {
        return Err(invalid);
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = match *pair {
            [high, low] => match (digit(high), digit(low)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(invalid),
            },
            _ => return Err(invalid),
        };
    }
    Ok(bytes)
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        Self::new(text)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm().as_str())?;
        f.write_str(":")?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        for text in [format!("sha256:{}", "0a".repeat(32)), format!("sha512:{}", "f9".repeat(64))] {
            assert_eq!(Digest::new(&text).map(|d| d.to_string()), Ok(text));
        }
    }

    #[test]
    fn other_spellings_of_the_same_content_are_refused() {
        assert_eq!(
            Digest::new(&format!("sha256:{}", "0A".repeat(32))),
            Err(InvalidDigest::Hex(64))
        );
        assert_eq!(
            Digest::new(&format!("SHA256:{}", "0a".repeat(32))),
            Err(InvalidDigest::Algorithm)
        );
        for text in ["sha256:", "sha256", "md5:00", "sha256:é", "", ":"] {
            assert!(Digest::new(text).is_err(), "{text:?}");
        }
        assert_eq!(
            Digest::new(&format!("sha256:{}", "0a".repeat(33))),
            Err(InvalidDigest::Hex(64))
        );
    }
}
