//! Image patterns that are maps: expressions and ranges of versions.

use policy::Policy;

use crate::support::{allows, policy};

fn may(policy: &Policy, image: &str) -> bool {
    allows(policy, "user:alice", "pull", image)
}

fn readable(images: &str) -> Policy {
    policy(&format!(
        "rules: [{{name: reads, subjects: [anyone], images: [{images}], allow: [pull]}}]"
    ))
}

#[test]
fn a_map_says_what_text_says() {
    let text = readable(r#""team/{a,b}:{v?,rc-*}", other"#);
    let map = readable(r#"{repository: "team/{a,b}", tag: "{v?,rc-*}"}, {repository: other}"#);
    for image in ["team/a:v1", "team/b:rc-1", "team/a:x", "team/a", "team/c:v1", "other", "other:x"]
    {
        assert_eq!(may(&map, image), may(&text, image), "{image}");
    }
    assert!(may(&map, "team/a:v1") && may(&map, "other") && !may(&map, "team/a"));
    let home = readable(r#"{repository: "home/${user}", tag: "${user}-*"}"#);
    assert!(may(&home, "home/alice:alice-1") && !may(&home, "home/bob:alice-1"));
}

#[test]
fn expressions_match_whole_names() {
    let policy = readable(
        r#"{repository: {regex: "mirror/[a-z]+/base"}, tag: {regex: "v\\d+\\.\\d+"}}, {repository: {regex: "a|b/c"}}"#,
    );
    for (image, expected) in [
        ("mirror/eu/base:v1.20", true),
        ("mirror/eu/base:v1.20.3", false),
        ("mirror/eu/base", false),
        ("mirror/eu/x/base:v1.20", false),
        ("mirror/eu1/base:v1.20", false),
        ("mirror:v1.20", false),
        ("a", true),
        ("b/c:x", true),
        ("a/c", false),
    ] {
        assert_eq!(may(&policy, image), expected, "{image}");
    }
}

#[test]
fn what_is_no_version_is_not_allowed_by_a_range() {
    let policy = readable(r#"{repository: "team/**", tag: {semver: ">=2.0, <3"}}"#);
    for (image, expected) in [
        ("team/app:v2", true),
        ("team/app:2.9.1", true),
        ("team/app:3.0", false),
        ("team/app:2.1.0-rc.1", false),
        ("team/app:latest", false),
        ("team/app", false),
    ] {
        assert_eq!(may(&policy, image), expected, "{image}");
    }
}

#[test]
fn what_is_no_version_is_denied_by_a_range() {
    let policy = policy(
        r#"
rules:
  - {name: reads, subjects: [anyone], images: ["**"], allow: [pull]}
  - name: too-old
    subjects: [anyone]
    images: [{repository: "team/**", tag: {semver: "<2"}}]
    deny: [pull]
"#,
    );
    for (image, expected) in [
        ("team/app:1.9", false),
        ("team/app:2.0", true),
        ("team/app:latest", false),
        ("team/app:1.2-alpine", false),
        ("team/app:1.0.0-rc.1", true),
        ("team/app", true),
    ] {
        assert_eq!(may(&policy, image), expected, "{image}");
    }
}

#[test]
fn an_exception_of_what_is_no_version_goes_against_the_caller_too() {
    let except = r#"except: {images: [{repository: "**", tag: {semver: ">=2"}}]}"#;
    let allowed = policy(&format!(
        r#"rules: [{{name: reads, subjects: [anyone], images: ["**"], {except}, allow: [pull]}}]"#
    ));
    assert!(may(&allowed, "app:1.0") && may(&allowed, "app"));
    assert!(!may(&allowed, "app:2.0"));
    assert!(!may(&allowed, "app:latest"), "it may be one of those that the allowance leaves out");
    let denied = policy(&format!(
        r#"
rules:
  - {{name: reads, subjects: [anyone], images: ["**"], allow: [pull]}}
  - {{name: old, subjects: [anyone], images: ["**:*"], {except}, deny: [pull]}}
"#
    ));
    assert!(may(&denied, "app:2.0") && may(&denied, "app"));
    assert!(!may(&denied, "app:1.0"));
    assert!(!may(&denied, "app:latest"), "it may be one of those that the denial is about");
}
