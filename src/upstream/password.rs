//! The file that holds the gate's password for the upstream.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::secret::Secret;

/// Bytes; longer than any password.
const MAX_PASSWORD: usize = 4096;

/// Why the file gives no password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// It is missing, or not for this user to read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is empty, has several lines or is something else.
    #[error("{} holds no password", .0.display())]
    None(PathBuf),
}

impl PasswordError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Unreadable { .. } => None,
            Self::None(_) => Some("it must hold the password alone, on one line"),
        }
    }
}

/// The content of the file, without the line break that editors leave at the end.
///
/// # Errors
/// It cannot be read, or is no password.
pub fn read_password(path: &Path) -> Result<Secret, PasswordError> {
    let text = fs::read_to_string(path)
        .map(Secret::new)
        .map_err(|source| PasswordError::Unreadable { path: path.to_owned(), source })?;
    let password = text.expose().trim_end_matches(['\r', '\n']);
    if password.is_empty() || password.len() > MAX_PASSWORD || password.contains(char::is_control) {
        return Err(PasswordError::None(path.to_owned()));
    }
    Ok(Secret::new(password.to_owned()))
}
