//! Files that would take hours to read, or slow every decision down: a team that may write one file
//! is not to hold up the others.

use std::fmt::Write as _;

use policy::{Diagnostics, Policy, SourceFile};

fn compile(text: String) -> Result<Policy, Diagnostics> {
    let files = [SourceFile { path: "policies/team.yaml".into(), text }];
    Policy::compile(&files).map(|compiled| compiled.policy)
}

/// What is said first about a policy that is refused.
fn refused(text: String) -> String {
    let mistakes = compile(text).unwrap_err();
    let first = mistakes.iter().next().unwrap();
    format!("{}: {}", first.position.unwrap().line, first.message)
}

const CROWDED: &str = "too many groups and patterns are about the same callers";

fn groups(count: usize, members: impl Fn(usize) -> String) -> String {
    let mut text = String::from("groups:\n");
    for index in 0..count {
        writeln!(text, "  g{index}: ['{}']", members(index)).unwrap();
    }
    text
}

fn rule_for(subjects: impl Iterator<Item = String>) -> String {
    let subjects: Vec<_> = subjects.map(|subject| format!("'{subject}'")).collect();
    format!(
        "rules:\n  - name: one\n    subjects:\n      - {}\n    images: [app]\n    allow: [pull]\n",
        subjects.join("\n      - ")
    )
}

#[test]
fn nobody_can_be_given_thousands_of_groups() {
    assert!(compile(groups(4_000, |_| "user:**".into())).is_ok());
    assert_eq!(refused(groups(4_100, |_| "user:**".into())), format!("2: {CROWDED}"));
    assert_eq!(refused(groups(4_100, |_| "user:x".into())), format!("2: {CROWDED}"));
}

#[test]
fn patterns_that_begin_in_the_same_way_count_together() {
    let several = |index| format!("user:*{}", index % 3);
    assert!(compile(groups(4_000, several)).is_ok());
    assert_eq!(refused(groups(4_200, several)), format!("4: {CROWDED}"));
    let apart = |index| format!("user:team-{index}/*");
    assert!(compile(groups(4_200, apart)).is_ok());
    assert_eq!(
        refused(rule_for((0..4_100).map(|index| format!("service:*-{index}")))),
        format!("4100: {CROWDED}")
    );
}

#[test]
fn groups_cannot_contain_each_other_thousands_deep() {
    let inner = |index: usize| match index {
        0 => "user:x".to_owned(),
        _ => format!("group:g{}", index - 1),
    };
    assert!(compile(groups(4_000, inner)).is_ok());
    assert_eq!(refused(groups(4_100, inner)), format!("2: {CROWDED}"));
}

#[test]
fn there_cannot_be_thousands_of_patterns_over_groups() {
    let patterns = |count: usize| rule_for((0..count).map(|index| format!("group:*-{index}")));
    assert!(compile(patterns(4_000)).is_ok());
    assert_eq!(refused(patterns(4_100)), format!("4100: {CROWDED}"));
}

#[test]
fn patterns_over_groups_cannot_be_as_many_as_the_groups() {
    let many = groups(5_500, |index| format!("group:x{index}*"));
    assert_eq!(refused(many), "3638: too many patterns over groups for so many groups");
}

#[test]
fn the_first_unknown_groups_are_helped_with() {
    let text = groups(400, |_| "user:x".into())
        + &rule_for((0..400).map(|index| format!("group:g{index}x")));
    let mistakes = compile(text).unwrap_err();
    let helps: Vec<_> = mistakes.iter().filter_map(|mistake| mistake.help.as_deref()).collect();
    assert_eq!(helps.len(), 400);
    assert_eq!(helps.iter().filter(|help| help.starts_with("did you mean")).count(), 250);
}
