//! A decision is made without asking for memory. A binary of its own, because it counts what the
//! allocator is asked for.
#![allow(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]
#![cfg(test)]

use std::sync::Arc;

use allocation_counter::measure;
use oci::{RepositoryName, Tag};
use policy::{
    Action, Bounds, Caller, Circumstances, Credential, FlagName, Image, Policy, SourceFile, Subject,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Every kind of subject, pattern, exception and condition.
const POLICY: &str = r#"
flags: {tested: {}, qa-passed: {}, security-reviewed: {}}
groups:
  inner: [user:alice, "service:ci/**", "peer:eu/*"]
  middle: [group:inner]
  outer: [group:middle, "group:team-*"]
  team-a: external
  team-b: external
rules:
  - {name: homes, subjects: [authenticated], images: ["home/${user}/**"], allow: [all]}
  - {name: spaces, subjects: [anyone], images: ["team/${group}/**:${group}-*"], allow: [pull, push]}
  - {name: outer, subjects: [group:outer], images: ["team/*/lib", "**/shared"], allow: [pull]}
  - name: several
    subjects: [user:alice, "user:b*", "service:ci/*", "peer:*/user:*", group:team-b]
    except: {subjects: [user:bert], images: ["team/${user}", "team/secret/**:*-rc"]}
    images: ["team/**", "{lib,base}/*:v?"]
    allow: [inspect, push]
  - {name: fixed, subjects: [anyone], except: {images: ["home/**"]}, images: ["**:v*"], deny: [overwrite, delete]}
  - name: hours
    subjects: [anyone]
    images: ["base/**"]
    allow: [pull]
    starts: 2026-01-01
    expires: 2027-01-01
    networks: [10.0.0.0/8, "fd00::/8"]
    token: {kind: [user, service, peer]}
  - {name: closed, subjects: [group:team-a], images: ["team/b/**"], deny: [pull]}
  - {name: says, subjects: [authenticated], images: ["team/**"], allow: ["flag:tested", "flag:qa-passed", report, scan]}
  - {name: not-says, subjects: ["user:b*"], images: ["**:v*"], deny: ["flag:qa-passed"]}
"#;

fn caller() -> impl Strategy<Value = Caller> {
    let user = |name: &str| Subject::User(name.to_owned());
    let service = |name: &str| Subject::Service(name.to_owned());
    let peer = |name: &str| Subject::Peer { gate: "eu".to_owned(), name: name.to_owned() };
    let long = "x".repeat(200);
    let subjects = vec![
        user("alice"),
        user("bob"),
        user("Bert"),
        user("bert"),
        user("nobody/at/all"),
        service("ci/build"),
        service("other"),
        peer("user:alice"),
        peer(&long),
        Subject::Anonymous,
    ];
    let groups = || {
        let known = ["team-a", "team-b", "team-c", "inner", "unknown", "Not a segment"];
        let known = known.map(str::to_owned).into_iter();
        let known: Vec<_> = known.chain((0..12).map(|index| format!("other-{index}"))).collect();
        let count = known.len();
        subsequence(known, 0..count)
    };
    let bounds = select(vec!["**", "team/**", "home/**:v*", "base/*:v1"])
        .prop_map(|image| Arc::new(Bounds::new(vec![image.to_owned()], ["pull", "push"]).unwrap()));
    let addresses = ["10.1.2.3", "192.0.2.1", "fd00::1"].map(|text| text.parse().unwrap());
    let circumstances = (
        proptest::option::of(select(vec!["2026-05-01T00:00:00Z", "2027-05-01T00:00:00Z"])),
        proptest::option::of(select(addresses.to_vec())),
        proptest::option::of(select(Credential::ALL.to_vec())),
    );
    let credential = (proptest::option::of(groups()), proptest::option::of(bounds), circumstances);
    (select(subjects), groups(), credential).prop_map(
        |(subject, groups, (granting, bounds, (at, address, credential)))| {
            let at = at.map(|text| text.parse().unwrap());
            let circumstances = Circumstances { at, address, credential };
            Caller { granting, bounds, circumstances, ..Caller::new(subject, groups) }
        },
    )
}

fn image() -> impl Strategy<Value = (RepositoryName, Option<Tag>)> {
    let first = select(vec!["home", "team", "team", "base", "lib"]);
    let segments = ["alice", "bert", "team-a", "b", "lib", "shared", "secret"];
    let repository = (first, vec(select(segments.to_vec()), 0..3)).prop_map(|(first, rest)| {
        let segments: Vec<_> = std::iter::once(first).chain(rest).collect();
        RepositoryName::new(&segments.join("/")).unwrap()
    });
    let tag =
        select(vec!["v1", "v1", "v1.2-rc", "team-a-1"]).prop_map(|tag| Tag::new(tag).unwrap());
    (repository, proptest::option::of(tag))
}

#[test]
fn a_decision_asks_for_no_memory() {
    let file = SourceFile { path: "policy.yaml".into(), text: POLICY.into() };
    let policy = Policy::compile(&[file]).unwrap().policy;
    let mut runner = TestRunner::deterministic();
    let flags = ["tested", "qa-passed", "security-reviewed", "unheard-of"];
    let flags = flags.map(|name| Action::Flag(FlagName::new(name).unwrap()));
    let actions: Vec<_> = Action::ALL.into_iter().chain(flags).collect();
    let question = (caller(), image(), select(actions));
    let (mut allowed, mut denied, mut unmentioned, mut explained) = (0, 0, 0, 0);
    let mut flagged = [0; 2];
    for _ in 0..5_000 {
        let (caller, (repository, tag), action) = question.new_tree(&mut runner).unwrap().current();
        let image = Image { repository: &repository, tag: tag.as_ref() };
        let mut decision = None;
        let asked = measure(|| decision = Some(policy.decide(&caller, action, image)));
        assert_eq!(asked.count_total, 0, "{caller:?} {action} {repository}:{tag:?}");
        let decision = decision.unwrap();
        if let (Action::Flag(_), Some(_)) = (action, decision.rule()) {
            flagged[usize::from(decision.is_allowed())] += 1;
        }
        match (decision.is_allowed(), decision.rule()) {
            (true, _) => allowed += 1,
            (false, Some(_)) => denied += 1,
            (false, None) => unmentioned += 1,
        }
        explained += measure(|| drop(decision.reason())).count_total;
    }
    assert!(explained > 5_000, "the counter counts");
    assert!(
        allowed > 300 && denied > 200 && unmentioned > 300,
        "{allowed} allowed, {denied} denied, {unmentioned} unmentioned"
    );
    assert!(flagged.iter().all(|&count| count > 10), "flags: {flagged:?} denied and allowed");
}
