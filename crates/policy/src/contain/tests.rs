use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::glob::Bindings;
use crate::image_pattern::Undecided;

fn pattern(text: &str) -> ImagePattern {
    let mut patterns = ImagePattern::parse(text).unwrap();
    assert_eq!(patterns.len(), 1, "{text}");
    patterns.remove(0)
}

fn contains(outer: &str, inner: &str) -> bool {
    pattern(outer).contains(&pattern(inner))
}

#[test]
fn a_pattern_contains_what_is_narrower() {
    for (outer, inner) in [
        ("**", "team/app"),
        ("**", "**"),
        ("team/**", "team"),
        ("team/**", "team/**/app"),
        ("team/**", "team/*/app:v*"),
        ("team/**", "team/${user}/x-${group}"),
        ("team/*/app", "team/${user}/app"),
        ("team/*/app", "team/a?c/app"),
        ("**/app", "team/app"),
        ("**/app/**", "a/**/app/b/*"),
        ("*/**", "**"),
        ("**", "*/**"),
        ("?*", "*"),
        ("home/${user}/**", "home/${user}/app:v1"),
        ("app", "app:*"),
        ("app:*", "app:v1"),
        ("app:v*", "app:v1*"),
        ("app:*-?", "app:v?-x"),
        ("**:*", "app:${user}-*"),
        ("a*b*c", "axb*cbc"),
        ("**/**", "a"),
    ] {
        assert!(contains(outer, inner), "{outer} {inner}");
    }
}

#[test]
fn a_pattern_does_not_contain_what_goes_beyond_it() {
    for (outer, inner) in [
        ("team/**", "**"),
        ("team/**", "teams/app"),
        ("team/*", "team/**"),
        ("team/*", "team"),
        ("team/*/app", "team/**/app"),
        ("team/a*", "team/*"),
        ("team/${user}", "team/*"),
        ("team/${user}", "team/${group}"),
        ("team/alice", "team/${user}"),
        ("team/?", "team/${user}"),
        ("team/app", "team/ap?"),
        ("app:*", "app"),
        ("app:v*", "app:*"),
        ("app:v*", "app"),
        ("**/app", "**"),
        ("a/**/b", "a/**"),
    ] {
        assert!(!contains(outer, inner), "{outer} {inner}");
    }
}

#[test]
fn patterns_meet_where_a_name_matches_both() {
    let meet = |one, two| pattern(one).may_meet(&pattern(two));
    for (one, two) in [
        ("**:v*", "home/**"),
        ("a/*/c", "*/b/**"),
        ("home/${user}", "home/alice"),
        ("app:*-rc", "app:v?-*"),
        ("a/**", "a"),
        ("ab*", "a?"),
    ] {
        assert!(meet(one, two) && meet(two, one), "{one} {two}");
    }
    for (one, two) in [
        ("home/**", "team/**"),
        ("team/*", "team"),
        ("app:v*", "app:rc-*"),
        ("a/*/c", "*/b"),
        ("home/x-${user}", "home/y-*"),
    ] {
        assert!(!meet(one, two) && !meet(two, one), "{one} {two}");
    }
}

#[test]
fn odd_patterns_are_given_up_in_time() {
    let outer = format!("**:{}b", "*a".repeat(120));
    let inner = format!("**:{}b", "*a?".repeat(60));
    // Either answer will do, if it comes.
    let _ = contains(&outer, &inner);
    let _ = contains(&inner, &outer);
}

fn repository() -> impl Strategy<Value = String> {
    let segment = select(
        &["a", "b", "ab", "*", "a*", "*b", "?", "?b", "a*b", "**", "**", "${user}", "a${group}"][..],
    );
    vec(segment, 1..4).prop_map(|segments| segments.join("/"))
}

fn image() -> impl Strategy<Value = String> {
    let tag = select(&["", "", ":*", ":v*", ":v1", ":*1", ":?*", ":${user}-*", ":v?*"][..]);
    (repository(), tag).prop_map(|(repository, tag)| repository + tag)
}

/// Names of up to four segments, of up to three letters.
fn name() -> impl Strategy<Value = String> {
    let segment = vec(select(&["a", "b", "c"][..]), 1..4).prop_map(|letters| letters.concat());
    vec(segment, 1..5).prop_map(|segments| segments.join("/"))
}

fn matching(pattern: &ImagePattern, name: &str, tag: Option<&str>) -> bool {
    let bindings = Bindings { user: Some("ab"), group: Some("b") };
    pattern.repository.matches(name, bindings)
        && pattern.tags.matches(tag, bindings, Undecided::Differs)
}

/// Every name of up to three segments of up to two letters out of three.
fn names() -> Vec<String> {
    let letters = ["a", "b", "c"];
    let mut segments: Vec<String> = letters.map(str::to_owned).to_vec();
    segments.extend(letters.iter().flat_map(|one| letters.map(|two| format!("{one}{two}"))));
    let mut names = segments.clone();
    let mut longest = segments.clone();
    for _ in 1..3 {
        longest = longest
            .iter()
            .flat_map(|name| segments.iter().map(move |segment| format!("{name}/{segment}")))
            .collect();
        names.extend(longest.iter().cloned());
    }
    names
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_contained_matches_wherever_the_narrower_one_does(
        outer in image(),
        inner in image(),
        names in vec((name(), select(&[None, Some("v1"), Some("ab-1"), Some("v"), Some("x1")][..])), 200),
    ) {
        let (one, two) = (pattern(&outer), pattern(&inner));
        let contained = one.contains(&two);
        for (name, tag) in names {
            if matching(&two, &name, tag) {
                prop_assert!(!contained || matching(&one, &name, tag), "{outer} {inner} {name} {tag:?}");
                prop_assert!(!matching(&one, &name, tag) || one.may_meet(&two), "{outer} {inner} {name}");
            }
        }
    }
}

/// Without variables, the answer is right in both directions: where it is "no", there is a name
/// that shows it.
#[test]
fn a_containment_that_is_denied_has_a_counterexample() {
    let names = names();
    let segments = ["a", "b", "*", "a*", "?", "?b", "**"];
    let patterns: Vec<_> = segments
        .iter()
        .map(|&one| one.to_owned())
        .chain(segments.iter().flat_map(|one| segments.map(|two| format!("{one}/{two}"))))
        .map(|text| pattern(&text))
        .collect();
    let matched: Vec<Vec<bool>> = patterns
        .iter()
        .map(|pattern| {
            names.iter().map(|name| pattern.repository.matches(name, Bindings::default())).collect()
        })
        .collect();
    for (outer, matched_outer) in patterns.iter().zip(&matched) {
        for (inner, matched_inner) in patterns.iter().zip(&matched) {
            let counterexample =
                matched_outer.iter().zip(matched_inner).any(|(outer, inner)| *inner && !outer);
            assert_eq!(outer.contains(inner), !counterexample, "{outer} {inner}");
            let common = matched_outer.iter().zip(matched_inner).any(|(one, two)| *one && *two);
            assert_eq!(outer.may_meet(inner), common, "{outer} {inner}");
        }
    }
}
