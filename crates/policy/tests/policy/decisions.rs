//! What each part of the language means.

use policy::Tags;

use crate::support::{allows, caller, decide, image, owned, policy, policy_of};

#[test]
fn nothing_is_allowed_unless_a_rule_allows_it() {
    let policy = policy("rules: []");
    assert!(!allows(&policy, "user:alice", "pull", "team/app:v1"));
    assert_eq!(policy.rule_count(), 0);
}

#[test]
fn a_denial_wins_over_any_grant() {
    let policy = policy(
        r#"
rules:
  - {name: a-grant, subjects: [anyone], images: ["**"], allow: [pull, create, delete]}
  - {name: still, subjects: ["user:alice"], images: ["team/app"], allow: [overwrite]}
  - {name: releases-do-not-move, subjects: [anyone], images: ["**:v*"], deny: [overwrite, delete]}
"#,
    );
    let alice = caller("user:alice", &[]);
    let denied = decide(&policy, &alice, "overwrite", "team/app:v1");
    assert!(!denied.is_allowed);
    let rule = denied.rule.unwrap();
    assert_eq!((rule.name, rule.file, rule.line), ("releases-do-not-move", "policy.yaml", 5));
    assert!(allows(&policy, "user:alice", "create", "team/app:v1"));
    assert!(allows(&policy, "user:alice", "overwrite", "team/app:dev"));
    assert!(allows(&policy, "user:alice", "delete", "team/app"), "untagged content is not a v*");
}

#[test]
fn each_kind_of_subject_is_itself_only() {
    let policy = policy(
        r#"
rules:
  - {name: user, subjects: ["user:x"], images: [user], allow: [pull]}
  - {name: service, subjects: ["service:x"], images: [service], allow: [pull]}
  - {name: peer, subjects: ["peer:eu/x"], images: [peer], allow: [pull]}
  - {name: authenticated, subjects: [authenticated], images: [authenticated], allow: [pull]}
  - {name: anyone, subjects: [anyone], images: [anyone], allow: [pull]}
"#,
    );
    let seen = |subject: &str| {
        let images = ["user", "service", "peer", "authenticated", "anyone"];
        images
            .into_iter()
            .filter(|image| allows(&policy, subject, "pull", image))
            .collect::<Vec<_>>()
    };
    assert_eq!(seen("user:x"), ["user", "authenticated", "anyone"]);
    assert_eq!(seen("service:x"), ["service", "authenticated", "anyone"]);
    assert_eq!(seen("peer:eu/x"), ["peer", "anyone"]);
    assert_eq!(seen("peer:us/x"), ["anyone"]);
    assert_eq!(seen("anyone"), ["anyone"]);
    assert_eq!(seen("user:y"), ["authenticated", "anyone"]);
}

#[test]
fn names_match_by_segments() {
    let policy = policy(
        r#"
rules:
  - {name: ci, subjects: ["service:ci/*"], images: [one], allow: [pull]}
  - {name: deep, subjects: ["service:ci/**"], images: [deep], allow: [pull]}
  - {name: mail, subjects: ["user:*@example.com"], images: [mail], allow: [pull]}
  - {name: partner, subjects: ["peer:*/ci-*"], images: [partner], allow: [pull]}
"#,
    );
    assert!(allows(&policy, "service:ci/build", "pull", "one"));
    assert!(!allows(&policy, "service:ci/build/x", "pull", "one"));
    assert!(!allows(&policy, "service:ci", "pull", "one"));
    assert!(allows(&policy, "service:ci/build/x", "pull", "deep"));
    assert!(allows(&policy, "service:ci", "pull", "deep"));
    assert!(allows(&policy, "user:bob@example.com", "pull", "mail"));
    assert!(!allows(&policy, "user:bob@example.com.evil", "pull", "mail"));
    assert!(allows(&policy, "peer:eu/ci-1", "pull", "partner"));
    assert!(!allows(&policy, "user:eu/ci-1", "pull", "partner"));
}

#[test]
fn groups_nest_and_are_asserted_or_declared() {
    let policy = policy_of(&[
        (
            "groups.yaml",
            "groups: {backend: [\"user:alice\"], staff: [group:backend, group:qa], qa: external}",
        ),
        (
            "rules.yaml",
            "rules: [{name: staff-reads, subjects: [group:staff], images: [\"**\"], allow: [pull]}]",
        ),
    ]);
    assert!(allows(&policy, "user:alice", "pull", "app"));
    assert!(!allows(&policy, "user:bob", "pull", "app"));
    assert!(decide(&policy, &caller("user:bob", &["qa"]), "pull", "app").is_allowed);
    let groups = policy.groups_of(&caller("user:alice", &["elsewhere", "qa"]));
    assert_eq!(groups.into_iter().collect::<Vec<_>>(), ["backend", "elsewhere", "qa", "staff"]);
}

#[test]
fn a_pattern_over_groups_matches_declared_and_asserted_ones() {
    let policy = policy(
        r#"
groups:
  team-a: ["user:alice"]
rules:
  - {name: teams, subjects: ["group:team-*"], images: [app], allow: [pull]}
"#,
    );
    assert!(allows(&policy, "user:alice", "pull", "app"));
    assert!(decide(&policy, &caller("user:bob", &["team-x"]), "pull", "app").is_allowed);
    assert!(!decide(&policy, &caller("user:bob", &["guests"]), "pull", "app").is_allowed);
}

#[test]
fn carrying_fewer_groups_narrows_grants_and_not_denials() {
    let policy = policy(
        r#"
groups:
  backend: ["user:alice"]
  trainees: ["user:alice"]
  staff: [group:backend]
rules:
  - {name: backend, subjects: [group:backend], images: ["backend/**"], allow: [pull]}
  - {name: staff, subjects: [group:staff], images: ["staff/**"], allow: [pull]}
  - {name: herself, subjects: ["user:alice"], images: ["alice/**"], allow: [pull]}
  - {name: no-secrets, subjects: [group:trainees], images: ["**/secret"], deny: [pull]}
administrators: [group:backend]
"#,
    );
    let mut alice = caller("user:alice", &[]);
    let may = |alice: &policy::Caller, image| decide(&policy, alice, "pull", image).is_allowed;
    assert!(
        may(&alice, "backend/app") && may(&alice, "staff/app") && policy.is_administrator(&alice)
    );
    alice.granting = Some(owned(&["staff"]));
    assert!(
        !may(&alice, "backend/app") && may(&alice, "staff/app") && !policy.is_administrator(&alice)
    );
    alice.granting = Some(owned(&["backend", "not-hers"]));
    assert!(may(&alice, "staff/app"), "the groups that contain a carried one count");
    assert!(!may(&alice, "staff/secret"));
    alice.granting = Some(Vec::new());
    assert!(!may(&alice, "staff/app") && may(&alice, "alice/app") && !may(&alice, "alice/secret"));
    let mut bob = caller("user:bob", &[]);
    bob.granting = Some(owned(&["backend"]));
    assert!(!may(&bob, "backend/app"), "a credential carries nothing that its holder lacks");
}

#[test]
fn exceptions_take_out_subjects_and_images() {
    let policy = policy(
        r#"
groups:
  release: ["user:rita"]
rules:
  - {name: all, subjects: [authenticated], images: ["**"], allow: [all]}
  - name: releases-do-not-move
    subjects: [anyone]
    except: {subjects: [group:release], images: ["home/**", "**:v0*"]}
    images: ["**:v*"]
    deny: [overwrite]
"#,
    );
    assert!(!allows(&policy, "user:bob", "overwrite", "app:v1"));
    assert!(allows(&policy, "user:rita", "overwrite", "app:v1"));
    assert!(allows(&policy, "user:bob", "overwrite", "home/bob:v1"));
    assert!(allows(&policy, "user:bob", "overwrite", "app:v0.1"));
    let mut rita = caller("user:rita", &[]);
    rita.granting = Some(Vec::new());
    assert!(decide(&policy, &rita, "overwrite", "app:v1").is_allowed);
}

#[test]
fn an_exception_to_a_grant_is_judged_by_all_groups() {
    let policy = policy(
        r#"
groups: {trainees: ["user:tom"]}
rules:
  - name: all-but-trainees
    subjects: [authenticated]
    except: {subjects: [group:trainees]}
    images: ["**"]
    allow: [pull]
"#,
    );
    let mut tom = caller("user:tom", &[]);
    tom.granting = Some(Vec::new());
    assert!(!decide(&policy, &tom, "pull", "app").is_allowed);
    assert!(allows(&policy, "user:bob", "pull", "app"));
}

#[test]
fn variables_stand_for_the_caller() {
    let policy = policy(
        r#"
rules:
  - {name: home, subjects: [authenticated], images: ["home/${user}/**"], allow: [all]}
  - {name: space, subjects: [authenticated], images: ["team/${group}/**:${group}-*"], allow: [pull]}
"#,
    );
    assert!(allows(
        &policy,
        "user:alice",
        "push".replace("push", "create").as_str(),
        "home/alice/app:v1"
    ));
    assert!(allows(&policy, "user:alice", "pull", "home/alice"));
    assert!(!allows(&policy, "user:alice", "pull", "home/bob"));
    assert!(!allows(&policy, "service:alice", "pull", "home/alice"));
    assert!(!allows(&policy, "user:*", "pull", "home/bob"));
    assert!(!allows(&policy, "user:alice/app", "pull", "home/alice/app"));
    assert!(!allows(&policy, "user:Alice", "pull", "home/alice"));
    let bob = caller("user:bob", &["a", "b"]);
    assert!(decide(&policy, &bob, "pull", "team/b/x:b-1").is_allowed);
    assert!(!decide(&policy, &bob, "pull", "team/a/x:b-1").is_allowed, "one group at a time");
    assert!(!decide(&policy, &bob, "pull", "team/c/x:c-1").is_allowed);
    let mut narrowed = bob;
    narrowed.granting = Some(owned(&["a"]));
    assert!(decide(&policy, &narrowed, "pull", "team/a/x:a-1").is_allowed);
    assert!(!decide(&policy, &narrowed, "pull", "team/b/x:b-1").is_allowed);
}

#[test]
fn a_name_that_is_no_segment_stands_for_nothing_in_a_tag_either() {
    let policy = policy(
        r#"
rules:
  - {name: own, subjects: [anyone], images: ["app:${user}-*", "app:${group}.*"], allow: [pull]}
"#,
    );
    let caller = |name| caller(name, &["Qa", "qa"]);
    assert!(decide(&policy, &caller("user:a"), "pull", "app:a-1").is_allowed);
    assert!(!decide(&policy, &caller("user:A"), "pull", "app:A-1").is_allowed);
    assert!(decide(&policy, &caller("user:A"), "pull", "app:qa.1").is_allowed);
    assert!(!decide(&policy, &caller("user:A"), "pull", "app:Qa.1").is_allowed);
}

#[test]
fn a_pattern_without_a_tag_is_the_whole_repository_and_one_with_a_tag_is_not() {
    let policy = policy(
        r#"
rules:
  - {name: whole, subjects: [anyone], images: [whole], allow: [pull]}
  - {name: tagged, subjects: [anyone], images: ["tagged:*"], allow: [pull]}
  - {name: some, subjects: [anyone], images: ["some:{rc-*,v?}"], allow: [pull]}
"#,
    );
    assert!(
        allows(&policy, "anyone", "pull", "whole") && allows(&policy, "anyone", "pull", "whole:x")
    );
    assert!(
        !allows(&policy, "anyone", "pull", "tagged")
            && allows(&policy, "anyone", "pull", "tagged:x")
    );
    assert!(
        allows(&policy, "anyone", "pull", "some:rc-1")
            && allows(&policy, "anyone", "pull", "some:v1")
    );
    assert!(
        !allows(&policy, "anyone", "pull", "some:v10")
            && !allows(&policy, "anyone", "pull", "some")
    );
}

#[test]
fn inspecting_includes_reading_and_all_does_not_include_inspecting() {
    let policy = policy(
        r#"
rules:
  - {name: scanner, subjects: ["service:scanner"], images: ["**"], allow: [inspect]}
  - {name: owner, subjects: ["user:olga"], images: ["**"], allow: [all]}
  - {name: dark, subjects: [anyone], images: ["dark/**"], deny: [pull]}
  - {name: gated, subjects: [anyone], images: ["gated/**"], deny: [inspect]}
"#,
    );
    assert!(allows(&policy, "service:scanner", "pull", "app:1"));
    assert!(!allows(&policy, "user:olga", "inspect", "app:1"));
    assert!(!allows(&policy, "service:scanner", "inspect", "dark/app:1"));
    assert!(allows(&policy, "service:scanner", "pull", "gated/app:1"));
    assert!(!allows(&policy, "service:scanner", "inspect", "gated/app:1"));
}

#[test]
fn tags_tell_all_none_or_some() {
    let policy = policy(
        r#"
rules:
  - {name: open, subjects: [anyone], images: ["open/**", "mixed/**", "shut/**"], allow: [pull]}
  - {name: some, subjects: [anyone], images: ["some/**:rc-*"], allow: [pull]}
  - {name: no-dev, subjects: [anyone], images: ["mixed/**:dev-*"], deny: [pull]}
  - {name: shut, subjects: [anyone], images: ["shut/**"], deny: [pull]}
  - {name: but, subjects: [anyone], except: {images: [but/not]}, images: ["but/**"], allow: [pull]}
"#,
    );
    let anyone = caller("anyone", &[]);
    let tags = |name| policy.tags(&anyone, policy::Action::Pull, &image(name).0);
    assert!(matches!(tags("open/app"), Tags::All));
    assert!(matches!(tags("shut/app"), Tags::None));
    assert!(matches!(tags("other"), Tags::None));
    assert!(matches!(tags("but/this"), Tags::All));
    assert!(matches!(tags("but/not"), Tags::None));
    let tag = |text| oci::Tag::new(text).unwrap();
    let Tags::Some(mixed) = tags("mixed/app") else { panic!() };
    assert!(mixed.includes_untagged() && mixed.allows(&tag("v1")) && !mixed.allows(&tag("dev-1")));
    let Tags::Some(some) = tags("some/app") else { panic!() };
    assert!(!some.includes_untagged() && some.allows(&tag("rc-1")) && !some.allows(&tag("v1")));
    assert!(policy.grants_any(&anyone, policy::Action::Pull, &image("some/app").0));
    assert!(!policy.grants_any(&anyone, policy::Action::Pull, &image("shut/app").0));
}

#[test]
fn odd_names_are_nobody_else() {
    let policy = policy(
        r#"
rules:
  - {name: x, subjects: ["user:x", "user:y/*", "service:*"], images: [app], allow: [pull]}
"#,
    );
    for name in ["user:x", "user:y/x", "service:x"] {
        assert!(allows(&policy, name, "pull", "app"), "{name}");
    }
    for name in ["user:/x", "user:x/", "user:", "user:X", "user:*", "user:/y/x", "service:/x"] {
        assert!(!allows(&policy, name, "pull", "app"), "{name}");
    }
}

#[test]
fn an_empty_file_is_an_empty_policy() {
    let policy = policy("# to be written\n");
    assert_eq!(policy.rule_count(), 0);
    assert!(!policy.is_administrator(&caller("user:admin", &["platform"])));
}
