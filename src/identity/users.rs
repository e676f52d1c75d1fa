//! Who may sign in with a password: the users file, and beside it or in its place an htpasswd file.
//!
//! ```yaml
//! users:
//!   alice: {password: "$argon2id$…", groups: [backend]}
//!   bob: {password: "$argon2id$…", disabled: true}
//! ```

mod edit;
mod files;
mod htpasswd;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use document::{Diagnostics, Entry, Kind, Mistake, Node, Problems, SourceFile, Value};

pub use edit::{Change, EditError, edit};
pub use files::{Files, Texts};

use super::password::{self, Effort, InvalidHash, PasswordHash};
use crate::secret::Secret;

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

/// Which file names a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `users.yaml`.
    Users,
    /// The htpasswd file. It knows neither groups nor who is disabled.
    Htpasswd,
}

/// A user of one of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The hash of the password.
    pub password: PasswordHash,
    /// The groups that the users file asserts, without their prefix `group:`.
    pub groups: Vec<String>,
    /// A disabled user is known, and may do nothing.
    pub disabled: bool,
    /// Which file says so.
    pub source: Source,
}

/// All users of the files as they stood when they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users {
    by_name: BTreeMap<String, User>,
    /// What the check of any password costs.
    effort: Effort,
    /// Names that both files have: the users file counts.
    in_both: Vec<String>,
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
    /// A file cannot be read.
    #[error("cannot read {file} {}", path.display())]
    Unreadable {
        /// Which of the two.
        file: Source,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is larger than 16 MiB.
    #[error("{file} {} is larger than 16 MiB", path.display())]
    TooLarge {
        /// Which of the two.
        file: Source,
        /// Where it is.
        path: PathBuf,
    },
    /// The files have mistakes.
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
        let by_name = in_users_file(0, text, &mut problems);
        if problems.is_empty() {
            Ok(Self::of(by_name, BTreeMap::new()))
        } else {
            Err(problems.into_diagnostics(&[SourceFile::new(path, text)]))
        }
    }

    /// All users, by what each file has. Where both know a name, the users file counts, also where
    /// it says that the user is disabled.
    fn of(users: BTreeMap<String, User>, htpasswd: BTreeMap<String, User>) -> Self {
        let in_both = htpasswd.keys().filter(|name| users.contains_key(*name)).cloned().collect();
        let mut by_name = htpasswd;
        by_name.extend(users);
        let effort = Effort::of(by_name.values().map(|user| &user.password));
        Self { by_name, effort, in_both }
    }

    /// Whether the password is that of the user of this name. Takes as long for every name, known or
    /// not, and blocks a core for that time.
    #[must_use]
    pub fn check(&self, name: &str, password: &Secret) -> bool {
        password::verify(password, self.get(name).map(|user| &user.password), self.effort)
    }

    /// The names that both files have, in order. What the htpasswd file says of them is not used.
    #[must_use]
    pub fn in_both(&self) -> &[String] {
        &self.in_both
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

impl Default for Users {
    /// None.
    fn default() -> Self {
        Self::of(BTreeMap::new(), BTreeMap::new())
    }
}

/// As it is called in messages.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Users => "the users file",
            Self::Htpasswd => "the htpasswd file",
        })
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
    files::text(Source::Users, path)
}

/// The users of a text that is the file of this index.
fn in_users_file(file: usize, text: &str, problems: &mut Problems) -> BTreeMap<String, User> {
    let mut by_name = BTreeMap::new();
    let Some(root) = document::parse(&USERS_FILE, file, text, problems) else { return by_name };
    for entry in entries(&root, problems) {
        if let Err(error) = Name::from_str(&entry.key) {
            problems.at(entry.key_place, Mistake::new(error.to_string()));
        }
        by_name.extend(user(entry, problems).map(|user| (entry.key.clone(), user)));
    }
    by_name
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
    Some(User { password: password?.value, groups, disabled, source: Source::Users })
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
