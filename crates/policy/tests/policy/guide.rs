//! The examples of `docs/policy.md` are what the text says they are.

use std::fs;

use policy::{Caller, Circumstances, Credential, Policy, Tags};

use crate::support::{allows, caller, decide, image, policy, policy_of, sources};

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
    assert_eq!(policies().len(), 6);
}

#[test]
fn the_delegation_is_kept_and_what_goes_beyond_it_is_reported_as_shown() {
    let examples = examples();
    let file = |path: &str| {
        let kind = format!("yaml {path}");
        let at = examples.iter().position(|example| example.kind == kind).unwrap();
        (path.to_owned(), examples[at].text.clone(), examples[at + 1].text.clone())
    };
    let [main, team, more] = ["main.yaml", "teams/backend/main.yaml", "teams/backend/more.yaml"]
        .map(|path| file(&format!("policies/{path}")));
    let files = [(&*main.0, &*main.1), (&*team.0, &*team.1), (&*more.0, &*more.1)];
    let policy = policy_of(&files[..2]);
    assert!(allows(&policy, "user:alice", "create", "team/backend/api:v1"));
    assert!(allows(&policy, "user:carol", "pull", "team/backend/web:v1"));
    assert!(!allows(&policy, "user:alice", "pull", "team/frontend/web:v1"));
    let report = Policy::compile(&sources(&files)).unwrap_err().to_string();
    assert_eq!(report, more.2.trim_end());
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
    let [first, groups, images, tags, denials, conditions] = policies().try_into().unwrap();
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

    let at = |subject: &str, time: &str, address: &str| Caller {
        circumstances: Circumstances {
            at: time.parse().ok(),
            address: address.parse().ok(),
            credential: Some(Credential::Federated),
        },
        ..caller(subject, &[])
    };
    let candidate = |time: &str, address: &str| {
        let carol = at("user:carol", time, address);
        decide(&conditions, &carol, "pull", "team/backend/api:rc-7").is_allowed
    };
    assert!(candidate("2026-12-31T23:59:59Z", "10.20.1.1"));
    assert!(!candidate("2027-01-01T00:00:00Z", "10.20.1.1"));
    assert!(!candidate("2026-12-31T23:59:59Z", "10.21.1.1"));
    let moves = |time: &str| {
        let build = at("service:ci/build", time, "192.0.2.1");
        decide(&conditions, &build, "overwrite", "team/app:dev").is_allowed
    };
    assert!(moves("2026-12-23T22:59:59Z") && !moves("2026-12-23T23:00:00Z"));

    let build = caller("service:ci/build", &[]);
    let rest = denials.tags(&build, policy::Action::Overwrite, &image("team/app").0);
    assert!(matches!(rest, Tags::Some(filter) if filter.includes_untagged()));
}
