//! Credentials that reach less far than their holders.

use std::sync::Arc;

use insta::assert_snapshot;
use policy::{Action, Bounds, Caller, Policy, Tags};

use crate::support::{caller, decide, image, owned, policy};

fn teams() -> Policy {
    policy(
        r#"
groups:
  backend: ["user:alice"]
  oncall: external
administrators: ["user:alice"]
rules:
  - {name: backend, subjects: [group:backend], images: ["team/**"], allow: [all]}
  - {name: on-call, subjects: [group:oncall], images: ["run/**"], allow: [pull]}
  - {name: versions-stay, subjects: [anyone], images: ["**:v*"], deny: [overwrite]}
"#,
    )
}

fn bound(images: &[&str], actions: &[&str]) -> Caller {
    let bounds = Bounds::new(owned(images), actions).unwrap();
    Caller { bounds: Some(Arc::new(bounds)), ..caller("user:alice", &[]) }
}

#[test]
fn what_is_beyond_the_bounds_is_denied_and_told_apart() {
    let policy = teams();
    let token = bound(&["team/backend/**"], &["pull", "push"]);
    assert!(decide(&policy, &token, "pull", "team/backend/api:v1").is_allowed);
    assert!(decide(&policy, &token, "create", "team/backend/api").is_allowed);
    let beyond = decide(&policy, &token, "pull", "team/app:v1");
    assert!(!beyond.is_allowed);
    assert_eq!(beyond.rule, None);
    assert_snapshot!(
        beyond.reason,
        @"the token does not reach as far as `pull` on team/app:v1: it is bound to pull, push on `team/backend/**`"
    );
    assert_snapshot!(
        decide(&policy, &token, "delete", "team/backend/api").reason,
        @"the token does not reach as far as `delete` on team/backend/api as a whole: it is bound to pull, push on `team/backend/**`"
    );
}

#[test]
fn bounds_allow_nothing_by_themselves() {
    let policy = teams();
    let token = bound(&["**"], &["all"]);
    assert_snapshot!(
        decide(&policy, &token, "pull", "other/app:v1").reason,
        @"no rule allows user:alice to pull other/app:v1"
    );
    assert_snapshot!(
        decide(&policy, &token, "inspect", "team/app:v1").reason,
        @"no rule allows user:alice to inspect team/app:v1; rule `backend` allows only pull, create, overwrite, attach, delete there"
    );
}

#[test]
fn a_denial_is_the_reason_also_beyond_the_bounds() {
    let policy = teams();
    let token = bound(&["team/backend/**"], &["pull"]);
    let denied = decide(&policy, &token, "overwrite", "team/app:v1");
    assert_snapshot!(denied.reason, @"rule `versions-stay` (policy.yaml:9) denies overwrite");
    assert_eq!(denied.rule.unwrap().name, "versions-stay");
}

#[test]
fn too_few_groups_are_the_reason_before_the_bounds() {
    let policy = teams();
    let token = Caller { granting: Some(Vec::new()), ..bound(&["other/**"], &["pull"]) };
    assert_snapshot!(
        decide(&policy, &token, "pull", "team/app:v1").reason,
        @"no rule allows user:alice to pull team/app:v1; rule `backend` would allow it but the credential does not carry the group for it"
    );
}

#[test]
fn the_tags_of_a_repository_are_those_within_the_bounds() {
    let policy = teams();
    let app = image("team/app").0;
    let tag = |text| oci::Tag::new(text).unwrap();
    let tags = |token: &Caller, action| policy.tags(token, action, &app);

    let candidates = bound(&["team/app:rc-*", "team/web"], &["pull"]);
    let Tags::Some(filter) = tags(&candidates, Action::Pull) else { panic!() };
    assert!(filter.allows(&tag("rc-1")) && !filter.allows(&tag("v1")));
    assert!(!filter.includes_untagged());
    assert!(matches!(tags(&candidates, Action::Create), Tags::None));
    assert!(policy.grants_any(&candidates, Action::Pull, &app));
    assert!(!policy.grants_any(&candidates, Action::Pull, &image("team/other").0));
    assert!(!policy.grants_any(&candidates, Action::Delete, &app));

    // Every tag is not yet the whole repository: what is untagged is missing.
    let Tags::Some(filter) = tags(&bound(&["team/*:*"], &["pull"]), Action::Pull) else { panic!() };
    assert!(filter.allows(&tag("v1")) && !filter.includes_untagged());
    let whole = bound(&["team/app:v1", "team/{app,web}"], &["pull"]);
    assert!(matches!(tags(&whole, Action::Pull), Tags::All));
}

#[test]
fn nobody_is_an_administrator_with_bounds() {
    let policy = teams();
    assert!(policy.is_administrator(&caller("user:alice", &[])));
    assert!(!policy.is_administrator(&bound(&["**"], &["all"])));
}

#[test]
fn bounds_leave_groups_alone() {
    let policy = teams();
    let groups = policy.groups_of(&bound(&["other"], &["pull"]));
    assert_eq!(groups.into_iter().collect::<Vec<_>>(), ["backend"]);
}

#[test]
fn a_source_outside_may_assert_external_groups_and_those_that_no_file_declares() {
    let policy = teams();
    assert!(policy.may_be_asserted("oncall"));
    assert!(policy.may_be_asserted("unheard-of"));
    assert!(!policy.may_be_asserted("backend"));
}
