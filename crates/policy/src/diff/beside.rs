//! What else is said of the text that a name stands in: where `home/x-${user}` is allowed,
//! `home/*-bob` tells some names apart from others.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::budget::Budget;
use super::grammar::Grammar;
use super::ranges::Ranges;
use super::reading::{behind, between, is_anything};
use super::texts::{Patterns, texts};
use crate::glob::{Glob, Part};
use crate::regex::{Reached, Regex};
use crate::versions::Versions;

/// A segment or a tag with a variable, and what other patterns say of the same segment or tag.
pub(super) struct Beside<'p> {
    text: Glob,
    variable: Part,
    grammar: Grammar,
    globs: BTreeMap<String, Glob>,
    /// With where they stand before the text.
    expressions: BTreeMap<(&'p str, Reached), &'p Regex>,
    ranges: BTreeMap<&'p str, &'p Versions>,
    /// There are names for the other variable of which nothing is said here.
    leaves_out: bool,
}

/// Any version.
const VERSION: &str = "1.2.3";

/// What matches a text: globs; expressions, and whether the text may be the end of a name for them
/// and what they have read where it is not; ranges.
type Fate = (Vec<usize>, Vec<(usize, bool, Reached)>, Vec<Option<bool>>);

/// What becomes of the texts that a name stands in. Names are alike for which it is the same.
pub(super) type Fates = BTreeSet<Fate>;

/// Patterns of names, one of which tells something of the text.
#[derive(Default)]
pub(super) struct Pieces<'p> {
    pub(super) globs: BTreeMap<String, Glob>,
    pub(super) expressions: BTreeMap<(&'p str, Reached), &'p Regex>,
    pub(super) ranges: BTreeMap<&'p str, &'p Versions>,
    /// False: there are names that these do not tell apart.
    pub(super) is_whole: bool,
}

impl<'p> Beside<'p> {
    pub(super) fn new(text: Glob, variable: Part, grammar: Grammar) -> Self {
        let (globs, expressions) = (BTreeMap::new(), BTreeMap::new());
        let ranges = BTreeMap::new();
        Self { text, variable, grammar, globs, expressions, ranges, leaves_out: false }
    }

    pub(super) fn add_glob(&mut self, glob: Glob) {
        if !is_anything(&glob) {
            self.globs.insert(glob.to_string(), glob);
        }
    }

    pub(super) fn add_expression(&mut self, regex: &'p Regex, reached: Reached) {
        self.expressions.insert((regex.text(), reached), regex);
    }

    pub(super) fn add_range(&mut self, range: &'p Versions) {
        self.ranges.insert(range.text(), range);
    }

    /// Not all that was to be added was.
    pub(super) fn leave_out(&mut self) {
        self.leaves_out = true;
    }

    pub(super) fn has_wildcards(&self) -> bool {
        has_wildcards(&self.text)
    }

    /// Whether no pattern says anything.
    pub(super) fn is_empty(&self) -> bool {
        !self.leaves_out
            && self.globs.is_empty()
            && self.expressions.is_empty()
            && self.ranges.is_empty()
    }

    /// Alike where it is the same.
    pub(super) fn key(&self) -> String {
        let Self { text, grammar, globs, expressions, ranges, leaves_out, .. } = self;
        let (globs, expressions) = (globs.keys(), expressions.keys());
        format!("{text} {grammar:?} {globs:?} {expressions:?} {:?} {leaves_out}", ranges.keys())
    }

    /// Adds what tells the names apart.
    pub(super) fn add_pieces(&self, pieces: &mut Pieces<'p>) {
        pieces.is_whole &= !self.leaves_out;
        let own = self.text.0.iter().enumerate().filter(|(_, part)| **part == self.variable);
        for (at, _) in own {
            let (before, rest) = self.text.0.split_at(at);
            let [before, after] = [before, rest.get(1..).unwrap_or_default()]
                .map(|parts| Glob(parts.to_vec()).of_anybody());
            for glob in self.globs.values() {
                let parts = between(glob, &before, &after).into_iter();
                let parts = parts.filter(|it| !it.0.is_empty() && !is_anything(it));
                pieces.globs.extend(parts.map(|it| (it.to_string(), it)));
            }
            for (&(text, reached), regex) in &self.expressions {
                let starts = behind(regex, reached, &before, self.grammar).into_iter();
                pieces.expressions.extend(starts.map(|it| ((text, it), *regex)));
            }
            if !self.ranges.is_empty() {
                self.add_ranges(&before, &after, pieces);
            }
        }
    }

    fn add_ranges(&self, before: &Glob, after: &Glob, pieces: &mut Pieces<'p>) {
        let is_prerelease =
            matches!(after.0.first(), Some(Part::Text(text)) if text.starts_with('-'));
        match (before.literal(), after.literal()) {
            (Some("" | "v"), Some("")) => pieces.ranges.extend(self.ranges.clone()),
            // Behind other text, no version begins.
            (Some(before), _) if !may_begin_version(before) => {}
            // The prereleases of one version are in the same ranges as those of any other, unless a
            // range names one.
            (Some("" | "v"), _) if is_prerelease => {
                pieces.globs.insert(VERSION.to_owned(), Glob(vec![Part::Text(VERSION.into())]));
                pieces.is_whole &= !self.ranges.keys().any(|range| range.contains('-'));
            }
            _ => pieces.is_whole = false,
        }
    }

    /// What becomes of the texts that the name stands in. False: that is not all.
    pub(super) fn fates(&self, name: &str, budget: &mut Budget) -> (Fates, bool) {
        let own = self.text.with(&self.variable, name).of_anybody();
        let globs: Vec<&Glob> = std::iter::once(&own).chain(self.globs.values()).collect();
        let expressions: Vec<(&Regex, Reached)> =
            self.expressions.iter().map(|((_, reached), regex)| (*regex, *reached)).collect();
        let ranges = Ranges::new(self.ranges.values().copied().collect());
        let patterns = Patterns {
            grammar: self.grammar,
            globs: &globs,
            expressions: &expressions,
            ranges: &ranges,
            taken: &HashSet::new(),
            wanted: &|pattern| pattern == 0,
        };
        let (found, is_whole) = texts(&patterns, budget);
        let end = |&(place, reached): &(usize, Reached)| {
            let (regex, _) = expressions.get(place)?;
            Some((place, regex.ends(reached), regex.after(reached, b'/')))
        };
        let own = found.into_iter().filter(|it| it.matched.first() == Some(&0));
        let fate = own.map(|it| {
            (it.matched, it.reached.iter().filter_map(end).collect(), ranges.kind(&it.text))
        });
        (fate.collect(), is_whole)
    }
}

pub(super) fn has_wildcards(glob: &Glob) -> bool {
    glob.0.iter().any(|part| matches!(part, Part::Any | Part::One))
}

fn may_begin_version(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    text.bytes().next().is_none_or(|byte| byte.is_ascii_digit())
}
