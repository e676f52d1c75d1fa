//! `portcullis policy diff`.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use document::Mistake;
use jiff::Timestamp;
use policy::gate::compare_releases;
use policy::{Change, Comparison, Limit, Policy, RuleRef, compare_watched};

use super::live;
use crate::cli::client::GateArguments;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::OutputArgument;
use crate::cli::table::table;
use crate::cli::{colours, output};
use crate::policy_folder;
use crate::replay::{Changed, Outcome, Replay, Request};

mod progress;
mod releases;
mod told;

use progress::{Lines, watched};
use releases::{WithReleases, releases_text};
use told::Told;

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
    let comparison = watched(!arguments.output.is_json(), |watch| {
        compare_watched(&old, &new, Timestamp::now(), watch)
    });
    let replay = match arguments.audit.as_slice() {
        [] => None,
        files => Some(replay(&old, &new, files, arguments.output.is_json())?),
    };
    let releases = compare_releases(&old, &new);
    let text = text(&comparison, replay.as_ref()) + &releases_text(&releases);
    let told = Told::of(&comparison, replay.as_ref());
    arguments.output.print(&text, &WithReleases::of(told, &releases))?;
    let replayed = replay.is_some_and(|(outcome, _)| outcome.changed > 0);
    // What was not looked at may change, too.
    let is_same = comparison.changes.is_empty()
        && comparison.administrators.is_empty()
        && comparison.delegations.is_empty()
        && releases.is_empty()
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

fn replay(
    old: &Policy,
    new: &Policy,
    files: &[PathBuf],
    is_quiet: bool,
) -> Result<Replayed, Failure> {
    let mut replay = Replay::new(old, new);
    for path in files {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| {
            Failure::input(
                &Mistake::of(&error).about(&format!("cannot read the audit file {name}")),
            )
        })?;
        let mut progress = Lines::new(&name, !is_quiet);
        replay
            .read(&name, BufReader::new(file), |lines| progress.at(lines))
            .map_err(|error| Failure::impossible(&error))?;
        progress.end();
    }
    Ok(replay.finish())
}

fn text(comparison: &Comparison<'_>, replay: Option<&Replayed>) -> String {
    let mut parts = Vec::new();
    let Comparison { changes, administrators, delegations, limits, .. } = comparison;
    let rows: Vec<[String; 5]> = changes.iter().map(row).collect();
    parts.push(match rows.as_slice() {
        [] if administrators.is_empty() && delegations.is_empty() => {
            "no decision changes".to_owned()
        }
        [] => "no decision on images changes".to_owned(),
        rows => table(["WHO", "MAY", "ACTIONS", "IMAGES", "WHY"], rows),
    });
    let administrators = administrators.iter().map(ToString::to_string);
    let delegations = delegations.iter().map(ToString::to_string);
    for lines in [administrators.collect::<Vec<_>>(), delegations.collect()] {
        if !lines.is_empty() {
            parts.push(lines.join("\n"));
        }
    }
    parts.extend(unseen(limits));
    if let Some((outcome, changes)) = replay {
        parts.push(replay_text(outcome, changes));
    }
    parts.join("\n\n")
}

/// Where there may be more.
fn unseen(limits: &[Limit]) -> Option<String> {
    /// So many places are told.
    const MOST: usize = 5;
    let more = limits.len().saturating_sub(MOST);
    let mut lines: Vec<String> =
        limits.iter().take(MOST).map(|limit| format!("  {limit}")).collect();
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    let head = "there may be more changes than these, because not everything was looked at:";
    (!limits.is_empty()).then(|| format!("{head}\n{}", lines.join("\n")))
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

#[cfg(test)]
mod tests;
