//! Short ways to write policies and questions.

use oci::{RepositoryName, Tag};
use policy::{Action, Caller, Image, Policy, RuleRef, SourceFile, Subject};

/// A policy of one file, which has to be without mistakes and warnings.
pub(crate) fn policy(text: &str) -> Policy {
    policy_of(&[("policy.yaml", text)])
}

pub(crate) fn policy_of(files: &[(&str, &str)]) -> Policy {
    match Policy::compile(&sources(files)) {
        Ok(compiled) if compiled.warnings.is_empty() => compiled.policy,
        Ok(compiled) => panic!("{}", compiled.warnings),
        Err(errors) => panic!("{errors}"),
    }
}

pub(crate) fn sources(files: &[(&str, &str)]) -> Vec<SourceFile> {
    let file = |&(path, text): &(&str, &str)| SourceFile { path: path.into(), text: text.into() };
    files.iter().map(file).collect()
}

/// A subject as policies write it; `anyone` is an anonymous caller.
pub(crate) fn caller(subject: &str, groups: &[&str]) -> Caller {
    let subject = match subject.split_once(':') {
        Some(("user", name)) => Subject::User(name.into()),
        Some(("service", name)) => Subject::Service(name.into()),
        Some(("peer", name)) => {
            let (gate, name) = name.split_once('/').unwrap();
            Subject::Peer { gate: gate.into(), name: name.into() }
        }
        _ => Subject::Anonymous,
    };
    Caller::new(subject, owned(groups))
}

pub(crate) fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// `team/app:v1`, or `team/app` for the repository as a whole.
pub(crate) fn image(text: &str) -> (RepositoryName, Option<Tag>) {
    match text.split_once(':') {
        Some((repository, tag)) => {
            (RepositoryName::new(repository).unwrap(), Some(Tag::new(tag).unwrap()))
        }
        None => (RepositoryName::new(text).unwrap(), None),
    }
}

/// A decision, without the question.
pub(crate) struct Answer<'p> {
    pub(crate) is_allowed: bool,
    pub(crate) rule: Option<RuleRef<'p>>,
    pub(crate) reason: String,
}

pub(crate) fn decide<'p>(
    policy: &'p Policy,
    caller: &'p Caller,
    action: &str,
    text: &str,
) -> Answer<'p> {
    let (repository, tag) = image(text);
    let action: Action = action.parse().unwrap();
    let image = Image { repository: &repository, tag: tag.as_ref() };
    let decision = policy.decide(caller, action, image);
    // The rule is the policy's own, though a decision holds on to the question.
    let rule = policy.rules().find(|rule| Some(rule.name) == decision.rule().map(|rule| rule.name));
    Answer { is_allowed: decision.is_allowed(), rule, reason: decision.reason() }
}

/// Whether a caller without asserted groups is allowed.
pub(crate) fn allows(policy: &Policy, subject: &str, action: &str, image: &str) -> bool {
    decide(policy, &caller(subject, &[]), action, image).is_allowed
}
