//! Any policy of the pieces in `grammar.rs`, and questions to it: the engine answers as the slow
//! reference interpreter does, and its answers fit each other.

#![no_main]

mod grammar;
mod questions;
#[allow(dead_code, reason = "shared with the tests of the crate, which ask more of it")]
#[path = "../../crates/policy/tests/policy/reference.rs"]
mod reference;

use arbitrary::{Arbitrary, Result, Unstructured};
use grammar::{compile, document, several};
use libfuzzer_sys::fuzz_target;
use oci::Tag;
use policy::{Caller, Circumstances, Decision, Image, Policy, Tags};
use questions::{Question, question};
use reference::{Document, Verdict};

/// A policy and what it is asked.
#[derive(Debug)]
struct Case {
    document: Document,
    questions: Vec<Question>,
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        // Questions first: an input that ends early has them.
        let questions = several(u, 1..=4, question)?;
        Ok(Self { document: document(u, 5)?, questions })
    }
}

fuzz_target!(|case: Case| {
    let Case { document, questions } = &case;
    let policy = compile(document);
    for question in questions {
        let Question { caller, action, repository, .. } = question;
        assert_eq!(
            policy.groups_of(caller),
            document.groups_of(caller),
            "{}",
            told(&case, question)
        );
        for tag in &question.tags {
            let tag = tag.as_ref();
            let image = Image { repository, tag };
            let decision = policy.decide(caller, *action, image);
            let context = || format!("{tag:?}: {}\n{}", decision.reason(), told(&case, question));
            let name = tag.map(Tag::as_str);
            let expected = document.decide(caller, action.as_str(), repository.as_str(), name);
            is_as_expected(&decision, &expected, &context);
            lists_agree(&policy, question, tag, decision.is_allowed(), &context);
            // A credential that carries and reaches less gains nothing.
            let whole = Caller { granting: None, bounds: None, ..caller.clone() };
            let most = policy.decide(&whole, *action, image).is_allowed();
            assert!(most || !decision.is_allowed(), "gained by having less: {}", context());
        }
    }
});

fn is_as_expected(decision: &Decision<'_>, expected: &Verdict, context: &impl Fn() -> String) {
    assert_eq!(decision.is_allowed(), expected.is_allowed(), "{expected:?}\n{}", context());
    let deciding = expected.deciding();
    let reason = decision.reason();
    assert!(!reason.is_empty());
    let told = decision.rule().map(|rule| rule.name);
    let first = deciding.first().map(String::as_str);
    assert_eq!(told, first, "{expected:?}\n{}", context());
    if let Some(rule) = decision.rule() {
        let named = format!("`{}` ({}:{})", rule.name, rule.file, rule.line);
        assert!(reason.contains(&named), "{}", context());
    }
}

fn lists_agree(
    policy: &Policy,
    Question { caller, action, repository, .. }: &Question,
    tag: Option<&Tag>,
    is_allowed: bool,
    context: &impl Fn() -> String,
) {
    let tags = policy.tags(caller, *action, repository);
    let is_listed = match (&tags, tag) {
        (Tags::All, _) => true,
        (Tags::None, _) => false,
        (Tags::Some(filter), Some(tag)) => filter.allows(tag),
        (Tags::Some(filter), None) => filter.includes_untagged(),
    };
    assert_eq!(is_listed, is_allowed, "listed otherwise: {tags:?}\n{}", context());
    let any = policy.grants_any(caller, *action, repository);
    assert!(any || !is_allowed, "nothing granted: {}", context());
    // Whoever asks for a token may do so in other circumstances.
    let elsewhere = Caller { circumstances: Circumstances::default(), ..caller.clone() };
    let ever = policy.grants_ever(&elsewhere, *action, repository);
    assert!(ever || !is_allowed, "never granted: {}", context());
}

fn told(case: &Case, question: &Question) -> String {
    let Question { caller, action, repository, .. } = question;
    format!("{caller:?}\n{action} {repository}\n{}", case.document.yaml())
}
