//! Thirty mistakes that are made in policies, and what is said to each: where it is, and what to do.

use insta::assert_snapshot;
use jiff::Timestamp;
use policy::Policy;

use crate::support::sources;

/// The policy of a company.
const COMPANY: &str = r#"groups:
  platform: [user:admin]
  backend: [user:alice, user:bob]
  release: [service:ci/release]
  qa: external
  staff: [group:backend, group:qa]

administrators: [group:platform]

delegations:
  - {files: "teams/backend.yaml", images: ["team/backend/**"], groups: ["backend-*"]}

rules:
  - name: everybody-has-a-home
    subjects: [authenticated]
    images: ["home/${user}/**"]
    allow: [all]

  - name: staff-reads
    subjects: [group:staff]
    images: ["team/**", "base/{debian,alpine}"]
    allow: [pull]

  - name: backend-works
    subjects: [group:backend, "service:ci/backend"]
    images: ["team/backend/**"]
    allow: [push, attach]

  - name: versions-do-not-move
    subjects: [anyone]
    except: {subjects: [group:release], images: ["home/**"]}
    images: ["**:v*", {repository: "team/**", tag: {semver: ">=1, <3"}}]
    deny: [overwrite, delete]

  - name: mirrors
    subjects: [group:release]
    images: [{repository: {regex: "mirror/[a-z]+/base"}, tag: "1.10"}]
    allow: [pull, create]

  - name: contractor
    subjects: [user:carol]
    images: ["team/backend/api:rc-*"]
    allow: [pull, attach]
    starts: 2026-01-01
    expires: 2027-01-01
    networks: [10.20.0.0/16]
    token: {kind: [user]}
    comment: ticket 4711
"#;

const BACKEND: &str = r#"groups:
  backend-guests: [user:dora]
rules:
  - name: backend-guests-read
    subjects: [group:backend-guests]
    images: ["team/backend/web:*"]
    allow: [pull]
"#;

/// What is said of the policy where `right` is written as `wrong`: a first line that names the
/// place of the mistake, and a remedy.
fn said(right: &str, wrong: &str) -> String {
    let central = COMPANY.matches(right).count();
    assert_eq!(central + BACKEND.matches(right).count(), 1, "`{right}` stands there once");
    let (before, file) = match COMPANY.split_once(right) {
        Some((before, _)) => (before, "main.yaml"),
        None => (BACKEND.split_once(right).unwrap().0, "teams/backend.yaml"),
    };
    let files = [
        ("policies/main.yaml", COMPANY.replacen(right, wrong, central)),
        ("policies/teams/backend.yaml", BACKEND.replacen(right, wrong, 1 - central)),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    let said = match Policy::compile_at(&sources(&files), now) {
        Ok(compiled) => compiled.warnings,
        Err(errors) => errors,
    };
    let lines = before.lines().count()..=before.lines().count() + wrong.lines().count();
    let named = said.iter().any(|one| {
        one.file.ends_with(file)
            && one.position.is_some_and(|place| lines.contains(&place.line))
            && one.help.is_some()
    });
    assert!(named, "{lines:?}\n{said}");
    said.to_string()
}

#[test]
fn the_policy_is_right() {
    let files = [("policies/main.yaml", COMPANY), ("policies/teams/backend.yaml", BACKEND)];
    let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    let compiled = Policy::compile_at(&sources(&files), now).unwrap_or_else(|it| panic!("{it}"));
    assert!(compiled.warnings.is_empty(), "{}", compiled.warnings);
}

#[test]
fn in_words_and_keys() {
    // 1: a key.
    assert_snapshot!(said("subjects: [user:carol]", "subject: [user:carol]"), @"
    error: unknown key `subject` in a rule
      --> policies/main.yaml:41:5
       |
    41 |     subject: [user:carol]
       |     ^^^^^^^
       |
       = help: did you mean `subjects`?
    ");
    // 2: an action.
    assert_snapshot!(said("[push, attach]", "[psuh, attach]"), @"
    error: unknown action `psuh`
      --> policies/main.yaml:27:13
       |
    27 |     allow: [psuh, attach]
       |             ^^^^
       |
       = help: did you mean `push`?
    ");
    // 3: an action that there is elsewhere.
    assert_snapshot!(said("[push, attach]", "[read, write]"), @"
    error: unknown action `read`
      --> policies/main.yaml:27:13
       |
    27 |     allow: [read, write]
       |             ^^^^
       |
       = help: did you mean `pull`?

    error: unknown action `write`
      --> policies/main.yaml:27:19
       |
    27 |     allow: [read, write]
       |                   ^^^^^
       |
       = help: did you mean `push`?
    ");
    // 4: text in the place of a list.
    assert_snapshot!(said("allow: [all]", "allow: all"), @"
    error: `allow` has to be a list
      --> policies/main.yaml:17:12
       |
    17 |     allow: all
       |            ^^^ this is text
       |
       = help: write `[all]`
    ");
    // 5: a key of a release gate.
    assert_snapshot!(said("administrators: [group:platform]", "gate: []\nadministrators: [group:platform]"), @"
    error: unknown key `gate` in a policy file
     --> policies/main.yaml:8:1
      |
    8 | gate: []
      | ^^^^
      |
      = help: did you mean `gates`?
    ");
    // 6: an action of a release gate.
    assert_snapshot!(said("[push, attach]", "[push, \"flag:qa-passed\"]"), @r#"
    error: unknown flag `qa-passed`
      --> policies/main.yaml:27:19
       |
    27 |     allow: [push, "flag:qa-passed"]
       |                   ^^^^^^^^^^^^^^^^ not declared in any policy file
       |
       = help: declare it: `flags: {qa-passed: {}}`
    "#);
    // 7: allowed and denied.
    assert_snapshot!(said("deny: [overwrite, delete]", "deny: [overwrite, delete]\n    allow: [delete]"), @"
    error: rule `versions-do-not-move` allows and denies `delete`
      --> policies/main.yaml:33:5
       |
    33 |     deny: [overwrite, delete]
       |     ^^^^ denied here
       |
      ::: policies/main.yaml:34:5
       |
    34 |     allow: [delete]
       |     ----- allowed here
       |
       = help: leave one of them out; a denial would win
    ");
    // 8: a name twice.
    assert_snapshot!(said("name: mirrors", "name: staff-reads"), @"
    error: two rules are named `staff-reads`
      --> policies/main.yaml:35:11
       |
    35 |   - name: staff-reads
       |           ^^^^^^^^^^^ the second
       |
      ::: policies/main.yaml:19:11
       |
    19 |   - name: staff-reads
       |           ----------- the first
       |
       = help: rename one of them; a name that begins with its team or file stays unique
    ");
}

#[test]
fn in_yaml() {
    // 9: a tab.
    assert_snapshot!(said("    subjects: [user:carol]", "\tsubjects: [user:carol]"), @"
    error: this is not valid YAML
      --> policies/main.yaml:41:1
       |
    41 |     subjects: [user:carol]
       | ^ while scanning a plain scalar, found a tab
       |
       = help: indent with spaces: YAML knows no tabs there
    ");
    // 10: no quotes around what begins with `*`.
    assert_snapshot!(said("\"**:v*\"", "**:v*"), @r#"
    error: YAML aliases are not used in a policy file
      --> policies/main.yaml:32:14
       |
    32 |     images: [**:v*, {repository: "team/**", tag: {semver: ">=1, <3"}}]
       |              ^^^^^ read as an alias because of the `*` at its start
       |
       = help: text that begins with `*` has to stand in quotes
    "#);
    // 11: no quotes around braces.
    assert_snapshot!(said("\"base/{debian,alpine}\"", "{base,mirror}/debian"), @r#"
    error: this is not valid YAML
      --> policies/main.yaml:21:38
       |
    21 |     images: ["team/**", {base,mirror}/debian]
       |                                      ^ while parsing a flow sequence, expected ',' or ']'
       |
       = help: text that begins with `{` or `[` has to stand in quotes
    "#);
}

#[test]
fn in_subjects_and_groups() {
    // 12: a group with a slip.
    assert_snapshot!(said("[group:backend, \"service", "[group:backned, \"service"), @r#"
    error: unknown group `backned`
      --> policies/main.yaml:25:16
       |
    25 |     subjects: [group:backned, "service:ci/backend"]
       |                ^^^^^^^^^^^^^ not defined in any policy file
       |
       = help: did you mean `backend`?
    "#);
    // 13: a subject without its kind.
    assert_snapshot!(said("[user:carol]", "[carol]"), @"
    error: `carol` does not say what kind of subject it is
      --> policies/main.yaml:41:16
       |
    41 |     subjects: [carol]
       |                ^^^^^
       |
       = help: write `user:carol`, `service:carol` or `group:carol`
    ");
    // 14: a kind with a slip.
    assert_snapshot!(said("[user:carol]", "[users:carol]"), @"
    error: unknown kind of subject `users:`
      --> policies/main.yaml:41:16
       |
    41 |     subjects: [users:carol]
       |                ^^^^^^^^^^^
       |
       = help: did you mean `user:carol`?
    ");
    // 15: a group that contains itself.
    assert_snapshot!(said("group:qa]", "group:staff]"), @"
    error: group `staff` contains itself
     --> policies/main.yaml:6:26
      |
    6 |   staff: [group:backend, group:staff]
      |                          ^^^^^^^^^^^ `staff` contains `staff`
      |
      = help: take one of these out
    ");
    // 16: a group that no file declares.
    assert_snapshot!(said("group:qa]", "group:quality]"), @"
    error: unknown group `quality`
     --> policies/main.yaml:6:26
      |
    6 |   staff: [group:backend, group:quality]
      |                          ^^^^^^^^^^^^^ not defined in any policy file
      |
      = help: if an identity source asserts it, add `quality: external` to `groups`
    ");
}

#[test]
fn in_images() {
    // 17: upper case.
    assert_snapshot!(said("[\"team/backend/**\"]\n    allow", "[\"Team/backend/**\"]\n    allow"), @r#"
    error: no repository matches `Team`: `T` is upper case
      --> policies/main.yaml:26:14
       |
    26 |     images: ["Team/backend/**"]
       |              ^^^^^^^^^^^^^^^^^
       |
       = help: repository names are lower case: `team`
    "#);
    // 18: the address of the registry.
    assert_snapshot!(said("\"team/backend/api:rc-*\"", "\"registry.example:5000/team/backend/api\""), @r#"
    error: a `/` cannot stand after the `:` of a tag
      --> policies/main.yaml:42:14
       |
    42 |     images: ["registry.example:5000/team/backend/api"]
       |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: leave out the registry's address: `team/backend/api`
    "#);
    // 19: a digest.
    assert_snapshot!(said("api:rc-*", "api@sha256:0123"), @r#"
    error: an image pattern cannot name a digest
      --> policies/main.yaml:42:14
       |
    42 |     images: ["team/backend/api@sha256:0123"]
       |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: name tags, or the whole repository; policy finds out which tags hold a digest
    "#);
    // 20: an unknown variable.
    assert_snapshot!(said("home/${user}/**", "home/${username}/**"), @r#"
    error: unknown variable `${username}`
      --> policies/main.yaml:16:14
       |
    16 |     images: ["home/${username}/**"]
       |              ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: variables are `${user}` and `${group}`
    "#);
    // 21: `**` in a tag.
    assert_snapshot!(said("api:rc-*", "api:rc-**"), @r#"
    error: `**` has no meaning in a tag
      --> policies/main.yaml:42:14
       |
    42 |     images: ["team/backend/api:rc-**"]
       |              ^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: in a tag `*` is anything
    "#);
    // 22: no images at all.
    assert_snapshot!(said("[\"team/backend/api:rc-*\"]", "[]"), @"
    error: `images` is empty
      --> policies/main.yaml:42:13
       |
    42 |     images: []
       |             ^^
       |
       = help: name at least one
    ");
    // 23: an expression that does not compile.
    assert_snapshot!(said("mirror/[a-z]+/base", "mirror/([a-z]+/base"), @r#"
    error: `mirror/([a-z]+/base` is no regular expression: unclosed group
      --> policies/main.yaml:37:35
       |
    37 |     images: [{repository: {regex: "mirror/([a-z]+/base"}, tag: "1.10"}]
       |                                   ^^^^^^^^^^^^^^^^^^^^^ at its character 8
       |
       = help: a sign that stands for itself, such as `(` or `+`, has a `\` before it
    "#);
    // 24: an expression that is too large.
    assert_snapshot!(said("mirror/[a-z]+/base", "mirror/(a{100}){100}{100}"), @r#"
    error: `mirror/(a{100}){100}{100}`: the expression is too large
      --> policies/main.yaml:37:35
       |
    37 |     images: [{repository: {regex: "mirror/(a{100}){100}{100}"}, tag: "1.10"}]
       |                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: lower the counts in it, such as `{100}`, or write several simpler expressions
    "#);
    // 25: a range of versions.
    assert_snapshot!(said(">=1, <3", ">=1 and <3"), @r#"
    error: `>=1 and <3` is no range of versions: expected comma after major version number, found 'a'
      --> policies/main.yaml:32:61
       |
    32 |     images: ["**:v*", {repository: "team/**", tag: {semver: ">=1 and <3"}}]
       |                                                             ^^^^^^^^^^^^
       |
       = help: ranges are `>=2.0, <3`, `^1.2`, `~1.2.3`, `1.x`, `=2.1.0` or `*`, with versions without `v`
    "#);
    // 26: beyond the delegation.
    assert_snapshot!(said("team/backend/web:*", "team/frontend/web:*"), @r#"
    error: rule `backend-guests-read` goes beyond its delegation
      --> policies/teams/backend.yaml:6:14
       |
     6 |     images: ["team/frontend/web:*"]
       |              ^^^^^^^^^^^^^^^^^^^^^ `team/frontend/web:*` is not within the images of this file
       |
      ::: policies/main.yaml:11:43
       |
    11 |   - {files: "teams/backend.yaml", images: ["team/backend/**"], groups: ["backend-*"]}
       |                                           ------------------- these are its images
       |
       = help: name images within those, or move the rule to a file that no delegation covers
    "#);
}

#[test]
fn in_conditions_and_rules_that_do_not_matter() {
    // 27: dates.
    assert_snapshot!(said("expires: 2027-01-01", "expires: 2027-13-01"), @"
    error: `2027-13-01` is no time
      --> policies/main.yaml:45:14
       |
    45 |     expires: 2027-13-01
       |              ^^^^^^^^^^
       |
       = help: write a date such as `2026-12-24`, which is its 00:00 UTC, or `2026-12-24T18:00:00Z`
    ");
    assert_snapshot!(said("expires: 2027-01-01", "expires: 31.12.2026"), @"
    error: `31.12.2026` is no time
      --> policies/main.yaml:45:14
       |
    45 |     expires: 31.12.2026
       |              ^^^^^^^^^^
       |
       = help: write a date such as `2026-12-24`, which is its 00:00 UTC, or `2026-12-24T18:00:00Z`
    ");
    assert_snapshot!(said("expires: 2027-01-01", "expires: 2026-12-31T18:00:00"), @"
    error: `2026-12-31T18:00:00` is no time
      --> policies/main.yaml:45:14
       |
    45 |     expires: 2026-12-31T18:00:00
       |              ^^^^^^^^^^^^^^^^^^^
       |
       = help: times need their offset from UTC: `2026-12-24T18:00:00Z`, `2026-12-24T18:00:00+01:00`
    ");
    // 28: an address in the place of a network.
    assert_snapshot!(said("10.20.0.0/16", "10.20.3.0/16"), @"
    error: `10.20.3.0/16`: an address inside a network: the network itself is `10.20.0.0/16`
      --> policies/main.yaml:46:16
       |
    46 |     networks: [10.20.3.0/16]
       |                ^^^^^^^^^^^^
       |
       = help: write `10.20.0.0/16`
    ");
    // 29: over.
    assert_snapshot!(said("expires: 2027-01-01", "expires: 2026-05-01"), @"
    warning: rule `contractor` expired at 2026-05-01T00:00:00Z
      --> policies/main.yaml:45:14
       |
    45 |     expires: 2026-05-01
       |              ^^^^^^^^^^ over
       |
       = help: remove the rule, or let it last longer
    ");
    // 30: allowed by another rule already.
    assert_snapshot!(said("team/backend/web:*\"]\n    allow: [pull]", "team/backend/web:*\"]\n    allow: [pull]\n  - {name: dora, subjects: [group:backend-guests], images: [\"team/backend/web:v*\"], allow: [pull]}"), @r#"
    warning: rule `dora` is pointless: rule `backend-guests-read` says all that it does
     --> policies/teams/backend.yaml:8:12
      |
    8 |   - {name: dora, subjects: [group:backend-guests], images: ["team/backend/web:v*"], allow: [pull]}
      |            ^^^^
      |
     ::: policies/teams/backend.yaml:4:11
      |
    4 |   - name: backend-guests-read
      |           ------------------- this rule is about no less
      |
      = help: remove `dora`, or make `backend-guests-read` narrower
    "#);
}

/// What looks like a mistake and is none: a tag is text, whatever it looks like.
#[test]
fn a_tag_is_never_a_number() {
    let text = r#"rules:
  - {name: x, subjects: [anyone], images: [{repository: app, tag: 1.10}, app:latest, latest], allow: [pull]}
"#;
    let policy = crate::support::policy(text);
    assert!(crate::support::allows(&policy, "anyone", "pull", "app:1.10"));
    assert!(!crate::support::allows(&policy, "anyone", "pull", "app:1.1"));
}
