//! Docker's `config.json`, in which a credential helper is named for a registry.

use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use document::Mistake;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::super::client::Server;
use super::super::failure::{Exit, Failure};
use crate::files;

/// What docker puts behind `docker-credential-`.
const NAME: &str = "portcullis";

/// Far more than docker writes.
const MAX_SIZE: u64 = 4 << 20;

/// What an entry of `auths` may hold that signs in. Anything else in it, docker needs for itself.
const SECRETS: [&str; 5] = ["auth", "identitytoken", "registrytoken", "username", "password"];

/// Where the file is.
#[derive(Debug)]
pub(super) struct DockerConfig(PathBuf);

/// Why it cannot be changed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("there is no home folder with docker's configuration")]
    NoHome,
    #[error("cannot read {path}")]
    Unreadable { path: String, source: io::Error },
    #[error("cannot write {path}")]
    Unwritable { path: String, source: io::Error },
    #[error("{path} is not as docker writes it")]
    Damaged { path: String, source: serde_json::Error },
    #[error("{0} is too large")]
    TooLarge(String),
}

impl DockerConfig {
    /// `$DOCKER_CONFIG/config.json`, in `~/.docker` by default.
    pub(super) fn of_user() -> Result<Self, Failure> {
        let named =
            |name| env::var_os(name).map(PathBuf::from).filter(|path| !path.as_os_str().is_empty());
        let folder = named("DOCKER_CONFIG").or_else(|| Some(named("HOME")?.join(".docker")));
        Ok(Self(folder.ok_or(Error::NoHome)?.join("config.json")))
    }

    /// Names the helper for the gate, and removes what docker keeps of the gate itself.
    pub(super) fn use_helper(&self, server: &Server) -> Result<(), Failure> {
        self.change(|text| with_helper(text, server))
    }

    /// Undoes it.
    pub(super) fn forget(&self, server: &Server) -> Result<(), Failure> {
        self.change(|text| without_helper(text, server))
    }

    fn change(
        &self,
        change: impl FnOnce(&str) -> Result<String, serde_json::Error>,
    ) -> Result<(), Failure> {
        // A link is followed: the file may be kept elsewhere, with others of its kind.
        let path = fs::canonicalize(&self.0).unwrap_or_else(|_| self.0.clone());
        let shown = || path.display().to_string();
        let unwritable = |source| Error::Unwritable { path: shown(), source };
        let (old, mode) = match files::read_text(&path, MAX_SIZE) {
            Ok(Some(text)) => (text, mode(&path).map_err(unwritable)?),
            Ok(None) => return Err(Error::TooLarge(shown()).into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (String::new(), 0o600),
            Err(source) => return Err(Error::Unreadable { path: shown(), source }.into()),
        };
        let new = change(&old).map_err(|source| Error::Damaged { path: shown(), source })?;
        if new == old {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(unwritable)?;
        }
        Ok(files::replace(&path, new.as_bytes(), mode).map_err(unwritable)?)
    }
}

fn mode(path: &Path) -> io::Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (exit, help) = match error {
            Error::NoHome => (Exit::Input, "set HOME, or DOCKER_CONFIG"),
            Error::Unreadable { .. } | Error::Unwritable { .. } => {
                (Exit::Impossible, "set DOCKER_CONFIG to the folder that docker uses")
            }
            Error::Damaged { .. } | Error::TooLarge(_) => (Exit::Input, "mend it, or remove it"),
        };
        Self::new(exit, &Mistake::of(&error).help(help))
    }
}

/// An object whose members keep their order and, unless they are changed, every letter.
#[derive(Default)]
struct Object(Vec<(String, Box<RawValue>)>);

impl Object {
    fn parse(text: &str) -> Result<Self, serde_json::Error> {
        if text.trim().is_empty() { Ok(Self::default()) } else { serde_json::from_str(text) }
    }

    fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().rfind(|(member, _)| member == name).map(|(_, value)| &**value)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), serde_json::Error> {
        let value = RawValue::from_string(value)?;
        match self.0.iter_mut().rfind(|(member, _)| member == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
        Ok(())
    }

    /// The member as an object; without it, an empty one.
    fn object(&self, name: &str) -> Result<Self, serde_json::Error> {
        self.get(name).map_or_else(|| Ok(Self::default()), |value| Self::parse(value.get()))
    }

    /// As docker writes it: a member a line, behind tabs.
    fn written(&self, depth: usize) -> Result<String, serde_json::Error> {
        if self.0.is_empty() {
            return Ok("{}".to_owned());
        }
        let tabs = "\t".repeat(depth);
        let member = |(name, value): &(String, Box<RawValue>)| {
            Ok(format!("{tabs}\t{}: {}", serde_json::to_string(name)?, value.get()))
        };
        let members: Result<Vec<String>, serde_json::Error> = self.0.iter().map(member).collect();
        Ok(format!("{{\n{}\n{tabs}}}", members?.join(",\n")))
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members: Vec<(String, Box<RawValue>)> = Vec::new();
                while let Some((name, value)) = map.next_entry()? {
                    if members.iter().any(|(member, _)| *member == name) {
                        return Err(A::Error::custom(format!("`{name}` is there twice")));
                    }
                    members.push((name, value));
                }
                Ok(Object(members))
            }
        }
        input.deserialize_map(Members)
    }
}

fn with_helper(text: &str, server: &Server) -> Result<String, serde_json::Error> {
    let mut config = Object::parse(text)?;
    let mut helpers = config.object("credHelpers")?;
    let changed = without_secrets(&mut config, server, false)?;
    let helper = serde_json::to_string(NAME)?;
    if helpers.get(server.authority()).is_some_and(|value| value.get() == helper) && !changed {
        return Ok(text.to_owned());
    }
    helpers.set(server.authority(), helper)?;
    config.set("credHelpers", helpers.written(1)?)?;
    config.written(0)
}

fn without_helper(text: &str, server: &Server) -> Result<String, serde_json::Error> {
    let mut config = Object::parse(text)?;
    let mut helpers = config.object("credHelpers")?;
    let helper = serde_json::to_string(NAME)?;
    let is_ours = helpers.get(server.authority()).is_some_and(|value| value.get() == helper);
    // What docker keeps of a gate that it has no helper for is docker's own.
    if !is_ours {
        return Ok(text.to_owned());
    }
    without_secrets(&mut config, server, true)?;
    helpers.0.retain(|(name, _)| name != server.authority());
    if helpers.0.is_empty() {
        config.0.retain(|(name, _)| name != "credHelpers");
    } else {
        config.set("credHelpers", helpers.written(1)?)?;
    }
    config.written(0)
}

/// Removes what signs in at the gate, and then entries that hold nothing if `empty` goes as well.
/// Tells whether there was any.
fn without_secrets(
    config: &mut Object,
    server: &Server,
    empty: bool,
) -> Result<bool, serde_json::Error> {
    let mut auths = config.object("auths")?;
    let mut changed = false;
    let mut kept = Vec::new();
    for (name, value) in std::mem::take(&mut auths.0) {
        let is_it = Server::of_registry(&name).is_ok_and(|it| it.authority() == server.authority());
        if !is_it {
            kept.push((name, value));
            continue;
        }
        let mut entry = Object::parse(value.get())?;
        let before = entry.0.len();
        entry.0.retain(|(member, _)| !SECRETS.contains(&member.as_str()));
        if empty && entry.0.is_empty() {
            changed = true;
        } else if entry.0.len() == before {
            kept.push((name, value));
        } else {
            changed = true;
            kept.push((name, RawValue::from_string(entry.written(2)?)?));
        }
    }
    if changed {
        config.set("auths", Object(kept).written(1)?)?;
    }
    Ok(changed)
}

#[cfg(test)]
mod tests;
