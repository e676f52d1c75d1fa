//! Which tags make a difference: one for each set of patterns that a tag can match.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use oci::Tag;

use super::expressions::of_versions;
use super::images::Bound;
use super::texts::{Grammar, Text, texts, texts_with};
use crate::glob::{Glob, Part};
use crate::image_pattern::TagPattern;
use crate::regex::Regex;
use crate::versions::Versions;

/// The tags that the patterns tell apart, and `None` for what is untagged. False: there may be more.
pub(super) fn tags(matched: &[&Bound<'_>]) -> (Vec<Option<Tag>>, bool) {
    let mut literals: BTreeSet<String> = BTreeSet::new();
    let mut globs: BTreeMap<String, Glob> = BTreeMap::new();
    let mut expressions: BTreeMap<&str, &Regex> = BTreeMap::new();
    let mut ranges: BTreeMap<&str, &Versions> = BTreeMap::new();
    for bound in matched {
        match &bound.image.tags {
            TagPattern::Matching(glob) => {
                let Some(glob) = glob.bind(bound.bindings()) else { continue };
                match glob.0.iter().all(|part| matches!(part, Part::Text(_))) {
                    true => drop(literals.insert(glob.to_string())),
                    false => drop(globs.insert(glob.to_string(), glob)),
                }
            }
            TagPattern::Regex(regex) => drop(expressions.insert(regex.text(), regex)),
            TagPattern::Semver(versions) => drop(ranges.insert(versions.text(), versions)),
            TagPattern::Whole => {}
        }
    }
    for range in ranges.values() {
        for version in of_versions(range) {
            literals.insert(format!("v{version}"));
            literals.insert(version);
        }
    }
    let any = Glob(vec![Part::Any]);
    globs.entry(any.to_string()).or_insert(any);
    let globs: Vec<&Glob> = globs.values().collect();
    let expressions: Vec<&Regex> = expressions.into_values().collect();
    let taken: HashSet<&str> = literals.iter().map(String::as_str).collect();
    let (found, mut is_whole) = texts_with(Grammar::Tag, &globs, &expressions, &taken);
    let ranges: Vec<&Versions> = ranges.into_values().collect();
    is_whole &=
        ranges.is_empty() || versions_are_there(&found, &literals, &globs, &expressions, &ranges);
    let found = found.into_iter().map(|found| found.text).chain(literals.iter().cloned());
    let tags = found.filter_map(|text| Tag::new(&text).ok()).map(Some);
    (std::iter::once(None).chain(tags).collect(), is_whole)
}

/// Whether there is a version in and outside of each range wherever a version can match the other
/// patterns. Ranges are not walked through: what is known of them are versions at their ends.
fn versions_are_there(
    found: &[Text],
    literals: &BTreeSet<String>,
    globs: &[&Glob],
    expressions: &[&Regex],
    ranges: &[&Versions],
) -> bool {
    let mut kinds: HashSet<Vec<Option<bool>>> = HashSet::new();
    let mut kinds_in: HashMap<Vec<usize>, HashSet<Vec<Option<bool>>>> = HashMap::new();
    for text in literals {
        let kind: Vec<_> = ranges.iter().map(|range| range.contain(text)).collect();
        if kind.first().is_none_or(Option::is_none) {
            continue;
        }
        let globs_there = globs.iter().map(|glob| glob.matches(text, Default::default()));
        let all = globs_there.chain(expressions.iter().map(|it| it.matches(text)));
        let matched = all.enumerate().filter(|(_, is)| *is).map(|(place, _)| place).collect();
        kinds.insert(kind.clone());
        kinds_in.entry(matched).or_default().insert(kind);
    }
    let may_be_version = |text: &&Text| {
        let own = text.matched.iter().filter_map(|place| globs.get(*place));
        own.copied().all(begins_like_a_version)
    };
    found
        .iter()
        .filter(may_be_version)
        .all(|text| kinds_in.get(&text.matched).is_some_and(|there| there.len() == kinds.len()))
}

fn begins_like_a_version(glob: &Glob) -> bool {
    match glob.0.first() {
        Some(Part::Text(text)) => text.starts_with(|it: char| it == 'v' || it.is_ascii_digit()),
        _ => true,
    }
}

/// Whether every tag of one pattern is one of the other.
pub(super) fn tags_within(inner: &Bound<'_>, outer: &Bound<'_>) -> bool {
    match (&inner.image.tags, &outer.image.tags) {
        (_, TagPattern::Whole) => true,
        (TagPattern::Matching(one), TagPattern::Matching(two)) => {
            let both = [one.bind(inner.bindings()), two.bind(outer.bindings())];
            let [Some(one), Some(two)] = both else { return false };
            let (found, is_whole) = texts(Grammar::Tag, &[&one, &two], &HashSet::new());
            is_whole
                && found.iter().all(|text| !text.matched.contains(&0) || text.matched.contains(&1))
        }
        (one, two) => one == two,
    }
}
