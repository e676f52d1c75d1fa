//! The names that make a difference where patterns meet, one of which has a variable.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::beside::{Beside, Fates, Pieces};
use super::budget::Budget;
use super::grammar::Grammar;
use super::ranges::Ranges;
use super::texts::{Patterns, texts};
use crate::glob::{Bindings, Glob, Part};
use crate::image_text::is_segment;
use crate::regex::{Reached, Regex};
use crate::versions::Versions;

/// All texts with a variable in the patterns that meet, and the patterns of subjects that their rules
/// are about.
pub(super) struct Situation<'p> {
    besides: Vec<Beside<'p>>,
    pieces: Pieces<'p>,
    subjects: BTreeMap<String, Glob>,
    /// Whether the other variable stands there, too.
    pub(super) has_others: bool,
}

/// What is said of a name: alike for names for which the rules are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    subjects: Vec<bool>,
    fates: Vec<Fates>,
}

/// A name of one kind.
pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) kind: Kind,
}

impl<'p> Situation<'p> {
    /// `None`: nothing is said that tells names apart.
    pub(super) fn new(
        besides: Vec<Beside<'p>>,
        subjects: BTreeMap<String, Glob>,
        has_others: bool,
    ) -> Option<Self> {
        let besides: Vec<_> = besides.into_iter().filter(|it| !it.is_empty()).collect();
        let mut pieces = Pieces { is_whole: true, ..Pieces::default() };
        besides.iter().for_each(|it| it.add_pieces(&mut pieces));
        (!besides.is_empty()).then_some(Self { besides, pieces, subjects, has_others })
    }

    /// Alike where it is the same.
    pub(super) fn key(&self) -> String {
        let besides: BTreeSet<String> = self.besides.iter().map(Beside::key).collect();
        format!("{besides:?} {:?}", self.subjects.keys())
    }

    /// Whether no image names it in particular.
    pub(super) fn is_plain(&self, name: &str) -> bool {
        let Pieces { globs, expressions, ranges, .. } = &self.pieces;
        let read = |(&(_, reached), regex): (&(&str, Reached), &&Regex)| {
            name.bytes().fold(reached, |reached, byte| regex.after(reached, byte)) == Reached::Lost
        };
        !globs.values().any(|glob| glob.matches(name, Bindings::default()))
            && expressions.iter().all(read)
            && ranges.values().all(|range| range.contain(name).is_none())
    }

    /// Of what kind a name is. False: it is not known exactly.
    pub(super) fn kind(&self, name: &str, budget: &mut Budget) -> (Kind, bool) {
        let mut is_whole = true;
        let mut fates = |beside: &Beside<'_>| {
            let (fates, is_all) = beside.fates(name, budget);
            is_whole &= is_all;
            fates
        };
        let fates = self.besides.iter().map(&mut fates).collect();
        let subjects = self.subjects.values();
        let subjects = subjects.map(|glob| glob.matches(name, Bindings::default())).collect();
        (Kind { subjects, fates }, is_whole)
    }

    /// A name of each kind, none of which is one of `taken`. False: there may be more kinds.
    pub(super) fn candidates(
        &self,
        taken: &HashSet<&str>,
        budget: &mut Budget,
    ) -> (Vec<Candidate>, bool) {
        let any = Glob(vec![Part::Any]);
        let own = self.pieces.globs.values().chain(self.subjects.values());
        let globs: Vec<&Glob> = std::iter::once(&any).chain(own).collect();
        let expressions: Vec<(&Regex, Reached)> =
            self.pieces.expressions.iter().map(|((_, from), regex)| (*regex, *from)).collect();
        let ranges: Vec<&Versions> = self.pieces.ranges.values().copied().collect();
        let patterns = Patterns {
            grammar: Grammar::Segment,
            globs: &globs,
            expressions: &expressions,
            ranges: &Ranges::new(ranges),
            taken,
            wanted: &|_| true,
        };
        let (found, mut is_whole) = texts(&patterns, budget);
        is_whole &= self.pieces.is_whole;
        let mut candidates: Vec<Candidate> = Vec::new();
        for name in found.into_iter().map(|it| it.text).filter(|name| is_segment(name)) {
            let (kind, is_known) = self.kind(&name, budget);
            is_whole &= is_known;
            if !candidates.iter().any(|it| it.kind == kind) {
                candidates.push(Candidate { name, kind });
            }
        }
        (candidates, is_whole)
    }
}
