//! What a policy is warned of that can be used.

use insta::assert_snapshot;
use jiff::Timestamp;
use policy::Policy;

use crate::support::sources;

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn warnings(text: &str) -> String {
    let files = sources(&[("policies/main.yaml", text)]);
    Policy::compile_at(&files, now()).unwrap().warnings.to_string()
}

/// The rules of two, each as `subjects images effect`, that are warned of, in one word each.
fn pointless(rules: &[&str]) -> Vec<String> {
    let mut text = String::from(
        "groups: {backend: [\"user:alice\", group:core], core: [\"user:carol\"], qa: external}\n\
         administrators: [group:backend, group:qa]\nrules:\n",
    );
    for (index, rule) in rules.iter().enumerate() {
        let [subjects, images, effect] = rule.split(" | ").collect::<Vec<_>>().try_into().unwrap();
        text += &format!(
            "  - {{name: r{index}, subjects: [{subjects}], images: [{images}], {effect}}}\n"
        );
    }
    let files = sources(&[("policies/main.yaml", &text)]);
    let warnings = Policy::compile(&files).unwrap_or_else(|errors| panic!("{errors}")).warnings;
    warnings.iter().map(|warning| warning.message.replace("rule ", "").replace('`', "")).collect()
}

#[test]
fn a_rule_that_another_one_covers_is_pointless() {
    let by = |one: &str, other: &str| pointless(&[one, other]);
    let covered = ["r0 is pointless: r1 says all that it does"];
    for (narrow, wide) in [
        (r#""user:alice" | team/app | allow: [pull]"#, r#"anyone | "team/**" | allow: [all]"#),
        (
            r#""user:alice" | "a:v*" | allow: [pull]"#,
            r#"authenticated | "**:*" | allow: [inspect]"#,
        ),
        (r#""service:ci/x" | a | allow: [push]"#, r#""service:ci/*" | a | allow: [push]"#),
        (r#"group:core | a | allow: [pull]"#, r#"group:backend | a | allow: [pull]"#),
        (r#"group:core | a | allow: [pull]"#, r#""group:c*" | "?" | allow: [pull]"#),
        (r#""user:alice" | a | deny: [pull]"#, r#"group:backend | a | deny: [all]"#),
        (r#"group:qa | "a/${group}" | allow: [pull]"#, r#"group:qa | "a/*" | allow: [pull]"#),
        (
            r#""user:alice", "user:bob" | a, b/c | allow: [pull]"#,
            r#"group:qa, "user:*" | "b/*", a, d | allow: [pull]"#,
        ),
        (
            r#""user:x" | a | {allow: [pull], expires: 2030-01-01}"#,
            r#""user:x" | a | allow: [pull]"#,
        ),
    ] {
        let narrow = narrow.replace(['{', '}'], if narrow.contains("expires") { "" } else { "\0" });
        let narrow = narrow.replace("$\0group\0", "${group}");
        assert_eq!(by(&narrow, wide), covered, "{narrow} {wide}");
    }
}

#[test]
fn a_rule_that_another_one_covers_in_part_is_not_pointless() {
    for (one, other) in [
        (r#""user:alice" | a | allow: [pull]"#, r#""user:bob" | a | allow: [pull]"#),
        (r#""user:alice" | a | allow: [pull, push]"#, r#"anyone | a | allow: [pull]"#),
        (r#""user:alice" | a, b | allow: [pull]"#, r#"anyone | a | allow: [pull]"#),
        (r#""user:alice", "peer:x/y" | a | allow: [pull]"#, r#"authenticated | a | allow: [pull]"#),
        (r#"anyone | a | deny: [pull]"#, r#"anyone | "**" | allow: [pull]"#),
        (
            r#""user:x" | a | allow: [pull]"#,
            r#"anyone | a | allow: [pull], networks: [10.0.0.0/8]"#,
        ),
        (
            r#""user:x" | a | allow: [pull]"#,
            r#"anyone | a | allow: [pull], except: {subjects: ["user:y"]}"#,
        ),
        (r#"group:qa | a | allow: [pull]"#, r#"authenticated | a | allow: [pull]"#),
        // A token of hers need not carry the group.
        (r#""user:alice" | a | allow: [pull]"#, r#"group:backend | a | allow: [pull]"#),
    ] {
        assert_eq!(pointless(&[one, other]), Vec::<String>::new(), "{one} {other}");
    }
}

#[test]
fn of_two_that_say_the_same_the_later_one_is_pointless() {
    let rule = r#""user:alice" | "a/**" | allow: [pull]"#;
    assert_eq!(
        pointless(&[rule, rule, rule]),
        ["r1 is pointless: r0 says all that it does", "r2 is pointless: r0 says all that it does"]
    );
}

#[test]
fn a_rule_that_another_one_denies_allows_nothing() {
    let shut = r#"anyone | "a/**" | deny: [all]"#;
    let nothing = ["r0 allows nothing: r1 denies all of it"];
    assert_eq!(pointless(&[r#""user:alice" | a/b | allow: [pull]"#, shut]), nothing);
    let backend = r#"group:backend | "a/**" | deny: [pull]"#;
    assert_eq!(pointless(&[r#""user:alice" | a/b | allow: [inspect]"#, backend]), nothing);
    assert!(pointless(&[r#""user:alice" | a/b | allow: [pull, push]"#, backend]).is_empty());
    assert!(pointless(&[r#"group:qa | a/b | allow: [pull]"#, backend]).is_empty());
}

#[test]
fn pointless_rules_as_they_are_shown() {
    let text = r#"rules:
  - {name: all-read, subjects: [authenticated], images: ["team/**"], allow: [pull]}
  - name: alice-reads
    subjects: [user:alice]
    images: ["team/backend/*"]
    allow: [pull]
  - {name: nobody-deletes, subjects: [anyone], images: ["**"], deny: [delete]}
  - {name: bob-cleans, subjects: [user:bob], images: ["team/**:tmp-*"], allow: [delete]}
"#;
    assert_snapshot!(warnings(text), @r#"
    warning: rule `alice-reads` is pointless: rule `all-read` says all that it does
     --> policies/main.yaml:3:11
      |
    3 |   - name: alice-reads
      |           ^^^^^^^^^^^
      |
     ::: policies/main.yaml:2:12
      |
    2 |   - {name: all-read, subjects: [authenticated], images: ["team/**"], allow: [pull]}
      |            -------- this rule is about no less
      |
      = help: remove `alice-reads`, or make `all-read` narrower

    warning: rule `bob-cleans` allows nothing: rule `nobody-deletes` denies all of it
     --> policies/main.yaml:8:12
      |
    8 |   - {name: bob-cleans, subjects: [user:bob], images: ["team/**:tmp-*"], allow: [delete]}
      |            ^^^^^^^^^^
      |
     ::: policies/main.yaml:7:12
      |
    7 |   - {name: nobody-deletes, subjects: [anyone], images: ["**"], deny: [delete]}
      |            -------------- a denial wins
      |
      = help: remove `bob-cleans`, or add an `except` to `nobody-deletes`
    "#);
}

#[test]
fn rules_that_never_hold() {
    let text = r#"groups:
  Team/QA: [user:quentin]
rules:
  - {name: contractor, subjects: [user:carol], images: [a], allow: [pull], expires: 2026-01-01}
  - {name: builds, subjects: [user:alice], images: [b], allow: [push], token: {kind: [service, peer]}}
  - {name: not-me, subjects: [user:alice, "user:bob"], except: {subjects: ["user:*"]}, images: [c], allow: [pull]}
  - {name: not-that, subjects: [user:alice], except: {images: ["d/**"]}, images: ["d/*:v1"], allow: [pull]}
  - {name: spaces, subjects: [group:Team/QA], images: ["team/${group}/**"], allow: [pull]}
"#;
    assert_snapshot!(warnings(text), @r#"
    warning: rule `contractor` expired at 2026-01-01T00:00:00Z
     --> policies/main.yaml:4:85
      |
    4 |   - {name: contractor, subjects: [user:carol], images: [a], allow: [pull], expires: 2026-01-01}
      |                                                                                     ^^^^^^^^^^ over
      |
      = help: remove the rule, or let it last longer

    warning: rule `builds` is for nobody
     --> policies/main.yaml:5:86
      |
    5 |   - {name: builds, subjects: [user:alice], images: [b], allow: [push], token: {kind: [service, peer]}}
      |                                                                                      ^^^^^^^^^^^^^^^ none of its subjects has such a credential
      |
      = help: users have `user` or `federated`, services `service` or `federated`, peers `peer`

    warning: rule `not-me` is for nobody
     --> policies/main.yaml:6:76
      |
    6 |   - {name: not-me, subjects: [user:alice, "user:bob"], except: {subjects: ["user:*"]}, images: [c], allow: [pull]}
      |                                                                            ^^^^^^^^ this takes out all its subjects
      |
      = help: name fewer in `except`, or remove the rule

    warning: rule `not-that` is about nothing
     --> policies/main.yaml:7:64
      |
    7 |   - {name: not-that, subjects: [user:alice], except: {images: ["d/**"]}, images: ["d/*:v1"], allow: [pull]}
      |                                                                ^^^^^^ this takes out all its images
      |
      = help: name fewer in `except`, or remove the rule

    warning: rule `spaces` is about nothing
     --> policies/main.yaml:8:56
      |
    8 |   - {name: spaces, subjects: [group:Team/QA], images: ["team/${group}/**"], allow: [pull]}
      |                                                        ^^^^^^^^^^^^^^^^^^ `${group}` stands for names that a repository may have, and no group has one
      |
      = help: such a name is in lower case and without `/`
    "#);
}

#[test]
fn exceptions_without_effect() {
    let text = r#"rules:
  - {name: one, subjects: [anyone], except: {images: ["team/app", "home/**"]}, images: ["team/*:v*"], deny: [delete]}
  - {name: two, subjects: ["service:ci/*"], except: {subjects: ["service:ci/release", "user:alice"]}, images: ["x"], allow: [pull]}
  - {name: three, subjects: [anyone], except: {images: ["**:rc-*"]}, images: ["y:v*"], deny: [pull]}
"#;
    assert_snapshot!(warnings(text), @r#"
    warning: an exception of rule `one` has no effect
     --> policies/main.yaml:2:67
      |
    2 |   - {name: one, subjects: [anyone], except: {images: ["team/app", "home/**"]}, images: ["team/*:v*"], deny: [delete]}
      |                                                                   ^^^^^^^^^ the rule is not about this image anyway
      |
      = help: remove it, or look for a slip in it

    warning: an exception of rule `two` has no effect
     --> policies/main.yaml:3:87
      |
    3 |   - {name: two, subjects: ["service:ci/*"], except: {subjects: ["service:ci/release", "user:alice"]}, images: ["x"], allow: [pull]}
      |                                                                                       ^^^^^^^^^^^^ the rule is not about this subject anyway
      |
      = help: remove it, or look for a slip in it

    warning: an exception of rule `three` has no effect
     --> policies/main.yaml:4:57
      |
    4 |   - {name: three, subjects: [anyone], except: {images: ["**:rc-*"]}, images: ["y:v*"], deny: [pull]}
      |                                                         ^^^^^^^^^ the rule is not about this image anyway
      |
      = help: remove it, or look for a slip in it
    "#);
}

#[test]
fn groups_that_nothing_is_about() {
    let text = r#"groups:
  backend: [user:alice]
  on-call: external
  lost: [group:backend]
rules: []
"#;
    assert_snapshot!(warnings(text), @"
    warning: group `on-call` is not used
     --> policies/main.yaml:3:3
      |
    3 |   on-call: external
      |   ^^^^^^^ no rule is about it
      |
      = help: name it in a rule, or remove it

    warning: group `lost` is not used
     --> policies/main.yaml:4:3
      |
    4 |   lost: [group:backend]
      |   ^^^^ no rule is about it
      |
      = help: name it in a rule, or remove it
    ");
    let by_variable = format!(
        "{}\n  - {{name: x, subjects: [authenticated], images: [\"${{group}}/**\"], allow: [pull]}}\n",
        text.replace(" []", "")
    );
    assert_eq!(warnings(&by_variable), "");
}

#[test]
fn what_depends_on_the_time_is_warned_of_at_a_time_alone() {
    let text = "rules: [{name: x, subjects: [anyone], images: [a], allow: [pull], expires: \"2026-06-01T12:00:00Z\"}]";
    let files = sources(&[("policies/main.yaml", text)]);
    assert!(Policy::compile(&files).unwrap().warnings.is_empty());
    assert_eq!(Policy::compile_at(&files, now()).unwrap().warnings.len(), 1);
    let before = now() - jiff::SignedDuration::from_secs(1);
    assert!(Policy::compile_at(&files, before).unwrap().warnings.is_empty());
}

/// Each of thousands of rules begins as all the others do.
#[test]
fn many_rules_with_one_beginning_are_compared_in_bounds() {
    let rules = |images: &dyn Fn(usize) -> String| {
        let rule = |index| {
            let image = images(index);
            format!(
                "  - {{name: r{index}, subjects: [anyone], images: [\"{image}\"], allow: [pull]}}\n"
            )
        };
        let text = format!("rules:\n{}", (0..3_000).map(rule).collect::<String>());
        Policy::compile(&sources(&[("policies/main.yaml", &text)])).unwrap().warnings.len()
    };
    assert_eq!(rules(&|index| format!("team/app:v{index}")), 0);
    assert_eq!(rules(&|index| format!("team/*/app:v{index}-*")), 0);
    assert_eq!(rules(&|index| format!("**/a{index}/*")), 0);
    assert_eq!(rules(&|index| format!("team/app:v{}", index % 2_999)), 1);
}
