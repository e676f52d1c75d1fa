//! Changing the users file without touching what else people wrote in it.
//!
//! A change is made to the text where the tree says that the value stands; comments, order and
//! spacing stay. The new text is read again and must say what was meant, else nothing is written.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use document::{Entry, Node, Problems, Value};

use super::super::password::PasswordHash;
use super::{Error, Name, Source, USERS_FILE, User, Users, entries, read};
use crate::files;

/// What is to change.
#[derive(Debug, Clone)]
pub enum Change {
    /// A new user with these groups.
    Add(PasswordHash, Vec<Name>),
    /// Another password.
    Password(PasswordHash),
    /// Whether the user is disabled.
    Disabled(bool),
}

/// Why the file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] Error),
    /// There is one already.
    #[error("there is a user `{0}` already")]
    Exists(Name),
    /// There is none.
    #[error("there is no user `{0}`")]
    Unknown(Name),
    /// The file is written in a way that the change cannot be fitted in.
    #[error("{} is written in a way that only a person can change", .0.display())]
    Layout(PathBuf),
    /// It could not be written.
    #[error("cannot write the users file {}", path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Makes the change to the user `name` in the file at `path`. Others who edit it in this way wait.
///
/// # Errors
/// Nothing has changed then.
pub fn edit(path: &Path, name: &Name, change: &Change) -> Result<(), EditError> {
    let unwritable = |source| EditError::Unwritable { path: path.to_owned(), source };
    // The link, not the file behind it, would be replaced.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().unwrap_or(Path::new("."));
    let lock = File::open(folder).map_err(unwritable)?;
    lock.lock().map_err(unwritable)?;
    let text = read(path)?;
    let users = Users::parse(path, &text).map_err(Error::from)?;
    let wanted = changed(users, name, change)?;
    let new = rewrite(&text, name, change).ok_or_else(|| EditError::Layout(path.clone()))?;
    if Users::parse(path, &new).ok().as_ref() != Some(&wanted) {
        return Err(EditError::Layout(path.clone()));
    }
    let mode = fs::metadata(path).map_err(unwritable)?.permissions().mode() & 0o640;
    files::replace(path, new.as_bytes(), mode).map_err(unwritable)
}

fn changed(mut users: Users, name: &Name, change: &Change) -> Result<Users, EditError> {
    let known = users.by_name.get_mut(name.as_str());
    match (change, known) {
        (Change::Add(..), Some(_)) => return Err(EditError::Exists(name.clone())),
        (Change::Add(password, groups), None) => {
            let groups = groups.iter().map(ToString::to_string).collect();
            let password = password.clone();
            let user = User { password, groups, disabled: false, source: Source::Users };
            users.by_name.insert(name.to_string(), user);
        }
        (_, None) => return Err(EditError::Unknown(name.clone())),
        (Change::Password(password), Some(user)) => user.password = password.clone(),
        (Change::Disabled(disabled), Some(user)) => user.disabled = *disabled,
    }
    Ok(Users::of(users.by_name, BTreeMap::new()))
}

fn rewrite(text: &str, name: &Name, change: &Change) -> Option<String> {
    let mut problems = Problems::default();
    let root = document::parse(&USERS_FILE, 0, text, &mut problems)?;
    let users = entries(&root, &mut problems);
    let user = users.iter().find(|entry| entry.key == name.as_str());
    let (place, new) = match change {
        Change::Add(password, groups) => add(text, &root, name, password, groups)?,
        Change::Password(password) => {
            (value(user?, "password")?.place.range(), format!("\"{password}\""))
        }
        Change::Disabled(disabled) => match value(user?, "disabled") {
            Some(node) => (node.place.range(), disabled.to_string()),
            None => first_key(text, user?, &format!("disabled: {disabled}"))?,
        },
    };
    let mut result = text.to_owned();
    text.get(place.clone())?;
    result.replace_range(place, &new);
    Some(result)
}

type Replacement = (Range<usize>, String);

/// A key set before the first one of a user.
fn first_key(text: &str, user: &Entry, key: &str) -> Option<Replacement> {
    let Value::Map { entries, flow } = &user.value.value else { return None };
    let at = entries.first()?.key_place.start;
    let separator =
        if *flow { ", ".to_owned() } else { format!("\n{}", " ".repeat(column(text, at)?)) };
    Some((at..at, format!("{key}{separator}")))
}

/// A user set behind the last one.
fn add(
    text: &str,
    root: &Node,
    name: &Name,
    password: &PasswordHash,
    groups: &[Name],
) -> Option<Replacement> {
    let Value::Map { entries: keys, .. } = &root.value else { return None };
    let users = keys.iter().find(|entry| entry.key == "users")?;
    let Value::Map { entries, flow } = &users.value.value else { return None };
    let groups: Vec<String> = groups.iter().map(quoted).collect();
    let groups = groups.join(", ");
    let name = quoted(name);
    let Some((first, last)) = entries.first().zip(entries.last()) else {
        // `users: {}`: what stands behind the colon makes way.
        let place = users.key_place.end + 1..users.value.place.end;
        return Some((place, block(2, &name, password, &groups)));
    };
    if *flow {
        let at = last.value.place.end;
        let user = format!(", {name}: {{password: \"{password}\", groups: [{groups}]}}");
        return Some((at..at, user));
    }
    let end = end_of(text, &last.value);
    let line = text.get(end..)?;
    let at = end + line.find('\n').unwrap_or(line.len());
    Some((at..at, block(column(text, first.key_place.start)?, &name, password, &groups)))
}

/// A user in block style, from the line break before it.
fn block(indent: usize, name: &str, password: &PasswordHash, groups: &str) -> String {
    let outer = " ".repeat(indent);
    let mut text = format!("\n{outer}{name}:\n{outer}  password: \"{password}\"");
    if !groups.is_empty() {
        text.push_str(&format!("\n{outer}  groups: [{groups}]"));
    }
    text
}

/// In quotes where a plain scalar would be read as something else.
fn quoted(name: &Name) -> String {
    let name = name.as_str();
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic());
    if plain && name != "null" { name.to_owned() } else { format!("\"{name}\"") }
}

fn value<'a>(user: &'a Entry, key: &str) -> Option<&'a Node> {
    let Value::Map { entries, .. } = &user.value.value else { return None };
    entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
}

/// How far the byte at `at` stands from the start of its line.
fn column(text: &str, at: usize) -> Option<usize> {
    let before = text.get(..at)?;
    Some(before.len() - before.rfind('\n').map_or(0, |line| line + 1))
}

/// Where the text of a value ends. A block ends where its last scalar does: the place that the
/// parser gives for it may lie behind comments.
fn end_of(text: &str, node: &Node) -> usize {
    let starts_with =
        |bracket: &str| text.get(node.place.start..).is_some_and(|rest| rest.starts_with(bracket));
    let last = match &node.value {
        Value::Map { entries, .. } if !starts_with("{") => entries.last().map(|last| &last.value),
        Value::List(nodes) if !starts_with("[") => nodes.last(),
        _ => None,
    };
    last.map_or(node.place.end, |last| end_of(text, last))
}
