//! What one changed line changes.

use std::cell::Cell;

use insta::assert_snapshot;
use jiff::Timestamp;
use oci::RepositoryName;
use policy::{
    Action, Caller, Change, Circumstances, Comparison, Credential, Image, Limit, Policy, RuleRef,
    Subject, compare,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseError, TestRunner};

use crate::properties::{compile, document, groups, question, rule, tags};
use crate::reference::Document;
use crate::support::policy_of;
use crate::told::Told;

const TEAMS: &str = r#"
groups:
  backend: [user:alice, user:bob, "service:ci/*"]
  release: [service:ci/release]
  qa: external
rules:
  - name: backend-works-in-its-space
    subjects: [group:backend]
    images: ["team/backend/**"]
    allow: [pull, push]
  - name: qa-sees-candidates
    subjects: [group:qa]
    images: ["team/*/api:rc-*"]
    allow: [pull]
  - name: everyone-has-a-home
    subjects: [authenticated]
    images: ["home/${user}/**"]
    allow: [pull, push, delete]
  - name: releases-do-not-move
    subjects: [anyone]
    except: {subjects: [group:release], images: ["home/**"]}
    images: ["**:v*"]
    deny: [overwrite, delete]
  - name: contractor
    subjects: [user:carol]
    images: ["team/backend/api"]
    allow: [pull]
"#;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// What changes with one text in the place of another.
fn changed(old: &str, new: &str) -> String {
    assert!(TEAMS.contains(old), "{old}");
    let policy = |text: &str| Policy::compile(&crate::support::sources(&[("teams.yaml", text)]));
    let new = policy(&TEAMS.replace(old, new)).unwrap_or_else(|errors| panic!("{errors}"));
    shown(&policy_of(&[("teams.yaml", TEAMS)]), &new.policy)
}

pub(crate) fn shown(old: &Policy, new: &Policy) -> String {
    let Comparison { changes, administrators, limits, .. } = compare(old, new, now());
    assert!(limits.is_empty(), "{limits:?}");
    changes.iter().for_each(|change| differs(old, new, change));
    let rules = |rules: &[RuleRef<'_>]| match rules {
        [] => "no rule".to_owned(),
        _ => rules.iter().map(|rule| rule.name).collect::<Vec<_>>().join(", "),
    };
    let line = |it: &Change<'_>| format!("{it} [{} -> {}]", rules(&it.old), rules(&it.new));
    let told = administrators.iter().map(ToString::to_string);
    changes.iter().map(line).chain(told).collect::<Vec<_>>().join("\n")
}

/// The example of a change is decided as the change says.
fn differs(old: &Policy, new: &Policy, change: &Change<'_>) {
    let it = &change.example;
    let image = Image { repository: &it.repository, tag: it.tag.as_ref() };
    let old = old.decide(&it.old_caller, it.action, image).is_allowed();
    let new = new.decide(&it.new_caller, it.action, image).is_allowed();
    assert_eq!((old, new), (!change.is_allowed, change.is_allowed), "{change}");
}

#[test]
fn what_stays_as_it_is_is_not_told() {
    assert_snapshot!(changed("contractor", "freelancer"), @"");
    assert_snapshot!(changed("[pull, push]", "[push, pull]"), @"");
    assert_snapshot!(changed("subjects: [user:carol]", "subjects: [user:carol, user:carol]"), @"");
}

#[test]
fn a_tag_pattern_that_is_narrowed_shows_the_tags_that_fall_out() {
    assert_snapshot!(changed("**:v*", "**:v1*"), @"group:backend except service:ci/release may now overwrite team/backend/**:v* except **:v1* [releases-do-not-move -> backend-works-in-its-space]");
    assert_snapshot!(changed("api:rc-*", "api:rc-1*"), @"group:qa may no longer pull team/*/api:rc-* except team/*/api:rc-1* [qa-sees-candidates -> no rule]");
}

#[test]
fn a_user_who_is_moved_out_of_a_group_shows_what_she_loses() {
    assert_snapshot!(changed("[user:alice, user:bob, ", "[user:bob, "), @r"
    user:alice may no longer pull, create team/backend/** [backend-works-in-its-space -> no rule]
    user:alice may no longer overwrite team/backend/** except **:v* [backend-works-in-its-space -> no rule]
    ");
    assert_snapshot!(changed("release: [service:ci/release]", "release: [service:ci/release, user:bob]"), @"user:bob may now overwrite team/backend/**:v* [releases-do-not-move -> backend-works-in-its-space]");
}

#[test]
fn a_denial_that_is_added_shows_whom_it_stops() {
    assert_snapshot!(changed("  - name: contractor\n", "  - {name: no, subjects: [anyone], images: [\"**:latest\"], deny: [create]}\n  - name: contractor\n"), @r"
    group:backend may no longer create team/backend/**:latest [backend-works-in-its-space -> no]
    user:** may no longer create home/${user}/**:latest [everyone-has-a-home -> no]
    ");
}

#[test]
fn a_condition_that_is_added_shows_when_it_matters() {
    assert_snapshot!(changed("[\"team/backend/api\"]", "[\"team/backend/api\"]\n    expires: 2027-01-01"), @"user:carol may no longer pull team/backend/api, from 2027-01-01 on [contractor -> no rule]");
    assert_snapshot!(changed("[\"team/backend/api\"]", "[\"team/backend/api\"]\n    networks: [10.20.0.0/16]"), @"user:carol may no longer pull team/backend/api, from outside 10.20.0.0/16 [contractor -> no rule]");
}

#[test]
fn a_group_that_lists_its_members_can_stand_for_a_variable() {
    let policy = |members: &str| {
        compile(&format!(
            "groups: {{backend: [{members}]}}\nrules:\n  - {{name: own-space, \
             subjects: [authenticated], images: ['team/${{group}}/**'], allow: [pull]}}\n"
        ))
    };
    let (old, new) = (policy("user:alice, user:bob"), policy("user:alice"));
    assert_snapshot!(shown(&old, &new), @"user:bob may no longer pull team/${group}/** [own-space -> no rule]");
}

#[test]
fn a_subject_that_is_renamed_shows_both() {
    assert_snapshot!(changed("user:carol", "user:karol"), @r"
    user:carol may no longer pull team/backend/api [contractor -> no rule]
    user:karol may now pull team/backend/api [no rule -> contractor]
    ");
    assert_snapshot!(changed("qa: external", "qa: [user:erin]"), @r"
    group:qa may no longer pull team/*/api:rc-* [qa-sees-candidates -> no rule]
    user:erin may now pull team/*/api:rc-* [no rule -> qa-sees-candidates]
    ");
}

#[test]
fn ranges_and_expressions_that_meet_in_one_repository_are_compared_completely() {
    let rules = |range: &str, expression: &str| {
        compile(&format!(
            "rules:\n  - {{name: versions, subjects: [user:a], images: [{{repository: team/**, tag: \
             {{semver: '{range}'}}}}], allow: [pull]}}\n  - {{name: numbers, subjects: [user:a], \
             images: [{{repository: {{regex: 'team/[a-z]+'}}, tag: {{regex: '{expression}'}}}}], \
             deny: [pull]}}\n  - {{name: candidates, subjects: [anyone], images: ['**:*-rc*'], \
             deny: [pull]}}\n"
        ))
    };
    let old = rules(">=1.2, <3", r"\d+");
    // Between these are versions of one, two and three numbers.
    assert_snapshot!(shown(&old, &rules(">=1.2, <3.0.1", r"\d+")), @r#"user:a may now pull {repository: "team/**", tag: {semver: ">=1.2, <3.0.1"}} except {repository: "team/**", tag: {semver: ">=1.2, <3"}}, {repository: {regex: "team/[a-z]+"}, tag: {regex: "\\d+"}} [no rule -> versions]"#);
    assert_snapshot!(shown(&old, &rules(">=1.2.0-rc.2, <3", r"\d+")), @r#"user:a may now pull {repository: "team/**", tag: {semver: ">=1.2.0-rc.2, <3"}} except {repository: "team/**", tag: {semver: ">=1.2, <3"}}, **:*-rc* [no rule -> versions]"#);
    // What is beyond 3 is in no range, whichever expression denies it.
    assert_snapshot!(shown(&old, &rules(">=1.2, <3", r"[0-2]|[4-9]|\d{2,30}")), @"");
    assert_snapshot!(shown(&old, &rules(">=1.2, <3", r"[013-9]|\d{2,30}")), @r#"user:a may now pull {repository: "team/**", tag: {semver: ">=1.2, <3"}} within {repository: {regex: "team/[a-z]+"}, tag: {regex: "\\d+"}} [numbers -> versions]"#);
}

#[test]
fn numbers_that_are_too_large_for_a_version_are_compared() {
    let rules = |expression: &str| {
        compile(&format!(
            "rules:\n  - {{name: versions, subjects: [user:a], images: [{{repository: team/**, tag: \
             {{semver: '>=1'}}}}], allow: [pull]}}\n  - {{name: numbers, subjects: [user:a], \
             images: [{{repository: team/**, tag: {{regex: '{expression}'}}}}], allow: [pull]}}\n"
        ))
    };
    assert_snapshot!(shown(&rules(r"[1-9]\d{0,18}"), &rules("[1-9]")), @"");
    assert_snapshot!(shown(&rules(r"[1-9]\d*"), &rules("[1-9]")), @r#"user:a may no longer pull {repository: "team/**", tag: {regex: "[1-9]\\d*"}} except {repository: "team/**", tag: {semver: ">=1"}} [numbers -> no rule]"#);
}

#[test]
fn expressions_over_repositories_are_compared_completely() {
    let rules = |expression: &str| {
        compile(&format!(
            "rules:\n  - {{name: mirrors, subjects: [user:a], images: [{{repository: {{regex: \
             '{expression}'}}}}], allow: [pull]}}\n  - {{name: eu, subjects: [user:b], images: \
             ['mirror/*/eu/**', {{repository: {{regex: 'mirror/.*base'}}}}], allow: [pull]}}\n"
        ))
    };
    let old = rules("mirror/[a-z/]+/base");
    assert_snapshot!(shown(&old, &rules("mirror/([a-z]+/)+base")), @"");
    assert_snapshot!(shown(&old, &rules("mirror/[a-z]+/base")), @r#"user:a may no longer pull {repository: {regex: "mirror/[a-z/]+/base"}} except {repository: {regex: "mirror/[a-z]+/base"}} [mirrors -> no rule]"#);
    assert_snapshot!(shown(&old, &rules("mirror/[a-y/]+/base")), @r#"user:a may no longer pull {repository: {regex: "mirror/[a-z/]+/base"}} except {repository: {regex: "mirror/[a-y/]+/base"}} [mirrors -> no rule]"#);
}

#[test]
fn who_is_in_a_group_is_left_out_only_where_all_in_it_are() {
    let rules = |groups: &str, images: &str, others: &str| {
        compile(&format!(
            "groups: {{{groups}}}\nrules:\n{others}  - {{name: all, subjects: [anyone], \
             images: ['{images}'], allow: [pull]}}\n"
        ))
    };
    let changed = |groups: &str, others: &str| {
        shown(&rules(groups, "a", others), &rules(groups, "**", others))
    };
    // Peers may be in it, and are not authenticated.
    assert_snapshot!(changed("g: external", "  - {name: peers, subjects: ['group:g*'], images: ['**'], except: {subjects: [authenticated]}, allow: [pull]}\n"), @"anyone except peer:*/** in group:g* may now pull ** except a [no rule -> all]");
    // Who is in another group, too, or has a name.
    assert_snapshot!(changed("g: external, h: external", "  - {name: g, subjects: ['group:g'], images: ['**'], except: {subjects: ['group:h']}, allow: [pull]}\n"), @r"
    anyone except group:g may now pull ** except a [no rule -> all]
    group:g and group:h may now pull ** except a [no rule -> all]
    ");
    assert_snapshot!(changed("g: external", "  - {name: g, subjects: ['group:g'], images: ['**'], except: {subjects: ['user:a', 'service:*-b']}, allow: [pull]}\n"), @r"
    anyone except group:g may now pull ** except a [no rule -> all]
    service:*-b in group:g may now pull ** except a [no rule -> all]
    user:a in group:g may now pull ** except a [no rule -> all]
    ");
    // By name: of two patterns that meet, one is excepted.
    assert_snapshot!(changed("", "  - {name: a, subjects: ['user:a*'], images: ['**'], except: {subjects: ['user:*b']}, allow: [pull]}\n"), @r"
    anyone except user:a* may now pull ** except a [no rule -> all]
    user:a* may now pull ** except a [no rule -> all]
    ");
}

#[test]
fn a_variable_tells_nothing_of_those_whose_name_it_is_not() {
    // Where `b` is the name of a user, too.
    let policy = |rule: &str| {
        compile(&format!(
            "groups: {{b: external}}\nrules:\n  - {{name: b, subjects: ['user:b'], images: [a], \
             allow: [pull]}}\n{rule}"
        ))
    };
    let changed = |images: &str, allow: &str| {
        let rule = format!(
            "  - {{name: r, subjects: [authenticated], images: ['{images}'], allow: [{allow}]}}\n"
        );
        shown(&policy(""), &policy(&rule))
    };
    assert_snapshot!(changed("ab/{${user},b}", "pull"), @r"
    authenticated may now pull ab/b [no rule -> r]
    user:** may now pull ab/${user} [no rule -> r]
    ");
    assert_snapshot!(changed("ab/{${group},b}", "pull"), @r"
    authenticated may now pull ab/b [no rule -> r]
    authenticated in group:* may now pull ab/${group} [no rule -> r]
    ");
    // The same words mean the user of that name, and others.
    let groups = "groups: {g: external, g2: ['user:b']}\nrules:\n  - {name: n, subjects: ['user:c'], \
                  images: [a], allow: [pull]}\n";
    let some = "  - {name: g, subjects: ['group:g*'], images: ['{${user},b}'], allow: [pull]}\n";
    assert_snapshot!(shown(&compile(&format!("{groups}{some}")), &compile(groups)), @r"
    group:g* may no longer pull b [g -> no rule]
    user:** in group:g* may no longer pull ${user} [g -> no rule]
    ");
    // Who is told by an exception with a variable is not all.
    let credentials = |of: &str| {
        let rule = format!(
            "  - {{name: r, subjects: ['user:**'{of}], images: ['**'], except: {{images: \
             ['home/${{user}}']}}, allow: [pull]}}\n"
        );
        shown(&policy(""), &policy(&rule))
    };
    assert_snapshot!(credentials(", 'service:ci'"), @r"
    service:ci may now pull ** [no rule -> r]
    user:** may now pull ** except home/${user} [no rule -> r]
    ");
}

#[test]
fn one_line_of_a_large_policy_is_found() {
    let mut text = "rules:\n".to_owned();
    for n in 0..10_000 {
        text += &format!(
            "  - {{name: r{n}, subjects: [user:u{n}], images: [\"team-{n}/**\"], allow: [pull, push]}}\n"
        );
    }
    let new = text.replace("\"team-4711/**\"", "\"team-4711/app\"");
    let (old, new) = (compile(&text), compile(&new));
    assert_snapshot!(shown(&old, &new), @"user:u4711 may no longer pull, push team-4711/** except team-4711/app [r4711 -> no rule]");
}

/// A caller, what it does, and where.
type Question = (Caller, Action, RepositoryName);

/// A policy, and the same with one thing changed.
fn edited() -> impl Strategy<Value = (Document, Document)> {
    (document(), rule(), groups(), 0..3_usize, 0..10_u8).prop_map(
        |(mut old, mut other, groups, place, what)| {
            old.rules.truncate(3);
            let mut new = old.clone();
            let place = place.min(new.rules.len());
            match what {
                0 => new.groups = groups,
                1 if place < new.rules.len() => drop(new.rules.remove(place)),
                4 if place < new.rules.len() => new.rules[place].images = other.images,
                5 if place < new.rules.len() => new.rules[place].subjects = other.subjects,
                6 if place < new.rules.len() => {
                    new.rules[place].except_subjects = other.except_subjects;
                    new.rules[place].except_images = other.except_images;
                }
                7 if place < new.rules.len() => new.rules[place].conditions = other.conditions,
                8 if place < new.rules.len() => {
                    (new.rules[place].allow, new.rules[place].deny) = (other.allow, other.deny);
                }
                9 => {
                    let (name, members) = groups.into_iter().next().unwrap();
                    new.groups.insert(name, members);
                }
                2 if place < new.rules.len() => {
                    other.name = new.rules[place].name.clone();
                    new.rules[place] = other;
                }
                _ => {
                    other.name = "rule-x".to_owned();
                    new.rules.push(other);
                }
            }
            (old, new)
        },
    )
}

/// What a source may assert before the policy, in circumstances that are known.
fn asking(policy: &Policy, caller: &Caller) -> Caller {
    let mut groups = caller.groups.clone();
    groups.retain(|group| policy.may_be_asserted(group));
    let natural = match caller.subject {
        Subject::User(_) => Credential::User,
        Subject::Service(_) => Credential::Service,
        Subject::Peer { .. } => Credential::Peer,
        Subject::Anonymous => {
            groups.clear();
            Credential::Anonymous
        }
    };
    let federates = matches!(caller.subject, Subject::User(_) | Subject::Service(_))
        && caller.circumstances.credential == Some(Credential::Federated);
    let circumstances = Circumstances {
        at: caller.circumstances.at.or(Some(begin())),
        address: caller.circumstances.address.or(Some([192, 0, 2, 1].into())),
        credential: Some(if federates { Credential::Federated } else { natural }),
    };
    Caller { circumstances, ..Caller::new(caller.subject.clone(), groups) }
}

/// With the groups that either policy says it has, and those that both say.
fn with_groups(old: &Policy, new: &Policy, callers: &[Caller; 2]) -> (Caller, Vec<String>) {
    let (old, new) = (old.groups_of(&callers[0]), new.groups_of(&callers[1]));
    let groups = old.union(&new).cloned().collect();
    (Caller { groups, ..callers[0].clone() }, old.intersection(&new).cloned().collect())
}

/// Before the times that the conditions name.
fn begin() -> Timestamp {
    "2025-06-01T00:00:00Z".parse().unwrap()
}

/// Others in every run, unless `PORTCULLIS_COMPARISON_SEED` is the seed of one that failed.
/// `PORTCULLIS_COMPARISONS` is how many: a search for what nobody has thought of takes thousands.
fn comparisons() -> (ProptestConfig, u64) {
    let number = |name: &str| {
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is a number, not {text}")))
    };
    let now = || u64::try_from(Timestamp::now().as_microsecond()).unwrap();
    let seed = number("PORTCULLIS_COMPARISON_SEED").unwrap_or_else(now);
    let cases = number("PORTCULLIS_COMPARISONS").unwrap_or(CASES);
    let config = ProptestConfig {
        cases: cases.try_into().unwrap(),
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    (config, seed)
}

const CASES: u64 = 5;

#[test]
fn every_decision_that_changes_is_told() {
    let (config, seed) = comparisons();
    let cases = (edited(), vec(question(), 60));
    let (some, all) = (Cell::new(0), Cell::new(0));
    let run = TestRunner::new(config).run(&cases, |((old, new), questions)| {
        some.set(some.get() + 1);
        all.set(all.get() + u32::from(all_is_told(&old, &new, &questions)?));
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("PORTCULLIS_COMPARISON_SEED={seed}: {error}"));
    // Few of them are about more names than are asked about.
    assert!(all.get() * 2 > some.get(), "PORTCULLIS_COMPARISON_SEED={seed}: {all:?} of {some:?}");
}

fn all_is_told(
    old: &Document,
    new: &Document,
    questions: &[Question],
) -> Result<bool, TestCaseError> {
    let (old_text, new_text) = (old.yaml(), new.yaml());
    let (old, new) = (compile(&old_text), compile(&new_text));
    let comparison = compare(&old, &new, begin());
    // What these are about is short patterns, and no name is a part of a version.
    let is_about_names = |it: &Limit| matches!(it, Limit::Groups { .. } | Limit::Names { .. });
    let is_about_variables = |it: &Limit| matches!(it, Limit::Variables { .. });
    prop_assert!(
        comparison.limits.iter().all(|it| is_about_names(it) || is_about_variables(it)),
        "{:?}\n{}\n{}",
        comparison.limits,
        old_text,
        new_text
    );
    let is_all = !comparison.limits.iter().any(is_about_names);
    let told: Vec<Told<'_, '_>> = comparison.changes.iter().map(Told::new).collect();
    for change in &comparison.changes {
        differs(&old, &new, change);
    }
    for (caller, action, repository) in questions {
        let callers = [asking(&old, caller), asking(&new, caller)];
        for tag in tags() {
            let image = Image { repository, tag: tag.as_ref() };
            let before = old.decide(&callers[0], *action, image);
            let after = new.decide(&callers[1], *action, image);
            if before.is_allowed() == after.is_allowed() {
                continue;
            }
            let has = |rules: &[RuleRef<'_>], by_default: bool, decided: Option<RuleRef<'_>>| {
                decided.map_or(by_default, |rule| rules.contains(&rule))
            };
            let (caller, always) = with_groups(&old, &new, &callers);
            let told = told.iter().any(|told| {
                let it = told.change;
                it.is_allowed == after.is_allowed()
                    && told.is_about(&caller, &always, *action, image)
                    && (has(&it.old, it.old_by_default, before.rule())
                        || has(&it.new, it.new_by_default, after.rule()))
            });
            let told = told || !is_all;
            let lines = comparison.changes.iter().map(ToString::to_string).collect::<Vec<_>>();
            prop_assert!(
                told,
                "{:?} {} {}:{:?}\n{:?}\n{}\n{}\n{}",
                callers,
                action,
                repository,
                tag,
                lines,
                old_text,
                new_text,
                after.reason()
            );
        }
    }
    Ok(is_all)
}
