//! `portcullis user`.

use std::io;

use clap::{Args, Subcommand};
use document::Mistake;
use serde_json::json;

use super::ConfigArgument;
use super::failure::{Exit, Failure};
use super::output::OutputArgument;
use super::secret_input::one_line;
use crate::config::Config;
use crate::identity::password::{self, HashError, MAX_PASSWORD, PasswordHash};
use crate::identity::users::{Change, EditError, Name, Users, edit};
use crate::secret::Secret;

const PASSWORD_HELP: &str =
    "give one line: `printf %s PASSWORD | portcullis user … --password-stdin`";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a user. Without `--password-stdin` a password is made and shown this once.
    Add {
        /// The name to sign in with.
        name: Name,
        /// A group that the user is in; may be repeated.
        #[arg(long = "group", value_name = "G")]
        groups: Vec<Name>,
        #[command(flatten)]
        common: Common,
        /// Read the password from the standard input.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Give a user another password.
    Passwd {
        /// Who.
        name: Name,
        #[command(flatten)]
        common: Common,
        /// Read the password from the standard input.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Keep a user from signing in, without forgetting about them.
    Disable {
        /// Who.
        name: Name,
        #[command(flatten)]
        common: Common,
    },
    /// Let a disabled user sign in again.
    Enable {
        /// Who.
        name: Name,
        #[command(flatten)]
        common: Common,
    },
    /// Print all users.
    List {
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
pub(super) struct Common {
    #[command(flatten)]
    config: ConfigArgument,
    #[command(flatten)]
    output: OutputArgument,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Add { name, groups, common, password_stdin } => {
            let password = NewPassword::from(*password_stdin)?;
            let change = Change::Add(password.hash.clone(), groups.clone());
            common.apply(name, &change, "added", Some(&password))?;
        }
        Command::Passwd { name, common, password_stdin } => {
            let password = NewPassword::from(*password_stdin)?;
            let change = Change::Password(password.hash.clone());
            common.apply(name, &change, "has a new password", Some(&password))?;
        }
        Command::Disable { name, common } => {
            common.apply(name, &Change::Disabled(true), "disabled", None)?;
        }
        Command::Enable { name, common } => {
            common.apply(name, &Change::Disabled(false), "enabled", None)?;
        }
        Command::List { common } => {
            let users = Users::load(&Config::load(&common.config.config)?.users)?;
            common.output.print(&list(&users), &list_json(&users))?;
        }
    }
    Ok(Exit::Done)
}

impl Common {
    fn apply(
        &self,
        name: &Name,
        change: &Change,
        what: &str,
        password: Option<&NewPassword>,
    ) -> Result<(), Failure> {
        let config = Config::load(&self.config.config)?;
        edit(&config.users, name, change).map_err(failure)?;
        let generated = password.and_then(|password| password.generated.as_ref());
        let Some(generated) = generated.map(Secret::expose) else {
            let json = json!({ "username": name.as_str() });
            return self.output.print(&format!("user {name} {what}"), &json);
        };
        let text = format!("user {name} {what}\npassword: {generated} (shown this once)");
        let json = json!({ "username": name.as_str(), "password": generated });
        self.output.print(&text, &json)
    }
}

/// A password that was just set.
struct NewPassword {
    hash: PasswordHash,
    /// The password itself, if nobody knows it yet.
    generated: Option<Secret>,
}

impl NewPassword {
    fn from(stdin: bool) -> Result<Self, Failure> {
        let password = if stdin {
            one_line(io::stdin(), "the password", MAX_PASSWORD, PASSWORD_HELP)?
        } else {
            generated()?
        };
        let hash = password::hash(&password).map_err(|error| match error {
            HashError::Failed(_) => Failure::impossible(&error),
            HashError::Empty | HashError::TooLong => Failure::input(&Mistake::of(&error)),
        })?;
        Ok(Self { hash, generated: (!stdin).then_some(password) })
    }
}

fn generated() -> Result<Secret, Failure> {
    password::generate().map_err(|error| Failure::impossible(&error))
}

fn failure(error: EditError) -> Failure {
    match error {
        EditError::Read(error) => error.into(),
        EditError::Exists(ref name) => Failure::input(&Mistake::of(&error).help(format!(
            "choose another name, or set the password with `portcullis user passwd {name}`"
        ))),
        EditError::Unknown(_) => {
            Failure::input(&Mistake::of(&error).help("`portcullis user list` shows who there is"))
        }
        EditError::Layout(_) => Failure::input(&Mistake::of(&error).help("edit it by hand")),
        EditError::Unwritable { .. } => Failure::impossible(&error),
    }
}

fn list(users: &Users) -> String {
    let width = users.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = users
        .iter()
        .map(|(name, user)| {
            let state = if user.disabled { "disabled" } else { "enabled " };
            format!("{name:width$}  {state}  {}", user.groups.join(", ")).trim_end().to_owned()
        })
        .collect();
    if lines.is_empty() { "no users".to_owned() } else { lines.join("\n") }
}

fn list_json(users: &Users) -> serde_json::Value {
    users
        .iter()
        .map(|(name, user)| {
            json!({ "username": name, "groups": user.groups, "disabled": user.disabled })
        })
        .collect()
}

#[cfg(test)]
mod tests;
