//! Asking the policy what the cases ask, and what came out.

use std::collections::BTreeSet;

use document::{Diagnostics, Mistake, Place, Problems, SourceFile};

use super::{Case, Cases, Expected};
use crate::Action;
use crate::decide::{Decision, RuleRef};
use crate::gate::{Gates, Held, Occasion, Verdict, judge};
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
    /// How many release gates the policy has.
    pub gates: usize,
    /// The gates that judged no case, likewise.
    pub uncovered_gates: Vec<RuleRef<'a>>,
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
    /// The gates that were asked, by name: where the rules allow it, and the case tells facts.
    pub gates: Vec<&'a str>,
    /// The gate that holds it, if one does.
    pub held: Option<Held>,
}

impl Cases {
    /// Asks the policy every case.
    #[must_use]
    pub fn run<'a>(&'a self, policy: &'a Policy) -> Results<'a> {
        let mut failures = Vec::new();
        let (mut exercised, mut judging) = (BTreeSet::new(), BTreeSet::new());
        for case in &self.list {
            for image in &case.images {
                let decide = |&action| policy.decide(&case.caller, action, image.image());
                let decisions: Vec<_> = case.actions.iter().map(decide).collect();
                let line = case.place.line;
                let (gates, held) = judged(policy, case, image, &decisions);
                judging.extend(gates.iter().copied());
                let file = self.file(case);
                let question = Question { case, file, line, image, decisions, gates, held };
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
            gates: policy.gates().len(),
            uncovered_gates: policy
                .gates()
                .map(|gate| gate.place())
                .filter(|gate| !judging.contains(gate.name))
                .collect(),
        }
    }
}

/// The gates that the case meets, and the first that holds the image.
fn judged<'a>(
    policy: &'a Policy,
    case: &Case,
    image: &Target,
    decisions: &[Decision<'_>],
) -> (Vec<&'a str>, Option<Held>) {
    let none = (Vec::new(), None);
    let Some(facts) = &case.facts else { return none };
    let (Some(at), true) =
        (case.caller.circumstances.at, decisions.iter().all(Decision::is_allowed))
    else {
        return none;
    };
    let (caller, repository, tag) = (&case.caller, &image.repository, image.tag.as_ref());
    let may_inspect = || policy.decide(caller, Action::Inspect, image.image()).is_allowed();
    let mut gates = Gates::new();
    if case.actions.contains(&Action::Pull) && !may_inspect() {
        gates.extend(policy.gates_for(caller, Occasion::Pull, repository, tag));
    }
    let sets_tag = |action| matches!(action, &Action::Create | &Action::Overwrite);
    if tag.is_some() && case.actions.iter().any(sets_tag) {
        let pushed = policy.gates_for(caller, Occasion::Push, repository, tag);
        gates.extend(pushed);
        gates.sort_unstable_by_key(|gate| gate.name());
        gates.dedup_by_key(|gate| gate.name());
    }
    let facts = facts.of(policy, repository, at);
    let held = match judge(&gates, policy, repository, &facts, &[], at).verdict {
        Verdict::Held(held) => Some(held),
        Verdict::Passed(_) => None,
    };
    (gates.iter().map(|gate| gate.name()).collect(), held)
}

impl Cases {
    fn file(&self, case: &Case) -> &str {
        self.files.get(case.place.file).map_or("", |file| &file.path)
    }
}

impl<'a> Question<'a> {
    /// Allowed if all of it is, and no gate holds it.
    #[must_use]
    pub fn answer(&self) -> Expected {
        if self.decisions.iter().all(Decision::is_allowed) && self.held.is_none() {
            Expected::Allow
        } else {
            Expected::Deny
        }
    }

    /// Where an image is denied one thing and allowed another, it was the denials that decided.
    fn deciding(&self) -> impl Iterator<Item = &Decision<'a>> {
        let allowed = self.decisions.iter().all(Decision::is_allowed);
        self.decisions.iter().filter(move |it| it.is_allowed() == allowed)
    }

    fn is_as_expected(&self) -> bool {
        self.answer() == self.case.expected && self.is_by_the_rule()
    }

    /// One denial is enough to deny, and everything has to be allowed to allow.
    fn is_by_the_rule(&self) -> bool {
        if let (Some(by), Some(held)) = (&self.case.by, &self.held) {
            let mut all = std::iter::once(held).chain(&held.others);
            return all.any(|held| held.gate.name() == by);
        }
        let has_passed = |by: &String| self.gates.contains(&by.as_str());
        if self.answer() == Expected::Allow && self.case.by.as_ref().is_some_and(has_passed) {
            return true;
        }
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
        if let Some(held) = &self.held {
            message = format!("gate `{}` holds it: {}", held.gate.name(), held.summary());
        }
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
