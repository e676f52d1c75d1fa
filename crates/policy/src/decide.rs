//! The decision: denied unless a rule allows it, and any matching denial wins.

use std::sync::Arc;

use oci::RepositoryName;

use crate::Action;
use crate::caller::Caller;
use crate::clauses::Candidate;
use crate::policy::{Image, Policy};
use crate::rule::{Effect, Rule, bindings};
use crate::subjects::Standing;

/// Allowed or denied, and why. Holds on to the question, so that an explanation can be made when
/// one is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) asked: Asked<'a>,
    pub(crate) outcome: Outcome<'a>,
}

/// A question.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) action: Action,
    pub(crate) image: Image<'a>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome<'a> {
    Allowed(&'a Rule),
    Denied(&'a Rule),
    /// No rule allows it.
    Unmentioned,
    /// A rule allows it, and the credential does not reach as far.
    Beyond,
}

/// The rule that made a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleRef<'p> {
    /// Its name.
    pub name: &'p str,
    /// The file it stands in.
    pub file: &'p str,
    /// Its line there, from 1.
    pub line: usize,
}

impl Policy {
    /// Decides one action on one image. Total and deterministic: the same question to the same
    /// policy has the same answer, in whatever order its files were read.
    #[must_use]
    pub fn decide<'a>(
        &'a self,
        caller: &'a Caller,
        action: Action,
        image: Image<'a>,
    ) -> Decision<'a> {
        let asked = Asked { caller, action, image };
        Decision { policy: self, asked, outcome: self.outcome(asked) }
    }

    fn outcome(&self, asked: Asked<'_>) -> Outcome<'_> {
        self.outcome_of(&Standing::new(&self.subjects, asked.caller), asked)
    }

    /// The same for a caller whose standing is known.
    pub(crate) fn outcome_of(
        &self,
        standing: &Standing<'_>,
        Asked { caller, action, image }: Asked<'_>,
    ) -> Outcome<'_> {
        let (mut allowed, mut denied): (Option<Candidate<'_, '_>>, _) = (None, None);
        for found in self.clauses.candidates(standing.held(), image.repository.as_str()) {
            let Some(effect) = found.effect(action) else { continue };
            // Where several rules decide alike, the first by name is told.
            let decided = match effect {
                Effect::Allow => denied.or(allowed.filter(|known| known.order() <= found.order())),
                Effect::Deny => denied.filter(|known| known.order() <= found.order()),
            };
            if decided.is_some() || !covers(&found, standing, effect, image) {
                continue;
            }
            match effect {
                Effect::Allow => allowed = Some(found),
                Effect::Deny => denied = Some(found),
            }
        }
        if let Some(denied) = denied {
            return Outcome::Denied(&denied.clause.rule);
        }
        match allowed {
            Some(_) if !caller.reaches(action, image) => Outcome::Beyond,
            Some(allowed) => Outcome::Allowed(&allowed.clause.rule),
            None => Outcome::Unmentioned,
        }
    }

    /// The rules that have this effect on the image, some of them several times.
    pub(crate) fn covering(
        &self,
        standing: &Standing<'_>,
        action: Action,
        image: Image<'_>,
        effect: Effect,
    ) -> Vec<&Rule> {
        let found = self.clauses.candidates(standing.held(), image.repository.as_str());
        let covering = found.filter(|found| {
            found.effect(action) == Some(effect) && covers(found, standing, effect, image)
        });
        covering.map(|found| &*found.clause.rule).collect()
    }

    /// Whether the caller may do `action` on anything in the repository. May be true although
    /// every tag is denied; is never false although one is allowed.
    #[must_use]
    pub fn grants_any(&self, caller: &Caller, action: Action, repository: &RepositoryName) -> bool {
        !self.tags(caller, action, repository).is_none()
    }

    /// As [`Policy::grants_any`], at whatever time, from wherever and with whatever credential: for
    /// tokens, which are asked for in one place and shown in another. Each request with them is
    /// decided in its own circumstances.
    #[must_use]
    pub fn grants_ever(
        &self,
        caller: &Caller,
        action: Action,
        repository: &RepositoryName,
    ) -> bool {
        let standing = Standing::new(&self.subjects, caller).ever();
        !self.tags_of(&standing, caller, action, repository).is_none()
    }

    /// The rules that allow the caller the action on some images, at whatever time, from wherever and
    /// with whatever credential, in the order of their names. Others may deny it again.
    #[must_use]
    pub fn rules_allowing(&self, caller: &Caller, action: Action) -> Vec<RuleRef<'_>> {
        let standing = Standing::new(&self.subjects, caller).ever();
        let allow = |rule: &&Arc<Rule>| {
            rule.allow.contains(action) && rule.concerns(&standing, Effect::Allow)
        };
        self.rules.iter().filter(allow).map(|rule| rule.reference()).collect()
    }

    /// The image patterns that could match the repository, of rules that concern the caller and
    /// the action.
    pub(crate) fn relevant<'p, 't>(
        &'p self,
        standing: &'t Standing<'t>,
        action: Action,
        repository: &'t str,
    ) -> impl Iterator<Item = (Effect, Candidate<'p, 't>)> {
        self.clauses.candidates(standing.held(), repository).filter_map(move |found| {
            let effect = found.effect(action)?;
            let is_relevant =
                found.comes_first(standing.held()) && found.clause.rule.concerns(standing, effect);
            is_relevant.then_some((effect, found))
        })
    }
}

/// Whether the clause holds for the image, and its rule concerns the caller. Where a rule is for
/// several roles of the caller, it is enough that one of those under which it is found says so.
fn covers(
    found: &Candidate<'_, '_>,
    standing: &Standing<'_>,
    effect: Effect,
    image: Image<'_>,
) -> bool {
    let &Candidate { clause, rest, .. } = found;
    let tag = image.tag.map(oci::Tag::as_str);
    let pattern = &clause.image;
    let matched = bindings(pattern, standing, effect.scope()).any(|bindings| {
        pattern.repository.matches_after_literal(rest, bindings)
            && pattern.tags.matches(tag, bindings, effect.undecided())
    });
    let is_excepted = || {
        let mut excepted = clause.rule.excepted(standing, image.repository.as_str());
        excepted.any(|(tags, bindings)| tags.matches(tag, bindings, effect.undecided().opposite()))
    };
    matched
        && match found.sufficient_role() {
            Some(role) => standing.is_one_of(&[role], effect.scope()),
            None => clause.rule.concerns(standing, effect) && !is_excepted(),
        }
}

impl<'a> Decision<'a> {
    /// Whether the action is allowed.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self.outcome, Outcome::Allowed(..))
    }

    /// The rule that allows or denies it. `None`: it is denied because no rule allows it, or because
    /// the credential does not reach as far.
    #[must_use]
    pub fn rule(&self) -> Option<RuleRef<'a>> {
        match self.outcome {
            Outcome::Allowed(rule) | Outcome::Denied(rule) => Some(rule.reference()),
            Outcome::Unmentioned | Outcome::Beyond => None,
        }
    }
}

impl Rule {
    pub(crate) fn reference(&self) -> RuleRef<'_> {
        RuleRef { name: &self.name, file: &self.file, line: self.line }
    }
}
