//! Two policies of the pieces in `grammar.rs`, one made from the other, and questions to both: where
//! they answer differently, the comparison has told so.

#![no_main]

mod grammar;
mod questions;
#[allow(dead_code, reason = "shared with the tests of the crate, which ask more of it")]
#[path = "../../crates/policy/tests/policy/reference.rs"]
mod reference;

use arbitrary::{Arbitrary, Result, Unstructured};
use grammar::{compile, conditions, document, except, groups, image, rule, several, subject};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use oci::Tag;
use policy::{
    Caller, Change, Circumstances, Comparison, Credential, Decision, Image, Policy, Subject,
    compare,
};
use questions::{Question, TIMES, question};
use reference::{Document, Rule};

#[derive(Debug)]
struct Case {
    old: Document,
    new: Document,
    /// From when on they are compared.
    at: Timestamp,
    questions: Vec<Question>,
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let questions = several(u, 1..=6, question)?;
        let at = u.choose(&TIMES)?.parse().unwrap();
        // Few rules: what is asked about grows with the ways in which they overlap.
        let old = document(u, 3)?;
        let mut new = old.clone();
        for _ in 0..u.int_in_range(1..=2)? {
            edit(u, &mut new)?;
        }
        Ok(Self { old, new, at, questions })
    }
}

/// What somebody does to a policy in one go.
fn edit(u: &mut Unstructured<'_>, document: &mut Document) -> Result<()> {
    let what = u.int_in_range(0..=7_u8)?;
    let name = format!("rule-{}", document.rules.len() + 3);
    if what == 0 {
        document.groups = groups(u)?;
        return Ok(());
    }
    let place = u.choose_index(document.rules.len().max(1))?;
    match document.rules.get_mut(place) {
        Some(_) if what == 1 => drop(document.rules.remove(place)),
        Some(there) if what < 7 => change(u, what, there)?,
        _ => document.rules.push(Rule { name, ..rule(u)? }),
    }
    Ok(())
}

fn change(u: &mut Unstructured<'_>, what: u8, there: &mut Rule) -> Result<()> {
    match what {
        2 => there.subjects = several(u, 1..=2, subject)?,
        3 => there.images = several(u, 1..=2, image)?,
        4 => there.conditions = conditions(u)?,
        5 => except(u, there)?,
        _ => std::mem::swap(&mut there.allow, &mut there.deny),
    }
    Ok(())
}

fuzz_target!(|case: Case| {
    let (old, new) = (compile(&case.old), compile(&case.new));
    let comparison = compare(&old, &new, case.at);
    for change in &comparison.changes {
        assert!(!change.to_string().is_empty() && !change.words().is_empty());
        differs(&old, &new, change, &case);
    }
    assert!(compare(&old, &old, case.at).changes.is_empty(), "{}", case.old.yaml());
    for question in &case.questions {
        let Question { action, repository, .. } = question;
        let callers = [&old, &new].map(|policy| asking(policy, &question.caller, case.at));
        for tag in &question.tags {
            let image = Image { repository, tag: tag.as_ref() };
            let [before, after] = [(&old, &callers[0]), (&new, &callers[1])]
                .map(|(policy, caller)| policy.decide(caller, *action, image));
            if before.is_allowed() != after.is_allowed() && comparison.is_complete {
                let context = || format!("{callers:?} {}", told(&case, &comparison));
                is_told(&comparison, question, tag.as_ref(), [before, after], &context);
            }
        }
    }
});

/// The example of a change is decided as the change says.
fn differs(old: &Policy, new: &Policy, change: &Change<'_>, case: &Case) {
    let it = &change.example;
    let image = Image { repository: &it.repository, tag: it.tag.as_ref() };
    let answers = [(old, &it.old_caller), (new, &it.new_caller)]
        .map(|(policy, caller)| policy.decide(caller, it.action, image).is_allowed());
    let expected = [!change.is_allowed, change.is_allowed];
    assert_eq!(answers, expected, "{change}\n{}\n{}", case.old.yaml(), case.new.yaml());
}

fn is_told(
    comparison: &Comparison<'_>,
    Question { action, repository, .. }: &Question,
    tag: Option<&Tag>,
    [before, after]: [Decision<'_>; 2],
    context: &impl Fn() -> String,
) {
    let is_told = comparison.changes.iter().any(|change| {
        change.is_allowed == after.is_allowed()
            && change.actions.contains(action)
            && (before.rule().is_none_or(|rule| change.old.contains(&rule))
                || after.rule().is_none_or(|rule| change.new.contains(&rule)))
    });
    assert!(is_told, "not told: {action} {repository} {tag:?}\n{}", context());
}

/// What a source may assert before the policy, in circumstances that are known and yet to come.
fn asking(policy: &Policy, caller: &Caller, at: Timestamp) -> Caller {
    let mut groups = caller.groups.clone();
    groups.retain(|group| policy.may_be_asserted(group));
    let here = caller.circumstances;
    let credential = match caller.subject {
        Subject::User(_) | Subject::Service(_)
            if here.credential == Some(Credential::Federated) =>
        {
            Credential::Federated
        }
        Subject::User(_) => Credential::User,
        Subject::Service(_) => Credential::Service,
        Subject::Peer { .. } => Credential::Peer,
        Subject::Anonymous => {
            groups.clear();
            Credential::Anonymous
        }
    };
    let circumstances = Circumstances {
        at: Some(here.at.map_or(at, |then| then.max(at))),
        address: here.address.or(Some([192, 0, 2, 1].into())),
        credential: Some(credential),
    };
    Caller { circumstances, ..Caller::new(caller.subject.clone(), groups) }
}

fn told(case: &Case, comparison: &Comparison<'_>) -> String {
    let lines: Vec<_> = comparison.changes.iter().map(ToString::to_string).collect();
    format!("{}\n{}\n{}", lines.join("\n"), case.old.yaml(), case.new.yaml())
}
