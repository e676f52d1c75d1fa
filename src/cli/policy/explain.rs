//! `portcullis policy explain`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use document::nearest;
use oci::{RepositoryName, Tag};
use policy::{Action, Caller, Image, Subject};

use crate::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::OutputArgument;
use crate::identity::users::Name;
use crate::policy_folder;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Who asks: `user:NAME`, `service:NAME`, `peer:GATE/NAME` or `anyone`.
    #[arg(long = "as", value_name = "SUBJECT")]
    subject: Asker,
    /// A group that the caller's identity source asserts; may be repeated. Groups with members in
    /// the policy need not be named.
    #[arg(long = "group", value_name = "G")]
    groups: Vec<Name>,
    /// The folder of policy files.
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    #[command(flatten)]
    output: OutputArgument,
    /// What is to be done: pull, inspect, create, overwrite, push, attach, delete or all. With
    /// `push` and `all`, everything that they stand for must be allowed.
    #[arg(value_name = "ACTION")]
    actions: Actions,
    /// What it is to be done to: `REPOSITORY:TAG`, or `REPOSITORY` as a whole.
    #[arg(value_name = "IMAGE")]
    image: Target,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let policy = policy_folder::load(&arguments.policies)?.policy;
    let caller = Caller::new(
        arguments.subject.0.clone(),
        arguments.groups.iter().map(ToString::to_string).collect(),
    );
    let image =
        Image { repository: &arguments.image.repository, tag: arguments.image.tag.as_ref() };
    let decisions: Vec<_> =
        arguments.actions.0.iter().map(|action| policy.decide(&caller, *action, image)).collect();
    let answer = Answer::of(&decisions);
    arguments.output.print(&format!("{}: {}", answer.decision, answer.reason), &answer)?;
    Ok(if answer.decision == "allow" { Exit::Done } else { Exit::Denied })
}

/// Who asks.
#[derive(Debug, Clone)]
struct Asker(Subject);

impl FromStr for Asker {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let subject = match text.split_once(':') {
            Some((_, "")) => return Err("a name must follow the colon".to_owned()),
            Some(("user", name)) => Subject::User(name.to_owned()),
            Some(("service", name)) => Subject::Service(name.to_owned()),
            Some(("peer", peer)) => match peer.split_once('/') {
                Some((gate, name)) if !gate.is_empty() && !name.is_empty() => {
                    Subject::Peer { gate: gate.to_owned(), name: name.to_owned() }
                }
                _ => return Err("write `peer:GATE/NAME`".to_owned()),
            },
            Some(("group", _)) => {
                return Err("a group does not ask: name someone, and add `--group`".to_owned());
            }
            None if matches!(text, "anyone" | "anonymous") => Subject::Anonymous,
            _ => return Err(no_subject(text)),
        };
        Ok(Self(subject))
    }
}

fn no_subject(text: &str) -> String {
    let (prefix, name) = text.split_once(':').unwrap_or((text, ""));
    let guess = match nearest(prefix, ["user", "service", "peer", "anyone"]) {
        Some("anyone") => "anyone".to_owned(),
        Some(known) if !name.is_empty() => format!("{known}:{name}"),
        _ => format!("user:{text}"),
    };
    format!("not a subject; did you mean `{guess}`?")
}

/// The actions that a word stands for.
#[derive(Debug, Clone)]
struct Actions(Vec<Action>);

impl FromStr for Actions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let actions = match text {
            "push" => vec![Action::Create, Action::Overwrite],
            "all" => Action::ALL.into_iter().filter(|a| *a != Action::Inspect).collect(),
            _ => vec![text.parse::<Action>().map_err(|error| {
                let words = Action::ALL.map(Action::as_str);
                let known = words.into_iter().chain(["push", "all"]);
                match nearest(text, known.clone()) {
                    Some(known) => format!("{error}; did you mean `{known}`?"),
                    None => format!("{error}; known: {}", known.collect::<Vec<_>>().join(", ")),
                }
            })?],
        };
        Ok(Self(actions))
    }
}

/// What something is done to.
#[derive(Debug, Clone)]
struct Target {
    repository: RepositoryName,
    tag: Option<Tag>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            return Err("policies speak of tags: what may be done to a digest follows from the \
                        tags that lead to it, so name one of those"
                .to_owned());
        }
        let (repository, tag) = match text.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (text, None),
        };
        Ok(Self {
            repository: RepositoryName::new(repository).map_err(|error| error.to_string())?,
            tag: tag.map(Tag::new).transpose().map_err(|error| error.to_string())?,
        })
    }
}

#[cfg(test)]
mod tests;
