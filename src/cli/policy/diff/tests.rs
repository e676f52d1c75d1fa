use insta::assert_snapshot;
use policy::{SourceFile, compare};

use super::*;

const POLICY: &str = r#"
groups:
  platform: [user:admin]
  backend: [user:alice, user:bob]
  qa: external
administrators: [group:platform]
rules:
  - name: backend-works
    subjects: [group:backend]
    images: ["team/backend/**"]
    allow: [all]
  - name: qa-sees-candidates
    subjects: [group:qa]
    images: ["team/*/api:rc-*"]
    allow: [pull]
  - name: bases-are-public
    subjects: [anyone]
    images: ["base/**"]
    allow: [pull]
  - name: platform-keeps-bases
    subjects: [group:platform]
    images: ["base/**"]
    allow: [all]
  - name: homes
    subjects: [authenticated]
    images: ["home/${user}/**"]
    allow: [all]
  - name: clusters-run-versions
    subjects: ["service:cluster/*"]
    images: [{repository: "team/**", tag: {semver: ">=1, <3"}}]
    allow: [pull]
  - name: nightly
    subjects: [service:ci/nightly]
    images: [{repository: "team/**", tag: {regex: "n\\d+"}}]
    allow: [pull, push]
  - name: releases-do-not-move
    subjects: [anyone]
    images: ["team/**:v*"]
    deny: [overwrite, delete]
delegations:
  - {files: "teams/**", images: ["team/**"], groups: ["team-*"]}
"#;

fn policy(text: &str) -> Policy {
    let file = SourceFile { path: "p.yaml".into(), text: text.into() };
    Policy::compile(&[file]).unwrap_or_else(|errors| panic!("{errors}")).policy
}

/// What is printed of one text in the place of another, for people and for programs.
fn compared(old: &str, new: &str) -> (String, String) {
    assert!(POLICY.contains(old), "{old}");
    let (old, new) = (policy(POLICY), policy(&POLICY.replacen(old, new, 1)));
    let comparison = compare(&old, &new, "2026-11-22T12:00:00Z".parse().unwrap());
    let json = serde_json::to_string(&Told::of(&comparison, None)).unwrap();
    (text(&comparison, None), json)
}

fn shown(old: &str, new: &str) -> String {
    compared(old, new).0
}

#[test]
fn what_decides_nothing_changes_nothing() {
    for (old, new) in [
        ("name: homes", "name: everybody-has-a-home"),
        ("rules:", "# a comment\nrules:"),
        ("[user:alice, user:bob]", "[user:bob, user:alice]"),
    ] {
        assert_eq!(shown(old, new), "no decision changes", "{new}");
    }
    assert_snapshot!(compared("homes", "houses").1, @r#"{"complete":true,"changes":[],"administrators":[],"delegations":[],"limits":[]}"#);
}

#[test]
fn a_pattern_that_is_narrowed_shows_what_falls_out() {
    assert_snapshot!(shown("api:rc-*", "api:rc-2*"), @r#"
        WHO       MAY        ACTIONS  IMAGES                                   WHY
        group:qa  no longer  pull     team/*/api:rc-* except team/*/api:rc-2*  no rule allows it; was allowed by qa-sees-candidates
        "#);
    assert_snapshot!(compared("api:rc-*", "api:rc-2*").1, @r#"{"complete":true,"changes":[{"who":"group:qa","actions":["pull"],"images":"team/*/api:rc-* except team/*/api:rc-2*","decision":"deny","from":null,"until":null,"networks":[],"credentials":[],"old":[{"rule":"qa-sees-candidates","file":"p.yaml","line":12}],"old_by_default":false,"new":[],"new_by_default":true,"example":{"subject":"user:x","groups":["qa"],"action":"pull","image":"team/backend/api:rc-"}}],"administrators":[],"delegations":[],"limits":[]}"#);
}

#[test]
fn a_range_or_an_expression_that_moves_shows_both_sides() {
    assert_snapshot!(shown("<3", "<2"), @r#"
        WHO                MAY        ACTIONS  IMAGES                                                                                                      WHY
        service:cluster/*  no longer  pull     {repository: "team/**", tag: {semver: ">=1, <3"}} except {repository: "team/**", tag: {semver: ">=1, <2"}}  no rule allows it; was allowed by clusters-run-versions
        "#);
    assert_snapshot!(shown(r"n\\d+", r"n\\d\\d"), @r#"
        WHO                 MAY        ACTIONS     IMAGES                                                                                                  WHY
        service:ci/nightly  no longer  pull, push  {repository: "team/**", tag: {regex: "n\\d+"}} except {repository: "team/**", tag: {regex: "n\\d\\d"}}  no rule allows it; was allowed by nightly
        "#);
}

#[test]
fn a_change_of_people_shows_those_people() {
    assert_snapshot!(shown("[user:alice, user:bob]", "[user:bob]"), @r#"
        WHO         MAY        ACTIONS               IMAGES                             WHY
        user:alice  no longer  pull, create, attach  team/backend/**                    no rule allows it; was allowed by backend-works
        user:alice  no longer  overwrite, delete     team/backend/** except team/**:v*  no rule allows it; was allowed by backend-works
        "#);
    assert_snapshot!(shown("[service:ci/nightly]", "[service:ci/daily]"), @r#"
        WHO                 MAY        ACTIONS     IMAGES                                          WHY
        service:ci/daily    now        pull, push  {repository: "team/**", tag: {regex: "n\\d+"}}  allowed by nightly, p.yaml:32
        service:ci/nightly  no longer  pull, push  {repository: "team/**", tag: {regex: "n\\d+"}}  no rule allows it; was allowed by nightly
        "#);
    assert_snapshot!(shown("subjects: [anyone]\n    images: [\"base/**\"]", "subjects: [authenticated]\n    images: [\"base/**\"]"), @r#"
        WHO        MAY        ACTIONS  IMAGES   WHY
        anonymous  no longer  pull     base/**  no rule allows it; was allowed by bases-are-public
        peer:*/**  no longer  pull     base/**  no rule allows it; was allowed by bases-are-public
        "#);
}

#[test]
fn a_denial_or_an_exception_that_is_added_shows_whom_it_is_for() {
    assert_snapshot!(shown("rules:\n", "rules:\n  - {name: keep, subjects: [anyone], images: [\"**\"], deny: [delete]}\n"), @r#"
        WHO             MAY        ACTIONS  IMAGES                             WHY
        group:backend   no longer  delete   team/backend/** except team/**:v*  denied by keep, p.yaml:8; was allowed by backend-works
        group:platform  no longer  delete   base/**                            denied by keep, p.yaml:8; was allowed by platform-keeps-bases
        user:**         no longer  delete   home/${user}/**                    denied by keep, p.yaml:8; was allowed by homes
        "#);
    assert_snapshot!(shown("    images: [\"team/**:v*\"]", "    except: {subjects: [group:backend]}\n    images: [\"team/**:v*\"]"), @r#"
        WHO            MAY  ACTIONS            IMAGES              WHY
        group:backend  now  overwrite, delete  team/backend/**:v*  allowed by backend-works, p.yaml:8; was denied by releases-do-not-move
        "#);
}

#[test]
fn a_rule_that_goes_away_is_told_of_those_whom_no_other_rule_allows_it() {
    let rule = "  - name: bases-are-public\n    subjects: [anyone]\n    images: [\"base/**\"]\n    allow: [pull]\n";
    assert_snapshot!(shown(rule, ""), @r#"
        WHO                           MAY        ACTIONS  IMAGES   WHY
        anyone except group:platform  no longer  pull     base/**  no rule allows it; was allowed by bases-are-public
        "#);
}

#[test]
fn an_expiry_shows_from_when_on() {
    assert_snapshot!(shown("    images: [\"team/*/api", "    expires: 2027-01-01\n    images: [\"team/*/api"), @r#"
        WHO       MAY        ACTIONS  IMAGES                               WHY
        group:qa  no longer  pull     team/*/api:rc-*, from 2027-01-01 on  no rule allows it; was allowed by qa-sees-candidates
        "#);
    assert_snapshot!(compared("    images: [\"team/*/api", "    expires: 2027-01-01\n    images: [\"team/*/api").1, @r#"{"complete":true,"changes":[{"who":"group:qa","actions":["pull"],"images":"team/*/api:rc-*","decision":"deny","from":"2027-01-01T00:00:00Z","until":null,"networks":[],"credentials":[],"old":[{"rule":"qa-sees-candidates","file":"p.yaml","line":12}],"old_by_default":false,"new":[],"new_by_default":true,"example":{"subject":"user:x","groups":["qa"],"action":"pull","image":"team/backend/api:rc-"}}],"administrators":[],"delegations":[],"limits":[]}"#);
}

#[test]
fn administrators_who_come_and_go_are_told() {
    assert_snapshot!(shown("[group:platform]\nrules", "[group:platform, user:alice]\nrules"), @r#"
        no decision on images changes

        user:alice becomes an administrator
        "#);
    assert_snapshot!(shown("[group:platform]\nrules", "[user:root, group:qa]\nrules"), @r#"
        no decision on images changes

        group:platform is no administrator any more
        group:qa becomes an administrator
        user:root becomes an administrator
        "#);
    assert_snapshot!(compared("[group:platform]\nrules", "[user:root]\nrules").1, @r#"{"complete":true,"changes":[],"administrators":[{"who":"group:platform","administrator":false},{"who":"user:root","administrator":true}],"delegations":[],"limits":[]}"#);
    assert_snapshot!(shown("[user:admin]", "[user:admin, user:zoe]"), @r#"
        WHO       MAY  ACTIONS               IMAGES   WHY
        user:zoe  now  push, attach, delete  base/**  allowed by platform-keeps-bases, p.yaml:20

        user:zoe becomes an administrator
        "#);
}

#[test]
fn delegations_that_change_are_told_as_what_they_are() {
    assert_snapshot!(shown("images: [\"team/**\"], groups", "images: [\"team/a/**\", \"team/b/**\"], groups"), @r#"
        no decision on images changes

        files teams/** may no longer speak of the images team/**
        files teams/** may now speak of the images team/a/**, team/b/**
        "#);
    assert_snapshot!(shown("groups: [\"team-*\"]", "groups: [\"team-*\", qa]"), @r#"
        no decision on images changes

        files teams/** may now speak of the group qa
        "#);
    let delegation =
        "delegations:\n  - {files: \"teams/**\", images: [\"team/**\"], groups: [\"team-*\"]}\n";
    assert_snapshot!(shown(delegation, ""), @r#"
        no decision on images changes

        files teams/** are no longer held to the images team/** and the group team-* by a delegation
        "#);
    assert_snapshot!(shown("  - {files: \"teams/**\"", "  - {files: \"a/**\", images: [\"team/a\"]}\n  - {files: \"teams/**\""), @r#"
        no decision on images changes

        files a/** are delegated: they may speak of the images team/a only
        "#);
    assert_snapshot!(compared("groups: [\"team-*\"]", "groups: [qa]").1, @r#"{"complete":true,"changes":[],"administrators":[],"delegations":[{"files":"teams/**","change":"narrows","images":[],"groups":["team-*"]},{"files":"teams/**","change":"widens","images":[],"groups":["qa"]}],"limits":[]}"#);
}

#[test]
fn a_file_that_is_removed_shows_all_that_goes_with_it() {
    let team = "groups: {team-web: [user:wendy]}\nrules:\n  \
                - {name: web-works, subjects: [group:team-web], images: [\"team/web/**\"], allow: [push]}\n  \
                - {name: web-keeps, subjects: [anyone], images: [\"team/web/**:v*\"], deny: [delete]}\n";
    let files = |with_team: bool| {
        let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
        let mut files = vec![file("policies/p.yaml", POLICY)];
        files.extend(with_team.then(|| file("policies/teams/web.yaml", team)));
        Policy::compile(&files).unwrap_or_else(|errors| panic!("{errors}")).policy
    };
    let (with, without) = (files(true), files(false));
    let at = "2026-11-22T12:00:00Z".parse().unwrap();
    assert_snapshot!(text(&compare(&with, &without, at), None), @r#"
        WHO             MAY        ACTIONS    IMAGES                         WHY
        group:team-web  no longer  create     team/web/**                    no rule allows it; was allowed by web-works
        group:team-web  no longer  overwrite  team/web/** except team/**:v*  no rule allows it; was allowed by web-works
        "#);
    assert_snapshot!(text(&compare(&without, &with, at), None), @r#"
        WHO             MAY  ACTIONS    IMAGES                         WHY
        group:team-web  now  create     team/web/**                    allowed by web-works, policies/teams/web.yaml:3
        group:team-web  now  overwrite  team/web/** except team/**:v*  allowed by web-works, policies/teams/web.yaml:3
        "#);
}

#[test]
fn a_comparison_that_is_cut_says_so() {
    let groups: Vec<String> = (0..6).map(|n| format!("group:g{n}")).collect();
    let externals: String = (0..6).map(|n| format!("  g{n}: external\n")).collect();
    let rule = |n: usize| {
        format!(
            "  - {{name: r{n}, subjects: [{}], except: {{subjects: [{}]}}, images: [\"**\"], allow: [pull]}}\n",
            groups[n],
            groups[(n + 1) % 6],
        )
    };
    let rules: String = (0..6).map(rule).collect();
    let old = policy(&format!("groups:\n{externals}rules:\n{rules}"));
    let new =
        policy(&format!("groups:\n{externals}rules:\n{}", rules.replacen("[pull]", "[push]", 1)));
    let comparison = compare(&old, &new, "2026-11-22T12:00:00Z".parse().unwrap());
    assert!(!comparison.is_complete);
    let text = text(&comparison, None);
    let (_, limits) = text.rsplit_once("\n\n").unwrap();
    assert_snapshot!(limits, @r#"
        there may be more changes than these, because not everything was looked at:
          x: its rules are about 6 groups, and callers were asked about who are in 2 of them at most
        "#);
    let json = serde_json::to_value(Told::of(&comparison, None)).unwrap();
    assert_eq!((&json["complete"], json["limits"].as_array().unwrap().len()), (&false.into(), 1));
}
