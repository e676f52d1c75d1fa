//! Which gates stand before an image.

use policy::gate::Occasion;

use super::known::{names, repository};
use crate::support::{caller, policy};

const GATES: &str = r#"
groups: {clusters: external, qa: external}
gates:
  - {name: all, images: ["**"], require: {max_age: 1d}, except: {images: ["tools/**", "team/app:dev-*"]}}
  - {name: clusters, images: ["prod/**"], subjects: [group:clusters], require: {signed_by: [k]}}
  - {name: not-qa, images: ["prod/api:v*"], except: {subjects: [group:qa]}, require: {signed_by: [k]}}
  - {name: pushed, images: ["prod/**"], on: [push], require: {signed_by: [k]}}
  - {name: versions, images: [{repository: "lib/**", tag: {semver: ">=2"}}], require: {signed_by: [k]}}
"#;

#[test]
fn a_gate_stands_before_what_it_names_for_whom_it_names() {
    let policy = policy(GATES);
    let before = |groups: &[&str], image: &str| names(&policy, "user:alice", groups, image);
    assert_eq!(before(&[], "team/app:v1"), "all");
    assert_eq!(before(&[], "team/app:dev-1"), "");
    assert_eq!(before(&[], "tools/x:v1"), "");
    assert_eq!(before(&["clusters"], "prod/web:v1"), "all clusters");
    assert_eq!(before(&[], "prod/api:v1"), "all not-qa");
    assert_eq!(before(&["qa"], "prod/api:v1"), "all");
    assert_eq!(names(&policy, "anyone", &[], "prod/api:latest"), "all");
}

#[test]
fn what_is_untagged_is_behind_every_gate_of_its_repository() {
    let policy = policy(GATES);
    let before = |image: &str| names(&policy, "user:alice", &[], image);
    assert_eq!(before("prod/api"), "all not-qa");
    // Only what leaves out all of the repository leaves out what is untagged in it.
    assert_eq!(before("team/app"), "all");
    assert_eq!(before("tools/x"), "");
}

#[test]
fn what_a_pattern_cannot_decide_is_held() {
    let policy = policy(GATES);
    let before = |image: &str| names(&policy, "user:alice", &[], image);
    assert_eq!(before("lib/a:2.1"), "all versions");
    assert_eq!(before("lib/a:1.9"), "all");
    assert_eq!(before("lib/a:latest"), "all versions");
}

#[test]
fn a_gate_for_pushes_is_none_for_pulls() {
    let policy = policy(GATES);
    let caller = caller("user:alice", &[]);
    let gates = policy.gates_for(&caller, Occasion::Push, &repository("prod/web"), None);
    assert_eq!(gates.iter().map(|gate| gate.name()).collect::<Vec<_>>(), ["pushed"]);
}

#[test]
fn a_credential_that_carries_less_escapes_no_gate() {
    let policy = policy(GATES);
    let mut caller = caller("user:alice", &["clusters"]);
    caller.granting = Some(Vec::new());
    let gates = policy.gates_for(&caller, Occasion::Pull, &repository("prod/web"), None);
    assert_eq!(gates.iter().map(|gate| gate.name()).collect::<Vec<_>>(), ["all", "clusters"]);
}

#[test]
fn a_gate_tells_where_it_stands_and_what_it_looks_at() {
    let policy = policy(GATES);
    let gate = policy.gate("clusters").unwrap();
    assert_eq!((gate.place().file, gate.place().line), ("policy.yaml", 5));
    assert!(gate.is_enforced() && gate.needs().signatures && !gate.needs().vulnerabilities);
    assert_eq!(
        gate.lines(),
        ["images: prod/**", "subjects: group:clusters", "on: pull", "signed_by: k"]
    );
    assert_eq!(policy.trusted_keys().keys().collect::<Vec<_>>(), [&"k"]);
    assert!(policy.gate("none").is_none());
}
