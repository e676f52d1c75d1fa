//! What holds whenever, and what depends on when, from where and with what somebody asks.

use insta::assert_snapshot;
use jiff::Timestamp;
use policy::{Access, Action, Caller, Circumstances, Credential, Image, Involved, Policy, Subject};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::properties::{compile, document, question, tags};
use crate::support::{caller, image, policy};

const POLICY: &str = r#"
groups:
  backend: [user:alice, "service:ci/*"]
  engineering: [group:backend, user:erin]
  contractors: external
  elsewhere: [user:zoe]
rules:
  - {name: a-reads, subjects: [group:engineering], images: ["team/**"], allow: [pull]}
  - {name: b-builds, subjects: ["service:ci/*"], images: ["team/**"], allow: [push], networks: [10.0.0.0/8]}
  - {name: c-visits, subjects: [group:contractors], images: ["team/app:v*"], allow: [pull],
     starts: 2026-01-01, expires: 2027-01-01, token: {kind: [federated]}}
  - {name: d-frozen, subjects: [anyone], except: {subjects: [user:root]}, images: ["team/app:v1"],
     deny: [overwrite], starts: 2026-12-24}
  - {name: e-own, subjects: [authenticated], images: ["team/app-${user}"], allow: [all]}
  - {name: f-space, subjects: [authenticated], images: ["${group}/app"], allow: [delete]}
  - {name: g-other, subjects: [group:elsewhere], images: ["other/**"], allow: [pull]}
  - {name: h-over, subjects: [user:late], images: ["**"], allow: [pull], expires: 2020-01-01}
  - {name: i-peers, subjects: ["peer:eu/**"], images: ["team/**"], allow: [pull]}
"#;

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn told(policy: &Policy, caller: &Caller, action: &str, name: &str) -> String {
    let (repository, tag) = image(name);
    let image = Image { repository: &repository, tag: tag.as_ref() };
    let permission = policy.access(caller, action.parse().unwrap(), image, now());
    let conditions = permission.conditions.iter().map(|condition| {
        let does = if condition.allows { "allows" } else { "denies" };
        format!("; {} {does} {}", condition.rule.name, condition.when)
    });
    format!("{}{}", permission.access.as_str(), conditions.collect::<String>())
}

#[test]
fn what_depends_on_circumstances_says_on_which() {
    let policy = policy(&POLICY.replace("2020-01-01", "2026-05-01"));
    let of = |subject: &str, groups: &[&str], action: &str| {
        format!(
            "{subject} {action}: {}",
            told(&policy, &caller(subject, groups), action, "team/app:v1")
        )
    };
    let lines = [
        of("user:alice", &[], "pull"),
        of("user:alice", &[], "create"),
        of("service:ci/x", &[], "create"),
        of("service:ci/x", &[], "overwrite"),
        of("user:carol", &["contractors"], "pull"),
        of("user:late", &[], "pull"),
        of("peer:eu/user:x", &[], "pull"),
        of("anyone", &[], "pull"),
    ];
    assert_snapshot!(lines.join("\n"), @"
    user:alice pull: allowed
    user:alice create: denied
    service:ci/x create: conditional; b-builds allows for callers from 10.0.0.0/8
    service:ci/x overwrite: conditional; b-builds allows for callers from 10.0.0.0/8; d-frozen denies from 2026-12-24T00:00:00Z on
    user:carol pull: conditional; c-visits allows from 2026-01-01T00:00:00Z on, until 2027-01-01T00:00:00Z, for credentials of the kind federated
    user:late pull: denied
    peer:eu/user:x pull: allowed
    anyone pull: denied
    ");
}

#[test]
fn a_kind_of_credential_that_is_known_is_no_condition() {
    let policy = policy(POLICY);
    let mut carol = caller("user:carol", &["contractors"]);
    carol.circumstances.credential = Some(Credential::User);
    assert_eq!(told(&policy, &carol, "pull", "team/app:v1"), "denied");
}

#[test]
fn those_are_involved_of_whom_rules_about_the_image_speak() {
    let policy = policy(POLICY);
    let of = |name: &str| {
        let (repository, tag) = image(name);
        let involved = policy.involved(Image { repository: &repository, tag: tag.as_ref() });
        let involved: Vec<_> = involved.into_iter().map(|one| one.subject).collect();
        format!("{name}: {}", involved.join(" "))
    };
    let names = [
        "team/app:v1",
        "team/app:latest",
        "other/x:1",
        "backend/app:1",
        "team/app-zoe:1",
        "none:1",
    ];
    assert_snapshot!(names.map(of).join("\n"), @"
    team/app:v1: anyone authenticated group:backend group:contractors group:engineering peer:eu/** service:ci/* user:alice user:erin user:late user:root
    team/app:latest: anyone authenticated group:backend group:engineering peer:eu/** service:ci/* user:alice user:erin user:late
    other/x:1: anyone authenticated group:elsewhere user:late user:zoe
    backend/app:1: anyone authenticated group:backend service:ci/* user:alice user:late
    team/app-zoe:1: anyone authenticated group:backend group:engineering peer:eu/** service:ci/* user:alice user:erin user:late user:zoe
    none:1: anyone authenticated user:late
    ");
}

#[test]
fn a_group_is_asked_about_as_somebody_who_is_in_it_and_nothing_else() {
    let policy = policy(POLICY);
    let (repository, tag) = image("team/app:v1");
    let image = Image { repository: &repository, tag: tag.as_ref() };
    let involved = policy.involved(image);
    let backend = involved.iter().find(|one| one.subject == "group:backend").unwrap();
    let decision = policy.decide(&backend.caller, Action::Delete, image);
    assert_snapshot!(backend.told(&decision.reason()), @"no rule allows group:backend to delete team/app:v1; rule `a-reads` allows only pull there");
    assert_eq!(told(&policy, &backend.caller, "pull", "team/app:v1"), "allowed");
    assert_eq!(told(&policy, &backend.caller, "create", "team/app:v1"), "denied", "its service is");
}

/// Circumstances in which somebody may ask, at this time or later.
fn circumstances(subject: &Subject, now: Timestamp) -> Vec<Circumstances> {
    let usual = Credential::usual(subject);
    let other = match subject {
        Subject::User(_) | Subject::Service(_) => Credential::Federated,
        _ => usual,
    };
    let addresses = ["10.1.2.3", "10.2.0.1", "::ffff:10.1.0.1", "fd00::1"];
    let addresses = addresses.map(|text| Some(text.parse().unwrap())).into_iter().chain([None]);
    let mut all = Vec::new();
    for address in addresses {
        for credential in [usual, other] {
            for at in [now, "2026-07-01T00:00:00Z".parse().unwrap()] {
                all.push(Circumstances { at: Some(at), address, credential: Some(credential) });
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn access_is_what_is_decided_in_whatever_circumstances(
        document in document(),
        questions in vec(question(), 30),
    ) {
        let policy = compile(&document.yaml());
        let now: Timestamp = "2026-06-30T23:59:59Z".parse().unwrap();
        for (caller, action, repository) in questions {
            let caller = Caller { circumstances: Circumstances::default(), ..caller };
            let circumstances = circumstances(&caller.subject, now).into_iter();
            let asked = circumstances.map(|it| Caller { circumstances: it, ..caller.clone() });
            let asked: Vec<_> = asked.collect();
            for tag in tags() {
                let image = Image { repository: &repository, tag: tag.as_ref() };
                let permission = policy.access(&caller, action, image, now);
                for asked in &asked {
                    let is_allowed = policy.decide(asked, action, image).is_allowed();
                    let agrees = match permission.access {
                        Access::Allowed => is_allowed,
                        Access::Denied => !is_allowed || asked.circumstances.at != Some(now),
                        Access::Conditional => !permission.conditions.is_empty(),
                    };
                    prop_assert!(
                        agrees,
                        "{asked:?} {action} {image:?} {permission:?}\n{}",
                        document.yaml()
                    );
                }
                for condition in &permission.conditions {
                    prop_assert!(!condition.when.is_empty(), "{permission:?}");
                }
            }
        }
    }

    #[test]
    fn whoever_is_written_and_is_treated_otherwise_than_everybody_is_involved(
        document in document(),
        questions in vec(question(), 30),
    ) {
        let policy = compile(&document.yaml());
        for (_, action, repository) in questions {
            for tag in tags() {
                let image = Image { repository: &repository, tag: tag.as_ref() };
                let involved = policy.involved(image);
                let differs = |written: &str, caller: Caller| {
                    let nobody = Caller::new(Subject::User("\u{1}".into()), Vec::new());
                    let is_allowed = |caller| policy.decide(caller, action, image).is_allowed();
                    let is_written = document.yaml().contains(&format!("\"{written}\""));
                    is_written && is_allowed(&caller) != is_allowed(&nobody)
                };
                for (written, caller) in [
                    ("user:a", caller("user:a", &[])),
                    ("user:b", caller("user:b", &[])),
                    ("group:g0", caller("user:\u{1}", &["g0"])),
                    ("group:a", caller("user:\u{1}", &["a"])),
                ] {
                    let is_there = involved.iter().any(|one: &Involved| one.subject == written);
                    prop_assert!(
                        is_there || !differs(written, caller),
                        "{written} {action} {image:?}\n{}", document.yaml()
                    );
                }
            }
        }
    }
}

#[test]
fn whoever_an_exception_names_by_a_variable_is_involved() {
    let policy = policy(
        r#"
groups: {a: external, c: external}
rules:
  - name: all
    subjects: [authenticated]
    images: ["**"]
    except: {images: ["b/*${group}"]}
    allow: [pull]
  - {name: elsewhere, subjects: ["group:a", "group:c"], images: ["other"], allow: [pull]}
"#,
    );
    let (repository, tag) = image("b/a:v1");
    let involved = policy.involved(Image { repository: &repository, tag: tag.as_ref() });
    let involved: Vec<_> = involved.iter().map(|one| one.subject.as_str()).collect();
    assert_eq!(involved, ["anyone", "authenticated", "group:a"]);
}

#[test]
fn a_name_that_nobody_has_stands_for_those_of_a_pattern() {
    let policy = policy(POLICY);
    let (repository, tag) = image("team/app:v1");
    let image = Image { repository: &repository, tag: tag.as_ref() };
    for one in policy.involved(image) {
        let reason = policy.decide(&one.caller, Action::Attach, image).reason();
        assert!(!one.told(&reason).contains('\u{1}'), "{reason:?}");
    }
}
