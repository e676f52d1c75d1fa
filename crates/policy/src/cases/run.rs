//! Asking the policy what the cases ask, and what came out.

use std::collections::BTreeSet;

use document::{Diagnostics, Mistake, Place, Problems, SourceFile};

use super::{Case, Cases, Expected};
use crate::decide::{Decision, RuleRef};
use crate::policy::Policy;
use crate::question::Target;

/// What came out.
#[derive(Debug)]
pub struct Results<'a> {
    files: &'a [SourceFile],
    /// How many cases were run.
    pub cases: usize,
    /// What was answered otherwise than expected, in the order of the files.
    pub failures: Vec<Question<'a>>,
    /// How many rules the policy has.
    pub rules: usize,
    /// The rules that decided no case, in the order of their names.
    pub uncovered: Vec<RuleRef<'a>>,
}

/// A case about one of its images, and what the policy decided.
#[derive(Debug)]
pub struct Question<'a> {
    /// The case.
    pub case: &'a Case,
    /// The file that it stands in.
    pub file: &'a str,
    /// The line there, from 1.
    pub line: usize,
    /// The image.
    pub image: &'a Target,
    /// One for each action of the case.
    pub decisions: Vec<Decision<'a>>,
}

impl Cases {
    /// Asks the policy every case.
    #[must_use]
    pub fn run<'a>(&'a self, policy: &'a Policy) -> Results<'a> {
        let mut failures = Vec::new();
        let mut exercised = BTreeSet::new();
        for case in &self.list {
            for image in &case.images {
                let decide = |&action| policy.decide(&case.caller, action, image.image());
                let decisions = case.actions.iter().map(decide).collect();
                let line = case.place.line;
                let question = Question { case, file: self.file(case), line, image, decisions };
                exercised
                    .extend(question.deciding().filter_map(Decision::rule).map(|rule| rule.name));
                if !question.is_as_expected() {
                    failures.push(question);
                }
            }
        }
        let uncovered = policy.rules().filter(|rule| !exercised.contains(rule.name)).collect();
        Results {
            files: &self.files,
            cases: self.len(),
            failures,
            rules: policy.rule_count(),
            uncovered,
        }
    }
}

impl Cases {
    fn file(&self, case: &Case) -> &str {
        self.files.get(case.place.file).map_or("", |file| &file.path)
    }
}

impl<'a> Question<'a> {
    /// Allowed if all of it is.
    #[must_use]
    pub fn answer(&self) -> Expected {
        if self.decisions.iter().all(Decision::is_allowed) {
            Expected::Allow
        } else {
            Expected::Deny
        }
    }

    /// Where an image is denied one thing and allowed another, it was the denials that decided.
    fn deciding(&self) -> impl Iterator<Item = &Decision<'a>> {
        let allowed = self.answer() == Expected::Allow;
        self.decisions.iter().filter(move |it| it.is_allowed() == allowed)
    }

    fn is_as_expected(&self) -> bool {
        self.answer() == self.case.expected && self.is_by_the_rule()
    }

    /// One denial is enough to deny, and everything has to be allowed to allow.
    fn is_by_the_rule(&self) -> bool {
        match self.answer() {
            Expected::Allow => self.deciding().all(|it| self.is_by(it.rule())),
            Expected::Deny => self.deciding().any(|it| self.is_by(it.rule())),
        }
    }

    fn is_by(&self, rule: Option<RuleRef<'_>>) -> bool {
        let Some(by) = &self.case.by else { return true };
        rule.is_some_and(|rule| rule.name == by)
    }

    /// What was decided, told at the part of the case that it does not agree with.
    fn mistake(&self) -> (Place, Mistake) {
        let case = self.case;
        let answer = self.answer();
        let is_right = |it: &&Decision<'_>| {
            // Of what is allowed, the part that the rule allows is as expected.
            answer == Expected::Allow && answer == case.expected && self.is_by(it.rule())
        };
        let told = self.deciding().filter(|it| !is_right(it));
        let mut reasons: Vec<_> = told.map(Decision::reason).collect();
        reasons.dedup();
        let mut message = reasons.join("; ");
        if case.images.len() > 1 {
            message = format!("{}: {message}", self.image);
        }
        if let Some(name) = &case.name {
            message = format!("{name}: {message}");
        }
        let wrong_answer = answer != case.expected;
        let (place, label) = match (wrong_answer, answer, case.by_place) {
            (false, _, Some(place)) => (place, "was to decide"),
            (_, Expected::Deny, _) => (case.expected_place, "expected to be allowed"),
            (_, Expected::Allow, _) => (case.expected_place, "expected to be denied"),
        };
        (place, Mistake::new(message).label(label))
    }
}

impl Results<'_> {
    /// How many cases failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        let cases: BTreeSet<_> = self.failures.iter().map(|it| at(it.case.place)).collect();
        cases.len()
    }

    /// The failures as they are shown to people, in the order of [`Results::failures`].
    #[must_use]
    pub fn diagnostics(&self) -> Diagnostics {
        let mut problems = Problems::default();
        for question in &self.failures {
            let (place, mistake) = question.mistake();
            problems.at(place, mistake);
        }
        problems.into_diagnostics(self.files)
    }
}

fn at(place: Place) -> (usize, usize) {
    (place.file, place.start)
}
