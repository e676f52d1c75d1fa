//! Decisions in words.

use insta::assert_snapshot;
use policy::Policy;

use crate::support::{caller, decide, policy};

fn reason(policy: &Policy, subject: &str, action: &str, image: &str) -> String {
    decide(policy, &caller(subject, &[]), action, image).reason
}

fn teams() -> Policy {
    policy(
        r#"
groups:
  qa: ["user:quentin"]
  trainees: ["user:tom"]
rules:
  - name: qa-sees-candidates
    subjects: [group:qa]
    images: ["team/*/api:rc-*", "team/web/**:v?"]
    allow: [pull]
  - name: everybody-reads
    subjects: [authenticated]
    except: {subjects: [group:trainees], images: ["team/shared/secret"]}
    images: ["team/shared/**"]
    allow: [pull, attach]
  - name: releases-do-not-move
    subjects: [anyone]
    images: ["**:v*"]
    deny: [overwrite]
"#,
    )
}

#[test]
fn an_allowance_and_a_denial_name_their_rule() {
    let policy = teams();
    assert_snapshot!(
        reason(&policy, "user:bob", "pull", "team/shared/base:1"),
        @"rule `everybody-reads` (policy.yaml:10) allows pull"
    );
    assert_snapshot!(
        reason(&policy, "user:bob", "overwrite", "team/shared/base:v1"),
        @"rule `releases-do-not-move` (policy.yaml:15) denies overwrite"
    );
}

#[test]
fn a_tag_that_does_not_match_is_the_nearest_miss() {
    let policy = teams();
    assert_snapshot!(
        reason(&policy, "user:quentin", "pull", "team/backend/api:dev-3"),
        @"no rule allows user:quentin to pull team/backend/api:dev-3; rule `qa-sees-candidates` would allow it but tag `dev-3` does not match `rc-*`"
    );
    assert_snapshot!(
        reason(&policy, "user:quentin", "pull", "team/backend/api"),
        @"no rule allows user:quentin to pull team/backend/api as a whole; rule `qa-sees-candidates` allows it only for tags that match `rc-*`"
    );
}

#[test]
fn another_action_is_a_near_miss() {
    assert_snapshot!(
        reason(&teams(), "user:bob", "delete", "team/shared/base:1"),
        @"no rule allows user:bob to delete team/shared/base:1; rule `everybody-reads` allows only pull, attach there"
    );
}

#[test]
fn an_exception_is_the_nearest_miss() {
    let policy = teams();
    assert_snapshot!(
        reason(&policy, "user:bob", "pull", "team/shared/secret"),
        @"no rule allows user:bob to pull team/shared/secret as a whole; rule `everybody-reads` would allow it but its `except` names this image"
    );
    assert_snapshot!(
        reason(&policy, "user:tom", "pull", "team/shared/base"),
        @"no rule allows user:tom to pull team/shared/base as a whole; rule `everybody-reads` would allow it but its `except` names this caller"
    );
}

#[test]
fn a_repository_beside_the_pattern_is_a_miss() {
    assert_snapshot!(
        reason(&teams(), "user:quentin", "pull", "team/backend/web:rc-1"),
        @"no rule allows user:quentin to pull team/backend/web:rc-1; rule `qa-sees-candidates` would allow it but team/backend/web does not match `team/*/api`"
    );
}

#[test]
fn rules_for_others_are_not_mentioned() {
    let policy = teams();
    assert_snapshot!(
        reason(&policy, "user:bob", "pull", "team/backend/api:dev-3"),
        @"no rule allows user:bob to pull team/backend/api:dev-3"
    );
    assert_snapshot!(
        reason(&policy, "anyone", "pull", "team/backend/api:dev-3"),
        @"no rule allows an anonymous caller to pull team/backend/api:dev-3"
    );
    assert_snapshot!(
        reason(&policy, "peer:eu/bob", "pull", "team/shared/base"),
        @"no rule allows peer:eu/bob to pull team/shared/base as a whole"
    );
}

#[test]
fn a_credential_that_carries_too_little_is_named() {
    let policy = teams();
    let mut quentin = caller("user:quentin", &[]);
    quentin.granting = Some(Vec::new());
    assert_snapshot!(
        decide(&policy, &quentin, "pull", "team/backend/api:rc-1").reason,
        @"no rule allows user:quentin to pull team/backend/api:rc-1; rule `qa-sees-candidates` would allow it but the credential does not carry the group for it"
    );
}

#[test]
fn expressions_and_ranges_are_told_as_they_are_written() {
    let policy = policy(
        r#"
rules:
  - name: stable
    subjects: [user:quentin]
    images: [{repository: "team/**", tag: {semver: ">=2.0, <3"}}]
    allow: [pull]
  - name: mirrors
    subjects: [user:quentin]
    images: [{repository: {regex: "mirror/[a-z]+/base"}, tag: {regex: "v\\d+"}}]
    allow: [pull]
"#,
    );
    assert_snapshot!(reason(&policy, "user:quentin", "pull", "team/app:3.1"), @"no rule allows user:quentin to pull team/app:3.1; rule `stable` would allow it but tag `3.1` does not match `>=2.0, <3`");
    assert_snapshot!(reason(&policy, "user:quentin", "pull", "team/app:latest"), @"no rule allows user:quentin to pull team/app:latest; rule `stable` would allow it but tag `latest` is no version, so not one of `>=2.0, <3`");
    assert_snapshot!(reason(&policy, "user:quentin", "pull", "team/app"), @"no rule allows user:quentin to pull team/app as a whole; rule `stable` allows it only for tags that match `>=2.0, <3`");
    assert_snapshot!(reason(&policy, "user:quentin", "pull", "mirror/x/base:v1.0"), @r"no rule allows user:quentin to pull mirror/x/base:v1.0; rule `mirrors` would allow it but tag `v1.0` does not match `v\d+`");
    assert_snapshot!(reason(&policy, "user:quentin", "pull", "mirror/x1/base:v1"), @"no rule allows user:quentin to pull mirror/x1/base:v1; rule `mirrors` would allow it but mirror/x1/base does not match `mirror/[a-z]+/base`");
}
