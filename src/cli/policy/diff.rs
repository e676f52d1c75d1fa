//! `portcullis policy diff`.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{ArgGroup, Args};
use document::Mistake;
use jiff::Timestamp;
use policy::{Change, Comparison, Policy, RuleRef, compare};
use serde::Serialize;

use super::live;
use crate::cli::client::GateArguments;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::OutputArgument;
use crate::cli::table::table;
use crate::cli::{colours, output};
use crate::policy_folder;
use crate::replay::{Changed, Outcome, Replay, Request};

/// Both ways, as the options of one are no options of the other.
const USAGE: &str = "portcullis policy diff [--audit <FILE>]... [--output <OUTPUT>] <OLD> <NEW>
       portcullis policy diff --live [--server <URL>|--config <FILE>] [OPTIONS]";

#[derive(Debug, Args)]
#[command(
    override_usage = USAGE,
    group = ArgGroup::new("compared").required(true).args(["old", "live"]),
)]
pub(in crate::cli) struct Arguments {
    /// The folder of policy files as they are.
    #[arg(value_name = "OLD", requires = "new", conflicts_with = "GateArguments")]
    old: Option<PathBuf>,
    /// The folder of policy files as they are to be.
    #[arg(value_name = "NEW")]
    new: Option<PathBuf>,
    /// An audit file: its requests are decided again by both; may be repeated.
    #[arg(long = "audit", value_name = "FILE")]
    audit: Vec<PathBuf>,
    /// What the shadow policy of a running gate (`shadow_policies`) decided otherwise so far; the
    /// gate is named as for all commands that ask one.
    #[arg(long, conflicts_with_all = ["new", "audit"])]
    live: bool,
    #[command(flatten)]
    gate: GateArguments,
    #[command(flatten)]
    output: OutputArgument,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match (&arguments.old, &arguments.new) {
        (Some(old), Some(new)) => between(old, new, arguments),
        _ => live::run(&arguments.gate, &arguments.output),
    }
}

fn between(old: &Path, new: &Path, arguments: &Arguments) -> Result<Exit, Failure> {
    // Both are read before either is refused, so that nothing is left to be found the next time.
    let (old, new) = (load("old", old), load("new", new));
    if let (Err(old), Err(_)) = (&old, &new) {
        output::aside(old.text(colours(&io::stderr())));
    }
    let (new, old) = (new?, old?);
    let comparison = compare(&old, &new, Timestamp::now());
    let replay = match arguments.audit.as_slice() {
        [] => None,
        files => Some(replay(&old, &new, files)?),
    };
    let text = text(&comparison, replay.as_ref());
    arguments.output.print(&text, &Told::of(&comparison, replay.as_ref()))?;
    let replayed = replay.is_some_and(|(outcome, _)| outcome.changed > 0);
    // What was not looked at may change, too.
    let is_same = comparison.changes.is_empty()
        && comparison.administrators.is_empty()
        && comparison.is_complete
        && !replayed;
    Ok(if is_same { Exit::Done } else { Exit::Denied })
}

/// A policy, or everything that is wrong with it and which of the two it is.
fn load(side: &str, folder: &Path) -> Result<Policy, Failure> {
    policy_folder::load(folder).map(|compiled| compiled.policy).map_err(|error| {
        output::aside(&format!("the {side} policy, {}, cannot be used:", folder.display()));
        error.into()
    })
}

type Replayed = (Outcome, Vec<(Request, Changed)>);

fn replay(old: &Policy, new: &Policy, files: &[PathBuf]) -> Result<Replayed, Failure> {
    let mut replay = Replay::new(old, new);
    for path in files {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| {
            Failure::input(
                &Mistake::of(&error).about(&format!("cannot read the audit file {name}")),
            )
        })?;
        let mut progress = Progress::new(&name);
        replay
            .read(&name, BufReader::new(file), |lines| progress.at(lines))
            .map_err(|error| Failure::impossible(&error))?;
        progress.end();
    }
    Ok(replay.finish())
}

/// How far a long file has been read, on a terminal.
struct Progress<'a> {
    name: &'a str,
    is_shown: bool,
    next: Instant,
    was_shown: bool,
}

impl<'a> Progress<'a> {
    const EACH: Duration = Duration::from_secs(1);

    fn new(name: &'a str) -> Self {
        let is_shown = io::stderr().is_terminal();
        Self { name, is_shown, next: Instant::now() + Self::EACH, was_shown: false }
    }

    fn at(&mut self, lines: u64) {
        if self.is_shown && lines.is_multiple_of(1000) && Instant::now() >= self.next {
            eprint!("\r{}: {lines} lines", self.name);
            (self.was_shown, self.next) = (true, Instant::now() + Self::EACH);
        }
    }

    fn end(&self) {
        if self.was_shown {
            eprintln!();
        }
    }
}

fn text(comparison: &Comparison<'_>, replay: Option<&Replayed>) -> String {
    let mut parts = Vec::new();
    let Comparison { changes, administrators, .. } = comparison;
    let rows: Vec<[String; 5]> = changes.iter().map(row).collect();
    parts.push(match rows.as_slice() {
        [] if administrators.is_empty() => "no decision changes".to_owned(),
        [] => "no decision on images changes".to_owned(),
        rows => table(["WHO", "MAY", "ACTIONS", "IMAGES", "WHY"], rows),
    });
    if !administrators.is_empty() {
        parts.push(administrators.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }
    if !comparison.is_complete {
        parts.push(
            "patterns, names or groups overlap in more ways than could be looked at: there may be \
             more changes than these"
                .to_owned(),
        );
    }
    if let Some((outcome, changes)) = replay {
        parts.push(replay_text(outcome, changes));
    }
    parts.join("\n\n")
}

fn row(change: &Change<'_>) -> [String; 5] {
    let may = if change.is_allowed { "now" } else { "no longer" };
    let when = change.when.to_string();
    let images = match when.as_str() {
        "" => change.images.clone(),
        _ => format!("{}, {when}", change.images),
    };
    [change.who.clone(), may.to_owned(), change.words().join(", "), images, why(change)]
}

/// "denied by no-latest, policies/teams.yaml:31; was allowed by backend-works"
fn why(change: &Change<'_>) -> String {
    let (now, before) =
        if change.is_allowed { ("allowed", "denied") } else { ("denied", "allowed") };
    let place = |rule: &RuleRef<'_>| format!("{}, {}:{}", rule.name, rule.file, rule.line);
    let name = |rule: &RuleRef<'_>| rule.name.to_owned();
    let new = match (rules(&change.new, place), change.new_by_default) {
        (Some(rules), false) => format!("{now} by {rules}"),
        (Some(rules), true) => format!("no rule allows it, or {now} by {rules}"),
        (None, _) => "no rule allows it".to_owned(),
    };
    match (rules(&change.old, name), change.old_by_default) {
        (Some(rules), false) => format!("{new}; was {before} by {rules}"),
        (Some(rules), true) => format!("{new}; no rule allowed it, or was {before} by {rules}"),
        (None, _) => new,
    }
}

/// The first rule, and how many more decide so.
fn rules(rules: &[RuleRef<'_>], text: impl Fn(&RuleRef<'_>) -> String) -> Option<String> {
    let first = text(rules.first()?);
    Some(match rules.len() - 1 {
        0 => first,
        1 => format!("{first} and 1 more rule"),
        more => format!("{first} and {more} more rules"),
    })
}

fn replay_text(outcome: &Outcome, changes: &[(Request, Changed)]) -> String {
    let mut lines = vec![format!(
        "{} replayed, {} of them decided differently",
        requests(outcome.replayed),
        outcome.changed
    )];
    for (why, count) in &outcome.skipped {
        lines.push(format!("{} not replayed: {}", requests(*count), why.as_str()));
    }
    if outcome.damaged > 0 {
        let dots = if outcome.damaged > outcome.damaged_lines.len() as u64 { ", …" } else { "" };
        let places = outcome.damaged_lines.join(", ");
        lines.push(format!("{} damaged lines: {places}{dots}", outcome.damaged));
    }
    if outcome.unlike_recorded > 0 {
        lines.push(format!(
            "{} were decided otherwise when they were recorded: the log is from another policy than \
             the old one",
            outcome.unlike_recorded
        ));
    }
    let rows: Vec<[String; 6]> = changes
        .iter()
        .map(|(request, changed)| {
            let Request { subject, operation, image, old, new } = request;
            let answers = format!("{old} -> {new}");
            let last = changed.last.strftime("%Y-%m-%d %H:%M UTC").to_string();
            let (count, text) = (changed.count.to_string(), str::to_owned);
            [text(subject), text(operation), text(image), answers, count, last]
        })
        .collect();
    let mut text = lines.join("\n");
    if !rows.is_empty() {
        let heads = ["SUBJECT", "OPERATION", "IMAGE", "DECISION", "REQUESTS", "LAST"];
        text.push_str("\n\n");
        text.push_str(&table(heads, &rows));
    }
    if outcome.untold > 0 {
        text.push_str(&format!("\nand {} more", requests(outcome.untold)));
    }
    text
}

fn requests(count: u64) -> String {
    if count == 1 { "1 request".to_owned() } else { format!("{count} requests") }
}

/// As `--output json` prints it.
#[derive(Serialize)]
struct Told<'a> {
    complete: bool,
    changes: Vec<ToldChange<'a>>,
    administrators: Vec<ToldAdministrators<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<ToldReplay<'a>>,
}

#[derive(Serialize)]
struct ToldChange<'a> {
    who: &'a str,
    actions: Vec<&'static str>,
    images: &'a str,
    decision: &'static str,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    networks: &'a [String],
    credentials: &'a [&'static str],
    old: Vec<ToldRule<'a>>,
    old_by_default: bool,
    new: Vec<ToldRule<'a>>,
    new_by_default: bool,
    example: ToldExample<'a>,
}

#[derive(Serialize)]
struct ToldAdministrators<'a> {
    who: &'a str,
    administrator: bool,
}

#[derive(Serialize)]
struct ToldRule<'a> {
    rule: &'a str,
    file: &'a str,
    line: usize,
}

#[derive(Serialize)]
struct ToldExample<'a> {
    subject: String,
    groups: &'a [String],
    action: &'static str,
    image: String,
}

#[derive(Serialize)]
struct ToldReplay<'a> {
    #[serde(flatten)]
    outcome: &'a Outcome,
    changes: Vec<ToldRequest<'a>>,
}

#[derive(Serialize)]
struct ToldRequest<'a> {
    #[serde(flatten)]
    request: &'a Request,
    #[serde(flatten)]
    changed: &'a Changed,
}

impl<'a> Told<'a> {
    fn of(comparison: &'a Comparison<'_>, replay: Option<&'a Replayed>) -> Self {
        let rule =
            |rule: &RuleRef<'a>| ToldRule { rule: rule.name, file: rule.file, line: rule.line };
        let change = |it: &'a Change<'_>| ToldChange {
            who: &it.who,
            actions: it.actions.iter().map(|action| action.as_str()).collect(),
            images: &it.images,
            decision: if it.is_allowed { "allow" } else { "deny" },
            from: it.when.from,
            until: it.when.until,
            networks: &it.when.networks,
            credentials: &it.when.credentials,
            old: it.old.iter().map(rule).collect(),
            old_by_default: it.old_by_default,
            new: it.new.iter().map(rule).collect(),
            new_by_default: it.new_by_default,
            example: ToldExample {
                subject: it.example.new_caller.subject.to_string(),
                groups: match it.is_allowed {
                    true => &it.example.new_caller.groups,
                    false => &it.example.old_caller.groups,
                },
                action: it.example.action.as_str(),
                image: match &it.example.tag {
                    Some(tag) => format!("{}:{tag}", it.example.repository),
                    None => it.example.repository.to_string(),
                },
            },
        };
        Self {
            complete: comparison.is_complete,
            changes: comparison.changes.iter().map(change).collect(),
            administrators: comparison
                .administrators
                .iter()
                .map(|it| ToldAdministrators { who: &it.who, administrator: it.is_one })
                .collect(),
            replay: replay.map(|(outcome, changes)| ToldReplay {
                outcome,
                changes: changes
                    .iter()
                    .map(|(request, changed)| ToldRequest { request, changed })
                    .collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
