//! `portcullis policy explain`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use document::Mistake;
use jiff::Timestamp;
use policy::question::{self, Target};
use policy::{Action, Caller, Circumstances, Credential, Decision, Policy, Subject};

use crate::answer::{Answer, Explained, Gate};
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::OutputArgument;
use crate::identity::users::Name;
use crate::policy_folder;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Who asks: `user:NAME`, `service:NAME`, `peer:GATE/NAME` or `anyone`.
    #[arg(long = "as", value_name = "SUBJECT", value_parser = subject)]
    subject: Subject,
    /// A group that the caller's identity source asserts; may be repeated. Groups with members in
    /// the policy need not be named.
    #[arg(long = "group", value_name = "G")]
    groups: Vec<Name>,
    /// When: a date, which is its 00:00 UTC, or a time such as 2026-12-24T18:00:00Z. [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,
    /// From which address. An address that is not known is in no network that a rule allows, and in
    /// every network that a rule denies.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// By what kind of credential the caller is known: user, service, federated or peer.
    /// [default: that of the subject]
    #[arg(long, value_name = "KIND", value_parser = credential)]
    token: Option<Credential>,
    /// The folder of policy files.
    #[arg(long, value_name = "DIR", default_value = "policies")]
    policies: PathBuf,
    #[command(flatten)]
    output: OutputArgument,
    /// What is to be done: pull, inspect, create, overwrite, push, attach, delete, all, report, scan,
    /// break-glass or `flag:NAME`. With `push` and `all`, everything that they stand for must be
    /// allowed. For pull and push, the release gates before the image are told too.
    #[arg(value_name = "ACTION", value_parser = actions)]
    actions: Actions,
    /// What it is to be done to: `REPOSITORY:TAG`, or `REPOSITORY` as a whole.
    #[arg(value_name = "IMAGE", value_parser = target)]
    image: Target,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let caller = arguments.caller(Timestamp::now())?;
    let policy = policy_folder::load(&arguments.policies)?.policy;
    let decisions = decide(&policy, &caller, &arguments.actions, &arguments.image);
    let answer = Answer::of(&decisions);
    let explained =
        Explained::new(answer, &policy, &caller, &arguments.actions.0, &arguments.image);
    let answer = &explained.answer;
    let said = text(answer, &decisions) + &gates_text(&explained.gates);
    arguments.output.print(&said, &explained)?;
    Ok(if answer.decision == "allow" { Exit::Done } else { Exit::Denied })
}

impl Arguments {
    fn caller(&self, now: Timestamp) -> Result<Caller, Failure> {
        let usual = Credential::usual(&self.subject);
        if self.token.is_some() && usual == Credential::Anonymous {
            let mistake = Mistake::new("--token: a caller without an account has no token");
            return Err(Failure::input(&mistake.help("remove it, or name a user or a service")));
        }
        let groups = self.groups.iter().map(ToString::to_string).collect();
        let circumstances = Circumstances {
            at: Some(self.at.unwrap_or(now)),
            address: self.from,
            credential: Some(self.token.unwrap_or(usual)),
        };
        Ok(Caller { circumstances, ..Caller::new(self.subject.clone(), groups) })
    }
}

fn decide<'a>(
    policy: &'a Policy,
    caller: &'a Caller,
    actions: &Actions,
    target: &'a Target,
) -> Vec<Decision<'a>> {
    let decide = |&action| policy.decide(caller, action, target.image());
    actions.0.iter().map(decide).collect()
}

/// The answer, and what it depends on beside the caller and the image.
fn text(answer: &Answer<'_>, decisions: &[Decision<'_>]) -> String {
    let mut text = format!("{}: {}", answer.decision, answer.reason);
    for line in answer.conditions(decisions) {
        text += &format!("\n{line}");
    }
    text
}

fn gates_text(gates: &[Gate<'_>]) -> String {
    let mut text = String::new();
    for Gate { gate, file, line, on, mode, requires } in gates {
        let does = if *mode == "audit" { "only watches" } else { "holds it" };
        text += &format!("\ngate `{gate}` ({file}:{line}) {does} on a {on} without");
        requires.iter().for_each(|line| text += &format!("\n  {line}"));
    }
    text
}

/// The actions that a word stands for.
#[derive(Debug, Clone)]
struct Actions(Vec<Action>);

fn actions(text: &str) -> Result<Actions, String> {
    question::actions(text).map(Actions).map_err(|mistake| in_a_line(&mistake))
}

fn subject(text: &str) -> Result<Subject, String> {
    question::asker(text).map_err(|mistake| in_a_line(&mistake))
}

fn target(text: &str) -> Result<Target, String> {
    question::target(text).map_err(|mistake| in_a_line(&mistake))
}

fn credential(text: &str) -> Result<Credential, String> {
    question::credential(text).map_err(|mistake| in_a_line(&mistake))
}

fn time(text: &str) -> Result<Timestamp, String> {
    question::time(text).map_err(|mistake| in_a_line(&mistake))
}

fn in_a_line(mistake: &Mistake) -> String {
    match mistake.remedy() {
        Some(help) => format!("{}; {help}", mistake.message()),
        None => mistake.message().to_owned(),
    }
}

#[cfg(test)]
mod tests;
