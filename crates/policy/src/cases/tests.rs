use insta::assert_snapshot;

use super::*;

const POLICY: &str = r#"groups:
  qa: external
  release: [service:ci/release]
rules:
  - name: qa-reads-candidates
    subjects: [group:qa]
    images: ["team/**:rc-*"]
    allow: [pull]
  - name: services-publish
    subjects: ["service:ci/*"]
    images: ["team/**"]
    allow: [pull, push]
  - name: versions-do-not-move
    subjects: [anyone]
    images: ["**:v*"]
    deny: [overwrite, delete]
  - name: versions-come-from-the-release-job
    subjects: [anyone]
    except: {subjects: [group:release]}
    images: ["**:v*"]
    deny: [create]
  - name: carol-reads-from-the-office
    subjects: [user:carol]
    images: [team/app]
    allow: [pull]
    starts: 2026-01-01
    expires: 2027-01-01
    networks: [10.20.0.0/16]
    token: {kind: [federated]}
"#;

fn policy() -> Policy {
    let files = [SourceFile { path: "policies/a.yaml".into(), text: POLICY.into() }];
    Policy::compile(&files).unwrap_or_else(|errors| panic!("{errors}")).policy
}

fn files(texts: &[&str]) -> Vec<SourceFile> {
    let path = |index| format!("policies/tests/{index}.yaml");
    let file = |(index, text): (usize, &&str)| SourceFile {
        path: path(index + 1),
        text: (*text).to_owned(),
    };
    texts.iter().enumerate().map(file).collect()
}

fn read(texts: &[&str]) -> Result<Read, Diagnostics> {
    Cases::read(files(texts), &policy(), "2026-06-01T00:00:00Z".parse().unwrap())
}

/// The failures of cases, each written on a line.
fn failures(cases: &str) -> String {
    let policy = policy();
    let text = format!("cases:\n{cases}");
    let read = read(&[&text]).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(read.warnings.is_empty(), "{}", read.warnings);
    read.cases.run(&policy).diagnostics().to_string()
}

fn mistakes(texts: &[&str]) -> String {
    read(texts).unwrap_err().to_string()
}

#[test]
fn a_case_that_is_answered_as_expected_is_silent() {
    assert_eq!(
        failures(
            r#"
  - {as: user:quentin, groups: [qa], do: pull, image: "team/app:rc-1", expect: allow, by: qa-reads-candidates}
  - {as: user:quentin, do: pull, image: "team/app:rc-1", expect: deny}
  - {as: service:ci/release, do: create, image: ["team/app:v1", "team/web:v1"], expect: allow}
  - {as: service:ci/build, do: push, image: "team/app:v1", expect: deny, by: versions-do-not-move}
  - {as: service:ci/build, do: [push, delete], image: "team/app:dev", expect: deny}
  - {as: anyone, do: all, image: "team/app", expect: deny}
"#
        ),
        ""
    );
}

#[test]
fn a_failure_tells_what_was_expected_and_which_rule_decided() {
    assert_snapshot!(failures(r#"
  - {as: service:ci/release, do: push, image: "team/app:v1", expect: allow}
  - {as: user:quentin, groups: [qa], do: pull, image: "team/app:dev", expect: allow}
  - {name: QA reads candidates only, as: user:quentin, groups: [qa], do: pull, image: "team/app:rc-1", expect: deny}
  - {as: service:ci/release, do: push, image: ["team/app:dev", "team/app:v1"], expect: allow}
"#), @r#"
        error: rule `versions-do-not-move` (policies/a.yaml:13) denies overwrite
         --> policies/tests/1.yaml:3:70
          |
        3 |   - {as: service:ci/release, do: push, image: "team/app:v1", expect: allow}
          |                                                                      ^^^^^ expected to be allowed

        error: no rule allows user:quentin to pull team/app:dev; rule `qa-reads-candidates` would allow it but tag `dev` does not match `rc-*`
         --> policies/tests/1.yaml:4:79
          |
        4 |   - {as: user:quentin, groups: [qa], do: pull, image: "team/app:dev", expect: allow}
          |                                                                               ^^^^^ expected to be allowed

        error: QA reads candidates only: rule `qa-reads-candidates` (policies/a.yaml:5) allows pull
         --> policies/tests/1.yaml:5:112
          |
        5 |   - {name: QA reads candidates only, as: user:quentin, groups: [qa], do: pull, image: "team/app:rc-1", expect: deny}
          |                                                                                                                ^^^^ expected to be denied

        error: team/app:v1: rule `versions-do-not-move` (policies/a.yaml:13) denies overwrite
         --> policies/tests/1.yaml:6:88
          |
        6 |   - {as: service:ci/release, do: push, image: ["team/app:dev", "team/app:v1"], expect: allow}
          |                                                                                        ^^^^^ expected to be allowed
        "#);
}

#[test]
fn of_what_is_allowed_only_the_part_that_another_rule_allows_is_told() {
    let policy = POLICY.to_owned()
        + "  - {name: all-read, subjects: [anyone], images: [\"**\"], allow: [pull]}\n";
    let file = SourceFile { path: "policies/a.yaml".into(), text: policy };
    let policy = Policy::compile(&[file]).unwrap().policy;
    let case = "cases: [{as: service:ci/x, do: [pull, push], image: team/a, expect: allow, by: services-publish}]";
    let cases = Cases::read(files(&[case]), &policy, Timestamp::UNIX_EPOCH).unwrap().cases;
    assert_snapshot!(cases.run(&policy).diagnostics(), @"
        error: rule `all-read` (policies/a.yaml:30) allows pull
         --> policies/tests/1.yaml:1:80
          |
        1 | cases: [{as: service:ci/x, do: [pull, push], image: team/a, expect: allow, by: services-publish}]
          |                                                                                ^^^^^^^^^^^^^^^^ was to decide
        ");
}

#[test]
fn a_case_that_is_decided_by_another_rule_fails() {
    assert_snapshot!(failures(r#"
  - {as: service:ci/build, do: pull, image: "team/app:1", expect: allow, by: qa-reads-candidates}
  - {as: user:alice, do: pull, image: "team/app:1", expect: deny, by: versions-do-not-move}
  - {as: user:alice, do: overwrite, image: "team/app:v1", expect: deny, by: versions-come-from-the-release-job}
  - {as: service:ci/build, do: pull, image: "team/app:1", expect: deny, by: versions-do-not-move}
"#), @r#"
        error: rule `services-publish` (policies/a.yaml:9) allows pull
         --> policies/tests/1.yaml:3:78
          |
        3 |   - {as: service:ci/build, do: pull, image: "team/app:1", expect: allow, by: qa-reads-candidates}
          |                                                                              ^^^^^^^^^^^^^^^^^^^ was to decide

        error: no rule allows user:alice to pull team/app:1
         --> policies/tests/1.yaml:4:71
          |
        4 |   - {as: user:alice, do: pull, image: "team/app:1", expect: deny, by: versions-do-not-move}
          |                                                                       ^^^^^^^^^^^^^^^^^^^^ was to decide

        error: rule `versions-do-not-move` (policies/a.yaml:13) denies overwrite
         --> policies/tests/1.yaml:5:77
          |
        5 |   - {as: user:alice, do: overwrite, image: "team/app:v1", expect: deny, by: versions-come-from-the-release-job}
          |                                                                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ was to decide

        error: rule `services-publish` (policies/a.yaml:9) allows pull
         --> policies/tests/1.yaml:6:67
          |
        6 |   - {as: service:ci/build, do: pull, image: "team/app:1", expect: deny, by: versions-do-not-move}
          |                                                                   ^^^^ expected to be denied
        "#);
}

#[test]
fn the_circumstances_of_a_case_are_those_that_it_names() {
    let carol = |rest: &str, expect: &str| {
        failures(&format!(
            "  - {{as: user:carol, do: pull, image: team/app, expect: {expect}, {rest}}}\n"
        ))
    };
    let there = "from: 10.20.1.7, token: federated";
    assert_eq!(carol(there, "allow"), "", "the time is now");
    assert_eq!(carol("from: 10.20.1.7", "deny"), "", "the kind is the usual one");
    assert_eq!(carol("token: federated", "deny"), "", "the address is not known");
    assert_eq!(carol("from: 192.0.2.1, token: federated", "deny"), "");
    for (at, expect) in [
        ("2026-01-01", "allow"),
        ("2025-12-31T23:59:59Z", "deny"),
        ("2027-01-01T00:59:59+01:00", "allow"),
        ("2027-01-01", "deny"),
    ] {
        assert_eq!(carol(&format!("{there}, at: {at}"), expect), "", "{at}");
    }
}

#[test]
fn a_token_that_carries_fewer_groups_narrows_a_case() {
    assert_eq!(
        failures(
            r#"
  - {as: user:quentin, groups: [qa], carrying: [], do: pull, image: "team/app:rc-1", expect: deny}
  - {as: user:quentin, groups: [qa], carrying: [qa], do: pull, image: "team/app:rc-1", expect: allow}
  - {as: user:quentin, carrying: [qa], do: pull, image: "team/app:rc-1", expect: deny}
"#
        ),
        ""
    );
}

#[test]
fn the_rules_that_decided_no_case_are_named() {
    let policy = policy();
    let uncovered = |cases: &str| {
        let cases = read(&[&format!("cases:\n{cases}")]).unwrap().cases;
        let results = cases.run(&policy);
        assert_eq!(results.rules, 5);
        let names: Vec<_> = results.uncovered.iter().map(|rule| rule.name).collect();
        names.join(" ")
    };
    assert_snapshot!(uncovered("  - {as: anyone, do: pull, image: x, expect: allow}"), @"carol-reads-from-the-office qa-reads-candidates services-publish versions-come-from-the-release-job versions-do-not-move");
    assert_snapshot!(uncovered("  - {as: service:ci/release, do: push, image: \"team/a:v1\", expect: allow}"), @"carol-reads-from-the-office qa-reads-candidates services-publish versions-come-from-the-release-job");
    assert_snapshot!(uncovered("  - {as: service:ci/release, do: push, image: \"team/a\", expect: allow}"), @"carol-reads-from-the-office qa-reads-candidates versions-come-from-the-release-job versions-do-not-move");
}

#[test]
fn cases_are_counted_and_not_their_images() {
    let policy = policy();
    let text = "cases:\n  - {as: anyone, do: pull, image: [a, b, c], expect: allow}\n  - {as: anyone, do: pull, image: a, expect: deny}\n";
    let cases = read(&[text, text]).unwrap().cases;
    let results = cases.run(&policy);
    assert_eq!((results.cases, results.failed(), results.failures.len()), (4, 2, 6));
}

#[test]
fn all_mistakes_of_all_files_are_told_at_once() {
    assert_snapshot!(mistakes(&[r#"
cases:
  - {as: usr:alice, do: psh, image: "team/app@sha256:00", expect: allowed}
  - {as: group:qa, do: [], image: [], expect: yes, nme: x}
  - {as: "service:*", do: pull, image: "team/**", expect: deny, at: tomorrow, from: 10.0.0.0/8}
  - {as: anyone, do: pull, image: a, expect: deny, token: user, from: here, by: services-publsh}
  - {as: user:x, do: pull, image: a, expect: deny, token: usr, groups: [group:qa], carrying: qa}
  - {}
  - user:x
"#, "case: []", "cases: []", "", "[]", "cases: {}", "rules: []", "cases: [{as: user:x, do: pull, image: a, expet: deny}]"]), @r#"
        error: `usr:alice` is no caller
         --> policies/tests/1.yaml:3:10
          |
        3 |   - {as: usr:alice, do: psh, image: "team/app@sha256:00", expect: allowed}
          |          ^^^^^^^^^
          |
          = help: did you mean `user:alice`?

        error: unknown action `psh`
         --> policies/tests/1.yaml:3:25
          |
        3 |   - {as: usr:alice, do: psh, image: "team/app@sha256:00", expect: allowed}
          |                         ^^^
          |
          = help: did you mean `push`?

        error: policies speak of tags, not of digests
         --> policies/tests/1.yaml:3:37
          |
        3 |   - {as: usr:alice, do: psh, image: "team/app@sha256:00", expect: allowed}
          |                                     ^^^^^^^^^^^^^^^^^^^^
          |
          = help: what may be done to a digest follows from the tags that lead to it: name one of those

        error: `allowed` is no answer
         --> policies/tests/1.yaml:3:67
          |
        3 |   - {as: usr:alice, do: psh, image: "team/app@sha256:00", expect: allowed}
          |                                                                   ^^^^^^^
          |
          = help: did you mean `allow`?

        error: `group:qa` does not ask: it is a group
         --> policies/tests/1.yaml:4:10
          |
        4 |   - {as: group:qa, do: [], image: [], expect: yes, nme: x}
          |          ^^^^^^^^
          |
          = help: name someone, and the group among the groups of the caller

        error: `do` is empty
         --> policies/tests/1.yaml:4:24
          |
        4 |   - {as: group:qa, do: [], image: [], expect: yes, nme: x}
          |                        ^^
          |
          = help: name at least one

        error: `image` is empty
         --> policies/tests/1.yaml:4:35
          |
        4 |   - {as: group:qa, do: [], image: [], expect: yes, nme: x}
          |                                   ^^
          |
          = help: name at least one

        error: `yes` is no answer
         --> policies/tests/1.yaml:4:47
          |
        4 |   - {as: group:qa, do: [], image: [], expect: yes, nme: x}
          |                                               ^^^
          |
          = help: a case expects `allow`, `deny`

        error: unknown key `nme` in a case
         --> policies/tests/1.yaml:4:52
          |
        4 |   - {as: group:qa, do: [], image: [], expect: yes, nme: x}
          |                                                    ^^^
          |
          = help: did you mean `name`?

        error: `service:*` is a pattern
         --> policies/tests/1.yaml:5:10
          |
        5 |   - {as: "service:*", do: pull, image: "team/**", expect: deny, at: tomorrow, from: 10.0.0.0/8}
          |          ^^^^^^^^^^^
          |
          = help: name one caller

        error: `team/**` is a pattern
         --> policies/tests/1.yaml:5:40
          |
        5 |   - {as: "service:*", do: pull, image: "team/**", expect: deny, at: tomorrow, from: 10.0.0.0/8}
          |                                        ^^^^^^^^^
          |
          = help: name one image

        error: `tomorrow` is no time
         --> policies/tests/1.yaml:5:69
          |
        5 |   - {as: "service:*", do: pull, image: "team/**", expect: deny, at: tomorrow, from: 10.0.0.0/8}
          |                                                                     ^^^^^^^^
          |
          = help: write a date such as `2026-12-24`, which is its 00:00 UTC, or `2026-12-24T18:00:00Z`

        error: `10.0.0.0/8` is no address
         --> policies/tests/1.yaml:5:85
          |
        5 |   - {as: "service:*", do: pull, image: "team/**", expect: deny, at: tomorrow, from: 10.0.0.0/8}
          |                                                                                     ^^^^^^^^^^
          |
          = help: name one address in that network

        error: a caller without an account has no token
         --> policies/tests/1.yaml:6:59
          |
        6 |   - {as: anyone, do: pull, image: a, expect: deny, token: user, from: here, by: services-publsh}
          |                                                           ^^^^
          |
          = help: remove `token`, or name a user or service

        error: `here` is no address
         --> policies/tests/1.yaml:6:71
          |
        6 |   - {as: anyone, do: pull, image: a, expect: deny, token: user, from: here, by: services-publsh}
          |                                                                       ^^^^
          |
          = help: write an IPv4 or IPv6 address such as `10.20.1.7`

        error: unknown rule `services-publsh`
         --> policies/tests/1.yaml:6:81
          |
        6 |   - {as: anyone, do: pull, image: a, expect: deny, token: user, from: here, by: services-publsh}
          |                                                                                 ^^^^^^^^^^^^^^^ not in any policy file
          |
          = help: did you mean `services-publish`?

        error: unknown kind of credential `usr`
         --> policies/tests/1.yaml:7:59
          |
        7 |   - {as: user:x, do: pull, image: a, expect: deny, token: usr, groups: [group:qa], carrying: qa}
          |                                                           ^^^
          |
          = help: did you mean `user`?

        error: `group:` is not part of a group's own name
         --> policies/tests/1.yaml:7:73
          |
        7 |   - {as: user:x, do: pull, image: a, expect: deny, token: usr, groups: [group:qa], carrying: qa}
          |                                                                         ^^^^^^^^
          |
          = help: write `qa`

        error: `carrying` has to be a list
         --> policies/tests/1.yaml:7:94
          |
        7 |   - {as: user:x, do: pull, image: a, expect: deny, token: usr, groups: [group:qa], carrying: qa}
          |                                                                                              ^^ this is text

        error: a case does not say who asks
         --> policies/tests/1.yaml:8:5
          |
        8 |   - {}
          |     ^^
          |
          = help: add `as: user:NAME`; without an account it is `anyone`

        error: a case does not say what is to be done
         --> policies/tests/1.yaml:8:5
          |
        8 |   - {}
          |     ^^
          |
          = help: add `do: pull`, or another action

        error: a case does not say which image it is about
         --> policies/tests/1.yaml:8:5
          |
        8 |   - {}
          |     ^^
          |
          = help: add `image: "REPOSITORY:TAG"`

        error: a case expects nothing
         --> policies/tests/1.yaml:8:5
          |
        8 |   - {}
          |     ^^
          |
          = help: add `expect: allow` or `expect: deny`

        error: a case has to be a map
         --> policies/tests/1.yaml:9:5
          |
        9 |   - user:x
          |     ^^^^^^ this is text

        error: unknown key `case` in a case file
         --> policies/tests/2.yaml:1:1
          |
        1 | case: []
          | ^^^^
          |
          = help: did you mean `cases`?

        error: a case file without cases
         --> policies/tests/3.yaml:1:8
          |
        1 | cases: []
          |        ^^
          |
          = help: write `cases: [{as: user:alice, do: pull, image: "team/app:v1", expect: allow}]`

        error: a case file without cases
         --> policies/tests/4.yaml:1:1
          |
        1 |
          | ^
          |
          = help: write `cases: [{as: user:alice, do: pull, image: "team/app:v1", expect: allow}]`

        error: a case file has to be a map
         --> policies/tests/5.yaml:1:1
          |
        1 | []
          | ^^ this is a list

        error: `cases` has to be a list
         --> policies/tests/6.yaml:1:8
          |
        1 | cases: {}
          |        ^^ this is a map

        error: unknown key `rules` in a case file
         --> policies/tests/7.yaml:1:1
          |
        1 | rules: []
          | ^^^^^
          |
          = help: keys of a case file are `cases`

        error: a case file without cases
         --> policies/tests/7.yaml:1:1
          |
        1 | rules: []
          | ^^^^^^^^^
          |
          = help: write `cases: [{as: user:alice, do: pull, image: "team/app:v1", expect: allow}]`

        error: unknown key `expet` in a case
         --> policies/tests/8.yaml:1:42
          |
        1 | cases: [{as: user:x, do: pull, image: a, expet: deny}]
          |                                          ^^^^^
          |
          = help: did you mean `expect`?
        "#);
}

#[test]
fn a_group_that_is_almost_declared_is_doubted() {
    let read =
        read(&["cases: [{as: user:x, groups: [releas, free], do: pull, image: a, expect: deny}]"]);
    assert_snapshot!(read.unwrap().warnings, @"
        warning: no policy file defines a group `releas`
         --> policies/tests/1.yaml:1:31
          |
        1 | cases: [{as: user:x, groups: [releas, free], do: pull, image: a, expect: deny}]
          |                               ^^^^^^
          |
          = help: did you mean `release`?
        ");
}
