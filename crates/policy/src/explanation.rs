//! A decision in words, for whoever was denied and for whoever wrote the policy.

use oci::Tag;

use crate::caller::Subject;
use crate::clauses::Candidate;
use crate::decide::{Asked, Decision, Outcome};
use crate::policy::Policy;
use crate::rule::{Effect, Rule, bindings};
use crate::subjects::{Scope, Standing};

impl Asked<'_> {
    fn what(&self) -> String {
        match self.image.tag {
            Some(tag) => format!("{}:{tag}", self.image.repository),
            None => format!("{} as a whole", self.image.repository),
        }
    }
}

impl Decision<'_> {
    /// Why, in a sentence for a person. On a denial because no rule allows it, the rule that comes
    /// nearest is named. Built when it is asked for.
    #[must_use]
    pub fn reason(&self) -> String {
        let action = self.asked.action;
        match self.outcome {
            Outcome::Allowed(rule) => format!("{} allows {action}", place(rule)),
            Outcome::Denied(rule) => format!("{} denies {action}", place(rule)),
            Outcome::Unmentioned => unmentioned(self.policy, self.asked),
            Outcome::Beyond => beyond(self.asked),
        }
    }

    /// What the rule that decided depends on beside the caller and the image, as the end of "it
    /// holds ...". `None`: on nothing.
    #[must_use]
    pub fn conditions(&self) -> Option<String> {
        let (Outcome::Allowed(rule) | Outcome::Denied(rule)) = self.outcome else { return None };
        rule.conditions.as_ref().map(ToString::to_string)
    }
}

fn place(rule: &Rule) -> String {
    format!("rule `{}` ({}:{})", rule.name, rule.file, rule.line)
}

fn unmentioned(policy: &Policy, asked: Asked<'_>) -> String {
    let who = match &asked.caller.subject {
        Subject::Anonymous => "an anonymous caller".to_owned(),
        subject => subject.to_string(),
    };
    let mut text = format!("no rule allows {who} to {} {}", asked.action, asked.what());
    if let Some(miss) = nearest_miss(policy, asked) {
        text.push_str("; ");
        text.push_str(&miss);
    }
    text
}

fn beyond(asked: Asked<'_>) -> String {
    let mut text =
        format!("the token does not reach as far as `{}` on {}", asked.action, asked.what());
    if let Some(bounds) = &asked.caller.bounds {
        text.push_str(&format!(": it is bound to {bounds}"));
    }
    text
}

/// The rule that would have allowed it, had one thing been different. Only rules whose images
/// begin as the repository does are looked at: others are not near, and a denial has to stay
/// cheap.
fn nearest_miss(policy: &Policy, asked: Asked<'_>) -> Option<String> {
    let standing = Standing::new(&policy.subjects, asked.caller);
    let repository = asked.image.repository.as_str();
    policy
        .clauses
        .candidates(standing.held(), repository)
        .filter_map(|found| Some((miss(&found, &standing, asked)?, found.order())))
        .min_by_key(|(miss, order)| (miss.distance, *order))
        .map(|(miss, _)| miss.text)
}

struct Miss {
    distance: Distance,
    text: String,
}

/// Nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Distance {
    Credential,
    Condition,
    Exception,
    Tag,
    Action,
    Repository,
}

fn miss(
    &Candidate { clause, rest, .. }: &Candidate<'_, '_>,
    standing: &Standing<'_>,
    asked: Asked<'_>,
) -> Option<Miss> {
    let rule = &clause.rule;
    if rule.allow.is_empty() {
        return None;
    }
    let name = &rule.name;
    let would = format!("rule `{name}` would allow it but");
    let tag = asked.image.tag.map(Tag::as_str);
    let undecided = Effect::Allow.undecided();
    let is_excepted = || {
        rule.excepted(standing, asked.image.repository.as_str())
            .any(|(tags, bindings)| tags.matches(tag, bindings, undecided.opposite()))
    };
    if !standing.is_one_of(&rule.subjects, Scope::Held) {
        return None;
    }
    let image = &clause.image;
    let mut in_repository = bindings(image, standing, Scope::Held)
        .filter(|&bindings| image.repository.matches_after_literal(rest, bindings))
        .peekable();
    let allows = rule.allow.contains(asked.action);
    let (distance, text) = if in_repository.peek().is_none() {
        if !allows {
            return None;
        }
        let text =
            format!("{would} {} does not match `{}`", asked.image.repository, image.repository);
        (Distance::Repository, text)
    } else if !in_repository.any(|bindings| image.tags.matches(tag, bindings, undecided)) {
        if !allows {
            return None;
        }
        let pattern = image.tags.to_string();
        let text = match asked.image.tag {
            Some(tag) if image.tags.is_undecided(tag.as_str()) => {
                format!("{would} tag `{tag}` is no version, so not one of `{pattern}`")
            }
            Some(tag) => format!("{would} tag `{tag}` does not match `{pattern}`"),
            None => format!("rule `{name}` allows it only for tags that match `{pattern}`"),
        };
        (Distance::Tag, text)
    } else if !allows {
        let words: Vec<_> = rule.allow.iter().map(|action| action.to_string()).collect();
        (Distance::Action, format!("rule `{name}` allows only {} there", words.join(", ")))
    } else if standing.is_one_of(&rule.except_subjects, Scope::Held) {
        (Distance::Exception, format!("{would} its `except` names this caller"))
    } else if is_excepted() {
        (Distance::Exception, format!("{would} its `except` names this image"))
    } else if let Some(unmet) = rule.unmet(standing) {
        (Distance::Condition, format!("{would} {unmet}"))
    } else {
        (Distance::Credential, format!("{would} the credential does not carry the group for it"))
    };
    Some(Miss { distance, text })
}
