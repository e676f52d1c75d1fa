//! The two files together.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use document::{Diagnostics, Problems, SourceFile};

use super::{Error, MAX_SIZE, Source, Users, htpasswd, in_users_file};
use crate::files;

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The users file.
    pub users: PathBuf,
    /// Whether it need not be there.
    pub users_may_be_absent: bool,
    /// The htpasswd file, if there is one.
    pub htpasswd: Option<PathBuf>,
}

/// What stands in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// Of the users file; none if it may be absent and is.
    pub users: Option<String>,
    /// Of the htpasswd file, if there is one.
    pub htpasswd: Option<String>,
}

impl Files {
    /// Reads both.
    ///
    /// # Errors
    /// One of them cannot be read, or is larger than 16 MiB.
    pub fn read(&self) -> Result<Texts, Error> {
        let users = match text(Source::Users, &self.users) {
            Err(Error::Unreadable { source, .. })
                if self.users_may_be_absent && source.kind() == io::ErrorKind::NotFound =>
            {
                None
            }
            users => Some(users?),
        };
        let htpasswd = self.htpasswd.as_deref().map(|path| text(Source::Htpasswd, path));
        Ok(Texts { users, htpasswd: htpasswd.transpose()? })
    }

    /// Understands what was read.
    ///
    /// # Errors
    /// All mistakes of both.
    pub fn parse(&self, texts: &Texts) -> Result<Users, Diagnostics> {
        let mut problems = Problems::default();
        let mut files = Vec::new();
        let (mut users, mut others) = (BTreeMap::new(), BTreeMap::new());
        if let Some(text) = &texts.users {
            users = in_users_file(files.len(), text, &mut problems);
            files.push(SourceFile::new(&self.users, text));
        }
        if let (Some(path), Some(text)) = (&self.htpasswd, &texts.htpasswd) {
            others = htpasswd::read(files.len(), text, &mut problems);
            files.push(SourceFile::new(path, text));
        }
        if problems.is_empty() {
            Ok(Users::of(users, others))
        } else {
            Err(problems.into_diagnostics(&files))
        }
    }

    /// Reads and understands both.
    ///
    /// # Errors
    /// One of them cannot be read, or has mistakes, all of which the error tells.
    pub fn load(&self) -> Result<Users, Error> {
        Ok(self.parse(&self.read()?)?)
    }
}

pub(super) fn text(file: Source, path: &Path) -> Result<String, Error> {
    files::read_text(path, MAX_SIZE)
        .map_err(|source| Error::Unreadable { file, path: path.to_owned(), source })?
        .ok_or_else(|| Error::TooLarge { file, path: path.to_owned() })
}
