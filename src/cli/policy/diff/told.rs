//! Differences for programs.

use jiff::Timestamp;
use policy::{Action, Change, Comparison, RuleRef};
use serde::Serialize;

use super::Replayed;
use crate::replay::{Changed, Outcome, Request};

/// As `--output json` prints it.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    complete: bool,
    changes: Vec<ToldChange<'a>>,
    administrators: Vec<ToldAdministrators<'a>>,
    delegations: Vec<ToldDelegation<'a>>,
    /// Where there may be more, in words; empty where it is complete.
    limits: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<ToldReplay<'a>>,
}

#[derive(Serialize)]
struct ToldChange<'a> {
    who: &'a str,
    actions: Vec<&'a str>,
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
struct ToldDelegation<'a> {
    files: &'a str,
    change: &'static str,
    images: &'a [String],
    groups: &'a [String],
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
    action: &'a str,
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
    pub(super) fn of(comparison: &'a Comparison<'_>, replay: Option<&'a Replayed>) -> Self {
        let rule =
            |rule: &RuleRef<'a>| ToldRule { rule: rule.name, file: rule.file, line: rule.line };
        let change = |it: &'a Change<'_>| ToldChange {
            who: &it.who,
            actions: it.actions.iter().map(Action::as_str).collect(),
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
            delegations: comparison
                .delegations
                .iter()
                .map(|it| ToldDelegation {
                    files: &it.files,
                    change: it.change.as_str(),
                    images: &it.images,
                    groups: &it.groups,
                })
                .collect(),
            limits: comparison.limits.iter().map(ToString::to_string).collect(),
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
