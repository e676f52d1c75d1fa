use clap::Parser;
use insta::assert_snapshot;
use policy::SourceFile;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

const POLICY: &str = "groups:\n  qa: external\nrules:\n  - name: qa-sees-candidates\n    subjects: [group:qa]\n    \
                images: [\"team/app:rc-*\"]\n    allow: [pull, create]\n  - name: carol-at-the-office\n    \
                subjects: [user:carol]\n    images: [team/app]\n    allow: [pull]\n    expires: 2027-01-01\n    \
                networks: [10.20.0.0/16]\n    token: {kind: [federated]}\n  - name: nobody-from-the-lobby\n    \
                subjects: [anyone]\n    images: [team/web]\n    deny: [pull]\n    networks: [10.30.0.0/16]\n";

fn parse(line: &str) -> Arguments {
    let words = ["explain"].into_iter().chain(line.split(' '));
    Line::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).arguments
}

fn policy() -> Policy {
    let file = SourceFile { path: "policies/a.yaml".into(), text: POLICY.into() };
    Policy::compile(&[file]).unwrap_or_else(|errors| panic!("{errors}")).policy
}

/// What is printed, for people and for programs.
fn said(line: &str) -> (String, String) {
    let arguments = parse(line);
    let policy = policy();
    let caller = arguments.caller("2026-06-01T00:00:00Z".parse().unwrap()).unwrap();
    let decisions = decide(&policy, &caller, &arguments.actions, &arguments.image);
    let answer = Answer::of(&decisions);
    (text(&answer, &decisions), serde_json::to_string(&answer).unwrap())
}

#[test]
fn a_decision_names_its_rule() {
    let said = |rest: &str| said(&format!("--as user:bob --group qa {rest}")).1;
    assert_snapshot!(said("pull team/app:rc-1"), @r#"{"decision":"allow","rule":"qa-sees-candidates","file":"policies/a.yaml","line":4,"reason":"rule `qa-sees-candidates` (policies/a.yaml:4) allows pull"}"#);
    assert_snapshot!(said("pull team/app:v1"), @r#"{"decision":"deny","rule":null,"file":null,"line":null,"reason":"no rule allows user:bob to pull team/app:v1; rule `qa-sees-candidates` would allow it but tag `v1` does not match `rc-*`"}"#);
    assert_snapshot!(said("pull team/app"), @r#"{"decision":"deny","rule":null,"file":null,"line":null,"reason":"no rule allows user:bob to pull team/app as a whole; rule `qa-sees-candidates` allows it only for tags that match `rc-*`"}"#);
}

#[test]
fn to_push_is_to_create_and_to_overwrite() {
    let said = |rest: &str| said(&format!("--as user:bob --group qa {rest}")).1;
    assert_snapshot!(said("push team/app:rc-1"), @r#"{"decision":"deny","rule":null,"file":null,"line":null,"reason":"no rule allows user:bob to overwrite team/app:rc-1; rule `qa-sees-candidates` allows only pull, create there"}"#);
    assert!(said("create team/app:rc-1").contains("\"allow\""));
    assert!(said("all team/app:rc-1").contains("\"deny\""));
}

#[test]
fn the_conditions_of_the_rule_that_decided_are_told() {
    let carol = |rest: &str| said(&format!("--as user:carol {rest}")).0;
    assert_snapshot!(carol("--from 10.20.1.7 --token federated pull team/app"), @"
        allow: rule `carol-at-the-office` (policies/a.yaml:8) allows pull
        rule `carol-at-the-office` holds until 2027-01-01T00:00:00Z, for callers from 10.20.0.0/16, for credentials of the kind federated
        ");
    assert_snapshot!(carol("pull team/web"), @"
        deny: rule `nobody-from-the-lobby` (policies/a.yaml:15) denies pull
        rule `nobody-from-the-lobby` holds for callers from 10.30.0.0/16
        ");
    assert_snapshot!(carol("--from 10.20.1.7 pull team/app"), @"deny: no rule allows user:carol to pull team/app as a whole; rule `carol-at-the-office` would allow it but only with a credential of the kind federated");
    assert_snapshot!(carol("--from 10.20.1.7 --token federated --at 2027-01-01 pull team/app"), @"deny: no rule allows user:carol to pull team/app as a whole; rule `carol-at-the-office` would allow it but it expired at 2027-01-01T00:00:00Z");
    assert_snapshot!(carol("--token federated pull team/app"), @"deny: no rule allows user:carol to pull team/app as a whole; rule `carol-at-the-office` would allow it but only from 10.20.0.0/16");
}

#[test]
fn wrong_arguments_are_told_with_a_remedy() {
    let refused = |line: &str| {
        let words = ["explain"].into_iter().chain(line.split(' '));
        let text = Line::try_parse_from(words).unwrap_err().to_string();
        text.lines().next().unwrap().to_owned()
    };
    let rest = "--as user:bob pull team/app";
    assert_snapshot!(refused("--as alice pull a"), @"error: invalid value 'alice' for '--as <SUBJECT>': `alice` is no caller; did you mean `user:alice`?");
    assert_snapshot!(refused("--as user:bob psh a"), @"error: invalid value 'psh' for '<ACTION>': unknown action `psh`; did you mean `push`?");
    assert_snapshot!(refused("--as user:bob pull a@sha256:00"), @"error: invalid value 'a@sha256:00' for '<IMAGE>': policies speak of tags, not of digests; what may be done to a digest follows from the tags that lead to it: name one of those");
    assert_snapshot!(refused(&format!("--at tomorrow {rest}")), @"error: invalid value 'tomorrow' for '--at <TIME>': `tomorrow` is no time; write a date such as `2026-12-24`, which is its 00:00 UTC, or `2026-12-24T18:00:00Z`");
    assert_snapshot!(refused(&format!("--from 10.0.0.0/8 {rest}")), @"error: invalid value '10.0.0.0/8' for '--from <ADDRESS>': invalid IP address syntax");
    assert_snapshot!(refused(&format!("--token usr {rest}")), @"error: invalid value 'usr' for '--token <KIND>': unknown kind of credential `usr`; did you mean `user`?");
    let now = Timestamp::UNIX_EPOCH;
    let failure = parse("--as anyone --token user pull a").caller(now).unwrap_err();
    assert_snapshot!(failure.text(false), @"
        error: --token: a caller without an account has no token
        help: remove it, or name a user or a service
        ");
}

#[test]
fn the_gates_before_an_image_are_told_with_what_they_ask_for() {
    const GATED: &str = "flags: {tested: {}}\nrules:\n  - {name: all, subjects: [anyone], images: ['**'], \
                    allow: [pull, push]}\n  - {name: qa, subjects: [user:qa], images: ['**'], allow: [inspect, \"flag:tested\"]}\n\
                    gates:\n  - name: production\n    images: ['prod/**']\n    mode: audit\n    require: {flags: [tested], max_age: 90d}\n  \
                    - {name: signed, images: ['prod/**'], on: [push], require: {signed_by: [k]}}\n";
    let file = SourceFile { path: "policies/a.yaml".into(), text: GATED.into() };
    let policy = Policy::compile(&[file]).unwrap_or_else(|errors| panic!("{errors}")).policy;
    let said = |line: &str| {
        let arguments = parse(line);
        let caller = arguments.caller(Timestamp::UNIX_EPOCH).unwrap();
        let (actions, image) = (&arguments.actions, &arguments.image);
        let answer = Answer::of(&decide(&policy, &caller, actions, image));
        let explained = Explained::new(answer, &policy, &caller, &actions.0, image);
        (gates_text(&explained.gates), serde_json::to_string(&explained).unwrap())
    };
    let (text, json) = said("--as user:bob pull prod/api:v1");
    assert_snapshot!(text, @"
    gate `production` (policies/a.yaml:6) only watches on a pull without
      flags: tested
      max_age: 90d
    ");
    assert_snapshot!(json, @r#"{"decision":"allow","rule":"all","file":"policies/a.yaml","line":3,"reason":"rule `all` (policies/a.yaml:3) allows pull","gates":[{"gate":"production","file":"policies/a.yaml","line":6,"on":"pull","mode":"audit","requires":["flags: tested","max_age: 90d"]}]}"#);
    assert_snapshot!(said("--as user:bob push prod/api:v1").0, @"
    gate `signed` (policies/a.yaml:10) holds it on a push without
      signed_by: k
    ");
    assert_eq!(said("--as user:qa pull prod/api:v1").0, "");
    assert_eq!(said("--as user:bob pull dev/api:v1").0, "");
}
