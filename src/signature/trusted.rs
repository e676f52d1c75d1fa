//! The keys that are trusted, by name.

use std::collections::BTreeMap;

use super::key::PublicKey;
use super::rejected::Rejected;

/// The most keys: each signature may have to be tried with all of them.
pub const MAX_KEYS: usize = 100;

/// Public keys by the names that gates call them (`signed_by`). No key has two names: one signature
/// would count as two.
#[derive(Debug, Default)]
pub struct TrustedKeys(BTreeMap<Box<str>, PublicKey>);

/// Why these keys cannot be trusted together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnfitKeys {
    /// One key under two names.
    #[error("`{first}` and `{second}` are the same key, so one signature would count as two")]
    Same {
        /// The name that comes first.
        first: Box<str>,
        /// The other one.
        second: Box<str>,
    },
    /// More than [`MAX_KEYS`].
    #[error("more than {MAX_KEYS} trusted keys")]
    TooMany,
}

/// The text is not the name of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a key: 1 to 128 letters, digits, `_`, `.` and `-`")]
pub struct InvalidKeyName;

/// Whether a key may have this name.
///
/// # Errors
/// Says what names look like.
pub fn check_name(name: &str) -> Result<(), InvalidKeyName> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let fits = (1..=128).contains(&name.len()) && name.bytes().all(plain);
    if fits { Ok(()) } else { Err(InvalidKeyName) }
}

impl TrustedKeys {
    /// Keys by their names, which [`check_name`] accepts.
    ///
    /// # Errors
    /// See [`UnfitKeys`].
    pub fn new(keys: BTreeMap<Box<str>, PublicKey>) -> Result<Self, UnfitKeys> {
        if keys.len() > MAX_KEYS {
            return Err(UnfitKeys::TooMany);
        }
        let mut before: Vec<(&Box<str>, &PublicKey)> = Vec::new();
        for (second, key) in &keys {
            if let Some((first, _)) = before.iter().find(|(_, other)| *other == key) {
                let (first, second) = ((*first).clone(), second.clone());
                return Err(UnfitKeys::Same { first, second });
            }
            before.push((second, key));
        }
        Ok(Self(keys))
    }

    /// Whether no key is trusted, so that nothing is signed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is a key of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(AsRef::as_ref)
    }

    /// The name of the key that signed, as `signed` tells of one key.
    pub(super) fn signer(&self, signed: impl Fn(&PublicKey) -> bool) -> Result<&str, Rejected> {
        let signer = self.0.iter().find(|(_, key)| signed(key));
        signer.map(|(name, _)| name.as_ref()).ok_or(Rejected::UnknownKey)
    }
}
