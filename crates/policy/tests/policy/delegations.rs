//! What files may say to which images and groups are delegated.

use insta::assert_snapshot;
use policy::{Action, Image, Policy};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::properties::{document, in_tags, question, tags};
use crate::reference::{Image as Written, Part};
use crate::support::{allows, policy_of, sources};

const CENTRAL: &str = r#"delegations:
  - {files: "teams/backend/**", images: ["team/backend/**"], groups: ["backend*"]}
groups:
  platform: [user:admin]
administrators: [group:platform]
rules:
  - {name: all-read, subjects: [authenticated], images: ["base/**"], allow: [pull]}
"#;

/// A policy with [`CENTRAL`] and a file of the backend team.
fn with(team: &str) -> Vec<policy::SourceFile> {
    sources(&[("policies/main.yaml", CENTRAL), ("policies/teams/backend/main.yaml", team)])
}

fn refused(team: &str) -> String {
    Policy::compile(&with(team)).unwrap_err().to_string()
}

#[test]
fn a_file_may_speak_of_what_is_delegated_to_it() {
    let team = r#"groups:
  backend: [user:alice]
  backend-guests: external
rules:
  - {name: own, subjects: [group:backend, "service:ci/*"], images: ["team/backend/**"], allow: [all]}
  - {name: home, subjects: [authenticated], images: ["team/backend/${user}/*:dev"], allow: [pull]}
  - {name: guests, subjects: ["group:backend-*"], except: {images: ["**:secret"]}, images: ["team/backend/web:*"], allow: [pull]}
  - {name: shut, subjects: [anyone], except: {subjects: [group:backend]}, images: ["team/backend/lab/**"], deny: [all]}
"#;
    let policy =
        policy_of(&[("policies/main.yaml", CENTRAL), ("policies/teams/backend/main.yaml", team)]);
    assert!(allows(&policy, "user:alice", "delete", "team/backend/api:v1"));
    assert!(allows(&policy, "user:bob", "pull", "team/backend/bob/x:dev"));
    assert!(!allows(&policy, "service:ci/x", "pull", "team/backend/lab/x"));
    assert!(!allows(&policy, "user:alice", "pull", "team/frontend/web"));
}

#[test]
fn a_rule_beyond_the_images_of_its_file() {
    let team = r#"rules:
  - name: reads-more
    subjects: [user:alice]
    images: ["team/backend/api", "team/*/api", "team/{backend,frontend}/web"]
    allow: [pull]
"#;
    assert_snapshot!(refused(team), @r#"
    error: rule `reads-more` goes beyond its delegation
     --> policies/teams/backend/main.yaml:4:34
      |
    4 |     images: ["team/backend/api", "team/*/api", "team/{backend,frontend}/web"]
      |                                  ^^^^^^^^^^^^ `team/*/api` is not within the images of this file
      |
     ::: policies/main.yaml:2:41
      |
    2 |   - {files: "teams/backend/**", images: ["team/backend/**"], groups: ["backend*"]}
      |                                         ------------------- these are its images
      |
      = help: name images within those, or move the rule to a file that no delegation covers

    error: rule `reads-more` goes beyond its delegation
     --> policies/teams/backend/main.yaml:4:48
      |
    4 |     images: ["team/backend/api", "team/*/api", "team/{backend,frontend}/web"]
      |                                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `team/frontend/web` is not within the images of this file
      |
     ::: policies/main.yaml:2:41
      |
    2 |   - {files: "teams/backend/**", images: ["team/backend/**"], groups: ["backend*"]}
      |                                         ------------------- these are its images
      |
      = help: name images within those, or move the rule to a file that no delegation covers
    "#);
}

#[test]
fn no_pattern_reaches_around_the_images_of_its_file() {
    for image in [
        "**",
        "team/**",
        "team/*",
        "team/backend*/**",
        "team/${group}/**",
        "{team/backend,base}/x",
        "team/?ackend/x",
        "*/backend/x",
        "**/backend/**",
        "team",
        "home/${user}/**",
        "team/backend-x:v1",
    ] {
        for effect in ["allow: [pull]", "deny: [pull]"] {
            let team = format!(
                "rules: [{{name: x, subjects: [anyone], images: [\"{image}\"], {effect}}}]\n"
            );
            assert!(refused(&team).contains("goes beyond its delegation"), "{image} {effect}");
        }
    }
}

#[test]
fn an_expression_or_a_range_lies_within_a_plain_path() {
    let rule = |image: &str, effect: &str| {
        let team = format!("rules: [{{name: x, subjects: [anyone], images: [{image}], {effect}}}]");
        Policy::compile(&with(&team)).is_ok()
    };
    for effect in ["allow: [pull]", "deny: [pull]"] {
        assert!(rule(r#"{repository: "team/backend/api", tag: {semver: ">=2"}}"#, effect));
        assert!(rule(r#"{repository: {regex: "team/backend/[a-z]+/x"}, tag: "v*"}"#, effect));
        assert!(!rule(r#"{repository: {regex: "team/back[a-z]+/x"}, tag: "v*"}"#, effect));
        assert!(!rule(r#"{repository: {regex: "(team/backend|base)/x"}}"#, effect));
    }
}

#[test]
fn a_denial_for_a_range_goes_beyond_a_delegation_of_that_range() {
    let image = r#"{repository: "app", tag: {semver: ">=2"}}"#;
    let central = format!("delegations: [{{files: \"team.yaml\", images: [{image}]}}]\n");
    let loads = |effect: &str| {
        let team =
            format!("rules: [{{name: x, subjects: [anyone], images: [{image}], {effect}}}]\n");
        let files = [("policies/main.yaml", &*central), ("policies/team.yaml", &*team)];
        Policy::compile(&sources(&files)).is_ok()
    };
    assert!(loads("allow: [pull]"));
    assert!(!loads("deny: [pull]"), "it holds for tags that are no versions, too");
}

#[test]
fn groups_beyond_those_of_a_file() {
    let team = r#"groups:
  release: [user:alice]
  backend: [user:alice, group:platform]
rules:
  - name: own
    subjects: ["group:*"]
    except: {subjects: [group:platform]}
    images: ["team/backend/**"]
    allow: [pull]
"#;
    assert_snapshot!(refused(team), @r#"
    error: group `release` goes beyond the delegation of this file
     --> policies/teams/backend/main.yaml:2:3
      |
    2 |   release: [user:alice]
      |   ^^^^^^^ declared here
      |
     ::: policies/main.yaml:2:71
      |
    2 |   - {files: "teams/backend/**", images: ["team/backend/**"], groups: ["backend*"]}
      |                                                                       ---------- these are its groups
      |
      = help: groups of this file are `backend*`; move what is about others to a file that no delegation covers

    error: `group:platform` goes beyond the delegation of this file
     --> policies/teams/backend/main.yaml:3:25
      |
    3 |   backend: [user:alice, group:platform]
      |                         ^^^^^^^^^^^^^^ named here
      |
     ::: policies/main.yaml:2:71
      |
    2 |   - {files: "teams/backend/**", images: ["team/backend/**"], groups: ["backend*"]}
      |                                                                       ---------- these are its groups
      |
      = help: groups of this file are `backend*`; move what is about others to a file that no delegation covers

    error: `group:*` goes beyond the delegation of this file
     --> policies/teams/backend/main.yaml:6:16
      |
    6 |     subjects: ["group:*"]
      |                ^^^^^^^^^ named here
      |
     ::: policies/main.yaml:2:71
      |
    2 |   - {files: "teams/backend/**", images: ["team/backend/**"], groups: ["backend*"]}
      |                                                                       ---------- these are its groups
      |
      = help: groups of this file are `backend*`; move what is about others to a file that no delegation covers

    error: `group:platform` goes beyond the delegation of this file
     --> policies/teams/backend/main.yaml:7:25
      |
    7 |     except: {subjects: [group:platform]}
      |                         ^^^^^^^^^^^^^^ named here
      |
     ::: policies/main.yaml:2:71
      |
    2 |   - {files: "teams/backend/**", images: ["team/backend/**"], groups: ["backend*"]}
      |                                                                       ---------- these are its groups
      |
      = help: groups of this file are `backend*`; move what is about others to a file that no delegation covers
    "#);
}

#[test]
fn a_delegation_without_groups() {
    let central = "delegations: [{files: \"teams/*.yaml\", images: [\"team/**\"]}]\n";
    let team = "groups: {qa: external}\n";
    let files = [("policies/a.yaml", central), ("policies/teams/qa.yaml", team)];
    let refused = Policy::compile(&sources(&files)).unwrap_err().to_string();
    assert_snapshot!(refused, @r#"
    error: group `qa` goes beyond the delegation of this file
     --> policies/teams/qa.yaml:1:10
      |
    1 | groups: {qa: external}
      |          ^^ declared here
      |
     ::: policies/a.yaml:1:23
      |
    1 | delegations: [{files: "teams/*.yaml", images: ["team/**"]}]
      |                       -------------- it has no `groups`
      |
      = help: add `groups: […]` to the delegation, or move this to a file that no delegation covers
    "#);
}

#[test]
fn administrators_and_delegations_in_a_delegated_file() {
    let team = r#"administrators: [user:alice]
delegations: []
"#;
    assert_snapshot!(refused(team), @r#"
    error: `administrators` cannot stand in a file that is delegated
     --> policies/teams/backend/main.yaml:1:1
      |
    1 | administrators: [user:alice]
      | ^^^^^^^^^^^^^^ in a file that a delegation covers
      |
     ::: policies/main.yaml:2:13
      |
    2 |   - {files: "teams/backend/**", images: ["team/backend/**"], groups: ["backend*"]}
      |             ------------------ by this delegation
      |
      = help: move it to a file that no delegation covers

    error: `delegations` cannot stand in a file that is delegated
     --> policies/teams/backend/main.yaml:2:1
      |
    2 | delegations: []
      | ^^^^^^^^^^^ in a file that a delegation covers
      |
     ::: policies/main.yaml:2:13
      |
    2 |   - {files: "teams/backend/**", images: ["team/backend/**"], groups: ["backend*"]}
      |             ------------------ by this delegation
      |
      = help: move it to a file that no delegation covers
    "#);
}

#[test]
fn a_delegation_that_covers_its_own_file() {
    let central = "delegations: [{files: \"**\", images: [\"**\"]}]\n";
    let refused = Policy::compile(&sources(&[("policies/a.yaml", central)])).unwrap_err();
    assert_snapshot!(refused.to_string(), @r#"
    error: `delegations` cannot stand in a file that is delegated
     --> policies/a.yaml:1:1
      |
    1 | delegations: [{files: "**", images: ["**"]}]
      | ^^^^^^^^^^^ in a file that a delegation covers
      |
     ::: policies/a.yaml:1:23
      |
    1 | delegations: [{files: "**", images: ["**"]}]
      |                       ---- by this delegation
      |
      = help: let `files` match other files than its own
    "#);
}

#[test]
fn a_name_that_another_file_uses() {
    let team = r#"groups:
  backend: [user:alice]
rules:
  - {name: all-read, subjects: [group:backend], images: ["team/backend/**"], allow: [pull]}
"#;
    assert_snapshot!(refused(team), @r#"
    error: two rules are named `all-read`
     --> policies/teams/backend/main.yaml:4:12
      |
    4 |   - {name: all-read, subjects: [group:backend], images: ["team/backend/**"], allow: [pull]}
      |            ^^^^^^^^ the second
      |
     ::: policies/main.yaml:7:12
      |
    7 |   - {name: all-read, subjects: [authenticated], images: ["base/**"], allow: [pull]}
      |            -------- the first
      |
      = help: rename one of them; a name that begins with its team or file stays unique
    "#);
}

#[test]
fn a_file_keeps_to_every_delegation_that_covers_it() {
    let central = r#"delegations:
  - {files: "teams/**", images: ["team/**"], groups: ["*"]}
  - {files: "**/backend.yaml", images: ["*/backend/**", "base"]}
"#;
    let loads = |image: &str| {
        let team =
            format!("rules: [{{name: x, subjects: [anyone], images: [{image}], allow: [pull]}}]");
        let files = [("policies/main.yaml", central), ("policies/teams/backend.yaml", &*team)];
        Policy::compile(&sources(&files)).is_ok()
    };
    assert!(loads("team/backend/api"));
    assert!(!loads("team/frontend/api"));
    assert!(!loads("base"));
}

#[test]
fn delegations_are_about_paths_below_the_policy_folder() {
    let compile = |files: &str, path: &str| {
        let central = format!("delegations: [{{files: \"{files}\", images: [team/a]}}]\n");
        let team = "rules: [{name: x, subjects: [anyone], images: [b], allow: [pull]}]\n";
        Policy::compile(&sources(&[("policies/main.yaml", &*central), (path, team)]))
    };
    for (files, path) in [
        ("teams/**", "policies/teams/a.yaml"),
        ("teams/**", "policies/teams/a/b.yaml"),
        ("teams/a.yaml", "policies/teams/a.yaml"),
        ("*/a.yaml", "policies/teams/a.yaml"),
        ("**/a.yaml", "policies/a.yaml"),
        ("teams/a*", "policies/teams/ab.yaml"),
    ] {
        assert!(compile(files, path).is_err(), "{files} {path}");
    }
    for (files, path) in [
        ("teams/**", "policies/a.yaml"),
        ("teams/*", "policies/teams/a/b.yaml"),
        ("teams/a", "policies/teams/a.yaml"),
        ("policies/teams/**", "policies/teams/a.yaml"),
    ] {
        let warnings = compile(files, path).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{files} {path}: {warnings}");
    }
    let warnings = compile("policies/teams/**", "policies/teams/a.yaml").unwrap().warnings;
    assert_snapshot!(warnings.to_string(), @r#"
    warning: no file matches `policies/teams/**`
     --> policies/main.yaml:1:23
      |
    1 | delegations: [{files: "policies/teams/**", images: [team/a]}]
      |                       ^^^^^^^^^^^^^^^^^^^ a delegation without a file
      |
      = help: paths begin below the policy folder: `teams/**`
    "#);
    let warnings = compile("teams/backnd/**", "policies/teams/a.yaml").unwrap().warnings;
    assert_snapshot!(warnings.to_string(), @r#"
    warning: no file matches `teams/backnd/**`
     --> policies/main.yaml:1:23
      |
    1 | delegations: [{files: "teams/backnd/**", images: [team/a]}]
      |                       ^^^^^^^^^^^^^^^^^ a delegation without a file
      |
      = help: no file is held back by it; look for a slip in the path, or remove it
    "#);
}

#[test]
fn delegations_that_cannot_be_meant() {
    let central = r#"delegations:
  - {files: "/teams/**", images: ["team/${user}/**"], groups: ["group:backend*"]}
  - {files: "teams/{a,b}/**", images: []}
  - {file: "teams/**", group: [a], images: ["Team/**"]}
  - {images: ["team/**"]}
  - {files: "../a.yaml"}
  - {files: "a**", images: ["a"], groups: ["", "a//b"]}
"#;
    let refused = Policy::compile(&sources(&[("policies/main.yaml", central)])).unwrap_err();
    assert_snapshot!(refused.to_string(), @r#"
    error: `/teams/**` is no path from the policy folder on
     --> policies/main.yaml:2:13
      |
    2 |   - {files: "/teams/**", images: ["team/${user}/**"], groups: ["group:backend*"]}
      |             ^^^^^^^^^^^
      |
      = help: write it as in `teams/backend/**`, without a `/` at its ends and without `.` and `..`

    error: a delegation cannot hold a variable
     --> policies/main.yaml:2:35
      |
    2 |   - {files: "/teams/**", images: ["team/${user}/**"], groups: ["group:backend*"]}
      |                                   ^^^^^^^^^^^^^^^^^
      |
      = help: it is for a file, and nobody has asked yet: write the name, or `*`

    error: a delegation names groups without `group:`
     --> policies/main.yaml:2:64
      |
    2 |   - {files: "/teams/**", images: ["team/${user}/**"], groups: ["group:backend*"]}
      |                                                                ^^^^^^^^^^^^^^^^
      |
      = help: write `backend*`

    error: `{` has no meaning in `files`
     --> policies/main.yaml:3:13
      |
    3 |   - {files: "teams/{a,b}/**", images: []}
      |             ^^^^^^^^^^^^^^^^
      |
      = help: `*` is anything up to the next `/`, `**` any number of folders

    error: `images` is empty
     --> policies/main.yaml:3:39
      |
    3 |   - {files: "teams/{a,b}/**", images: []}
      |                                       ^^
      |
      = help: name at least one

    error: unknown key `file` in a delegation
     --> policies/main.yaml:4:6
      |
    4 |   - {file: "teams/**", group: [a], images: ["Team/**"]}
      |      ^^^^
      |
      = help: did you mean `files`?

    error: unknown key `group` in a delegation
     --> policies/main.yaml:4:24
      |
    4 |   - {file: "teams/**", group: [a], images: ["Team/**"]}
      |                        ^^^^^
      |
      = help: did you mean `groups`?

    error: no repository matches `Team`: `T` is upper case
     --> policies/main.yaml:4:45
      |
    4 |   - {file: "teams/**", group: [a], images: ["Team/**"]}
      |                                             ^^^^^^^^^
      |
      = help: repository names are lower case: `team`

    error: a delegation does not say for which files it is
     --> policies/main.yaml:5:5
      |
    5 |   - {images: ["team/**"]}
      |     ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `files: "teams/backend/**"`, a path from the policy folder on

    error: a delegation does not say of which images its files may speak
     --> policies/main.yaml:6:5
      |
    6 |   - {files: "../a.yaml"}
      |     ^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `images: […]`

    error: `../a.yaml` is no path from the policy folder on
     --> policies/main.yaml:6:13
      |
    6 |   - {files: "../a.yaml"}
      |             ^^^^^^^^^^^
      |
      = help: write it as in `teams/backend/**`, without a `/` at its ends and without `.` and `..`

    error: `**` has to be a whole part of the path
     --> policies/main.yaml:7:13
      |
    7 |   - {files: "a**", images: ["a"], groups: ["", "a//b"]}
      |             ^^^^^
      |
      = help: `*` is anything up to the next `/`, `**` any number of folders

    error: nobody is named after `group:`
     --> policies/main.yaml:7:44
      |
    7 |   - {files: "a**", images: ["a"], groups: ["", "a//b"]}
      |                                            ^^
      |
      = help: `*` is any name

    error: a part of the name in `group:a//b` is empty
     --> policies/main.yaml:7:48
      |
    7 |   - {files: "a**", images: ["a"], groups: ["", "a//b"]}
      |                                                ^^^^^^
      |
      = help: a name has no `/` at its ends, and no two in a row
    "#);
}

#[test]
fn a_delegated_file_that_says_who_administrates() {
    let central = r#"delegations:
  - {files: "teams/**", images: ["team/**"], groups: ["*-leads"]}
groups:
  leads: ["group:*-leads"]
administrators: [group:leads]
"#;
    let team = "groups:\n  backend-leads: [user:mallory]\n";
    let files = [("policies/main.yaml", central), ("policies/teams/backend.yaml", team)];
    let warnings = Policy::compile(&sources(&files)).unwrap().warnings;
    assert_snapshot!(warnings.to_string(), @"
    warning: a delegated file says who is in `backend-leads`, and so who administrates
     --> policies/main.yaml:5:18
      |
    5 | administrators: [group:leads]
      |                  ^^^^^^^^^^^ administrators
      |
     ::: policies/teams/backend.yaml:2:3
      |
    2 |   backend-leads: [user:mallory]
      |   ------------- its members are for the authors of this file to say
      |
      = help: name a group here that no delegated file declares
    ");
}

/// Rules as a team may write them, for images below `a`, with groups of its own.
fn delegated() -> impl Strategy<Value = String> {
    (document(), proptest::bool::weighted(0.8)).prop_map(|(mut document, keeps)| {
        document.groups.clear();
        document.groups.insert("d-1".to_owned(), Some(vec!["user:a".to_owned()]));
        document.groups.insert("d-2".to_owned(), Some(vec!["group:d-1".to_owned()]));
        for (index, rule) in document.rules.iter_mut().enumerate() {
            rule.name = format!("team-{index}");
            if keeps {
                for image in &mut rule.images {
                    match image {
                        Written::Text(text) | Written::Map { repository: Part::Text(text), .. } => {
                            *text = format!("a/{text}");
                        }
                        Written::Map {
                            repository: Part::Regex(text) | Part::Semver(text), ..
                        } => {
                            *text = format!("a/({text})");
                        }
                    }
                }
            }
            for subject in rule.subjects.iter_mut().chain(&mut rule.except_subjects) {
                if subject.starts_with("group:") {
                    *subject = "group:d-*".to_owned();
                }
            }
        }
        document.yaml()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever a delegated file says: where it is loaded, decisions on images that are not
    /// delegated are those without it, and so is who administrates.
    #[test]
    fn a_delegated_file_changes_nothing_beyond_its_delegation(
        central in document(),
        teams in vec(delegated(), 3),
        delegation in proptest::sample::select(&[
            (r#"["a/**"]"#, "a/"), (r#"["a/b", "a/*/b"]"#, "a/"), (r#"["a/**:v*"]"#, "a/"), (r#"["**"]"#, ""),
        ][..]),
        questions in vec(question(), 15),
    ) {
        let (images, within) = delegation;
        // The groups of a team are its own: nobody else speaks of them.
        let central = central.yaml().replace("group:*", "group:g*").replace("${group}", "a");
        let central = format!(
            "{central}administrators: [\"user:b\"]\ndelegations: [{{files: \"team.yaml\", images: {images}, groups: [\"d-*\"]}}]\n"
        );
        let Ok(without) = Policy::compile(&sources(&[("policies/main.yaml", &*central)])) else {
            return Err(TestCaseError::reject("the central file"));
        };
        for team in &teams {
            let files = [("policies/main.yaml", &*central), ("policies/team.yaml", &**team)];
            let Ok(with) = Policy::compile(&sources(&files)) else { continue };
            for (caller, action, repository) in &questions {
                prop_assert_eq!(with.policy.is_administrator(caller), without.policy.is_administrator(caller));
                if within.is_empty() || format!("{repository}/").starts_with(within) {
                    continue;
                }
                let (before, after) = (
                    without.policy.tags(caller, *action, repository),
                    with.policy.tags(caller, *action, repository),
                );
                for tag in tags() {
                    let image = Image { repository, tag: tag.as_ref() };
                    let before_here = without.policy.decide(caller, *action, image);
                    let after_here = with.policy.decide(caller, *action, image);
                    prop_assert_eq!(before_here.is_allowed(), after_here.is_allowed(), "{} {:?}\n{}", repository, tag, team);
                    prop_assert_eq!(before_here.rule().map(|rule| rule.name), after_here.rule().map(|rule| rule.name));
                    prop_assert_eq!(in_tags(&before, tag.as_ref()), in_tags(&after, tag.as_ref()));
                }
            }
        }
    }
}

/// The property speaks of files that are loaded and decide something; there have to be some.
#[test]
fn generated_files_are_loaded_and_refused() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let central = "delegations: [{files: \"team.yaml\", images: [\"a/**\"], groups: [\"d-*\"]}]\n";
    let (mut loaded, mut allowed, mut refused) = (0, 0, 0);
    for _ in 0..100 {
        let team = delegated().new_tree(&mut runner).unwrap().current();
        let files = [("policies/main.yaml", central), ("policies/team.yaml", &*team)];
        let Ok(compiled) = Policy::compile(&sources(&files)) else {
            refused += 1;
            continue;
        };
        loaded += usize::from(compiled.policy.rule_count() > 0);
        let repository = oci::RepositoryName::new("a/b").unwrap();
        let anybody = crate::support::caller("user:a", &[]);
        allowed += usize::from(compiled.policy.grants_any(&anybody, Action::Pull, &repository));
    }
    assert!(loaded > 40 && allowed > 10 && refused > 10, "{loaded} {allowed} {refused}");
}
