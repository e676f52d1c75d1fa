//! The examples of `docs/policy.md` are what the text says they are. What its commands print is
//! checked where the program is, in `tests/integration/guide.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use policy::cases::Cases;
use policy::{Bounds, Caller, Policy, Tags};

use crate::support::{allows, caller, decide, image, policy, policy_of, sources};

pub(crate) struct Example {
    /// What stands after the opening fence.
    pub(crate) kind: String,
    pub(crate) text: String,
}

/// What an example is for whoever reads the guide.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Policy,
    Cases,
    Mistake,
    /// Configuration, commands, and what these print.
    Other,
}

impl Example {
    pub(crate) fn role(&self) -> Role {
        match self.kind.split(' ').collect::<Vec<_>>()[..] {
            ["yaml", "cases"] => Role::Cases,
            ["yaml", "mistake", _] => Role::Mistake,
            ["yaml", path] if path.contains("/tests/") => Role::Cases,
            ["yaml"] | ["yaml", "warning", _] => Role::Policy,
            ["yaml", path] if path.contains('/') => Role::Policy,
            ["yaml", "config"] | ["json", _] | ["console" | "text" | "sh"] => Role::Other,
            _ => panic!("no test knows `{}`", self.kind),
        }
    }
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn examples() -> Vec<Example> {
    let guide = fs::read_to_string(project().join("docs/policy.md")).unwrap();
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
    assert!(open.is_none(), "a fence is not closed");
    examples
}

/// Each policy of its own with the cases that follow it.
fn policies() -> Vec<(Policy, Vec<String>)> {
    let mut policies: Vec<(Policy, Vec<String>)> = Vec::new();
    for example in examples() {
        match example.kind.as_str() {
            "yaml" => policies.push((policy(&example.text), Vec::new())),
            "yaml cases" => policies.last_mut().unwrap().1.push(example.text),
            _ => {}
        }
    }
    policies
}

#[test]
fn every_policy_is_without_warnings_and_every_case_is_answered_as_written() {
    let now: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    let policies = policies();
    assert_eq!(policies.len(), 8);
    assert_eq!(policies.iter().filter(|(_, cases)| !cases.is_empty()).count(), 4);
    for (policy, cases) in &policies {
        for text in cases {
            let cases = Cases::read(sources(&[("cases.yaml", text)]), policy, now);
            let cases = cases.unwrap_or_else(|errors| panic!("{errors}"));
            assert!(cases.warnings.is_empty(), "{}", cases.warnings);
            let results = cases.cases.run(policy);
            assert!(results.failures.is_empty(), "{:#?}", results.failures);
        }
    }
}

#[test]
fn files_that_are_shown_are_the_files_of_the_project() {
    let mut shown = Vec::new();
    for Example { kind, text } in examples() {
        if let Some(path) = kind.strip_prefix("yaml examples/") {
            let file = fs::read_to_string(project().join("examples").join(path)).unwrap();
            assert_eq!(text.trim_end(), file.trim_end(), "{path}");
            shown.push(path.to_owned());
        }
    }
    for folder in ["contractor", "emergency", "mirror", "promotion", "teams"] {
        assert!(shown.iter().any(|path| path.contains(folder)), "{folder} is not shown");
    }
}

#[test]
fn the_delegation_is_kept_and_what_goes_beyond_it_is_a_mistake() {
    let examples = examples();
    let file = |path: &str| {
        let kind = format!("yaml {path}");
        let example = examples.iter().find(|example| example.kind == kind).unwrap();
        (path.to_owned(), example.text.clone())
    };
    let [main, team, more] = ["main.yaml", "teams/backend/main.yaml", "teams/backend/more.yaml"]
        .map(|path| file(&format!("policies/{path}")));
    let files = [(&*main.0, &*main.1), (&*team.0, &*team.1), (&*more.0, &*more.1)];
    let policy = policy_of(&files[..2]);
    assert!(allows(&policy, "user:alice", "create", "team/backend/api:v1"));
    assert!(allows(&policy, "user:carol", "pull", "team/backend/web:v1"));
    assert!(!allows(&policy, "user:alice", "pull", "team/frontend/web:v1"));
    Policy::compile(&sources(&files)).unwrap_err();
}

#[test]
fn a_denial_by_the_bounds_of_a_token_reads_as_shown() {
    let policy = policy(r#"rules: [{name: a, subjects: [anyone], images: ["**"], allow: [all]}]"#);
    let bounds = Bounds::new(vec!["team/backend/**".into()], ["pull", "push"]);
    let alice = Caller { bounds: Some(bounds.unwrap().into()), ..caller("user:alice", &[]) };
    let reason = decide(&policy, &alice, "pull", "team/app:v1").reason;
    assert!(examples().iter().any(|it| it.kind == "text" && it.text.trim_end() == reason));
}

#[test]
fn the_examples_decide_as_the_text_says() {
    let policies: Vec<Policy> = policies().into_iter().map(|(policy, _)| policy).collect();
    let [groups, images, maps, tags, _conditions, denials, _gates, schema] =
        policies.try_into().unwrap();

    assert!(allows(&groups, "user:bob", "pull", "team/frontend/lib"));
    assert!(groups.is_administrator(&caller("user:admin", &[])));
    assert!(!allows(&groups, "user:admin", "pull", "team/frontend/lib"));

    assert!(allows(&images, "user:alice", "delete", "home/alice/x"));
    assert!(!allows(&images, "user:Alice", "pull", "home/alice/x"));
    assert!(allows(&images, "anyone", "pull", "base/alpine:3"));

    for tag in ["2.0.0", "v2.1", "2"] {
        assert!(allows(&maps, "service:cluster/eu", "pull", &format!("team/app:{tag}")), "{tag}");
    }
    for tag in ["3.0.0", "latest", "2.1.0-rc.1"] {
        assert!(!allows(&maps, "service:cluster/eu", "pull", &format!("team/app:{tag}")), "{tag}");
    }
    assert!(allows(&maps, "service:ci/app", "pull", "mirror/debian/base:v12.1"));
    assert!(!allows(&maps, "service:ci/app", "pull", "mirror/debian/base:v12.1-slim"));
    assert!(!allows(&maps, "service:ci/app", "pull", "mirror/debian/x/base:v12.1"));

    let quentin = caller("user:quentin", &[]);
    let read = tags.tags(&quentin, policy::Action::Pull, &image("team/backend/api").0);
    assert!(matches!(read, Tags::Some(filter) if !filter.includes_untagged()));

    let build = caller("service:ci/build", &[]);
    let rest = denials.tags(&build, policy::Action::Overwrite, &image("team/app").0);
    assert!(matches!(rest, Tags::Some(filter) if filter.includes_untagged()));

    assert!(allows(&schema, "user:alice", "pull", "team/backend/api:v1"));
}
