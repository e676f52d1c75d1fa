//! The file in which `portcullis login` keeps what it got.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use document::Mistake;
use serde::{Deserialize, Serialize};

use super::super::failure::{Exit, Failure};
use super::rotating::Rotating;
use super::server::Server;
use crate::files;

/// Far more than anyone has gates.
const MAX_SIZE: u64 = 4 << 20;

/// The permission bits that nobody but the owner may have.
const OTHERS: u32 = 0o077;

/// Who is signed in at which gates.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Logins {
    pub(in crate::cli) gates: BTreeMap<Server, Login>,
}

/// A sign-in at a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Login {
    /// Who the gate says it is.
    pub(in crate::cli) subject: String,
    /// The CA that vouches for the gate; none: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) ca: Option<PathBuf>,
    /// What is held of it.
    pub(in crate::cli) tokens: Rotating,
}

/// Where the file is.
#[derive(Debug, Clone)]
pub(in crate::cli) struct LoginsFile(PathBuf);

/// The file while no other command may change it.
#[derive(Debug)]
pub(in crate::cli) struct Change<'a> {
    file: &'a LoginsFile,
    /// Released when it is closed, and by the system if this process ends.
    _lock: File,
    /// What is in the file; change it, and save.
    pub(in crate::cli) logins: Logins,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("there is no home folder to keep sign-ins in")]
    NoHome,
    #[error("cannot read {path}")]
    Unreadable { path: String, source: io::Error },
    #[error("cannot write {path}")]
    Unwritable { path: String, source: io::Error },
    #[error("{path} is open to others (mode {mode:03o})")]
    Exposed { path: String, mode: u32 },
    #[error("{path} is not as `portcullis login` writes it")]
    Damaged { path: String, source: serde_json::Error },
    #[error("{0} is too large")]
    TooLarge(String),
}

impl LoginsFile {
    /// `$XDG_CONFIG_HOME/portcullis/login.json`, in `~/.config` by default.
    ///
    /// # Errors
    /// Neither folder is named.
    pub(in crate::cli) fn of_user() -> Result<Self, Failure> {
        // The XDG base directory specification has relative paths ignored.
        let named = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let config = named("XDG_CONFIG_HOME").or_else(|| Some(named("HOME")?.join(".config")));
        Ok(Self(config.ok_or(Error::NoHome)?.join("portcullis/login.json")))
    }

    #[cfg(test)]
    pub(in crate::cli) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(in crate::cli) fn path(&self) -> &Path {
        &self.0
    }

    fn shown(&self) -> String {
        self.0.display().to_string()
    }

    /// What is in it now. Another command may be about to change it.
    ///
    /// # Errors
    /// It cannot be read, or others can.
    pub(in crate::cli) fn read(&self) -> Result<Logins, Failure> {
        let unreadable = |source| Error::Unreadable { path: self.shown(), source };
        let mut file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Logins::default()),
            Err(error) => return Err(unreadable(error).into()),
        };
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(Error::Exposed { path: self.shown(), mode }.into());
        }
        let mut text = zeroize::Zeroizing::new(Vec::new());
        (&mut file).take(MAX_SIZE + 1).read_to_end(&mut text).map_err(unreadable)?;
        if text.len() as u64 > MAX_SIZE {
            return Err(Error::TooLarge(self.shown()).into());
        }
        let logins = serde_json::from_slice(&text);
        Ok(logins.map_err(|source| Error::Damaged { path: self.shown(), source })?)
    }

    /// Waits until no other command changes it, and reads it. The folder is made if need be.
    ///
    /// # Errors
    /// It cannot be read or written, or others can.
    pub(in crate::cli) fn change(&self) -> Result<Change<'_>, Failure> {
        let folder = self.0.parent().unwrap_or(Path::new("/"));
        let unwritable = |path: &Path| {
            let path = path.display().to_string();
            move |source| Error::Unwritable { path, source }
        };
        if let Some(above) = folder.parent() {
            fs::create_dir_all(above).map_err(unwritable(above))?;
        }
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(unwritable(folder)(error).into());
            }
            _ => {}
        }
        // Whoever can write to the folder can put another file in the place of ours.
        let mode = fs::metadata(folder).map_err(unwritable(folder))?.permissions().mode() & 0o777;
        if mode & 0o022 != 0 {
            return Err(Error::Exposed { path: folder.display().to_string(), mode }.into());
        }
        // The file itself is replaced by each change, so its lock would be of one that is gone.
        let path = self.0.with_extension("lock");
        let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let lock = lock.and_then(|lock| lock.lock().map(|()| lock)).map_err(unwritable(&path))?;
        Ok(Change { file: self, _lock: lock, logins: self.read()? })
    }
}

impl Change<'_> {
    /// Writes it down, so that a crash leaves it as it was or as it is now.
    ///
    /// # Errors
    /// It cannot be written; nothing has changed then.
    pub(in crate::cli) fn save(&self) -> Result<(), Failure> {
        let path = self.file.path();
        let text = serde_json::to_vec_pretty(&self.logins)
            .map(zeroize::Zeroizing::new)
            .map_err(|error| Failure::impossible(&error))?;
        files::replace(path, &text, 0o600)
            .map_err(|source| Error::Unwritable { path: self.file.shown(), source }.into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (exit, help) = match &error {
            Error::NoHome => (Exit::Input, "set HOME, or XDG_CONFIG_HOME".to_owned()),
            Error::Unreadable { .. } | Error::Unwritable { .. } => {
                (Exit::Impossible, "set XDG_CONFIG_HOME to a folder of your own".to_owned())
            }
            Error::Exposed { path, .. } => {
                (Exit::Input, format!("run `chmod go= {path}`, and sign in again"))
            }
            Error::Damaged { path, .. } | Error::TooLarge(path) => {
                (Exit::Input, format!("remove {path}, and sign in again"))
            }
        };
        Self::new(exit, &Mistake::of(&error).help(help))
    }
}

#[cfg(test)]
mod tests;
