//! What the policy decides, told to a program: the answer of `policy explain` and of the API.

use policy::Decision;
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
}
