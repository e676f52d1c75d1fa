//! What somebody may do to an image, in all circumstances or in some.
//!
//! A decision is made for one request: at a time, from an address, with a credential. Whoever looks at
//! who may do what wants to know what holds whenever and from wherever, and what depends on that.

use crate::Action;
use crate::caller::{Caller, Subject};
use crate::circumstances::{Circumstances, Credential};
use crate::decide::{Asked, Outcome, RuleRef};
use crate::policy::{Image, Policy};
use crate::rule::{Effect, Rule};
use crate::subjects::Standing;

/// Whether something is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whenever, from wherever and with whatever credential.
    Allowed,
    /// At this time it is denied, from wherever and with whatever credential.
    Denied,
    /// It depends on that.
    Conditional,
}

impl Access {
    /// In a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Conditional => "conditional",
        }
    }
}

/// A rule that allows or denies only sometimes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition<'p> {
    /// Which.
    pub rule: RuleRef<'p>,
    /// Whether it allows; it denies otherwise.
    pub allows: bool,
    /// When, as the end of "it does so ...".
    pub when: String,
}

/// What somebody may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission<'p> {
    /// Whether they may.
    pub access: Access,
    /// What that depends on, in the order of the rules' names; empty unless it is conditional.
    pub conditions: Vec<Condition<'p>>,
}

impl Policy {
    /// Whether the caller may do `action` to the image, in whatever circumstances. Of those of the
    /// caller the kind of credential counts, if it is known; a rule that has expired or has not begun
    /// is judged by `now`.
    ///
    /// What is `Allowed` here [`Policy::decide`] allows in any circumstances, and what is `Denied` it
    /// denies at that time. What is `Conditional` it may decide either way; where several conditions
    /// contradict each other, always in one.
    #[must_use]
    pub fn access(
        &self,
        caller: &Caller,
        action: Action,
        image: Image<'_>,
        now: jiff::Timestamp,
    ) -> Permission<'_> {
        let kinds = match caller.circumstances.credential {
            Some(kind) => vec![kind],
            None => possible(&caller.subject),
        };
        let each = |at: Option<jiff::Timestamp>| {
            kinds.iter().map(move |&credential| {
                let circumstances =
                    Circumstances { at, address: None, credential: Some(credential) };
                Caller { circumstances, ..caller.clone() }
            })
        };
        let (at_worst, at_best): (Vec<_>, Vec<_>) =
            (each(None).collect(), each(Some(now)).collect());
        let is_allowed = |standing: &Standing<'_>, caller| {
            let asked = Asked { caller, action, image };
            matches!(self.outcome_of(standing, asked), Outcome::Allowed(_))
        };
        let settled = |access| Permission { access, conditions: Vec::new() };
        if at_worst.iter().all(|caller| is_allowed(&Standing::new(&self.subjects, caller), caller))
        {
            return settled(Access::Allowed);
        }
        if !at_best
            .iter()
            .any(|caller| is_allowed(&Standing::new(&self.subjects, caller).hopeful(), caller))
        {
            return settled(Access::Denied);
        }
        let covering = |callers: &[Caller], effect| -> Vec<&Rule> {
            let mut rules: Vec<&Rule> = callers
                .iter()
                .flat_map(|caller| {
                    let standing = Standing::new(&self.subjects, caller);
                    let standing = match effect {
                        Effect::Allow => standing.hopeful(),
                        Effect::Deny => standing,
                    };
                    self.covering(&standing, action, image, effect)
                })
                .collect();
            rules.sort_by(|one, other| one.name.cmp(&other.name));
            rules.dedup_by(|one, other| one.name == other.name);
            rules
        };
        let mut allowing = covering(&at_best, Effect::Allow);
        if allowing.iter().any(|rule| rule.conditions.is_none()) {
            // Then it depends on denials alone.
            allowing.clear();
        }
        let denying = covering(&at_worst, Effect::Deny);
        let allowing = allowing.into_iter().map(|rule| (rule, true));
        let all = allowing.chain(denying.into_iter().map(|rule| (rule, false)));
        let told = all.map(|(rule, allows)| Condition {
            rule: rule.reference(),
            allows,
            when: rule.conditions.as_ref().map(ToString::to_string).unwrap_or_default(),
        });
        Permission { access: Access::Conditional, conditions: told.collect() }
    }
}

/// The kinds of credentials by which somebody may be known.
fn possible(subject: &Subject) -> Vec<Credential> {
    let usual = Credential::usual(subject);
    match subject {
        Subject::User(_) | Subject::Service(_) => vec![usual, Credential::Federated],
        Subject::Peer { .. } | Subject::Anonymous => vec![usual],
    }
}
