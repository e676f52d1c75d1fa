//! `portcullis policy check`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::failure::{Exit, Failure};
use crate::cli::output::OutputArgument;
use crate::cli::{colours, output};
use crate::policy_folder;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The folder of policy files.
    #[arg(value_name = "DIR", default_value = "policies")]
    folder: PathBuf,
    #[command(flatten)]
    output: OutputArgument,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let compiled = policy_folder::load(&arguments.folder)?;
    if !compiled.warnings.is_empty() {
        output::aside(&compiled.warnings.render(colours(&std::io::stderr())));
    }
    let rules = compiled.policy.rule_count();
    let warnings = compiled.warnings.len();
    let text = format!("{}: {}", arguments.folder.display(), summary(rules, warnings));
    arguments.output.print(&text, &json!({ "rules": rules, "warnings": warnings }))?;
    Ok(Exit::Done)
}

/// `3 rules, 1 warning`.
pub(in crate::cli) fn summary(rules: usize, warnings: usize) -> String {
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    match warnings {
        0 => format!("{rules} rule{}", plural(rules)),
        _ => format!("{rules} rule{}, {warnings} warning{}", plural(rules), plural(warnings)),
    }
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
