//! `portcullis policy check`.

use std::path::PathBuf;

use clap::Args;
use policy::Severity;
use serde::Serialize;

use super::diagnostics::{Told, told, told_why};
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::OutputArgument;
use crate::cli::{colours, output};
use crate::policy_folder;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The folder of policy files.
    #[arg(value_name = "DIR", default_value = "policies")]
    folder: PathBuf,
    /// Exit with 1 where there are warnings: for checks before a change is merged.
    #[arg(long)]
    deny_warnings: bool,
    #[command(flatten)]
    output: OutputArgument,
}

/// What was found, told to a program.
#[derive(Debug, Serialize)]
struct Report {
    /// How many there are; not known where the files cannot be used.
    rules: Option<usize>,
    errors: usize,
    warnings: usize,
    diagnostics: Vec<Told>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let compiled = match policy_folder::load(&arguments.folder) {
        Ok(compiled) => compiled,
        Err(error) if arguments.output.is_json() => {
            arguments.output.print("", &Report::new(None, told_why(&error)))?;
            return Ok(Failure::from(error).exit);
        }
        Err(error) => return Err(error.into()),
    };
    if !compiled.warnings.is_empty() && !arguments.output.is_json() {
        output::aside(&compiled.warnings.render(colours(&std::io::stderr())));
    }
    let rules = compiled.policy.rule_count();
    let warnings = compiled.warnings.len();
    let text = format!("{}: {}", arguments.folder.display(), summary(rules, warnings));
    arguments.output.print(&text, &Report::new(Some(rules), told(&compiled.warnings)))?;
    Ok(if arguments.deny_warnings && warnings > 0 { Exit::Denied } else { Exit::Done })
}

impl Report {
    fn new(rules: Option<usize>, diagnostics: Vec<Told>) -> Self {
        let warnings = diagnostics.iter().filter(|it| it.severity == Severity::Warning).count();
        Self { rules, errors: diagnostics.len() - warnings, warnings, diagnostics }
    }
}

/// `3 rules, 1 warning`.
pub(in crate::cli) fn summary(rules: usize, warnings: usize) -> String {
    match warnings {
        0 => counted(rules, "rule"),
        _ => format!("{}, {}", counted(rules, "rule"), counted(warnings, "warning")),
    }
}

/// `3 rules`, `1 rule`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_said_in_words() {
        assert_eq!(summary(1, 0), "1 rule");
        assert_eq!(summary(2, 1), "2 rules, 1 warning");
        assert_eq!(summary(0, 2), "0 rules, 2 warnings");
    }
}
