//! The users file: who may sign in with a password.
//!
//! ```yaml
//! users:
//!   alice: {password: "$argon2id$…", groups: [backend]}
//!   bob: {password: "$argon2id$…", disabled: true}
//! ```

mod edit;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use document::{Diagnostics, Entry, Kind, Mistake, Node, Problems, SourceFile, Value};

pub use edit::{Change, EditError, edit};

use super::password::{InvalidHash, PasswordHash};
use crate::files;

/// There is room for some fifty thousand users.
const USERS_FILE: Kind = Kind {
    name: "the users file",
    max_mib: 16,
    too_large: "is this the right file?",
    second_document: "keep one document, without `---` in its middle",
    instead_of_anchors: "write the value out wherever it is meant",
    secret_keys: &["password"],
};
const MAX_SIZE: u64 = (USERS_FILE.max_mib as u64) << 20;

/// A user of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The hash of the password.
    pub password: PasswordHash,
    /// The groups that this file asserts, without their prefix `group:`.
    pub groups: Vec<String>,
    /// A disabled user is known, and may do nothing.
    pub disabled: bool,
}

/// All users of the file as it stood when it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users {
    by_name: BTreeMap<String, User>,
}

/// The name of a user or of a group in the users file: 1 to 128 letters, digits and `._@+-`, all
/// ASCII. It never holds a colon, which ends the name in Basic authentication, nor a slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

/// The text is no such name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a name: 1 to 128 letters, digits and `._@+-`")]
pub struct InvalidName;

/// Why there are no users.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the users file {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than 16 MiB.
    #[error("the users file {} is larger than 16 MiB", .0.display())]
    TooLarge(PathBuf),
    /// The file has mistakes.
    #[error(transparent)]
    Invalid(#[from] Diagnostics),
}

impl Users {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, or has mistakes, all of which the error tells.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Ok(Self::parse(path, &read(path)?)?)
    }

    /// Reads `text`, which stands in the file at `path`.
    ///
    /// # Errors
    /// All mistakes of the text.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Diagnostics> {
        let mut problems = Problems::default();
        let users = document::parse(&USERS_FILE, 0, text, &mut problems)
            .map(|root| Self::of(entries(&root, &mut problems), &mut problems));
        match users {
            Some(users) if problems.is_empty() => Ok(users),
            _ => Err(problems.into_diagnostics(&[SourceFile::new(path, text)])),
        }
    }

    fn of(entries: &[Entry], problems: &mut Problems) -> Self {
        let mut by_name = BTreeMap::new();
        for entry in entries {
            if let Err(error) = Name::from_str(&entry.key) {
                problems.at(entry.key_place, Mistake::new(error.to_string()));
            }
            by_name.extend(user(entry, problems).map(|user| (entry.key.clone(), user)));
        }
        Self { by_name }
    }

    /// The user of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&User> {
        self.by_name.get(name)
    }

    /// All users by name, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &User)> {
        self.by_name.iter().map(|(name, user)| (name.as_str(), user))
    }
}

impl Name {
    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte);
        if text.is_empty() || text.len() > 128 || !text.bytes().all(fits) {
            return Err(InvalidName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text of the users file at `path`.
///
/// # Errors
/// It cannot be read, or is larger than 16 MiB.
pub fn read(path: &Path) -> Result<String, Error> {
    let text = files::read_text(path, MAX_SIZE)
        .map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    text.ok_or_else(|| Error::TooLarge(path.to_owned()))
}

/// What stands below `users`. An empty file is refused, as it may be one that is being written; a
/// file of no users says so: `users: {}`.
fn entries<'a>(root: &'a Node, problems: &mut Problems) -> &'a [Entry] {
    let no_users = || Mistake::new("no `users`").help("without any, write `users: {}`");
    if root.value == Value::Null {
        problems.nowhere(no_users());
        return &[];
    }
    let Some(mut file) = root.section("the users file", problems) else { return &[] };
    let users = file.take("users", problems);
    if users.is_none() && problems.is_empty() {
        problems.nowhere(no_users());
    }
    file.finish(problems);
    users.and_then(|users| users.map("`users`", problems)).unwrap_or_default()
}

fn user(entry: &Entry, problems: &mut Problems) -> Option<User> {
    let mut section = entry.value.section(&format!("`{}`", entry.key), problems)?;
    let written = section.take("password", problems);
    if written.is_none() {
        let mistake = Mistake::new(format!("`{}` has no password", entry.key));
        problems.at(entry.key_place, mistake.help(REMEDY));
    }
    let password = written.and_then(|node| {
        let read = |text: &str| PasswordHash::parse(text).map_err(|error| hash_mistake(&error));
        node.read("`password`", problems, read)
    });
    let groups = section.take("groups", problems).and_then(|node| node.list("`groups`", problems));
    let groups = groups.unwrap_or_default().iter();
    let groups =
        groups.filter_map(|node| node.read("a group", problems, group)).map(|group| group.value);
    let groups = groups.collect();
    let disabled = section.read("disabled", problems, |text| match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Mistake::new("neither `true` nor `false`")),
    });
    section.finish(problems);
    let disabled = disabled.is_some_and(|disabled| disabled.value);
    Some(User { password: password?.value, groups, disabled })
}

const REMEDY: &str = "remove the entry, and let `portcullis user add NAME` write it";

fn hash_mistake(error: &InvalidHash) -> Mistake {
    Mistake::new(error.to_string()).help(REMEDY)
}

fn group(text: &str) -> Result<String, Mistake> {
    match (text.parse::<Name>(), text.strip_prefix("group:")) {
        (Ok(name), _) => Ok(name.0),
        (Err(error), Some(name)) => {
            Err(Mistake::new(error.to_string()).help(format!("here it is written `{name}`")))
        }
        (Err(error), None) => Err(Mistake::new(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
