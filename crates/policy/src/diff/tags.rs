//! Which tags make a difference: one for each set of patterns that a tag can match.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use oci::{RepositoryName, Tag};

use super::budget::Budget;
use super::grammar::Grammar;
use super::images::Bound;
use super::limits::Limit;
use super::ranges::Ranges;
use super::texts::{Patterns, texts};
use crate::glob::{Glob, Part};
use crate::image_pattern::TagPattern;
use crate::regex::{Reached, Regex};
use crate::versions::Versions;

/// In the walks through the tags of all repositories together, and of one.
const MAX_STEPS: usize = 500_000_000;
pub(super) const MAX_STEPS_OF_ONE: usize = 50_000_000;

/// The tags that some patterns tell apart, and `None` for what is untagged.
pub(super) type Found = Rc<Vec<Option<Tag>>>;

/// What has been found out about the tags of repositories. In many of them, the patterns are the same.
pub(super) struct Tags {
    known: HashMap<Written, Found>,
    budget: Budget,
}

/// Patterns of tags, sorted by what they are, each once.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Written {
    literals: BTreeSet<String>,
    globs: BTreeSet<String>,
    expressions: BTreeSet<String>,
    ranges: BTreeSet<String>,
}

impl Tags {
    pub(super) fn new() -> Self {
        Self { known: HashMap::new(), budget: Budget::new(MAX_STEPS) }
    }

    /// Of a repository where these patterns match.
    pub(super) fn of(
        &mut self,
        matched: &[&Bound<'_>],
        repository: &RepositoryName,
        limits: &mut BTreeSet<Limit>,
    ) -> Found {
        let mut written = Written::default();
        let mut globs: BTreeMap<String, Glob> = BTreeMap::new();
        let mut expressions: BTreeMap<&str, &Regex> = BTreeMap::new();
        let mut ranges: BTreeMap<&str, &Versions> = BTreeMap::new();
        for bound in matched {
            match &bound.image.tags {
                TagPattern::Matching(glob) => {
                    let Some(glob) = bound.bind(glob) else { continue };
                    match glob.0.iter().all(|part| matches!(part, Part::Text(_))) {
                        true => drop(written.literals.insert(glob.to_string())),
                        false => drop(globs.insert(glob.to_string(), glob)),
                    }
                }
                TagPattern::Regex(regex) => drop(expressions.insert(regex.text(), regex)),
                TagPattern::Semver(versions) => drop(ranges.insert(versions.text(), versions)),
                TagPattern::Whole => {}
            }
        }
        let any = Glob(vec![Part::Any]);
        globs.entry(any.to_string()).or_insert(any);
        written.globs = globs.keys().cloned().collect();
        written.expressions = expressions.keys().map(|text| (*text).to_owned()).collect();
        written.ranges = ranges.keys().map(|text| (*text).to_owned()).collect();
        if let Some(known) = self.known.get(&written) {
            return Rc::clone(known);
        }
        let patterns = Patterns {
            grammar: Grammar::Tag,
            globs: &globs.values().collect::<Vec<_>>(),
            expressions: &begun(expressions.into_values()),
            ranges: &Ranges::new(ranges.into_values().collect()),
            taken: &written.literals.iter().map(String::as_str).collect(),
            wanted: &|_| true,
        };
        let (found, is_whole) = self.budget.lend(MAX_STEPS_OF_ONE, |it| texts(&patterns, it));
        if !is_whole {
            limits.insert(Limit::Tags { repository: repository.to_string() });
        }
        let found =
            found.into_iter().map(|found| found.text).chain(written.literals.iter().cloned());
        let tags = found.filter_map(|text| Tag::new(&text).ok()).map(Some);
        let found = Rc::new(std::iter::once(None).chain(tags).collect());
        self.known.insert(written, Rc::clone(&found));
        found
    }
}

fn begun<'r>(expressions: impl Iterator<Item = &'r Regex>) -> Vec<(&'r Regex, Reached)> {
    expressions.map(|it| (it, it.begin())).collect()
}

/// Whether every tag of one pattern is one of the other.
pub(super) fn tags_within(inner: &Bound<'_>, outer: &Bound<'_>) -> bool {
    match (&inner.image.tags, &outer.image.tags) {
        (_, TagPattern::Whole) => true,
        (TagPattern::Matching(one), TagPattern::Matching(two)) => {
            let both = [inner.bind(one), outer.bind(two)];
            let [Some(one), Some(two)] = both else { return false };
            let patterns = Patterns {
                grammar: Grammar::Tag,
                globs: &[&one, &two],
                expressions: &[],
                ranges: &Ranges::new(Vec::new()),
                taken: &HashSet::new(),
                wanted: &|_| true,
            };
            let (found, is_whole) = texts(&patterns, &mut Budget::new(MAX_STEPS_OF_ONE));
            is_whole
                && found.iter().all(|text| !text.matched.contains(&0) || text.matched.contains(&1))
        }
        (one, two) => one == two,
    }
}
