//! Mistakes in policy and case files, told to a program.

use document::{Diagnostics, Mistake, Severity};
use serde::{Serialize, Serializer};

use crate::policy_folder::{self, LoadError};

/// One mistake, as `--output json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    #[serde(serialize_with = "word")]
    pub(super) severity: Severity,
    file: Option<String>,
    /// From 1.
    line: Option<usize>,
    /// In characters, from 1.
    column: Option<usize>,
    message: String,
    help: Option<String>,
}

fn word<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    })
}

pub(super) fn told(diagnostics: &Diagnostics) -> Vec<Told> {
    let told = diagnostics.iter().map(|it| Told {
        severity: it.severity,
        file: Some(it.file.clone()),
        line: it.position.map(|position| position.line),
        column: it.position.map(|position| position.column),
        message: it.message.clone(),
        help: it.help.clone(),
    });
    told.collect()
}

/// A mistake that stands at no place in a file.
pub(super) fn told_of(mistake: &Mistake) -> Vec<Told> {
    vec![Told {
        severity: Severity::Error,
        file: None,
        line: None,
        column: None,
        message: mistake.message().to_owned(),
        help: mistake.remedy().map(str::to_owned),
    }]
}

/// Why there is no policy.
pub(super) fn told_why(error: &LoadError) -> Vec<Told> {
    match error {
        LoadError::Policy(diagnostics) => told(diagnostics),
        LoadError::Folder(error) => told_of(&unreadable(error)),
    }
}

pub(super) fn unreadable(error: &policy_folder::Error) -> Mistake {
    Mistake::of(error).maybe_help(error.help())
}
