//! Refresh tokens.

use aws_lc_rs::{digest, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::family::NoRandomBytes;
use crate::secret::Secret;

/// How they begin, so that scanners for secrets find them.
pub const PREFIX: &str = "pcr_";

/// 256 random bits that stand for a family. The state holds only their hash.
#[derive(Clone)]
pub struct RefreshToken(Zeroizing<[u8; 32]>);

/// The SHA-256 of a refresh token: what the state holds of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// Makes the successors of refresh tokens.
///
/// A successor follows from its predecessor and this key, so whoever shows the same token twice, at
/// once or because an answer was lost, gets the same successor, and none of it has to be stored.
pub struct Succession(hmac::Key);

impl RefreshToken {
    /// A new one.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random() -> Result<Self, NoRandomBytes> {
        let mut bytes = Zeroizing::new([0; 32]);
        rand::fill(bytes.as_mut()).map_err(|_| NoRandomBytes)?;
        Ok(Self(bytes))
    }

    /// Reads one; none where the text is no refresh token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// The text that its holder keeps.
    #[must_use]
    pub fn written(&self) -> Secret {
        Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(*self.0)))
    }

    /// A value that only who knows this token can tell, another one for each purpose (HKDF's
    /// expansion in its simplest form, RFC 5869, section 2.3).
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Secret {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.0);
        let derived = hmac::sign(&key, format!("portcullis {purpose}\x01").as_bytes());
        Secret::new(URL_SAFE_NO_PAD.encode(derived.as_ref()))
    }

    /// What the state knows it by.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, &*self.0).as_ref());
        TokenHash(hash)
    }
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[refresh token]")
    }
}

impl Succession {
    /// Derives its key from a secret of the gate (HKDF's expansion in its simplest form: one block
    /// of HMAC over a label, RFC 5869, section 2.3).
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = hmac::sign(&secret, b"portcullis refresh token successor\x01");
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    /// The one successor of a token.
    #[must_use]
    pub fn of(&self, token: &RefreshToken) -> RefreshToken {
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(hmac::sign(&self.0, &*token.0).as_ref());
        RefreshToken(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_is_written_and_nothing_else_is_one() {
        let token = RefreshToken::random().unwrap();
        let text = token.written();
        assert_eq!(text.expose().len(), 47);
        assert_eq!(RefreshToken::parse(text.expose()).unwrap().hash(), token.hash());
        for text in ["", "pcr_", "pcr_AAAA", &text.expose()[4..], &format!("{}A", text.expose())] {
            assert!(RefreshToken::parse(text).is_none(), "{text}");
        }
        assert_eq!(format!("{token:?}"), "[refresh token]");
    }

    #[test]
    fn a_successor_follows_from_its_predecessor_and_the_key_alone() {
        let (one, other) = (Succession::new(&[1; 32]), Succession::new(&[2; 32]));
        let token = RefreshToken::random().unwrap();
        let next = one.of(&token);
        assert_eq!(next.hash(), Succession::new(&[1; 32]).of(&token).hash());
        assert_ne!(next.hash(), other.of(&token).hash());
        assert_ne!(next.hash(), token.hash());
        assert_ne!(next.hash(), one.of(&next).hash());
    }
}
