//! What is wrong with flags, gates and exceptions, and what is said to it.

use insta::assert_snapshot;
use jiff::Timestamp;
use policy::{Policy, Severity};

use crate::support::sources;

/// A gate that asks for this much, in a policy with the flag `tested`.
fn gate(text: &str) -> String {
    format!(
        "flags: {{tested: {{}}}}\n\
         rules:\n  - {{name: qa, subjects: [user:qa], images: ['**'], allow: ['flag:tested']}}\n\
         gates:\n  - {text}\n"
    )
}

/// Each mistake and each warning in a line, with its line in the file and its remedy.
fn said(text: &str) -> String {
    said_of(&[("policies/a.yaml", text)])
}

fn said_of(files: &[(&str, &str)]) -> String {
    let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
    let all = match Policy::compile_at(&sources(files), now) {
        Ok(compiled) => compiled.warnings,
        Err(mistakes) => mistakes,
    };
    let each = all.iter().map(|it| {
        let help = it.help.as_deref().unwrap_or_default();
        let line = it.position.map_or(0, |position| position.line);
        let kind = if it.severity == Severity::Error { "error" } else { "warning" };
        format!("{line} {kind}: {} [{help}]", it.message)
    });
    each.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_mistake_is_shown_at_its_place() {
    let text = gate("{name: production, images: ['prod/**'], require: {flags: [testet]}}");
    let mistakes = Policy::compile(&sources(&[("policies/a.yaml", &text)])).unwrap_err();
    assert_snapshot!(mistakes, @r#"
    error: unknown flag `testet`
     --> policies/a.yaml:5:63
      |
    5 |   - {name: production, images: ['prod/**'], require: {flags: [testet]}}
      |                                                               ^^^^^^ not declared in any policy file
      |
      = help: did you mean `tested`?
    "#);
}

#[test]
fn flags() {
    assert_snapshot!(said("flags: [tested]"), @"1 error: `flags` has to be a map []");
    assert_snapshot!(said("flags: {Tested: {}, 'flag:a': {}, b: {carry: [a]}, c: [a], d: }"), @r#"
    1 error: `Tested` is no name of a flag: 1 to 32 lower-case letters, digits and dashes []
    1 error: `flag:` is not part of a flag's own name [write `a` here, and `flag:a` in rules]
    1 error: unknown key `carry` in flag `b` [keys of flag `b` are `carries`, `expires_after`]
    1 error: flag `c` has to be a map []
    "#);
    assert_snapshot!(said("flags: {a: {carries: ['dev/**:v*', 'x/${user}'], expires_after: 3 weeks}}"), @r#"
    1 error: a tag cannot stand in `carries` [a flag belongs to a digest and never to a tag: name repositories]
    1 error: a variable cannot stand in `carries` here [what is asked of an image does not depend on its reader: write the name, or `*`]
    1 error: `3 weeks` is no duration [write a whole number and s, m, h or d, such as `14d`]
    "#);
    assert_snapshot!(said("flags: {a: {carries: [], expires_after: 0d}}"), @r#"
    1 error: `carries` is empty [name at least one]
    1 error: a duration of nothing [write at least `1s`]
    "#);
    assert_snapshot!(said_of(&[("p/a.yaml", "flags: {a: {}}"), ("p/b.yaml", "flags: {a: {}}")]), @"1 error: two flags are named `a` [rename one of them; a name that begins with its team or file stays unique]");
}

#[test]
fn actions_about_flags() {
    let rule = |flags: &str, actions: &str| {
        said(&format!(
            "{flags}\nrules: [{{name: a, subjects: [anyone], images: [a], allow: [{actions}]}}]"
        ))
    };
    assert_snapshot!(rule("", "report, scan, break-glass"), @"");
    assert_snapshot!(rule("flags: {tested: {}}", "'flag:*', 'flag:tested'"), @"");
    assert_snapshot!(rule("flags: {tested: {}}", "'flag:teste', 'flag:', 'flag:A B', flag, brake-glass"), @r#"
    2 error: unknown flag `teste` [did you mean `tested`?]
    2 error: `` is no name of a flag: 1 to 32 lower-case letters, digits and dashes []
    2 error: `A B` is no name of a flag: 1 to 32 lower-case letters, digits and dashes []
    2 error: unknown action `flag` [actions are `pull`, `inspect`, `create`, `overwrite`, `push`, `attach`, `delete`, `all`, `report`, `scan`, `break-glass`, `flag:NAME`]
    2 error: unknown action `brake-glass` [did you mean `break-glass`?]
    "#);
    assert_snapshot!(rule("", "'flag:*', 'flag:tested'"), @r#"
    2 error: `flag:*` stands for no flag [declare it: `flags: {tested: {}}`]
    2 error: unknown flag `tested` [declare it: `flags: {tested: {}}`]
    "#);
}

#[test]
fn a_gate_without_what_it_needs() {
    assert_snapshot!(said(&gate("{}")), @r#"
    5 error: a gate has no name [`name: …` appears in refusals and the audit trail]
    5 error: a gate does not say for which images it is [add `images: […]`; every image is `["**"]`]
    5 error: a gate does not say what it asks for [add `require: {…}`]
    "#);
    assert_snapshot!(said(&gate("{name: a b, image: [a], requires: {}, on: [pul], mode: off}")), @r#"
    5 error: `a b` is not a name for a gate [1 to 128 letters, digits, `-`, `_`, `.` and `/`]
    5 error: unknown key `image` in a gate [did you mean `images`?]
    5 error: unknown key `requires` in a gate [did you mean `require`?]
    5 error: unknown occasion `pul` [did you mean `pull`?]
    5 error: unknown mode `off` [write one of `enforce`, `audit`]
    "#);
    assert_snapshot!(said(&gate("{name: a, images: ['x/${user}'], except: {images: ['${group}/x']}, require: {max_age: 1d}}")), @r#"
    5 error: a variable cannot stand in `images` here [what is asked of an image does not depend on its reader: write the name, or `*`]
    5 error: a variable cannot stand in `except` here [what is asked of an image does not depend on its reader: write the name, or `*`]
    "#);
    let twice = "{name: a, images: [a], require: {max_age: 1d}}\n  - {name: a, images: [b], require: {max_age: 1d}}";
    assert_snapshot!(said(&gate(twice)), @"6 error: two gates are named `a` [rename one of them; a name that begins with its team or file stays unique]");
}

#[test]
fn what_a_gate_asks_for() {
    let require = |text: &str| said(&gate(&format!("{{name: a, images: [a], require: {text}}}")));
    assert_snapshot!(require("{}"), @"5 error: the gate asks for nothing [name what an image needs: `flags`, `signed_by`, `labels`, `max_age`, `vulnerabilities`, …]");
    assert_snapshot!(require("{platforms: [linux/amd64]}"), @"5 error: the gate asks for nothing [name what an image needs: `flags`, `signed_by`, `labels`, `max_age`, `vulnerabilities`, …]");
    assert_snapshot!(require("{vulnerabilities: {unscanned: allow, scan_pending: allow, scan_failed: allow, scan_incomplete: allow}}"), @"5 error: the gate asks for nothing [name what an image needs: `flags`, `signed_by`, `labels`, `max_age`, `vulnerabilities`, …]");
    assert_eq!(require("{vulnerabilities: {}}"), "");
    assert_snapshot!(require("{flag: [tested], flags: [Tested, other]}"), @r#"
    5 error: unknown key `flag` in `require` [did you mean `flags`?]
    5 error: `Tested` is no name of a flag: 1 to 32 lower-case letters, digits and dashes []
    5 error: unknown flag `other` [declare it: `flags: {other: {}}`]
    "#);
    assert_snapshot!(require("{signed_by: [a b], labels: {}, max_age: soon, max_size: 10, media_types: [], platforms: [linux]}"), @r#"
    5 error: `a b` names no key [name one of the `trusted_keys` in the configuration]
    5 error: `labels` is empty [name at least one]
    5 error: `soon` is no duration [write a whole number and s, m, h or d, such as `14d`]
    5 error: `10` is no size [write a whole number and a unit (kB, MB, GB, KiB, MiB, GiB), such as `500MiB`]
    5 error: `media_types` is empty [name at least one]
    5 error: `linux` is no platform [write `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT`, such as `linux/arm64`]
    "#);
    assert_snapshot!(require("{base_images: ['base/*:12', {repository: {regex: 'base/.*'}}, 'base/${user}', 'base/a@sha256:1', '{base/a,base/b}:v*']}"), @r#"
    5 error: `base/*` is not one repository [write the whole name; the tag may be a pattern: `base/debian:12*`]
    5 error: `base/.*` is not one repository [write the whole name; the tag may be a pattern: `base/debian:12*`]
    5 error: a variable cannot stand in `base_images` here [what is asked of an image does not depend on its reader: write the name, or `*`]
    5 error: an image pattern cannot name a digest [name tags, or the whole repository; policy finds out which tags hold a digest]
    "#);
    assert_snapshot!(require("{base_images: []}"), @"5 error: `base_images` is empty [name at least one]");
    assert_snapshot!(require("{labels: {a: /x, b: 'a**', c: ''}}"), @r#"
    5 error: a value cannot begin with `/` here [begin with `**`, which is any number of parts]
    5 error: `**` has to be a whole part of the value [`*` is anything up to the next `/`, `**` any number of parts]
    5 error: the value is empty [`**` is any value]
    "#);
    assert_snapshot!(require("{vulnerabilities: {max_severity: unknown, max_cvss: 11, only_fixable: yes, unknown_severity: allow, unscanned: ignore, max_report_age: 1w}}"), @r#"
    5 error: `unknown` is no bound [`none` lets no finding pass; for those that nobody has judged there is `unknown_severity`]
    5 error: `11` is no score [write a number from 0 to 10, such as `8.9`]
    5 error: unknown setting `yes` [write one of `true`, `false`]
    5 error: unknown setting `allow` [write one of `ignore`, `warn`, `block`]
    5 error: unknown setting `ignore` [write one of `allow`, `warn`, `block`]
    5 error: `1w` is no duration [write a whole number and s, m, h or d, such as `14d`]
    "#);
    assert_snapshot!(require("{vulnerabilities: {max_severity: hihg, max_report_ag: 7d}}"), @r#"
    5 error: unknown severity `hihg` [did you mean `high`?]
    5 error: unknown key `max_report_ag` in `vulnerabilities` [did you mean `max_report_age`?]
    "#);
    assert_snapshot!(require("{vulnerabilities: {only_fixable: true, unknown_severity: warn}}"), @r#"
    5 warning: `only_fixable` has no effect [add `max_severity` or `max_cvss`]
    5 warning: `unknown_severity` has no effect [add `max_severity` or `max_cvss`]
    "#);
}

#[test]
fn what_is_not_known_of_a_push() {
    assert_snapshot!(said(&gate("{name: a, images: [a], on: [pull, push], require: {max_age: 1d, vulnerabilities: {}}}")), @r#"
    5 error: `max_age` cannot be asked for when an image is pushed [ask for it in a gate of its own with `on: [pull]`]
    5 error: `vulnerabilities` cannot be asked for when an image is pushed [ask for it in a gate of its own with `on: [pull]`]
    "#);
    assert_eq!(
        said(&gate(
            "{name: a, images: [a], on: [push], require: {flags: [tested], signed_by: [k], max_size: 1GiB, base_images: [b]}}"
        )),
        ""
    );
}

#[test]
fn grace_without_effect() {
    assert_snapshot!(said(&gate("{name: a, images: [a], require: {signed_by: [k]}, grace: {flag_expired: 1d, new_finding: 1d, report_too_old: 1d}}")), @r#"
    5 warning: the grace `flag_expired` has no effect [remove it, or ask for that]
    5 warning: the grace `new_finding` has no effect [remove it, or ask for that]
    5 warning: the grace `report_too_old` has no effect [remove it, or ask for that]
    "#);
}

#[test]
fn exceptions() {
    let exception = |text: &str| said(&format!("exceptions:\n  - {{{text}}}\n"));
    let rest = "reason: r, by: 'user:alice', expires: 2027-01-01";
    assert_eq!(exception(&format!("cve: CVE-1, package: zlib, images: [a, 'b/**'], {rest}")), "");
    assert_snapshot!(exception("cve: CVE-1"), @r#"
    2 error: the exception for CVE-1 does not say for which images it is [add `images: […]`, repositories or digests]
    2 error: the exception for CVE-1 has no reason [add `reason: …`, for whoever finds it in a year]
    2 error: the exception for CVE-1 does not say who answers for it [add `by: user:NAME`]
    2 error: the exception for CVE-1 never ends [add `expires: …`, a date until which it is looked at again]
    "#);
    assert_snapshot!(exception(&format!("cve: CVE-1, images: ['a:v1', {{repository: a, tag: '*'}}, '${{user}}/a'], {rest}")), @r#"
    2 error: an exception cannot be for a tag [name the repository, or the digest that is meant: `prod/api@sha256:…`]
    2 error: an exception cannot be for a tag [name the repository, or the digest that is meant: `prod/api@sha256:…`]
    2 error: a variable cannot stand in an exception [what is let pass does not depend on its reader: write the name, or `*`]
    "#);
    assert_snapshot!(exception(&format!("cve: CVE-1, images: ['a:v1@sha256:00', 'sha256:00', 'A@sha256:00'], {rest}")), @r#"
    2 error: a digest is enough [write `a@sha256:00`]
    2 error: the digest is not 64 lower-case hexadecimal characters []
    2 error: `A` cannot be a part of a repository name: lower-case letters and digits, joined by `.`, `_`, `__` or dashes []
    "#);
    assert_snapshot!(exception("cve: 'CVE-*', images: [a], reason: ' ', by: alice, expires: never"), @r#"
    2 error: `CVE-*` names no vulnerability [write one name, such as `CVE-2024-1234` or `GHSA-…`, without wildcards]
    2 error: it says nothing [write a few words]
    2 error: `alice` cannot answer for it [name somebody: `user:NAME`]
    2 error: `never` is no time [write a date such as `2026-12-24`, which is its 00:00 UTC, or `2026-12-24T18:00:00Z`]
    "#);
    assert_snapshot!(exception("cve: CVE-1, images: [a], reason: r, by: 'user:a', expires: 2026-01-01"), @"2 warning: the exception for CVE-1 expired at 2026-01-01T00:00:00Z [remove it, or look at it again and let it last longer]");
}

#[test]
fn gates_that_hold_nobody_and_flags_that_nobody_may_set() {
    let text = "groups: {empty: []}\nflags: {tested: {}}\n\
                gates: [{name: a, images: [a], subjects: [group:empty], require: {flags: [tested]}}]\n";
    assert_snapshot!(said(text), @r#"
    2 warning: nobody may set the flag `tested` [let a rule allow it: `allow: ["flag:tested"]`]
    3 warning: gate `a` holds nobody [if an identity source asserts the group, write `external` for its members]
    "#);
    let text = "gates: [{name: a, images: [a], subjects: [group:clusters], except: {subjects: [qa]}, require: {max_age: 1d}}]";
    assert_snapshot!(said(text), @r#"
    1 error: unknown group `clusters` [if an identity source asserts it, add `clusters: external` to `groups`]
    1 error: `qa` does not say what kind of subject it is [write `user:qa`, `service:qa` or `group:qa`]
    "#);
}

#[test]
fn a_delegated_file_has_gates_for_its_own_images_alone() {
    let main = (
        "p/main.yaml",
        "flags: {tested: {}}\ngroups: {a-team: external, b-team: external}\n\
                rules: [{name: r, subjects: [group:b-team], images: ['**'], allow: ['flag:tested']}]\n\
                delegations: [{files: 'teams/a.yaml', images: ['a/**'], groups: [a-team]}]",
    );
    let team = |text: &str| said_of(&[main, ("p/teams/a.yaml", text)]);
    assert_eq!(
        team(
            "gates: [{name: a, images: ['a/x:*'], subjects: [group:a-team], require: {flags: [tested]}}]"
        ),
        ""
    );
    assert_snapshot!(team("gates: [{name: a, images: ['b/**'], subjects: [group:b-team], require: {flags: [tested]}}]"), @r#"
    1 error: gate `a` goes beyond its delegation [name images within those, or move the gate to a file that no delegation covers]
    1 error: `group:b-team` goes beyond the delegation of this file [groups of this file are `a-team`; move what is about others to a file that no delegation covers]
    "#);
    assert_snapshot!(team("flags: {own: {}}\nexceptions: []\ngroups: {a-team: []}"), @r#"
    1 error: `flags` cannot stand in a file that is delegated [move it to a file that no delegation covers]
    2 error: `exceptions` cannot stand in a file that is delegated [move it to a file that no delegation covers]
    3 error: two groups are named `a-team` [rename one of them; a name that begins with its team or file stays unique]
    "#);
}
