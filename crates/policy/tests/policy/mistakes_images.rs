//! Mistakes in image patterns that are maps, and what an administrator is told about each.

use insta::assert_snapshot;

use crate::mistakes::refused;

/// What is told about patterns, each on a line of its own.
fn refused_images(images: &[&str]) -> String {
    let lines: String = images.iter().map(|image| format!("  - {image}\n")).collect();
    let rule = "rules:\n- name: reads\n  subjects: [anyone]\n  allow: [pull]\n  images:\n";
    refused(&format!("{rule}{lines}"))
}

#[test]
fn a_map_without_a_repository() {
    let images = [r#"{tag: "v*"}"#, r#"{tag: {semver: "2"}}"#];
    assert_snapshot!(refused_images(&images), @r#"
    error: the pattern names no repository
     --> policies/teams.yaml:6:5
      |
    6 |   - {tag: "v*"}
      |     ^^^^^^^^^^^
      |
      = help: add `repository: …`; every repository is `repository: "**"`

    error: the pattern names no repository
     --> policies/teams.yaml:7:5
      |
    7 |   - {tag: {semver: "2"}}
      |     ^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `repository: …`; every repository is `repository: "**"`
    "#);
}

#[test]
fn an_unknown_key_of_an_image_pattern() {
    let images = [
        r#"{repository: "team/**", tags: "v*"}"#,
        r#"{repo: team, tag: "v*"}"#,
        r#"{repository: {semver: "2"}}"#,
        r#"{repository: team, tag: {regexp: "v.*"}}"#,
        r#"{regex: "team/.*"}"#,
    ];
    assert_snapshot!(refused_images(&images), @r#"
    error: unknown key `tags` in an image pattern
     --> policies/teams.yaml:6:29
      |
    6 |   - {repository: "team/**", tags: "v*"}
      |                             ^^^^
      |
      = help: did you mean `tag`?

    error: unknown key `repo` in an image pattern
     --> policies/teams.yaml:7:6
      |
    7 |   - {repo: team, tag: "v*"}
      |      ^^^^
      |
      = help: keys of an image pattern are `repository`, `tag`

    error: unknown key `semver` in `repository`
     --> policies/teams.yaml:8:19
      |
    8 |   - {repository: {semver: "2"}}
      |                   ^^^^^^
      |
      = help: keys of `repository` are `regex`

    error: unknown key `regexp` in `tag`
     --> policies/teams.yaml:9:30
      |
    9 |   - {repository: team, tag: {regexp: "v.*"}}
      |                              ^^^^^^
      |
      = help: did you mean `regex`?

    error: unknown key `regex` in an image pattern
      --> policies/teams.yaml:10:6
       |
    10 |   - {regex: "team/.*"}
       |      ^^^^^
       |
       = help: keys of an image pattern are `repository`, `tag`
    "#);
}

#[test]
fn a_tag_in_the_repository_of_a_map() {
    let images = [r#"{repository: "team/app:v1"}"#, r#"{repository: "team/app@sha256:00"}"#];
    assert_snapshot!(refused_images(&images), @r#"
    error: a tag cannot stand in `repository`
     --> policies/teams.yaml:6:18
      |
    6 |   - {repository: "team/app:v1"}
      |                  ^^^^^^^^^^^^^
      |
      = help: write `repository: "team/app", tag: "v1"`

    error: an image pattern cannot name a digest
     --> policies/teams.yaml:7:18
      |
    7 |   - {repository: "team/app@sha256:00"}
      |                  ^^^^^^^^^^^^^^^^^^^^
      |
      = help: name tags, or the whole repository; policy finds out which tags hold a digest
    "#);
}

#[test]
fn a_tag_by_an_expression_and_by_a_range() {
    let images = [r#"{repository: team, tag: {regex: "v.*", semver: "2"}}"#];
    assert_snapshot!(refused_images(&images), @r#"
    error: a tag is matched by `regex` or by `semver`, not by both
     --> policies/teams.yaml:6:44
      |
    6 |   - {repository: team, tag: {regex: "v.*", semver: "2"}}
      |                                            ^^^^^^ a second way to match it
      |
     ::: policies/teams.yaml:6:37
      |
    6 |   - {repository: team, tag: {regex: "v.*", semver: "2"}}
      |                                     ----- the first
      |
      = help: keep one of them; two patterns in the list match what either matches
    "#);
}

#[test]
fn parts_of_a_map_that_are_empty() {
    let images = [
        r#"{repository: "", tag: ""}"#,
        r#"{repository: {}, tag: {}}"#,
        r#"{repository: {regex: ""}, tag: {semver: ""}}"#,
        r#"{repository: , tag: }"#,
        r#"{repository: [team], tag: [v1, v2]}"#,
        r#"{repository: {regex: [a]}}"#,
    ];
    assert_snapshot!(refused_images(&images), @r#"
    error: no repository is named
     --> policies/teams.yaml:6:18
      |
    6 |   - {repository: "", tag: ""}
      |                  ^^
      |
      = help: `**` is every repository

    error: `tag` is empty
     --> policies/teams.yaml:6:27
      |
    6 |   - {repository: "", tag: ""}
      |                           ^^
      |
      = help: `*` is every tag; without `tag` the pattern is the whole repository

    error: `repository` says nothing
     --> policies/teams.yaml:7:18
      |
    7 |   - {repository: {}, tag: {}}
      |                  ^^
      |
      = help: write text, or `{regex: …}`

    error: `tag` says nothing
     --> policies/teams.yaml:7:27
      |
    7 |   - {repository: {}, tag: {}}
      |                           ^^
      |
      = help: write text, `{regex: …}` or `{semver: …}`

    error: `regex` is empty
     --> policies/teams.yaml:8:26
      |
    8 |   - {repository: {regex: ""}, tag: {semver: ""}}
      |                          ^^
      |
      = help: `.*` is any text

    error: `semver` is empty
     --> policies/teams.yaml:8:45
      |
    8 |   - {repository: {regex: ""}, tag: {semver: ""}}
      |                                             ^^
      |
      = help: ranges are `>=2.0, <3`, `^1.2`, `~1.2.3`, `1.x`, `=2.1.0` or `*`, with versions without `v`

    error: `repository` has no value
     --> policies/teams.yaml:9:6
      |
    9 |   - {repository: , tag: }
      |      ^^^^^^^^^^
      |
      = help: give it one, or remove the key

    error: `tag` has no value
     --> policies/teams.yaml:9:20
      |
    9 |   - {repository: , tag: }
      |                    ^^^
      |
      = help: give it one, or remove the key

    error: `repository` has to be text, or `{regex: …}`
      --> policies/teams.yaml:10:18
       |
    10 |   - {repository: [team], tag: [v1, v2]}
       |                  ^^^^^^ this is a list

    error: `tag` has to be text, or `{regex: …}` or `{semver: …}`
      --> policies/teams.yaml:10:31
       |
    10 |   - {repository: [team], tag: [v1, v2]}
       |                               ^^^^^^^^ this is a list

    error: `regex` has to be text
      --> policies/teams.yaml:11:26
       |
    11 |   - {repository: {regex: [a]}}
       |                          ^^^ this is a list
    "#);
}

#[test]
fn an_impossible_part_of_a_map() {
    let images = [
        r#"{repository: Team}"#,
        r#"{repository: team, tag: "a/b"}"#,
        r#"{repository: team, tag: "**"}"#,
    ];
    assert_snapshot!(refused_images(&images), @r#"
    error: no repository matches `Team`: `T` is upper case
     --> policies/teams.yaml:6:18
      |
    6 |   - {repository: Team}
      |                  ^^^^
      |
      = help: repository names are lower case: `team`

    error: no tag matches `a/b`: not a tag: 1 to 128 letters, digits, `_`, `.` and `-`, the first neither a dot nor a dash
     --> policies/teams.yaml:7:29
      |
    7 |   - {repository: team, tag: "a/b"}
      |                             ^^^^^

    error: `**` has no meaning in a tag
     --> policies/teams.yaml:8:29
      |
    8 |   - {repository: team, tag: "**"}
      |                             ^^^^
      |
      = help: in a tag `*` is anything
    "#);
}

#[test]
fn a_range_that_cannot_be_read() {
    let images = [
        r#"{repository: team, tag: {semver: "v2"}}"#,
        r#"{repository: team, tag: {semver: ">=2.0 <3"}}"#,
        r#"{repository: team, tag: {semver: "2 || 3"}}"#,
        r#"{repository: team, tag: {semver: "latest"}}"#,
        r#"{repository: team, tag: {semver: ">=2.x-rc"}}"#,
    ];
    assert_snapshot!(refused_images(&images), @r#"
    error: `v2` is no range of versions: unexpected character 'v' while parsing major version number
     --> policies/teams.yaml:6:38
      |
    6 |   - {repository: team, tag: {semver: "v2"}}
      |                                      ^^^^
      |
      = help: ranges are `>=2.0, <3`, `^1.2`, `~1.2.3`, `1.x`, `=2.1.0` or `*`, with versions without `v`

    error: `>=2.0 <3` is no range of versions: expected comma after minor version number, found '<'
     --> policies/teams.yaml:7:38
      |
    7 |   - {repository: team, tag: {semver: ">=2.0 <3"}}
      |                                      ^^^^^^^^^^
      |
      = help: ranges are `>=2.0, <3`, `^1.2`, `~1.2.3`, `1.x`, `=2.1.0` or `*`, with versions without `v`

    error: `2 || 3` is no range of versions: expected comma after major version number, found '|'
     --> policies/teams.yaml:8:38
      |
    8 |   - {repository: team, tag: {semver: "2 || 3"}}
      |                                      ^^^^^^^^
      |
      = help: ranges are `>=2.0, <3`, `^1.2`, `~1.2.3`, `1.x`, `=2.1.0` or `*`, with versions without `v`

    error: `latest` is no range of versions: unexpected character 'l' while parsing major version number
     --> policies/teams.yaml:9:38
      |
    9 |   - {repository: team, tag: {semver: "latest"}}
      |                                      ^^^^^^^^
      |
      = help: ranges are `>=2.0, <3`, `^1.2`, `~1.2.3`, `1.x`, `=2.1.0` or `*`, with versions without `v`

    error: `>=2.x-rc` is no range of versions: expected comma after minor version number, found '-'
      --> policies/teams.yaml:10:38
       |
    10 |   - {repository: team, tag: {semver: ">=2.x-rc"}}
       |                                      ^^^^^^^^^^
       |
       = help: ranges are `>=2.0, <3`, `^1.2`, `~1.2.3`, `1.x`, `=2.1.0` or `*`, with versions without `v`
    "#);
}

#[test]
fn an_expression_that_cannot_be_read() {
    let images = [
        r#"{repository: {regex: "mirror/(a"}}"#,
        r#"{repository: {regex: "a/[z-a]"}}"#,
        r#"{repository: {regex: "(?=a)b"}}"#,
        r#"{repository: {regex: "mirror/*a**{"}}"#,
        r#"{repository: {regex: "a/\\p{Greek}"}}"#,
    ];
    assert_snapshot!(refused_images(&images), @r#"
    error: `mirror/(a` is no regular expression: unclosed group
     --> policies/teams.yaml:6:26
      |
    6 |   - {repository: {regex: "mirror/(a"}}
      |                          ^^^^^^^^^^^ at its character 8
      |
      = help: a sign that stands for itself, such as `(` or `+`, has a `\` before it

    error: `a/[z-a]` is no regular expression: invalid character class range, the start must be <= the end
     --> policies/teams.yaml:7:26
      |
    7 |   - {repository: {regex: "a/[z-a]"}}
      |                          ^^^^^^^^^ at its character 4
      |
      = help: a sign that stands for itself, such as `(` or `+`, has a `\` before it

    error: `(?=a)b` is no regular expression: look-around, including look-ahead and look-behind, is not supported
     --> policies/teams.yaml:8:26
      |
    8 |   - {repository: {regex: "(?=a)b"}}
      |                          ^^^^^^^^ at its character 1
      |
      = help: a sign that stands for itself, such as `(` or `+`, has a `\` before it

    error: `mirror/*a**{` is no regular expression: unclosed counted repetition
     --> policies/teams.yaml:9:26
      |
    9 |   - {repository: {regex: "mirror/*a**{"}}
      |                          ^^^^^^^^^^^^^^ at its character 12
      |
      = help: a sign that stands for itself, such as `(` or `+`, has a `\` before it

    error: `a/\p{Greek}` is no regular expression: Unicode not allowed here
      --> policies/teams.yaml:10:26
       |
    10 |   - {repository: {regex: "a/\\p{Greek}"}}
       |                          ^^^^^^^^^^^^^^ at its character 3
       |
       = help: a sign that stands for itself, such as `(` or `+`, has a `\` before it
    "#);
}

#[test]
fn an_expression_that_matches_no_name() {
    let images = [
        r#"{repository: {regex: "Mirror/[A-Z]+"}}"#,
        r#"{repository: {regex: "mirror/.*:v1"}}"#,
        r#"{repository: team, tag: {regex: "v1/.*"}}"#,
        r#"{repository: team, tag: {regex: "[+:]+"}}"#,
        r#"{repository: team, tag: {regex: "v[a&&b]"}}"#,
        r#"{repository: team, tag: {regex: "v{200}"}}"#,
        r#"{repository: {regex: "münchen/.*"}}"#,
    ];
    assert_snapshot!(refused_images(&images), @r#"
    error: no repository matches `Mirror/[A-Z]+`
     --> policies/teams.yaml:6:26
      |
    6 |   - {repository: {regex: "Mirror/[A-Z]+"}}
      |                          ^^^^^^^^^^^^^^^
      |
      = help: repository names are lower case: `mirror/[a-z]+`

    error: no repository matches `mirror/.*:v1`
     --> policies/teams.yaml:7:26
      |
    7 |   - {repository: {regex: "mirror/.*:v1"}}
      |                          ^^^^^^^^^^^^^^
      |
      = help: names are lower-case letters and digits, joined by `.`, `_`, `__` or dashes, in segments between `/`

    error: no tag matches `v1/.*`
     --> policies/teams.yaml:8:37
      |
    8 |   - {repository: team, tag: {regex: "v1/.*"}}
      |                                     ^^^^^^^
      |
      = help: tags are letters, digits, `_`, `.` and `-`, the first neither a dot nor a dash

    error: no tag matches `[+:]+`
     --> policies/teams.yaml:9:37
      |
    9 |   - {repository: team, tag: {regex: "[+:]+"}}
      |                                     ^^^^^^^
      |
      = help: tags are letters, digits, `_`, `.` and `-`, the first neither a dot nor a dash

    error: no tag matches `v[a&&b]`
      --> policies/teams.yaml:10:37
       |
    10 |   - {repository: team, tag: {regex: "v[a&&b]"}}
       |                                     ^^^^^^^^^
       |
       = help: tags are letters, digits, `_`, `.` and `-`, the first neither a dot nor a dash

    error: no tag matches `v{200}`
      --> policies/teams.yaml:11:37
       |
    11 |   - {repository: team, tag: {regex: "v{200}"}}
       |                                     ^^^^^^^^
       |
       = help: it has at most 128 characters

    error: `ü` is in no name
      --> policies/teams.yaml:12:26
       |
    12 |   - {repository: {regex: "münchen/.*"}}
       |                          ^^^^^^^^^^^^
       |
       = help: names of repositories and tags are ASCII
    "#);
}

#[test]
fn an_expression_over_the_limit() {
    let images = [
        r#"{repository: {regex: "(a{100}){100}{100}"}}"#,
        r#"{repository: team, tag: {regex: "(a|b)*a(a|b){20}"}}"#,
    ];
    assert_snapshot!(refused_images(&images), @r#"
    error: `(a{100}){100}{100}`: the expression is too large
     --> policies/teams.yaml:6:26
      |
    6 |   - {repository: {regex: "(a{100}){100}{100}"}}
      |                          ^^^^^^^^^^^^^^^^^^^^
      |
      = help: lower the counts in it, such as `{100}`, or write several simpler expressions

    error: `(a|b)*a(a|b){20}`: the expression is too large
     --> policies/teams.yaml:7:37
      |
    7 |   - {repository: team, tag: {regex: "(a|b)*a(a|b){20}"}}
      |                                     ^^^^^^^^^^^^^^^^^^
      |
      = help: lower the counts in it, such as `{100}`, or write several simpler expressions
    "#);
}

#[test]
fn a_variable_in_an_expression() {
    let images = [r#"{repository: {regex: "home/${user}/.*"}}"#];
    assert_snapshot!(refused_images(&images), @r#"
    error: an expression cannot hold a variable
     --> policies/teams.yaml:6:26
      |
    6 |   - {repository: {regex: "home/${user}/.*"}}
      |                          ^^^^^^^^^^^^^^^^^
      |
      = help: write a pattern with wildcards instead: `home/${user}/**`
    "#);
}

#[test]
fn a_text_pattern_that_yaml_reads_as_a_map() {
    let images = [r#"team/**: rc-*"#, r#"{a,b}"#, r#"{team: v1}"#];
    assert_snapshot!(refused_images(&images), @"
    error: an image pattern has to be text
     --> policies/teams.yaml:6:5
      |
    6 |   - team/**: rc-*
      |     ^^^^^^^^^^^^^ this is a map
      |
      = help: put a pattern that begins with `{` or holds `: ` in quotes

    error: an image pattern has to be text
     --> policies/teams.yaml:7:5
      |
    7 |   - {a,b}
      |     ^^^^^ this is a map
      |
      = help: put a pattern that begins with `{` or holds `: ` in quotes

    error: an image pattern has to be text
     --> policies/teams.yaml:8:5
      |
    8 |   - {team: v1}
      |     ^^^^^^^^^^ this is a map
      |
      = help: put a pattern that begins with `{` or holds `: ` in quotes
    ");
}

#[test]
fn alternatives_in_both_parts_of_a_map() {
    let images = [r#"{repository: "{a,b}{a,b}{a,b}{a,b}{a,b}", tag: "{a,b}{a,b}{a,b}{a,b}"}"#];
    assert_snapshot!(refused_images(&images), @r#"
    error: the alternatives make more than 256 patterns
     --> policies/teams.yaml:6:5
      |
    6 |   - {repository: "{a,b}{a,b}{a,b}{a,b}{a,b}", tag: "{a,b}{a,b}{a,b}{a,b}"}
      |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write several patterns, or use `*`
    "#);
}
