//! The examples of `docs/policy.md` are what the text says they are.

use std::fs;

use policy::{Policy, Tags};

use crate::support::{allows, caller, image, policy, sources};

pub(crate) struct Example {
    /// What stands after the opening fence.
    pub(crate) kind: String,
    pub(crate) text: String,
}

pub(crate) fn examples() -> Vec<Example> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/policy.md");
    let guide = fs::read_to_string(path).unwrap();
    let mut examples = Vec::new();
    let mut open: Option<Example> = None;
    for line in guide.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => {
                open = Some(Example { kind: kind.to_owned(), text: String::new() });
            }
            (Some(_), Some(_)) => examples.extend(open.take()),
            (None, Some(example)) => {
                example.text.push_str(line);
                example.text.push('\n');
            }
            (None, None) => {}
        }
    }
    examples
}

fn policies() -> Vec<Policy> {
    let valid = examples().into_iter().filter(|example| example.kind == "yaml");
    valid.map(|example| policy(&example.text)).collect()
}

#[test]
fn every_example_is_a_policy_without_warnings() {
    assert_eq!(policies().len(), 5);
}

#[test]
fn the_mistakes_are_reported_as_shown() {
    let examples = examples();
    let mistake = examples.iter().position(|example| example.kind == "yaml mistake").unwrap();
    let files = sources(&[("policies/teams.yaml", &examples[mistake].text)]);
    let report = Policy::compile(&files).unwrap_err().to_string();
    assert_eq!(report, examples[mistake + 1].text.trim_end());
}

#[test]
fn the_examples_decide_as_the_text_says() {
    let [first, groups, images, tags, denials] = policies().try_into().unwrap();
    assert!(allows(&first, "user:alice", "pull", "team/backend/api:v1"));
    assert!(!allows(&first, "user:alice", "create", "team/backend/api:v1"));

    assert!(allows(&groups, "user:bob", "pull", "team/frontend/lib"));
    assert!(groups.is_administrator(&caller("user:admin", &[])));
    assert!(!allows(&groups, "user:admin", "pull", "team/frontend/lib"));

    assert!(allows(&images, "user:alice", "delete", "home/alice/x"));
    assert!(!allows(&images, "user:Alice", "pull", "home/alice/x"));
    assert!(allows(&images, "anyone", "pull", "base/alpine:3"));

    assert!(allows(&tags, "user:quentin", "pull", "team/backend/api:rc-7"));
    assert!(!allows(&tags, "user:quentin", "pull", "team/backend/api:dev"));
    assert!(!allows(&tags, "user:quentin", "pull", "team/backend/api"));

    assert!(!allows(&denials, "service:ci/build", "create", "team/app:v1"));
    assert!(allows(&denials, "service:ci/release", "create", "team/app:v1"));
    assert!(!allows(&denials, "service:ci/release", "overwrite", "team/app:v1"));
    assert!(allows(&denials, "service:ci/release", "overwrite", "team/app:v1-snapshot"));
    let build = caller("service:ci/build", &[]);
    let rest = denials.tags(&build, policy::Action::Overwrite, &image("team/app").0);
    assert!(matches!(rest, Tags::Some(filter) if filter.includes_untagged()));
}
