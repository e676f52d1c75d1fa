//! `portcullis policy test`.

use std::io;
use std::path::PathBuf;

use clap::Args;
use document::Mistake;
use jiff::Timestamp;
use policy::cases::{Cases, EXAMPLE, Question, Results};
use policy::{Action, Diagnostics, RuleRef};
use serde::Serialize;
use serde_json::json;

use super::check::counted;
use super::diagnostics::{Told, told, told_of, told_why, unreadable};
use crate::answer::Answer;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::OutputArgument;
use crate::cli::{colours, output};
use crate::policy_folder;

/// Ask a policy what its test cases ask, and compare the answers.
///
/// Cases stand in `DIR/tests/**/*.yaml`. Exits with 0 where every answer is as expected, and with 1
/// otherwise.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The folder of policy files, with the cases in its folder `tests`.
    #[arg(value_name = "DIR", default_value = "policies")]
    folder: PathBuf,
    /// Exit with 1 where there are rules that decide no case, or release gates that judge none.
    #[arg(long)]
    deny_uncovered: bool,
    #[command(flatten)]
    output: OutputArgument,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let wrong = |told: Vec<Told>, failure: Failure| {
        if !arguments.output.is_json() {
            return Err(failure);
        }
        arguments.output.print("", &json!({ "diagnostics": told }))?;
        Ok(failure.exit)
    };
    let compiled = match policy_folder::load(&arguments.folder) {
        Ok(compiled) => compiled,
        Err(error) => return wrong(told_why(&error), error.into()),
    };
    let files = match policy_folder::read_cases(&arguments.folder) {
        Ok(files) => files,
        Err(error) => {
            let mistake = unreadable(&error);
            return wrong(told_of(&mistake), Failure::input(&mistake));
        }
    };
    if files.is_empty() {
        let mistake = no_cases(arguments);
        return wrong(told_of(&mistake), Failure::input(&mistake));
    }
    let policy = compiled.policy;
    let read = match Cases::read(files, &policy, Timestamp::now()) {
        Ok(read) => read,
        Err(mistakes) => return wrong(told(&mistakes), mistakes.into()),
    };
    let warnings = [compiled.warnings, read.warnings];
    if !arguments.output.is_json() {
        for warnings in warnings.iter().filter(|warnings| !warnings.is_empty()) {
            output::aside(&warnings.render(colours(&io::stderr())));
        }
    }
    let results = read.cases.run(&policy);
    let report = Report::new(&results, &warnings);
    arguments.output.print(&text(&results, colours(&io::stdout())), &report)?;
    let all_covered = results.uncovered.is_empty() && results.uncovered_gates.is_empty();
    let is_uncovered = arguments.deny_uncovered && !all_covered;
    Ok(if results.failures.is_empty() && !is_uncovered { Exit::Done } else { Exit::Denied })
}

fn no_cases(arguments: &Arguments) -> Mistake {
    let tests = arguments.folder.join("tests");
    Mistake::new(format!("no test cases: no file in {} ends in `.yaml`", tests.display()))
        .help(format!("make a file there, and {EXAMPLE}"))
}

/// The failures, how many there were, and what no case was about.
fn text(results: &Results<'_>, colours: bool) -> String {
    let mut text = String::new();
    if !results.failures.is_empty() {
        text = results.diagnostics().render(colours) + "\n\n";
    }
    let cases = counted(results.cases, "case");
    let failed = results.failed();
    text += &if failed == 0 {
        format!("{cases}, all as expected\n")
    } else {
        format!("{cases}, {failed} failed\n")
    };
    let exercised = results.rules - results.uncovered.len();
    text += &format!("{exercised} of {} exercised", counted(results.rules, "rule"));
    if !results.uncovered.is_empty() {
        let names: Vec<_> = results.uncovered.iter().map(|rule| rule.name).collect();
        text += &format!("; no case is decided by {}", names.join(", "));
    }
    if results.gates > 0 {
        let exercised = results.gates - results.uncovered_gates.len();
        text += &format!("\n{exercised} of {} exercised", counted(results.gates, "gate"));
        let names: Vec<_> = results.uncovered_gates.iter().map(|gate| gate.name).collect();
        if !names.is_empty() {
            text += &format!("; no case with `facts` meets {}", names.join(", "));
        }
    }
    text
}

/// The same for a program.
#[derive(Debug, Serialize)]
struct Report<'a> {
    cases: usize,
    failed: usize,
    failures: Vec<Failed<'a>>,
    rules: usize,
    uncovered: Vec<Uncovered<'a>>,
    gates: usize,
    uncovered_gates: Vec<UncoveredGate<'a>>,
    /// Warnings.
    diagnostics: Vec<Told>,
}

/// A case that was answered otherwise than expected.
#[derive(Debug, Serialize)]
struct Failed<'a> {
    file: &'a str,
    line: usize,
    name: Option<&'a str>,
    #[serde(rename = "as")]
    subject: String,
    #[serde(rename = "do")]
    actions: Vec<&'a str>,
    image: String,
    expect: &'static str,
    by: Option<&'a str>,
    answer: Answer<'a>,
    /// The release gate that holds it, though the rules allow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<HeldBy>,
}

/// A release gate, and why it holds an image.
#[derive(Debug, Serialize)]
struct HeldBy {
    gate: String,
    reason: String,
}

/// A rule that decided no case.
#[derive(Debug, Serialize)]
struct Uncovered<'a> {
    rule: &'a str,
    file: &'a str,
    line: usize,
}

/// A release gate that judged no case.
#[derive(Debug, Serialize)]
struct UncoveredGate<'a> {
    gate: &'a str,
    file: &'a str,
    line: usize,
}

impl<'a> Report<'a> {
    fn new(results: &Results<'a>, warnings: &[Diagnostics]) -> Self {
        let uncovered =
            |rule: &RuleRef<'a>| Uncovered { rule: rule.name, file: rule.file, line: rule.line };
        let uncovered_gate = |gate: &RuleRef<'a>| UncoveredGate {
            gate: gate.name,
            file: gate.file,
            line: gate.line,
        };
        Self {
            cases: results.cases,
            failed: results.failed(),
            failures: results.failures.iter().map(Failed::new).collect(),
            rules: results.rules,
            uncovered: results.uncovered.iter().map(uncovered).collect(),
            gates: results.gates,
            uncovered_gates: results.uncovered_gates.iter().map(uncovered_gate).collect(),
            diagnostics: warnings.iter().flat_map(told).collect(),
        }
    }
}

impl<'a> Failed<'a> {
    fn new(question: &Question<'a>) -> Self {
        let case = question.case;
        Self {
            file: question.file,
            line: question.line,
            name: case.name.as_deref(),
            subject: case.caller.subject.to_string(),
            actions: case.actions.iter().map(Action::as_str).collect(),
            image: question.image.to_string(),
            expect: case.expected.as_str(),
            by: case.by.as_deref(),
            answer: Answer::of(&question.decisions),
            held: question
                .held
                .as_ref()
                .map(|held| HeldBy { gate: held.gate.name().to_owned(), reason: held.summary() }),
        }
    }
}

#[cfg(test)]
mod tests;
