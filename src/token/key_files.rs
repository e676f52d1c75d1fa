//! The files of the keys that sign: which there are, which still count, and making another.

use std::cmp;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use super::keys::{KeyError, read};
use super::ring::{BadKey, KeyRing, public_key};
use crate::files;
use crate::pem;

/// How the time is written in a name: to the second, and so that names sort as times do.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// A private key in PKCS#8.
pub(super) type Der = Zeroizing<Vec<u8>>;

/// The algorithm of a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyAlgorithm {
    /// EdDSA with Ed25519.
    #[default]
    Ed25519,
    /// ECDSA with P-256, for who knows no Ed25519.
    Es256,
}

/// The name is none of those above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write `ed25519` or `es256`")]
pub struct UnknownAlgorithm;

impl FromStr for KeyAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        match text {
            "ed25519" => Ok(Self::Ed25519),
            "es256" => Ok(Self::Es256),
            _ => Err(UnknownAlgorithm),
        }
    }
}

/// What a key is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It signs new tokens, and checks.
    Signing,
    /// It checks what it signed, until then; without a time, for as long as its file is there.
    Verifying(Option<Timestamp>),
    /// Nothing that it signed can still hold. Its file may be removed.
    Retired,
}

/// The file of a private key that signs, or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
    /// When it was made, where its name says so.
    pub(super) made: Option<Timestamp>,
    pub(super) state: KeyState,
}

impl KeyFile {
    /// Reads the key, which nobody else may read or replace.
    pub(super) fn der(&self) -> Result<Der, KeyError> {
        let wrong = || KeyError::Signing(self.path.clone(), BadKey);
        let pem = read(&self.path)?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| wrong())?;
        let der = Zeroizing::new(der.secret_pkcs8_der().to_vec());
        public_key(&der).map_err(|_| wrong())?;
        Ok(der)
    }
}

/// The files `*.pem`, ordered by name; the last one signs. One that is named after the time at which
/// it was made retires `verify_for` after the next newer one of these was made.
pub(super) fn list(
    folder: &Path,
    verify_for: Duration,
    now: Timestamp,
) -> Result<Vec<KeyFile>, KeyError> {
    let cannot_read = |error| KeyError::Read(folder.to_owned(), error);
    check_folder(folder, &fs::metadata(folder).map_err(cannot_read)?)?;
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot_read)? {
        let path = entry.map_err(cannot_read)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "pem") {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    let mut files = Vec::new();
    let mut next_made = None;
    // From the newest to the oldest, as each retires after the one that follows it.
    for path in paths.into_iter().rev() {
        let made = made(&path);
        let until = made
            .and(next_made)
            .map(|next: Timestamp| next.saturating_add(verify_for).unwrap_or(Timestamp::MAX));
        let state = match until {
            _ if files.is_empty() => KeyState::Signing,
            Some(until) if until <= now => KeyState::Retired,
            until => KeyState::Verifying(until),
        };
        next_made = made.or(next_made);
        files.push(KeyFile { path, made, state });
    }
    files.reverse();
    Ok(files)
}

/// Who can put files into the folder can sign tokens. (Kubernetes mounts secrets in a folder that
/// everyone may write to, but with the sticky bit, and read-only.)
fn check_folder(folder: &Path, metadata: &Metadata) -> Result<(), KeyError> {
    const OTHERS: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    let mode = metadata.permissions().mode();
    if mode & OTHERS != 0 && mode & STICKY == 0 {
        return Err(KeyError::OpenFolder { path: folder.to_owned(), mode: mode & 0o777 });
    }
    Ok(())
}

/// The time in a name such as `signing-20260102T030405Z.pem`.
fn made(path: &Path) -> Option<Timestamp> {
    let time = path.file_stem()?.to_str()?.strip_prefix("signing-")?;
    let made = DateTime::strptime(TIME, time).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    // What reads the same but sorts otherwise is another name.
    (made.strftime(TIME).to_string() == time).then_some(made)
}

/// The ring of the keys that are listed, without those that have retired.
pub(super) fn ring(folder: &Path, keys: &[Der]) -> Result<KeyRing, KeyError> {
    let Some((newest, others)) = keys.split_last() else {
        return Err(KeyError::Empty(folder.to_owned()));
    };
    KeyRing::new(newest, others.iter().map(|der| der.as_slice()))
        .map_err(|bad| KeyError::Signing(folder.to_owned(), bad))
}

/// Makes a key that signs from now on, in a file that is complete or not there. It is named after
/// `now`, or a second after the newest one, so that it is the newest whatever the clock says and
/// however soon it follows.
///
/// # Errors
/// It cannot be made, or would not be the one that signs.
pub(super) fn make(
    folder: &Path,
    algorithm: KeyAlgorithm,
    now: Timestamp,
) -> Result<PathBuf, KeyError> {
    let pem = new_key(algorithm)?;
    loop {
        let files = list(folder, Duration::ZERO, now)?;
        let newest = files.iter().filter_map(|file| file.made).max();
        let made = newest.map_or(now, |newest| cmp::max(now, second_after(newest)));
        let path = folder.join(format!("signing-{}.pem", made.strftime(TIME)));
        if let Some(last) = files.last().filter(|last| last.path > path) {
            return Err(KeyError::NotNewest(last.path.clone()));
        }
        match files::create_for_folder(&path, pem.as_bytes(), 0o600) {
            Ok(()) => return Ok(path),
            // Another made one at the same moment; this one comes after it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(KeyError::Write(folder.to_owned(), error)),
        }
    }
}

fn second_after(time: Timestamp) -> Timestamp {
    time.saturating_add(Duration::from_secs(1)).unwrap_or(Timestamp::MAX)
}

fn new_key(algorithm: KeyAlgorithm) -> Result<Zeroizing<String>, KeyError> {
    let random = SystemRandom::new();
    let document = match algorithm {
        KeyAlgorithm::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random),
        KeyAlgorithm::Es256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
        }
    };
    let document = document.map_err(|_| KeyError::Random)?;
    Ok(pem::encode("PRIVATE KEY", document.as_ref()))
}

#[cfg(test)]
mod tests;
