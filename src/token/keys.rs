//! The folder with the gate's keys.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::key_files::{self, KeyAlgorithm, KeyState};
use super::live_keys::{KeyFiles, Keys};
use super::ring::{BadKey, public_key};
use crate::files::{self, Exposed};

/// The file of the key that seals upload locations: 256 bits in base64.
const SEALING: &str = "sealing.key";

/// The keys of one gate, or of all replicas of one: `*.pem` with private keys, of which the one
/// whose file name sorts last signs and all of them check until they retire, and `sealing.key`.
#[derive(Debug)]
pub struct KeyFolder {
    path: PathBuf,
    sealing: SealingKey,
}

/// One of the signing keys, as it is shown to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// Its name in tokens.
    pub kid: String,
    /// The `alg` of what it signs.
    pub algorithm: &'static str,
    /// Its file.
    pub path: PathBuf,
    /// When it was made, where the name of the file says so.
    pub made: Option<Timestamp>,
    /// What it is used for.
    pub state: KeyState,
}

struct SealingKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read `{}`", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// No new key can be made there.
    #[error(
        "cannot make a key in `{}`; let it be written to, or make the key elsewhere (`openssl \
         genpkey -algorithm ed25519 -out signing-YYYYMMDDThhmmssZ.pem`) and add it to what is \
         mounted there",
        .0.display()
    )]
    Write(PathBuf, #[source] io::Error),
    /// No sealing key can be made there.
    #[error(
        "cannot make `{}`; let its folder be written to, or put 32 random bytes in base64 there \
         (`openssl rand -base64 32`)",
        .0.display()
    )]
    WriteSealing(PathBuf, #[source] io::Error),
    /// A new key would not sign.
    #[error(
        "a new key would not sign, as the name of `{}` sorts after `signing-…`; rename that file",
        .0.display()
    )]
    NotNewest(PathBuf),
    /// The folder has no key that signs.
    #[error("`{}` holds no signing key; `portcullis keys rotate` makes one", .0.display())]
    Empty(PathBuf),
    /// Others on this machine can add keys.
    #[error(
        "the folder of keys {} is open to others (mode {mode:03o}); run `chmod 700 {}`",
        .path.display(), .path.display()
    )]
    OpenFolder {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others on this machine can read or replace a key.
    #[error(
        "the key {} is open to others (mode {mode:03o}); run `chmod 600 {}`",
        .path.display(), .path.display()
    )]
    Exposed {
        /// The key.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A `.pem` file without a private key of a type that signs.
    #[error(
        "`{}` holds no Ed25519 or P-256 private key in PKCS#8 PEM; `portcullis keys rotate` or \
         `openssl genpkey -algorithm ed25519` makes one",
        .0.display()
    )]
    Signing(PathBuf, #[source] BadKey),
    /// A sealing key of another length or spelling.
    #[error("`{}` must hold 32 random bytes in base64; `openssl rand -base64 32` makes them", .0.display())]
    Sealing(PathBuf),
    /// The system gave no random bytes.
    #[error("no random numbers are to be had from the system")]
    Random,
}

impl KeyFolder {
    /// Makes the keys that are missing, each complete or not at all and readable by its owner
    /// alone. `now` names a new signing key.
    ///
    /// # Errors
    /// When the folder can be written by others than its owner, when the sealing key can be read
    /// by everyone or written by another than its owner (a file that only its group may read is
    /// accepted: Kubernetes mounts secrets so), or when a key cannot be read or made.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, KeyError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| KeyError::Write(folder.to_owned(), error))?;
        if key_files::list(folder, Duration::ZERO, now)?.is_empty() {
            key_files::make(folder, KeyAlgorithm::default(), now)?;
        }
        let sealing = folder.join(SEALING);
        let exists =
            sealing.try_exists().map_err(|error| KeyError::Read(sealing.clone(), error))?;
        if !exists {
            make_sealing_key(&sealing)?;
        }
        Ok(Self { path: folder.to_owned(), sealing: sealing_key(&sealing)? })
    }

    /// The keys that sign and check tokens, as they are at each time by `clock`. A key that does
    /// not sign any more retires `verify_for` after the next one was made.
    ///
    /// # Errors
    /// When one of them cannot be read, is open to others, or is no key that signs.
    pub fn keys(
        &self,
        verify_for: Duration,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Keys, KeyError> {
        Keys::follow(KeyFiles { folder: self.path.clone(), verify_for, clock: Box::new(clock) })
    }

    /// The key that seals upload locations.
    #[must_use]
    pub fn sealing_key(&self) -> Zeroizing<[u8; 32]> {
        self.sealing.0.clone()
    }

    /// All signing keys in a folder, those that have retired too, from the oldest to the newest.
    ///
    /// # Errors
    /// As [`Self::keys`].
    pub fn list(
        folder: &Path,
        verify_for: Duration,
        now: Timestamp,
    ) -> Result<Vec<ListedKey>, KeyError> {
        key_files::list(folder, verify_for, now)?
            .into_iter()
            .map(|file| {
                let public = public_key(&file.der()?)
                    .map_err(|bad| KeyError::Signing(file.path.clone(), bad))?;
                Ok(ListedKey {
                    kid: public.thumbprint(),
                    algorithm: public.algorithm_name(),
                    path: file.path,
                    made: file.made,
                    state: file.state,
                })
            })
            .collect()
    }

    /// Reads all that is there, as a start would, and makes nothing. The signing keys are listed.
    ///
    /// # Errors
    /// Why a start would be refused.
    pub fn check(
        folder: &Path,
        verify_for: Duration,
        now: Timestamp,
    ) -> Result<Vec<ListedKey>, KeyError> {
        let listed = Self::list(folder, verify_for, now)?;
        let sealing = folder.join(SEALING);
        if sealing.exists() {
            sealing_key(&sealing)?;
        }
        Ok(listed)
    }

    /// Makes a key that signs from now on, in a file of the folder's owner. Gates that serve from
    /// the folder take it up by themselves.
    ///
    /// # Errors
    /// It cannot be made, or would not be the one that signs.
    pub fn rotate(
        folder: &Path,
        algorithm: KeyAlgorithm,
        now: Timestamp,
    ) -> Result<PathBuf, KeyError> {
        key_files::make(folder, algorithm, now)
    }
}

fn sealing_key(path: &Path) -> Result<SealingKey, KeyError> {
    let text = read(path)?;
    let wrong = || KeyError::Sealing(path.to_owned());
    let bytes = Zeroizing::new(STANDARD.decode(text.trim_ascii()).map_err(|_| wrong())?);
    let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| wrong())?;
    Ok(SealingKey(Zeroizing::new(key)))
}

/// Reads a key that nobody else may read or replace.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let secret =
        files::read_secret(path).map_err(|error| KeyError::Read(path.to_owned(), error))?;
    secret.map_err(|Exposed(mode)| KeyError::Exposed { path: path.to_owned(), mode })
}

fn make_sealing_key(path: &Path) -> Result<(), KeyError> {
    let mut key = Zeroizing::new([0; 32]);
    rand::fill(key.as_mut()).map_err(|_| KeyError::Random)?;
    let mut text = Zeroizing::new(STANDARD.encode(*key));
    text.push('\n');
    write(path, text.as_bytes())
}

/// Makes a file that its owner alone can read. One that is there already stays: a replica that
/// started at the same time made it.
fn write(path: &Path, content: &[u8]) -> Result<(), KeyError> {
    match files::create(path, content, 0o600) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(KeyError::WriteSealing(path.to_owned(), error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use super::*;
    use crate::token::KeyRing;

    fn ring(folder: &KeyFolder) -> std::sync::Arc<KeyRing> {
        let keys = folder.keys(Duration::from_secs(3600), now).unwrap();
        std::sync::Arc::clone(&keys.current())
    }

    /// What a start would say.
    fn refusal(folder: &Path) -> String {
        let opened = KeyFolder::open(folder, now());
        let started = opened.and_then(|opened| opened.keys(Duration::from_secs(3600), now));
        started.unwrap_err().to_string()
    }

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_first_start_makes_keys_that_the_next_one_reads() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("state/keys");
        let first = KeyFolder::open(&folder, now()).unwrap();
        assert_eq!(names(&folder), ["sealing.key", "signing-20260102T030405Z.pem"]);
        assert_eq!(mode(&folder), 0o700);
        for name in names(&folder) {
            assert_eq!(mode(&folder.join(name)), 0o600);
        }
        let again = KeyFolder::open(&folder, now()).unwrap();
        assert_eq!(ring(&again).jwks(), ring(&first).jwks());
        assert_eq!(again.sealing_key(), first.sealing_key());
        assert_ne!(*first.sealing_key(), [0; 32]);
    }

    #[test]
    fn two_folders_have_different_keys() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let one = KeyFolder::open(one.path(), now()).unwrap();
        let two = KeyFolder::open(two.path(), now()).unwrap();
        assert_ne!(ring(&one).jwks(), ring(&two).jwks());
        assert_ne!(one.sealing_key(), two.sealing_key());
    }

    #[test]
    fn a_key_that_others_can_read_or_replace_is_refused_with_the_remedy() {
        for bad in [0o604, 0o644, 0o660, 0o602] {
            for file in ["signing-20260102T030405Z.pem", SEALING] {
                let folder = tempfile::tempdir().unwrap();
                KeyFolder::open(folder.path(), now()).unwrap();
                let path = folder.path().join(file);
                set_mode(&path, bad);
                let text = refusal(folder.path());
                assert!(text.contains(&format!("is open to others (mode {bad:03o})")), "{text}");
                assert!(text.contains(&format!("chmod 600 {}", path.display())), "{text}");
            }
        }
    }

    #[test]
    fn a_key_that_its_group_may_read_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        KeyFolder::open(folder.path(), now()).unwrap();
        for name in names(folder.path()) {
            set_mode(&folder.path().join(name), 0o440);
        }
        ring(&KeyFolder::open(folder.path(), now()).unwrap());
    }

    #[test]
    fn the_key_whose_name_sorts_last_signs_and_all_of_them_check() {
        let folder = tempfile::tempdir().unwrap();
        let old = ring(&KeyFolder::open(folder.path(), now()).unwrap());
        let later = now().checked_add(Duration::from_secs(60)).unwrap();
        KeyFolder::rotate(folder.path(), KeyAlgorithm::Es256, later).unwrap();
        let new = ring(&KeyFolder::open(folder.path(), now()).unwrap());
        assert_ne!(new.kid(), old.kid());
        assert_eq!(new.jwks()["keys"].as_array().unwrap().len(), 2);
        assert!(new.verifying().get(old.kid()).is_some());
    }

    #[test]
    fn a_key_as_openssl_writes_it_is_read() {
        // PKCS#8 version 1 with the private key of RFC 8032, section 7.1, test 1.
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let hex = format!("302e020100300506032b657004220420{seed}");
        let der: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap())
            .collect();
        let mut pem = String::new();
        write!(
            pem,
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der)
        )
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("mine.pem"), pem.as_bytes()).unwrap();
        let keys = KeyFolder::open(folder.path(), now()).unwrap();
        assert_eq!(
            ring(&keys).jwks()["keys"][0]["x"],
            "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        );
    }

    #[test]
    fn what_is_no_key_is_named() {
        for (file, content) in [
            ("a.pem", "nonsense"),
            ("a.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            (SEALING, "AAAA"),
            (SEALING, "not base64"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(file);
            write(&path, content.as_bytes()).unwrap();
            let error = refusal(folder.path());
            assert!(error.contains(&path.display().to_string()), "{error}");
            assert!(error.contains("openssl"), "{error}");
        }
    }

    #[test]
    fn no_key_is_ever_printed() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyFolder::open(folder.path(), now()).unwrap();
        let shown = format!("{keys:?}");
        let sealing = format!("{:?}", keys.sealing_key().as_slice());
        assert!(!shown.contains(sealing.trim_matches(['[', ']'])), "{shown}");
        for name in names(folder.path()) {
            let text = fs::read_to_string(folder.path().join(name)).unwrap();
            for line in text.lines() {
                assert!(!shown.contains(line), "{shown}");
            }
        }
    }

    #[test]
    fn a_key_that_is_there_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(names(folder.path()), ["file"]);
    }
}
