//! What the policy decides, told to a program: the answer of `policy explain` and of the API.

use policy::gate::Occasion;
use policy::question::Target;
use policy::{Action, Caller, Decision, Policy};
use serde::Serialize;

/// What a policy says to a question, which may be several at once: `push` is `create` and
/// `overwrite`.
#[derive(Debug, Serialize)]
pub(crate) struct Answer<'p> {
    /// `allow` or `deny`.
    pub(crate) decision: &'static str,
    /// The rule that made the decision; none where no rule allows it.
    pub(crate) rule: Option<&'p str>,
    /// Where that rule stands.
    pub(crate) file: Option<&'p str>,
    /// The line there, from 1.
    pub(crate) line: Option<usize>,
    /// Why, in a sentence.
    pub(crate) reason: String,
}

impl<'p> Answer<'p> {
    /// The first denial decides; without one, everything was allowed and all reasons count.
    pub(crate) fn of(decisions: &[Decision<'p>]) -> Self {
        let denial = decisions.iter().find(|decision| !decision.is_allowed());
        let rule = denial.or(decisions.first()).and_then(Decision::rule);
        let reason = match denial {
            Some(denial) => denial.reason(),
            None => decisions.iter().map(Decision::reason).collect::<Vec<_>>().join("; "),
        };
        Self {
            decision: if denial.is_none() { "allow" } else { "deny" },
            rule: rule.map(|rule| rule.name),
            file: rule.map(|rule| rule.file),
            line: rule.map(|rule| rule.line),
            reason,
        }
    }

    /// What it depends on beside the caller and the image: one line for each rule with conditions.
    pub(crate) fn conditions(&self, decisions: &[Decision<'_>]) -> Vec<String> {
        let (mut told, mut lines) = (Vec::new(), Vec::new());
        let is_allowed = self.decision == "allow";
        for decision in decisions.iter().filter(|it| it.is_allowed() == is_allowed) {
            if let (Some(rule), Some(conditions)) = (decision.rule(), decision.conditions())
                && !told.contains(&rule.name)
            {
                told.push(rule.name);
                lines.push(format!("rule `{}` holds {conditions}", rule.name));
            }
        }
        lines
    }
}

/// The answer, and what stands before the image besides.
#[derive(Debug, Serialize)]
pub(crate) struct Explained<'p> {
    #[serde(flatten)]
    pub(crate) answer: Answer<'p>,
    pub(crate) gates: Vec<Gate<'p>>,
}

/// A release gate, and what it asks for.
#[derive(Debug, Serialize)]
pub(crate) struct Gate<'p> {
    pub(crate) gate: &'p str,
    pub(crate) file: &'p str,
    pub(crate) line: usize,
    /// `pull` or `push`.
    pub(crate) on: &'static str,
    /// `enforce` or `audit`.
    pub(crate) mode: &'static str,
    /// One line for each thing.
    pub(crate) requires: Vec<String>,
}

impl<'p> Explained<'p> {
    /// With the release gates that the image has to pass besides, where the rules allow it. Whoever
    /// may inspect it passes them all.
    pub(crate) fn new(
        answer: Answer<'p>,
        policy: &'p Policy,
        caller: &Caller,
        actions: &[Action],
        target: &Target,
    ) -> Self {
        let mut occasions = Vec::new();
        let inspects = || policy.decide(caller, Action::Inspect, target.image()).is_allowed();
        if actions.contains(&Action::Pull) && !inspects() {
            occasions.push(Occasion::Pull);
        }
        let sets_tag = |action: &Action| matches!(action, Action::Create | Action::Overwrite);
        if target.tag.is_some() && actions.iter().any(sets_tag) {
            occasions.push(Occasion::Push);
        }
        occasions.retain(|_| answer.decision == "allow");
        let all = occasions.into_iter().flat_map(|on| {
            let gates = policy.gates_for(caller, on, &target.repository, target.tag.as_ref());
            gates.into_iter().map(move |gate| Gate {
                gate: gate.name(),
                file: gate.place().file,
                line: gate.place().line,
                on: on.as_str(),
                mode: if gate.is_enforced() { "enforce" } else { "audit" },
                requires: gate.requirements(),
            })
        });
        let gates = all.collect();
        Self { answer, gates }
    }
}
