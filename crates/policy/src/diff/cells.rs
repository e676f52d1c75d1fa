//! Images that stand for others, and what changes there.

use std::collections::BTreeSet;

use super::Example;
use crate::Action;
use crate::actions::Actions;
use crate::decide::RuleRef;

/// An image that stands for all that match the same patterns.
pub(super) struct Cell {
    /// By their places in [`Images::bound`].
    pub(super) matched: Vec<usize>,
    /// Those of them that cannot be decided about its tag: it is no version.
    pub(super) undecided: Vec<usize>,
    /// Those of touched rules, with what these are about.
    pub(super) touched: Vec<(usize, Actions)>,
    pub(super) example: String,
}

impl Cell {
    pub(super) fn touched_by(&self, action: Action) -> impl Iterator<Item = usize> {
        let about = self.touched.iter().filter(move |(_, actions)| actions.contains(action));
        about.map(|(pattern, _)| *pattern)
    }
}

/// One decision that changes.
pub(super) struct Difference<'p> {
    pub(super) old: Option<RuleRef<'p>>,
    pub(super) new: Option<RuleRef<'p>>,
    pub(super) example: Example,
    /// The patterns that stand for other names than those have whom it is about, by their places in
    /// [`Images::bound`]: once for all of them who have the same names.
    pub(super) of_others: BTreeSet<Vec<usize>>,
}
