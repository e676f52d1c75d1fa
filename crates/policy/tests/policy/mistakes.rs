//! Typical mistakes, and what an administrator is told about each.

use insta::assert_snapshot;
use policy::{Policy, Position, Severity};

use crate::support::sources;

/// The whole report of a policy that is refused.
pub(crate) fn refused(text: &str) -> String {
    refused_files(&[("policies/teams.yaml", text)])
}

fn refused_files(files: &[(&str, &str)]) -> String {
    Policy::compile(&sources(files)).unwrap_err().to_string()
}

/// The whole report of a policy that is loaded with warnings.
fn warned(text: &str) -> String {
    Policy::compile(&sources(&[("policies/teams.yaml", text)])).unwrap().warnings.to_string()
}

#[test]
fn an_unknown_group() {
    let text = r#"groups:
  backend: [user:alice]

rules:
  - name: backend-works
    subjects: [group:backnd]
    images: ["team/backend/**"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @"
    error: unknown group `backnd`
     --> policies/teams.yaml:6:16
      |
    6 |     subjects: [group:backnd]
      |                ^^^^^^^^^^^^ not defined in any policy file
      |
      = help: did you mean `backend`?
    ");
}

#[test]
fn an_unknown_group_that_resembles_none() {
    let text = r#"rules:
  - name: qa-reads
    subjects: [group:qa]
    images: ["**"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @"
    error: unknown group `qa`
     --> policies/teams.yaml:3:16
      |
    3 |     subjects: [group:qa]
      |                ^^^^^^^^ not defined in any policy file
      |
      = help: if an identity source asserts it, add `qa: external` to `groups`
    ");
}

#[test]
fn an_unknown_key_of_a_rule() {
    let text = r#"rules:
  - name: backend-works
    subject: [user:alice]
    images: ["team/backend/**"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @"
    error: unknown key `subject` in a rule
     --> policies/teams.yaml:3:5
      |
    3 |     subject: [user:alice]
      |     ^^^^^^^
      |
      = help: did you mean `subjects`?
    ");
}

#[test]
fn an_unknown_key_of_a_file() {
    let text = r#"flag: [qa-passed]
rule: []
"#;
    assert_snapshot!(refused(text), @"
    error: unknown key `flag` in a policy file
     --> policies/teams.yaml:1:1
      |
    1 | flag: [qa-passed]
      | ^^^^
      |
      = help: did you mean `flags`?

    error: unknown key `rule` in a policy file
     --> policies/teams.yaml:2:1
      |
    2 | rule: []
      | ^^^^
      |
      = help: did you mean `rules`?
    ");
}

#[test]
fn a_key_twice() {
    let text = r#"rules:
  - name: backend-works
    subjects: [user:alice]
    images: ["team/backend/**"]
    allow: [pull]
    images: ["team/frontend/**"]
"#;
    assert_snapshot!(refused(text), @r#"
    error: the key `images` is written twice
     --> policies/teams.yaml:6:5
      |
    6 |     images: ["team/frontend/**"]
      |     ^^^^^^ the second time
      |
     ::: policies/teams.yaml:4:5
      |
    4 |     images: ["team/backend/**"]
      |     ------ the first time
    "#);
}

#[test]
fn a_rule_name_twice_in_different_files() {
    let rule = "rules: [{name: reads, subjects: [anyone], images: [app], allow: [pull]}]";
    assert_snapshot!(refused_files(&[("policies/a.yaml", rule), ("policies/b.yaml", rule)]), @"
    error: two rules are named `reads`
     --> policies/b.yaml:1:16
      |
    1 | rules: [{name: reads, subjects: [anyone], images: [app], allow: [pull]}]
      |                ^^^^^ the second
      |
     ::: policies/a.yaml:1:16
      |
    1 | rules: [{name: reads, subjects: [anyone], images: [app], allow: [pull]}]
      |                ----- the first
      |
      = help: rename one of them; a name that begins with its team or file stays unique
    ");
}

#[test]
fn a_group_twice_in_different_files() {
    let files = [
        ("policies/a.yaml", "groups:\n  backend: [user:alice]\n"),
        ("policies/b.yaml", "groups:\n  frontend: [user:bob]\n  backend: [user:carol]\n"),
    ];
    assert_snapshot!(refused_files(&files), @"
    error: two groups are named `backend`
     --> policies/b.yaml:3:3
      |
    3 |   backend: [user:carol]
      |   ^^^^^^^ the second
      |
     ::: policies/a.yaml:2:3
      |
    2 |   backend: [user:alice]
      |   ------- the first
      |
      = help: rename one of them; a name that begins with its team or file stays unique
    ");
}

#[test]
fn a_group_that_contains_itself() {
    let text = r#"groups:
  backend: [user:alice, group:staff]
  staff: [group:all-hands]
  all-hands: [group:backend, user:bob]
"#;
    assert_snapshot!(refused(text), @"
    error: group `backend` contains itself
     --> policies/teams.yaml:4:15
      |
    4 |   all-hands: [group:backend, user:bob]
      |               ^^^^^^^^^^^^^ `backend` contains `staff` contains `all-hands` contains `backend`
      |
      = help: take one of these out
    ");
}

#[test]
fn a_pattern_over_groups_that_contains_itself() {
    let text = r#"groups:
  team-a: [user:alice]
  team-all: ["group:team-*"]
"#;
    assert_snapshot!(refused(text), @r#"
    error: group `team-all` contains itself
     --> policies/teams.yaml:3:14
      |
    3 |   team-all: ["group:team-*"]
      |              ^^^^^^^^^^^^^^ `team-all` contains `team-all`
      |
      = help: take one of these out
    "#);
}

#[test]
fn a_subject_without_its_kind() {
    let text = r#"rules:
  - name: alice-reads
    subjects: [alice, everyone]
    images: ["**"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @"
    error: `alice` does not say what kind of subject it is
     --> policies/teams.yaml:3:16
      |
    3 |     subjects: [alice, everyone]
      |                ^^^^^
      |
      = help: write `user:alice`, `service:alice` or `group:alice`

    error: `everyone` does not say what kind of subject it is
     --> policies/teams.yaml:3:23
      |
    3 |     subjects: [alice, everyone]
      |                       ^^^^^^^^
      |
      = help: did you mean `anyone`?
    ");
}

#[test]
fn an_unknown_kind_of_subject() {
    let text = r#"rules:
  - name: alice-reads
    subjects: [usr:alice, "robot:ci"]
    images: ["**"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @r#"
    error: unknown kind of subject `usr:`
     --> policies/teams.yaml:3:16
      |
    3 |     subjects: [usr:alice, "robot:ci"]
      |                ^^^^^^^^^
      |
      = help: did you mean `user:alice`?

    error: unknown kind of subject `robot:`
     --> policies/teams.yaml:3:27
      |
    3 |     subjects: [usr:alice, "robot:ci"]
      |                           ^^^^^^^^^^
      |
      = help: subjects begin with `user:`, `service:`, `group:` or `peer:`
    "#);
}

#[test]
fn a_space_after_the_colon_of_a_subject() {
    let text = r#"rules:
  - name: alice-reads
    subjects:
      - user: alice
    images: ["**"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @"
    error: a subject has to be text
     --> policies/teams.yaml:4:9
      |
    4 |       - user: alice
      |         ^^^^^^^^^^^ a map with one key, because of the space after the colon
      |
      = help: write `user:alice`
    ");
}

#[test]
fn a_peer_without_a_name() {
    let text = r#"rules:
  - name: europe-reads
    subjects: [peer:eu]
    images: ["**"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @"
    error: `peer:eu` names a gate but nobody behind it
     --> policies/teams.yaml:3:16
      |
    3 |     subjects: [peer:eu]
      |                ^^^^^^^
      |
      = help: write `peer:eu/NAME`, or `peer:eu/**` for everybody
    ");
}

#[test]
fn everybody_in_a_group_or_an_administrator() {
    let text = r#"groups:
  staff: [authenticated]
administrators: [anyone]
"#;
    assert_snapshot!(refused(text), @"
    error: `authenticated` cannot be a member of a group
     --> policies/teams.yaml:2:11
      |
    2 |   staff: [authenticated]
      |           ^^^^^^^^^^^^^
      |
      = help: name it in the `subjects` of a rule instead

    error: `anyone` cannot be an administrator
     --> policies/teams.yaml:3:18
      |
    3 | administrators: [anyone]
      |                  ^^^^^^
      |
      = help: name people, services or groups
    ");
}

#[test]
fn an_upper_case_repository() {
    let text = r#"rules:
  - name: backend-works
    subjects: [user:alice]
    images: ["Team/backend/**"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @r#"
    error: no repository matches `Team`: `T` is upper case
     --> policies/teams.yaml:4:14
      |
    4 |     images: ["Team/backend/**"]
      |              ^^^^^^^^^^^^^^^^^
      |
      = help: repository names are lower case: `team`
    "#);
}

#[test]
fn an_impossible_repository() {
    let text = r#"rules:
  - name: backend-works
    subjects: [user:alice]
    images: ["team//backend", "/team", "team/back end", "team/-*", "team/a**"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @r#"
    error: a segment is empty
     --> policies/teams.yaml:4:14
      |
    4 |     images: ["team//backend", "/team", "team/back end", "team/-*", "team/a**"]
      |              ^^^^^^^^^^^^^^^
      |
      = help: a repository has no `/` at its ends, and no two in a row

    error: a segment is empty
     --> policies/teams.yaml:4:31
      |
    4 |     images: ["team//backend", "/team", "team/back end", "team/-*", "team/a**"]
      |                               ^^^^^^^
      |
      = help: a repository has no `/` at its ends, and no two in a row

    error: no repository matches `back end`: `back end` cannot be a part of a repository name: lower-case letters and digits, joined by `.`, `_`, `__` or dashes
     --> policies/teams.yaml:4:40
      |
    4 |     images: ["team//backend", "/team", "team/back end", "team/-*", "team/a**"]
      |                                        ^^^^^^^^^^^^^^^

    error: no repository matches `-*`: a segment begins with a letter or digit
     --> policies/teams.yaml:4:57
      |
    4 |     images: ["team//backend", "/team", "team/back end", "team/-*", "team/a**"]
      |                                                         ^^^^^^^^^

    error: `**` has to be a whole segment
     --> policies/teams.yaml:4:68
      |
    4 |     images: ["team//backend", "/team", "team/back end", "team/-*", "team/a**"]
      |                                                                    ^^^^^^^^^^
      |
      = help: `*` is anything within one segment, `**` any number of segments
    "#);
}

#[test]
fn an_impossible_tag() {
    let text = r#"rules:
  - name: backend-works
    subjects: [user:alice]
    images: ["app:", "app:-rc*", "app:v1+build", "app:**"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @r#"
    error: nothing follows the `:`
     --> policies/teams.yaml:4:14
      |
    4 |     images: ["app:", "app:-rc*", "app:v1+build", "app:**"]
      |              ^^^^^^
      |
      = help: `:*` is every tag; without `:` the pattern is the whole repository

    error: no tag matches `-rc*`: a tag begins with a letter, a digit or `_`
     --> policies/teams.yaml:4:22
      |
    4 |     images: ["app:", "app:-rc*", "app:v1+build", "app:**"]
      |                      ^^^^^^^^^^

    error: no tag matches `v1+build`: not a tag: 1 to 128 letters, digits, `_`, `.` and `-`, the first neither a dot nor a dash
     --> policies/teams.yaml:4:34
      |
    4 |     images: ["app:", "app:-rc*", "app:v1+build", "app:**"]
      |                                  ^^^^^^^^^^^^^^

    error: `**` has no meaning in a tag
     --> policies/teams.yaml:4:50
      |
    4 |     images: ["app:", "app:-rc*", "app:v1+build", "app:**"]
      |                                                  ^^^^^^^^
      |
      = help: in a tag `*` is anything
    "#);
}

#[test]
fn the_address_of_the_registry_in_a_pattern() {
    let text = r#"rules:
  - name: backend-works
    subjects: [user:alice]
    images: ["localhost:5443/team/app:v1"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @r#"
    error: a `/` cannot stand after the `:` of a tag
     --> policies/teams.yaml:4:14
      |
    4 |     images: ["localhost:5443/team/app:v1"]
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: leave out the registry's address: `team/app:v1`
    "#);
}

#[test]
fn a_digest_in_a_pattern() {
    let text = r#"rules:
  - name: backend-works
    subjects: [user:alice]
    images: ["team/app@sha256:0123"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @r#"
    error: an image pattern cannot name a digest
     --> policies/teams.yaml:4:14
      |
    4 |     images: ["team/app@sha256:0123"]
      |              ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: name tags, or the whole repository; policy finds out which tags hold a digest
    "#);
}

#[test]
fn an_unknown_variable() {
    let text = r#"rules:
  - name: homes
    subjects: [authenticated]
    images: ["home/${usr}/**", "$HOME/**"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @r#"
    error: unknown variable `${usr}`
     --> policies/teams.yaml:4:14
      |
    4 |     images: ["home/${usr}/**", "$HOME/**"]
      |              ^^^^^^^^^^^^^^^^
      |
      = help: did you mean `${user}`?

    error: a `$` that begins no variable
     --> policies/teams.yaml:4:32
      |
    4 |     images: ["home/${usr}/**", "$HOME/**"]
      |                                ^^^^^^^^^^
      |
      = help: variables are `${user}` and `${group}`
    "#);
}

#[test]
fn braces_that_do_not_close() {
    let text = r#"rules:
  - name: both
    subjects: [authenticated]
    images: ["team/{a,b", "team/a}"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @r#"
    error: a `{` without its `}`
     --> policies/teams.yaml:4:14
      |
    4 |     images: ["team/{a,b", "team/a}"]
      |              ^^^^^^^^^^^

    error: a `}` without its partner
     --> policies/teams.yaml:4:27
      |
    4 |     images: ["team/{a,b", "team/a}"]
      |                           ^^^^^^^^^
      |
      = help: alternatives are written `{a,b}`
    "#);
}

#[test]
fn alternatives_without_bound() {
    let text = r#"rules:
  - name: many
    subjects: [authenticated]
    images: ["{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @r#"
    error: the alternatives make more than 256 patterns
     --> policies/teams.yaml:4:14
      |
    4 |     images: ["{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"]
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write several patterns, or use `*`
    "#);
}

#[test]
fn many_alternatives_in_many_patterns() {
    let pattern = format!("\"{}\"", "{a,b}".repeat(8));
    let rule = "rules:\n  - {name: many, subjects: [anyone], allow: [pull], images: [";
    let text = format!("{rule}\n{}]}}\n", format!("    {pattern},\n").repeat(393));
    assert_snapshot!(refused(&text), @r#"
    error: the alternatives of all files make more than 100000 patterns
       --> policies/teams.yaml:395:5
        |
    395 |     "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}",
        |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        |
        = help: use `*` in the place of long lists of alternatives
    "#);
}

#[test]
fn a_pattern_that_yaml_reads_as_an_alias() {
    let text = r#"rules:
  - name: everything
    subjects: [authenticated]
    images: [**]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @"
    error: YAML aliases are not used in a policy file
     --> policies/teams.yaml:4:14
      |
    4 |     images: [**]
      |              ^^ read as an alias because of the `*` at its start
      |
      = help: text that begins with `*` has to stand in quotes
    ");
}

#[test]
fn a_pattern_that_yaml_reads_as_a_map() {
    let text = r#"rules:
  - name: both
    subjects: [authenticated]
    images:
      - {a,b}/app
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @"
    error: this is not valid YAML
     --> policies/teams.yaml:5:14
      |
    5 |       - {a,b}/app
      |              ^ while parsing a block collection, did not find expected '-' indicator
      |
      = help: text that begins with `{` or `[` has to stand in quotes
    ");
}

#[test]
fn anchors_and_type_tags() {
    let text = r#"groups:
  staff: &staff [user:alice]
  admins: !people [user:bob]
  all: *staff
"#;
    assert_snapshot!(refused(text), @"
    error: YAML anchors are not used in a policy file
     --> policies/teams.yaml:2:10
      |
    2 |   staff: &staff [user:alice]
      |          ^^^^^^
      |
      = help: name the people in a group, and the group wherever they are meant

    error: YAML type tags are not used in a policy file
     --> policies/teams.yaml:3:11
      |
    3 |   admins: !people [user:bob]
      |           ^^^^^^^
      |
      = help: leave out the `!…`; text that begins with `!` has to stand in quotes

    error: YAML aliases are not used in a policy file
     --> policies/teams.yaml:4:8
      |
    4 |   all: *staff
      |        ^^^^^^ read as an alias because of the `*` at its start
      |
      = help: text that begins with `*` has to stand in quotes
    ");
}

#[test]
fn an_unknown_action() {
    let text = r#"rules:
  - name: backend-works
    subjects: [user:alice]
    images: ["team/backend/**"]
    allow: [pul, write]
"#;
    assert_snapshot!(refused(text), @"
    error: unknown action `pul`
     --> policies/teams.yaml:5:13
      |
    5 |     allow: [pul, write]
      |             ^^^
      |
      = help: did you mean `pull`?

    error: unknown action `write`
     --> policies/teams.yaml:5:18
      |
    5 |     allow: [pul, write]
      |                  ^^^^^
      |
      = help: did you mean `push`?
    ");
}

#[test]
fn an_action_outside_a_list() {
    let text = r#"rules:
  - name: backend-works
    subjects: user:alice
    images: team/backend/**
    allow: pull
"#;
    assert_snapshot!(refused(text), @"
    error: `subjects` has to be a list
     --> policies/teams.yaml:3:15
      |
    3 |     subjects: user:alice
      |               ^^^^^^^^^^ this is text
      |
      = help: write `[user:alice]`

    error: `images` has to be a list
     --> policies/teams.yaml:4:13
      |
    4 |     images: team/backend/**
      |             ^^^^^^^^^^^^^^^ this is text
      |
      = help: write `[team/backend/**]`

    error: `allow` has to be a list
     --> policies/teams.yaml:5:12
      |
    5 |     allow: pull
      |            ^^^^ this is text
      |
      = help: write `[pull]`
    ");
}

#[test]
fn a_rule_without_its_parts() {
    let text = r#"rules:
  - comment: to be continued
"#;
    assert_snapshot!(refused(text), @r#"
    error: a rule without a name
     --> policies/teams.yaml:2:5
      |
    2 |   - comment: to be continued
      |     ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: `name: …` appears in denials and the audit trail

    error: a rule does not say for whom it is
     --> policies/teams.yaml:2:5
      |
    2 |   - comment: to be continued
      |     ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `subjects: […]`; everybody is `[anyone]`

    error: a rule does not say for which images it is
     --> policies/teams.yaml:2:5
      |
    2 |   - comment: to be continued
      |     ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `images: […]`; every image is `["**"]`

    error: a rule neither allows nor denies anything
     --> policies/teams.yaml:2:5
      |
    2 |   - comment: to be continued
      |     ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `allow: […]` or `deny: […]`
    "#);
}

#[test]
fn empty_lists() {
    let text = r#"rules:
  - name: nothing
    subjects: []
    except: {}
    images: []
    allow: []
"#;
    assert_snapshot!(refused(text), @"
    error: `subjects` is empty
     --> policies/teams.yaml:3:15
      |
    3 |     subjects: []
      |               ^^
      |
      = help: name at least one

    error: `except` leaves nobody and nothing out
     --> policies/teams.yaml:4:13
      |
    4 |     except: {}
      |             ^^
      |
      = help: remove it, or name `subjects` or `images`

    error: `images` is empty
     --> policies/teams.yaml:5:13
      |
    5 |     images: []
      |             ^^
      |
      = help: name at least one

    error: `allow` is empty
     --> policies/teams.yaml:6:12
      |
    6 |     allow: []
      |            ^^
      |
      = help: name at least one
    ");
}

#[test]
fn a_rule_that_contradicts_itself() {
    let text = r#"rules:
  - name: undecided
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push]
    deny: [overwrite]
"#;
    assert_snapshot!(refused(text), @"
    error: rule `undecided` allows and denies `overwrite`
     --> policies/teams.yaml:6:5
      |
    6 |     deny: [overwrite]
      |     ^^^^ denied here
      |
     ::: policies/teams.yaml:5:5
      |
    5 |     allow: [pull, push]
      |     ----- allowed here
      |
      = help: leave one of them out; a denial would win
    ");
}

#[test]
fn keys_without_values() {
    let text = r#"groups:
rules:
  - name: half
    subjects:
"#;
    assert_snapshot!(refused(text), @r#"
    error: `groups` has no value
     --> policies/teams.yaml:1:1
      |
    1 | groups:
      | ^^^^^^
      |
      = help: give it one, or remove the key

    error: rule `half` does not say for which images it is
     --> policies/teams.yaml:3:5
      |
    3 |   - name: half
      |     ^^^^^^^^^^
      |
      = help: add `images: […]`; every image is `["**"]`

    error: rule `half` neither allows nor denies anything
     --> policies/teams.yaml:3:5
      |
    3 |   - name: half
      |     ^^^^^^^^^^
      |
      = help: add `allow: […]` or `deny: […]`

    error: `subjects` has no value
     --> policies/teams.yaml:4:5
      |
    4 |     subjects:
      |     ^^^^^^^^
      |
      = help: give it one, or remove the key
    "#);
}

#[test]
fn a_name_that_cannot_stand_in_a_log() {
    let text = r#"rules:
  - name: "the backend\nteam"
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull]
"#;
    assert_snapshot!(refused(text), @r#"
    error: `the backend\nteam` is not a name for a rule
     --> policies/teams.yaml:2:11
      |
    2 |   - name: "the backend\nteam"
      |           ^^^^^^^^^^^^^^^^^^^
      |
      = help: 1 to 128 letters, digits, `-`, `_`, `.` and `/`
    "#);
}

#[test]
fn a_group_named_with_its_prefix() {
    let text = r#"groups:
  group:backend: [user:alice]
"#;
    assert_snapshot!(refused(text), @"
    error: `group:` is not part of a group's own name
     --> policies/teams.yaml:2:3
      |
    2 |   group:backend: [user:alice]
      |   ^^^^^^^^^^^^^
      |
      = help: write `backend` here, and `group:backend` where it is used
    ");
}

#[test]
fn members_outside_a_list() {
    let text = r#"groups:
  backend: user:alice
  qa: extern
"#;
    assert_snapshot!(refused(text), @"
    error: the members of group `backend` have to be a list
     --> policies/teams.yaml:2:12
      |
    2 |   backend: user:alice
      |            ^^^^^^^^^^
      |
      = help: write `[user:alice]`, or `external` for a group of an identity source

    error: the members of group `qa` have to be a list
     --> policies/teams.yaml:3:7
      |
    3 |   qa: extern
      |       ^^^^^^
      |
      = help: did you mean `external`?
    ");
}

#[test]
fn a_file_cut_in_the_middle() {
    let text = r#"groups:
  backend: [user:alice, user:bo
"#;
    assert_snapshot!(refused(text), @"
    error: this is not valid YAML
     --> policies/teams.yaml:2:12
      |
    2 |   backend: [user:alice, user:bo
      |            ^ unclosed bracket '['
      |
      = help: close it, or look whether the file was cut short
    ");
}

#[test]
fn wrong_indentation() {
    let text = r#"rules:
  - name: backend-works
    subjects: [user:alice]
   images: ["team/**"]
"#;
    assert_snapshot!(refused(text), @r#"
    error: this is not valid YAML
     --> policies/teams.yaml:4:4
      |
    4 |    images: ["team/**"]
      |    ^ while parsing a block collection, did not find expected '-' indicator
      |
      = help: indent it as the lines that it belongs to, with spaces
    "#);
}

#[test]
fn a_list_where_a_file_begins() {
    let text = r#"- name: backend-works
- name: frontend-works
"#;
    assert_snapshot!(refused(text), @"
    error: a policy file has to be a map
     --> policies/teams.yaml:1:1
      |
    1 | - name: backend-works
      | ^^^^^^^^^^^^^^^^^^^^^ this is a list
    ");
}

#[test]
fn two_documents_in_a_file() {
    let text = r#"groups: {}
---
rules: []
"#;
    assert_snapshot!(refused(text), @"
    error: a policy file holds one YAML document
     --> policies/teams.yaml:2:1
      |
    2 | ---
      | ^^^
      |
      = help: move what follows `---` to a file of its own
    ");
}

#[test]
fn nesting_without_end() {
    let text = r#"rules: [[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]
"#;
    assert_snapshot!(refused(text), @"
    error: nested too deeply for a policy file
     --> policies/teams.yaml:1:24
      |
    1 | rules: [[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]
      |                        ^
    ");
}

#[test]
fn a_rule_for_nobody() {
    let text = r#"groups:
  empty: []
  also-empty: [group:empty]
rules:
  - name: forgotten
    subjects: [group:also-empty]
    images: ["**"]
    allow: [pull]
  - name: typo
    subjects: ["group:team-*"]
    images: ["**"]
    allow: [pull]
"#;
    assert_snapshot!(warned(text), @r#"
    warning: rule `forgotten` is for nobody
     --> policies/teams.yaml:6:16
      |
    6 |     subjects: [group:also-empty]
      |                ^^^^^^^^^^^^^^^^ a group without members
      |
      = help: if an identity source asserts the group, write `external` for its members

    warning: no group matches `group:team-*`
      --> policies/teams.yaml:10:16
       |
    10 |     subjects: ["group:team-*"]
       |                ^^^^^^^^^^^^^^ no policy file defines such a group
    "#);
}

#[test]
fn a_rule_about_nothing() {
    let text = r#"rules:
  - name: robot-homes
    subjects: ["service:ci/*"]
    images: ["home/${user}/**"]
    allow: [pull]
"#;
    assert_snapshot!(warned(text), @r#"
    warning: rule `robot-homes` is about nothing
     --> policies/teams.yaml:4:14
      |
    4 |     images: ["home/${user}/**"]
      |              ^^^^^^^^^^^^^^^^^ `${user}` stands for users, and the rule is for none
      |
      = help: name the images themselves, or users as `subjects`
    "#);
}

#[test]
fn control_characters_are_shown_and_not_sent_to_the_terminal() {
    let text = "\"a\\u001b[31m\\nb\": []\n";
    let report = refused(text);
    assert!(!report.contains('\u{1b}'));
    assert_snapshot!(report, @r#"
    error: unknown key `a\u{1b}[31m\nb` in a policy file
     --> policies/teams.yaml:1:1
      |
    1 | "a\u001b[31m\nb": []
      | ^^^^^^^^^^^^^^^^
      |
      = help: keys of a policy file are `groups`, `rules`, `administrators`, `delegations`, `flags`, `gates`, `exceptions`
    "#);
}

#[test]
fn mistakes_of_all_files_are_reported_in_one_run() {
    let files = [
        ("policies/a.yaml", "groups: {a: [usr:x]}\nrule: []\n"),
        ("policies/b.yaml", "rules: [\n"),
        (
            "policies/c.yaml",
            "rules: [{name: x, subjects: [group:maybe-in-b], images: [A], allow: [pull]}]\n",
        ),
    ];
    assert_snapshot!(refused_files(&files), @"
    error: unknown kind of subject `usr:`
     --> policies/a.yaml:1:14
      |
    1 | groups: {a: [usr:x]}
      |              ^^^^^
      |
      = help: did you mean `user:x`?

    error: unknown key `rule` in a policy file
     --> policies/a.yaml:2:1
      |
    2 | rule: []
      | ^^^^
      |
      = help: did you mean `rules`?

    error: this is not valid YAML
     --> policies/b.yaml:1:8
      |
    1 | rules: [
      |        ^ unclosed bracket '['
      |
      = help: close it, or look whether the file was cut short

    error: no repository matches `A`: `A` is upper case
     --> policies/c.yaml:1:58
      |
    1 | rules: [{name: x, subjects: [group:maybe-in-b], images: [A], allow: [pull]}]
      |                                                          ^
      |
      = help: repository names are lower case: `a`
    ");
}

#[test]
fn a_diagnostic_tells_its_place_to_programs() {
    let text = "rules:\n  - {näme: x}\n";
    let errors = Policy::compile(&sources(&[("p.yaml", text)])).unwrap_err();
    let first = errors.iter().find(|error| error.message.contains("näme")).unwrap();
    assert_eq!(first.severity, Severity::Error);
    assert_eq!(first.file, "p.yaml");
    assert_eq!(first.position, Some(Position { line: 2, column: 6 }));
    assert_eq!(first.help.as_deref(), Some("did you mean `name`?"));
    assert_eq!(errors.len(), errors.iter().count());
}

#[test]
fn an_absurd_number_of_mistakes_is_counted_and_not_kept() {
    let text = format!("rules:\n{}", "  - {}\n".repeat(5000));
    let errors = Policy::compile(&sources(&[("p.yaml", &text)])).unwrap_err();
    assert_eq!((errors.len(), errors.iter().count()), (20_000, 1000));
    assert!(errors.to_string().ends_with("and 19000 more"));
}

#[test]
fn a_file_over_the_limit_is_refused() {
    let text = format!("# {}", "x".repeat(4 << 20));
    assert_snapshot!(refused(&text), @"
    error: the file is larger than 4 MiB
    --> policies/teams.yaml:1:1
     = help: a policy may be spread over many files
    ");
}

#[test]
fn an_alias_bomb_is_refused_before_it_grows() {
    let mut text = String::from("groups:\n  a0: &a0 [user:x]\n");
    for level in 1..30 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text += &format!("  a{level}: &a{level} [{aliases}]\n");
    }
    let errors = Policy::compile(&sources(&[("p.yaml", &text)])).unwrap_err();
    assert!(errors.iter().all(|error| error.message.contains("in a policy file")));
    assert_eq!(errors.len(), 30 + 29 * 10);
}

#[test]
fn a_very_long_line_is_named_and_not_shown() {
    let text = format!("groups: {{a: [{} usr:x]}}", "user:a, ".repeat(1000));
    assert_snapshot!(refused(&text), @"
    error: unknown kind of subject `usr:`
    --> policies/teams.yaml:1:8015
     = help: did you mean `user:x`?
    ");
}
