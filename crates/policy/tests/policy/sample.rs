//! The sample policies hold what their comments say.

use std::fs;
use std::path::Path;

use policy::{Policy, SourceFile, Tags};

use crate::support::{allows, caller, image, policy};

fn read(folder: &Path, files: &mut Vec<SourceFile>) {
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.ends_with("tests") {
            continue;
        }
        if path.is_dir() {
            read(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = fs::read_to_string(&path).unwrap();
            files.push(SourceFile { path: path.display().to_string(), text });
        }
    }
}

fn sample() -> Policy {
    let mut files = Vec::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies"), &mut files);
    assert_eq!(files.len(), 4);
    let compiled = Policy::compile(&files).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(compiled.warnings.is_empty(), "{}", compiled.warnings);
    compiled.policy
}

#[test]
fn the_policies_of_the_migration_change_nothing_at_first_and_then_tell_teams_apart() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/migration/after/policies");
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let before = policy(&text("as-before.yaml"));
    let next = policy(&text("teams.yaml.next"));
    for action in ["pull", "create", "overwrite", "attach", "delete"] {
        assert!(allows(&before, "user:alice", action, "team/frontend/web:v1"), "{action}");
    }
    assert!(!allows(&before, "anyone", "pull", "team/frontend/web:v1"));
    assert!(allows(&next, "user:alice", "create", "team/backend/api:v1"));
    assert!(!allows(&next, "user:alice", "create", "team/frontend/web:v1"));
    assert!(!allows(&next, "user:alice", "overwrite", "team/backend/api:v1"));
    assert!(allows(&next, "user:alice", "pull", "team/frontend/web:v1"));
}

#[test]
fn teams_work_in_their_own_space() {
    let policy = sample();
    for action in ["pull", "create", "overwrite", "attach", "delete"] {
        assert!(allows(&policy, "user:alice", action, "team/backend/api:dev"), "{action}");
        assert!(!allows(&policy, "user:alice", action, "team/frontend/web:dev"), "{action}");
        assert!(allows(&policy, "user:emil", action, "home/emil/try:v1"), "{action}");
        assert!(!allows(&policy, "user:emil", action, "home/dora/try:v1"), "{action}");
    }
    assert!(allows(&policy, "user:dora", "pull", "team/backend/runtime:1"));
    assert!(!allows(&policy, "user:dora", "create", "team/backend/runtime:1"));
}

#[test]
fn versions_come_from_the_release_job_and_do_not_move() {
    let policy = sample();
    assert!(allows(&policy, "service:ci/release", "create", "team/backend/api:v1"));
    for subject in ["user:alice", "service:ci/backend"] {
        assert!(!allows(&policy, subject, "create", "team/backend/api:v1"), "{subject}");
        assert!(allows(&policy, subject, "create", "team/backend/api:rc-1"), "{subject}");
    }
    for subject in ["user:admin", "user:alice", "service:ci/release"] {
        assert!(!allows(&policy, subject, "overwrite", "base/debian:v1"), "{subject}");
        assert!(!allows(&policy, subject, "delete", "team/backend/api:v1"), "{subject}");
    }
    assert!(allows(&policy, "user:admin", "create", "base/debian:v1"));
}

#[test]
fn services_and_clusters_do_their_part_only() {
    let policy = sample();
    assert!(allows(&policy, "service:ci/backend", "overwrite", "team/backend/api:dev"));
    assert!(!allows(&policy, "service:ci/backend", "create", "team/frontend/web:dev"));
    assert!(!allows(&policy, "service:ci/backend", "delete", "team/backend/api:dev"));
    assert!(allows(&policy, "service:scanner", "inspect", "home/alice/x:1"));
    assert!(!allows(&policy, "service:scanner", "create", "home/alice/x:1"));
    assert!(allows(&policy, "service:cluster/eu", "pull", "team/frontend/web:v2"));
    assert!(!allows(&policy, "service:cluster/eu", "pull", "team/frontend/web:dev"));
}

#[test]
fn the_contractor_sees_candidates_alone() {
    let policy = sample();
    let carol = caller("user:carol", &[]);
    let tags = policy.tags(&carol, policy::Action::Pull, &image("team/backend/api").0);
    let Tags::Some(filter) = tags else { panic!("{tags:?}") };
    assert!(filter.allows(&oci::Tag::new("rc-7").unwrap()));
    assert!(!filter.allows(&oci::Tag::new("v1").unwrap()));
    assert!(!filter.includes_untagged());
    assert!(!allows(&policy, "user:carol", "pull", "team/backend/runtime:rc-7"));
}

#[test]
fn base_images_are_public_and_mirrors_are_not() {
    let policy = sample();
    assert!(allows(&policy, "anyone", "pull", "base/debian"));
    assert!(allows(&policy, "peer:eu/ci", "pull", "base/debian:13"));
    assert!(!allows(&policy, "anyone", "create", "base/debian:13"));
    assert!(!allows(&policy, "anyone", "pull", "mirror/alpine:3"));
    assert!(allows(&policy, "user:alice", "pull", "mirror/alpine:3"));
    assert!(!allows(&policy, "user:alice", "pull", "mirror/alpine:latest"));
}

#[test]
fn administrators_have_no_rights_on_images_by_that() {
    let policy = sample();
    assert!(policy.is_administrator(&caller("user:admin", &[])));
    assert!(!policy.is_administrator(&caller("user:alice", &[])));
    assert!(!allows(&policy, "user:admin", "pull", "team/frontend/web:dev"));
}
