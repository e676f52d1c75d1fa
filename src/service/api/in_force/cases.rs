//! What the test cases beside a policy say of the one in force.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use policy::cases::{Cases, Question, Results};
use policy::{Action, Decision, Policy, RuleRef};
use serde::Serialize;
use tokio::task::spawn_blocking;

use crate::log::Causes;
use crate::policy_folder;
use crate::reloads::{Remark, Remarks};

/// How many failures, and names of what no case is about, are told.
const MOST: usize = 50;

/// What came of the cases.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Tested {
    pub(crate) cases: usize,
    pub(crate) failed: usize,
    /// The first of them.
    pub(crate) failures: Vec<Failed>,
    /// Rules and gates that no case is about: the first of them.
    pub(crate) uncovered: Vec<String>,
    pub(crate) uncovered_count: usize,
    /// Why there are no results.
    pub(crate) problems: Remarks,
}

/// A case that was answered otherwise than expected.
#[derive(Debug, Serialize)]
pub(crate) struct Failed {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) name: Option<String>,
    /// What was asked, in a line.
    pub(crate) question: String,
    pub(crate) expected: &'static str,
    /// By which rule or gate, where that matters.
    pub(crate) expected_by: Option<String>,
    pub(crate) answer: &'static str,
    /// By which rules and gates.
    pub(crate) answer_by: Vec<String>,
}

/// Asks the policy what the cases in that folder ask. It may take a while, beside everything else.
pub(super) async fn run(folder: PathBuf, policy: Arc<Policy>, now: Timestamp) -> Tested {
    let done = spawn_blocking(move || tested(&folder, &policy, now)).await;
    done.unwrap_or_else(|_| failed("running the cases had panicked".to_owned(), None))
}

fn tested(folder: &Path, policy: &Policy, now: Timestamp) -> Tested {
    let files = match policy_folder::read_cases(folder) {
        Ok(files) => files,
        Err(error) => return failed(Causes(&error).to_string(), error.help()),
    };
    match Cases::read(files, policy, now) {
        Ok(read) => told(&read.cases.run(policy)),
        Err(mistakes) => {
            Tested { problems: Remarks::first_of(&mistakes, MOST), ..Tested::default() }
        }
    }
}

fn failed(message: String, help: Option<&str>) -> Tested {
    let remark = Remark { file: None, line: None, message, help: help.map(str::to_owned) };
    Tested { problems: Remarks { remarks: vec![remark], more: 0 }, ..Tested::default() }
}

fn told(results: &Results<'_>) -> Tested {
    let uncovered: Vec<&RuleRef<'_>> =
        results.uncovered.iter().chain(&results.uncovered_gates).collect();
    Tested {
        cases: results.cases,
        failed: results.failed(),
        failures: results.failures.iter().take(MOST).map(Failed::of).collect(),
        uncovered: uncovered.iter().take(MOST).map(|rule| rule.name.to_owned()).collect(),
        uncovered_count: uncovered.len(),
        problems: Remarks::default(),
    }
}

impl Failed {
    fn of(question: &Question<'_>) -> Self {
        let Question { case, file, line, image, .. } = question;
        let rules = question.decisions.iter().filter_map(Decision::rule);
        let mut answer_by: Vec<_> = rules.map(|rule| rule.name.to_owned()).collect();
        answer_by.extend(question.held.as_ref().map(|held| held.gate.name().to_owned()));
        answer_by.dedup();
        let actions: Vec<_> = case.actions.iter().map(Action::as_str).collect();
        Self {
            file: (*file).to_owned(),
            line: *line,
            name: case.name.clone(),
            question: format!("{} does {} at {image}", case.caller.subject, actions.join(", ")),
            expected: case.expected.as_str(),
            expected_by: case.by.clone(),
            answer: question.answer().as_str(),
            answer_by,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use policy::SourceFile;

    use super::*;

    fn policy() -> Policy {
        let text = "rules:\n  - {name: reads, subjects: [\"user:a\"], images: [\"x\"], allow: [pull]}\n\
                    \x20 - {name: spare, subjects: [\"user:b\"], images: [\"x\"], allow: [pull]}\n";
        let file = SourceFile { path: "policies/a.yaml".into(), text: text.into() };
        Policy::compile(&[file]).unwrap().policy
    }

    fn run_case(case: &str) -> Tested {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tests")).unwrap();
        fs::write(folder.path().join("tests/a.yaml"), format!("cases:\n  - {case}\n")).unwrap();
        tested(folder.path(), &policy(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_case_that_fails_is_told_with_its_place() {
        let tested = run_case("{as: user:a, do: push, image: \"x:v1\", expect: allow}");
        assert_eq!((tested.cases, tested.failed, tested.uncovered_count), (1, 1, 2));
        let failed = &tested.failures[0];
        assert!(failed.file.ends_with("tests/a.yaml") && failed.line == 2, "{failed:?}");
        assert_eq!((failed.expected, failed.answer), ("allow", "deny"));
        assert!(failed.question.contains("user:a"), "{failed:?}");
    }

    #[test]
    fn a_case_that_expects_another_rule_fails_and_says_which_one_answered() {
        let tested = run_case("{as: user:a, do: pull, image: \"x:v1\", expect: allow, by: spare}");
        let failed = &tested.failures[0];
        assert_eq!((failed.expected, failed.answer), ("allow", "allow"));
        assert_eq!(failed.expected_by.as_deref(), Some("spare"));
        assert_eq!(failed.answer_by, ["reads"]);
    }

    #[test]
    fn a_case_that_holds_covers_its_rule() {
        let tested = run_case("{as: user:a, do: pull, image: \"x:v1\", expect: allow}");
        assert_eq!((tested.cases, tested.failed), (1, 0));
        assert_eq!(tested.uncovered, ["spare"]);
    }

    #[test]
    fn cases_with_mistakes_are_not_taken_for_good_ones() {
        let tested = run_case("{as: user:a, do: pul, image: \"x:v1\", expect: allow}");
        assert_eq!(tested.cases, 0);
        assert!(tested.problems.remarks[0].message.contains("pul"), "{tested:?}");
    }

    #[test]
    fn without_cases_there_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let tested = tested(folder.path(), &policy(), Timestamp::UNIX_EPOCH);
        assert_eq!((tested.cases, tested.problems.remarks.len()), (0, 0));
    }
}
