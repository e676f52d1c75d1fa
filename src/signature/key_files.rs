//! The files of the keys that are trusted.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::key::{InvalidKey, PublicKey};
use super::trusted::{TrustedKeys, UnfitKeys};
use crate::files;
use crate::watch::{Fingerprint, Source};

/// Far larger than any public key in PEM form, in bytes.
const MAX_SIZE: u64 = 64 << 10;

/// The configuration's `trusted_keys`: names, and the file of each key. Followed while the gate runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyFiles(pub BTreeMap<Box<str>, PathBuf>);

/// Why the keys in the files cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum KeyFilesError {
    /// It is missing, not for this user to read, or far too large.
    #[error("cannot read the public key {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What is in it.
    #[error("cannot use the public key {}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: InvalidKey,
    },
    /// All of them together.
    #[error("cannot trust these keys together")]
    Unfit(#[from] UnfitKeys),
}

impl KeyFilesError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Unreadable { .. } => None,
            Self::Invalid { source, .. } => Some(source.help()),
            Self::Unfit(UnfitKeys::Same { .. }) => Some("keep one of the two names"),
            Self::Unfit(UnfitKeys::TooMany) => Some("remove those that no gate asks for"),
        }
    }
}

/// Reads and understands one file.
///
/// # Errors
/// It cannot be read, or holds no key that signatures can be checked with.
pub fn read_key(path: &Path) -> Result<PublicKey, KeyFilesError> {
    understand(path, &read(path)?)
}

fn read(path: &Path) -> Result<Vec<u8>, KeyFilesError> {
    let unreadable = |source| KeyFilesError::Unreadable { path: path.to_owned(), source };
    let bytes = files::read(path, MAX_SIZE).map_err(unreadable)?;
    bytes.ok_or_else(|| unreadable(io::ErrorKind::FileTooLarge.into()))
}

fn understand(path: &Path, text: &[u8]) -> Result<PublicKey, KeyFilesError> {
    PublicKey::from_pem(text)
        .map_err(|source| KeyFilesError::Invalid { path: path.to_owned(), source })
}

impl Source for KeyFiles {
    /// In the order of the names.
    type Content = Vec<Vec<u8>>;
    type Value = TrustedKeys;
    type Error = KeyFilesError;

    fn name(&self) -> &'static str {
        "one of the trusted keys"
    }

    fn read(&self) -> Result<Vec<Vec<u8>>, KeyFilesError> {
        self.0.values().map(|path| read(path)).collect()
    }

    fn fingerprint(content: &Vec<Vec<u8>>) -> Fingerprint {
        Fingerprint::of(content.iter().map(Vec::as_slice))
    }

    fn load(&self, content: Vec<Vec<u8>>) -> Result<TrustedKeys, KeyFilesError> {
        let keys = self.0.iter().zip(content);
        let keys = keys.map(|((name, path), text)| Ok((name.clone(), understand(path, &text)?)));
        Ok(TrustedKeys::new(keys.collect::<Result<_, KeyFilesError>>()?)?)
    }

    fn help(error: &KeyFilesError) -> Option<String> {
        error.help().map(str::to_owned)
    }
}
