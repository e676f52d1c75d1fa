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
use crate::identity::users::{self, Change, EditError, Name, Source, Users, edit};
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
            let users = Config::load(&common.config.config)?.user_files().load()?;
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
        edit(&config.users, name, change).map_err(|error| failure(error, &config))?;
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

fn failure(error: EditError, config: &Config) -> Failure {
    match error {
        EditError::Read(users::Error::Unreadable { file: Source::Users, ref source, .. })
            if config.htpasswd.is_some() && source.kind() == io::ErrorKind::NotFound =>
        {
            Failure::input(&Mistake::of(&error).help(
                "only the users file is changed here; make it with the line `users: {}`, and its \
                 users are added to those of the htpasswd file",
            ))
        }
        EditError::Read(error) => error.into(),
        EditError::Exists(ref name) => Failure::input(&Mistake::of(&error).help(format!(
            "choose another name, or set the password with `portcullis user passwd {name}`"
        ))),
        EditError::Unknown(ref name) => Failure::input(
            &Mistake::of(&error).help(
                elsewhere(name, config)
                    .unwrap_or_else(|| "`portcullis user list` shows who there is".to_owned()),
            ),
        ),
        EditError::Layout(_) => Failure::input(&Mistake::of(&error).help("edit it by hand")),
        EditError::Unwritable { .. } => Failure::impossible(&error),
    }
}

/// What to do about a user whom only the htpasswd file names: that file is not the gate's to change.
fn elsewhere(name: &Name, config: &Config) -> Option<String> {
    let path = config.htpasswd.as_ref()?.display();
    let users = config.user_files().load().ok()?;
    users.get(name.as_str()).filter(|user| user.source == Source::Htpasswd)?;
    Some(format!(
        "it is a user of {path}: change the password with `htpasswd -B {path} {name}`, remove the \
         line with `htpasswd -D {path} {name}`, or move the user here with `portcullis user add \
         {name}`, which counts before that file"
    ))
}

fn list(users: &Users) -> String {
    let width = users.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = users
        .iter()
        .map(|(name, user)| {
            let state = if user.disabled { "disabled" } else { "enabled " };
            let source = word(user.source);
            let groups = user.groups.join(", ");
            format!("{name:width$}  {state}  {source:8}  {groups}").trim_end().to_owned()
        })
        .collect();
    if lines.is_empty() { "no users".to_owned() } else { lines.join("\n") }
}

fn list_json(users: &Users) -> serde_json::Value {
    users
        .iter()
        .map(|(name, user)| {
            json!({
                "username": name,
                "groups": user.groups,
                "disabled": user.disabled,
                "source": word(user.source),
            })
        })
        .collect()
}

fn word(source: Source) -> &'static str {
    match source {
        Source::Users => "users",
        Source::Htpasswd => "htpasswd",
    }
}

#[cfg(test)]
mod tests;
