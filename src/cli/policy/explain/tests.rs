use insta::assert_snapshot;
use policy::{Policy, SourceFile};

use super::*;

fn policy() -> Policy {
    let text = "groups:\n  qa: external\nrules:\n  - name: qa-sees-candidates\n    subjects: [group:qa]\n    \
                images: [\"team/app:rc-*\"]\n    allow: [pull, create]\n";
    let file = SourceFile { path: "policies/a.yaml".into(), text: text.into() };
    Policy::compile(&[file]).unwrap().policy
}

fn answer(actions: &str, image: &str) -> String {
    let policy = policy();
    let caller = Caller::new(Subject::User("bob".into()), vec!["qa".into()]);
    let actions: Actions = actions.parse().unwrap();
    let target: Target = image.parse().unwrap();
    let image = Image { repository: &target.repository, tag: target.tag.as_ref() };
    let decisions: Vec<_> =
        actions.0.iter().map(|action| policy.decide(&caller, *action, image)).collect();
    serde_json::to_string(&Answer::of(&decisions)).unwrap()
}

#[test]
fn a_decision_names_its_rule() {
    assert_snapshot!(answer("pull", "team/app:rc-1"), @r#"{"decision":"allow","rule":"qa-sees-candidates","file":"policies/a.yaml","line":4,"reason":"rule `qa-sees-candidates` (policies/a.yaml:4) allows pull"}"#);
    assert_snapshot!(answer("pull", "team/app:v1"), @r#"{"decision":"deny","rule":null,"file":null,"line":null,"reason":"no rule allows user:bob to pull team/app:v1; rule `qa-sees-candidates` would allow it but tag `v1` does not match `rc-*`"}"#);
    assert_snapshot!(answer("pull", "team/app"), @r#"{"decision":"deny","rule":null,"file":null,"line":null,"reason":"no rule allows user:bob to pull team/app as a whole; rule `qa-sees-candidates` allows it only for tags that match `rc-*`"}"#);
}

#[test]
fn to_push_is_to_create_and_to_overwrite() {
    assert_snapshot!(answer("push", "team/app:rc-1"), @r#"{"decision":"deny","rule":null,"file":null,"line":null,"reason":"no rule allows user:bob to overwrite team/app:rc-1; rule `qa-sees-candidates` allows only pull, create there"}"#);
    assert!(answer("create", "team/app:rc-1").contains("\"allow\""));
    assert!(answer("all", "team/app:rc-1").contains("\"deny\""));
}

#[test]
fn subjects_are_written_as_in_policies() {
    for (text, subject) in [
        ("user:alice", Subject::User("alice".into())),
        ("service:ci/build", Subject::Service("ci/build".into())),
        ("peer:eu/user:x", Subject::Peer { gate: "eu".into(), name: "user:x".into() }),
        ("anyone", Subject::Anonymous),
        ("anonymous", Subject::Anonymous),
    ] {
        assert_eq!(text.parse::<Asker>().unwrap().0, subject);
    }
    let told = |text: &str| text.parse::<Asker>().unwrap_err();
    assert_snapshot!(told("alice"), @"not a subject; did you mean `user:alice`?");
    assert_snapshot!(told("usr:alice"), @"not a subject; did you mean `user:alice`?");
    assert_snapshot!(told("user:"), @"a name must follow the colon");
    assert_snapshot!(told("group:qa"), @"a group does not ask: name someone, and add `--group`");
    assert_snapshot!(told("peer:eu"), @"write `peer:GATE/NAME`");
    assert_snapshot!(told("anyon"), @"not a subject; did you mean `anyone`?");
}

#[test]
fn other_actions_and_images_are_refused() {
    assert_snapshot!("psh".parse::<Actions>().unwrap_err(), @"`psh` is no action; did you mean `push`?");
    assert_snapshot!("zzz".parse::<Actions>().unwrap_err(), @"`zzz` is no action; known: pull, inspect, create, overwrite, attach, delete, push, all");
    assert_snapshot!("a/B".parse::<Target>().unwrap_err(), @"`B` cannot be a part of a repository name: lower-case letters and digits, joined by `.`, `_`, `__` or dashes");
    assert_snapshot!("a:-".parse::<Target>().unwrap_err(), @"not a tag: 1 to 128 letters, digits, `_`, `.` and `-`, the first neither a dot nor a dash");
    assert_snapshot!("a@sha256:00".parse::<Target>().unwrap_err(), @"policies speak of tags: what may be done to a digest follows from the tags that lead to it, so name one of those");
}
