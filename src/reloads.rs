//! What became of changes of policies: the last of them, for whoever asks why theirs is not in force.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use policy::{Diagnostic, Diagnostics};
use serde::Serialize;

use crate::log::Causes;
use crate::policy_folder::LoadError;

/// How many are remembered. The audit trail has all of them.
const KEPT: usize = 100;

/// How many mistakes of one change are remembered; the log has all of them.
const MISTAKES: usize = 20;

/// Characters of one message: file names and words of a policy stand in it.
const MESSAGE: usize = 2000;

/// Something to be mended in a policy file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Which file, where it is about one.
    pub file: Option<String>,
    /// Counted from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Remarks, as many as are kept of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Remarks {
    /// The first ones.
    pub remarks: Vec<Remark>,
    /// How many more there are.
    pub more: usize,
}

/// Which policy was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// The one in force.
    Policy,
    /// The one that is tried beside it.
    Shadow,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is in force from then on.
    Loaded,
    /// It was refused; what was in force before stays.
    Refused,
    /// The gate started with the last good policy.
    Restored,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reload {
    /// When it was noticed.
    pub at: Timestamp,
    /// Of which policy.
    pub of: Which,
    /// What became of it.
    pub result: Outcome,
    /// Why it was looked, and how much it is.
    pub how: String,
    /// Of what is in force since; none where it was refused.
    pub sha256: Option<String>,
    /// What is wrong with it, or odd about it.
    #[serde(flatten)]
    pub remarks: Remarks,
}

/// The last changes, in memory.
#[derive(Debug)]
pub struct Reloads {
    since: Timestamp,
    kept: Mutex<VecDeque<Reload>>,
}

impl Reloads {
    /// None yet.
    #[must_use]
    pub fn since(now: Timestamp) -> Self {
        Self { since: now, kept: Mutex::default() }
    }

    /// From when on changes were noticed.
    #[must_use]
    pub fn began(&self) -> Timestamp {
        self.since
    }

    /// Remembers one.
    pub fn add(&self, reload: Reload) {
        // Each step leaves it valid, so a panic elsewhere does not spoil it.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front(reload);
        kept.truncate(KEPT);
    }

    /// Those that are remembered, the latest first.
    #[must_use]
    pub fn list(&self) -> Vec<Reload> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }

    /// The latest of one policy.
    #[must_use]
    pub fn latest(&self, of: Which) -> Option<Reload> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|reload| reload.of == of).cloned()
    }
}

impl Remarks {
    /// The first of these, at most so many.
    #[must_use]
    pub fn first_of(diagnostics: &Diagnostics, most: usize) -> Self {
        let remarks: Vec<_> = diagnostics.iter().take(most).map(Remark::from).collect();
        Self { more: diagnostics.len() - remarks.len(), remarks }
    }
}

impl From<&Diagnostic> for Remark {
    fn from(it: &Diagnostic) -> Self {
        Self {
            file: Some(it.file.clone()),
            line: it.position.map(|position| position.line),
            message: cut(&it.message),
            help: it.help.as_deref().map(cut),
        }
    }
}

impl From<&LoadError> for Remarks {
    fn from(error: &LoadError) -> Self {
        match error {
            LoadError::Policy(diagnostics) => Self::first_of(diagnostics, MISTAKES),
            LoadError::Folder(error) => {
                let (message, help) = (cut(&Causes(error).to_string()), error.help().map(cut));
                let remark = Remark { file: None, line: None, message, help };
                Self { remarks: vec![remark], more: 0 }
            }
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MESSAGE) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use policy::{Policy, SourceFile};

    use super::*;

    fn refused(text: &str) -> Remarks {
        let file = SourceFile { path: "policies/a.yaml".into(), text: text.into() };
        (&LoadError::from(Policy::compile(&[file]).unwrap_err())).into()
    }

    fn reload(second: i64, of: Which) -> Reload {
        let (at, how) = (Timestamp::from_second(second).unwrap(), String::new());
        Reload { at, of, result: Outcome::Loaded, how, sha256: None, remarks: Remarks::default() }
    }

    #[test]
    fn a_mistake_is_kept_with_its_place_and_remedy() {
        let remarks =
            refused("rules:\n  - {name: a, subjects: [\"user:x\"], images: [a], alow: [pull]}\n");
        let first = &remarks.remarks[0];
        assert_eq!((first.file.as_deref(), first.line), (Some("policies/a.yaml"), Some(2)));
        assert!(first.message.contains("alow"), "{first:?}");
        assert!(first.help.as_deref().is_some_and(|help| help.contains("allow")), "{first:?}");
    }

    #[test]
    fn of_many_mistakes_the_first_are_kept_and_the_others_counted() {
        let rules: String = (0..50).map(|n| format!("  - {{nme{n}: a}}\n")).collect();
        let remarks = refused(&format!("rules:\n{rules}"));
        assert_eq!(remarks.remarks.len(), MISTAKES);
        assert!(remarks.more >= 30, "{}", remarks.more);
    }

    #[test]
    fn the_latest_come_first_and_the_oldest_are_forgotten() {
        let reloads = Reloads::since(Timestamp::UNIX_EPOCH);
        for second in 0..KEPT + 5 {
            reloads.add(reload(second as i64, Which::Policy));
        }
        reloads.add(reload(1000, Which::Shadow));
        let list = reloads.list();
        assert_eq!(list.len(), KEPT);
        assert_eq!((list[0].at.as_second(), list[KEPT - 1].at.as_second()), (1000, 6));
        assert_eq!(reloads.latest(Which::Policy).unwrap().at.as_second(), 104);
    }

    #[test]
    fn no_message_is_longer_than_people_read() {
        let long = "é".repeat(MESSAGE + 1);
        assert_eq!(cut(&long).chars().count(), MESSAGE + 1);
        assert!(cut(&long).ends_with('…'));
        assert_eq!(cut("short"), "short");
    }
}
