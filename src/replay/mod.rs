//! Decides the requests of an audit trail again, by two policies.

mod answer;
mod line;
mod seen;

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

use jiff::Timestamp;
use policy::Policy;
use serde::Serialize;

use answer::{Answer, answer};
use line::Line;
use seen::Seen;

/// A line of the audit trail is far shorter.
const MAX_LINE: u64 = 1 << 20;
/// Of different requests that change; more are counted, and not told.
const MAX_CHANGES: usize = 10_000;
/// Of damaged lines that are told by their number.
const MAX_DAMAGED: usize = 20;

/// What an audit trail says about two policies.
pub struct Replay<'p> {
    old: &'p Policy,
    new: &'p Policy,
    seen: Seen,
    outcome: Outcome,
    changes: BTreeMap<Request, Changed>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Requests that both policies decided.
    pub replayed: u64,
    /// Of these, how many they decide differently.
    pub changed: u64,
    /// Of these, how many the old policy decides otherwise than the gate did.
    pub unlike_recorded: u64,
    /// Requests that could not be decided again, by why.
    pub skipped: BTreeMap<Skipped, u64>,
    /// Lines that are no records.
    pub damaged: u64,
    /// The first of them, as `FILE:LINE`.
    pub damaged_lines: Vec<String>,
    /// Different requests that change beyond those that are told.
    pub untold: u64,
}

/// Why a request could not be decided again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Skipped {
    /// Nobody was known, or the request was not understood.
    Nobody,
    /// It was about no repository.
    NoImage,
    /// It was by digest, and it depends on the tags that lead there.
    ByDigest,
    /// A list or a name was cut when it was written down.
    Cut,
    /// A value in it cannot be read.
    Unreadable,
}

impl Skipped {
    /// In words, after a number of requests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "without a caller",
            Self::NoImage => "about no repository",
            Self::ByDigest => "by digest or fallback tag, where it depends on other tags",
            Self::Cut => "with values that were cut",
            Self::Unreadable => "with values that cannot be read",
        }
    }
}

/// Requests that are alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Request {
    /// Who asked.
    pub subject: String,
    /// What for, such as `manifest_read`.
    pub operation: String,
    /// On what: `team/app:v1`, `team/app@sha256:…` or `team/app`.
    pub image: String,
    /// The old policy's answer.
    pub old: &'static str,
    /// The new one's.
    pub new: &'static str,
}

/// How often requests occur that change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// How many there are.
    pub count: u64,
    /// When the last one was.
    pub last: Timestamp,
}

impl<'p> Replay<'p> {
    /// Nothing has been read yet.
    #[must_use]
    pub fn new(old: &'p Policy, new: &'p Policy) -> Self {
        let (seen, outcome) = (Seen::default(), Outcome::default());
        Self { old, new, seen, outcome, changes: BTreeMap::new() }
    }

    /// Reads a trail to its end, a line at a time; `name` is what damaged lines are told by.
    /// `progress` hears how many lines there were so far.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(
        &mut self,
        name: &str,
        mut from: impl BufRead,
        mut progress: impl FnMut(u64),
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        for number in 1.. {
            bytes.clear();
            if from.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            progress(number);
            let is_cut = bytes.last() != Some(&b'\n') && bytes.len() as u64 == MAX_LINE;
            if is_cut {
                from.skip_until(b'\n')?;
            }
            match serde_json::from_slice::<Line>(&bytes) {
                Ok(line) if !is_cut => self.decide(&line),
                _ if bytes.trim_ascii().is_empty() => {}
                _ => {
                    self.outcome.damaged += 1;
                    if self.outcome.damaged_lines.len() < MAX_DAMAGED {
                        self.outcome.damaged_lines.push(format!("{name}:{number}"));
                    }
                }
            }
        }
        Ok(())
    }

    /// What was found, and the requests that change, those of one caller together.
    #[must_use]
    pub fn finish(self) -> (Outcome, Vec<(Request, Changed)>) {
        (self.outcome, self.changes.into_iter().collect())
    }

    fn decide(&mut self, line: &Line) {
        if line.event != "request" {
            return;
        }
        match self.answers(line) {
            Ok((old, new, image)) => self.count(line, old, new, image),
            Err(why) => *self.outcome.skipped.entry(why).or_default() += 1,
        }
    }

    fn answers(&mut self, line: &Line) -> Result<(Answer, Answer, String), Skipped> {
        let asked = line.asked()?;
        let about = line.about()?;
        let operation = line.operation.as_deref().ok_or(Skipped::Nobody)?;
        if line.decision.as_deref() == Some("allow") {
            self.seen.learn(&about);
        }
        let of = |policy| answer(policy, &asked.before(policy), operation, &about, &self.seen);
        let (Some(old), Some(new)) = (of(self.old), of(self.new)) else {
            return Err(Skipped::NoImage);
        };
        if old == Answer::Unknown || new == Answer::Unknown {
            return Err(Skipped::ByDigest);
        }
        let repository = &about.repository;
        let image = match (about.tags.as_slice(), &about.digest) {
            ([], Some(digest)) => format!("{repository}@{digest}"),
            ([], None) => repository.to_string(),
            (tags, _) => {
                let tags: Vec<_> = tags.iter().map(ToString::to_string).collect();
                format!("{repository}:{}", tags.join(","))
            }
        };
        Ok((old, new, image))
    }

    fn count(&mut self, line: &Line, old: Answer, new: Answer, image: String) {
        let outcome = &mut self.outcome;
        outcome.replayed += 1;
        // 401 is about the token, 404 hides what is there, and beyond are failures.
        let is_unlike = match (line.decision.as_deref(), line.status) {
            (Some("allow"), _) => old == Answer::Deny,
            (Some("deny"), Some(403)) => old == Answer::Allow,
            _ => false,
        };
        outcome.unlike_recorded += u64::from(is_unlike);
        if old == new {
            return;
        }
        outcome.changed += 1;
        let request = Request {
            subject: line.subject.clone().unwrap_or_default(),
            operation: line.operation.clone().unwrap_or_default(),
            image,
            old: old.as_str(),
            new: new.as_str(),
        };
        if self.changes.len() >= MAX_CHANGES && !self.changes.contains_key(&request) {
            outcome.untold += 1;
            return;
        }
        let changed = self.changes.entry(request).or_insert(Changed { count: 0, last: line.time });
        changed.count += 1;
        changed.last = changed.last.max(line.time);
    }
}

#[cfg(test)]
mod tests;
