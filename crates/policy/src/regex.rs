//! Regular expressions over names of repositories and tags.

use std::fmt;
use std::sync::Arc;

use regex_automata::util::primitives::StateID;

use crate::automaton::Automaton;

/// An expression that names match as a whole. It begins and ends with texts of its own; what is
/// between them is matched by an automaton, which expressions share that differ in these texts alone.
#[derive(Clone)]
pub(crate) struct Regex {
    text: Box<str>,
    /// What every match begins with, and right behind it what every match ends with.
    ends: Box<str>,
    /// How much of `ends` is the beginning.
    beginning: u16,
    /// How much of the beginning is whole segments, without the `/` behind the last one.
    segments: u16,
    between: Arc<Automaton>,
}

/// The most that can be kept apart as the end of an expression, in bytes: for every place in it there
/// is a bit in [`Reached::Between`].
pub(crate) const MAX_END: usize = 63;

/// Where an expression stands after a part of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reached {
    /// So many bytes of the literal beginning have been there.
    Beginning(usize),
    /// Behind the beginning. The automaton goes on, unless it is lost; and where bit `n` is set, it
    /// has matched up to `n` bytes ago, and these are the first ones of the end.
    Between(Option<StateID>, u64),
    /// It cannot match any more.
    Lost,
}

impl Regex {
    /// Each part of an expression is at most as long as the whole may be.
    pub(super) fn new(text: &str, beginning: &str, between: Arc<Automaton>, end: &str) -> Self {
        let short = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
        let segments = short(beginning.rfind('/').unwrap_or(0));
        let ends = [beginning, end].concat().into();
        Self { text: text.into(), ends, beginning: short(beginning.len()), segments, between }
    }

    /// As written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whole segments that every match begins with, and goes on after; often none.
    pub(crate) fn literal_prefix(&self) -> &str {
        self.ends.get(..self.segments.into()).unwrap_or_default()
    }

    fn beginning(&self) -> &str {
        self.ends.get(..self.beginning.into()).unwrap_or_default()
    }

    fn end(&self) -> &str {
        self.ends.get(self.beginning.into()..).unwrap_or_default()
    }

    /// In time that grows with the name alone, and without memory.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.matches_behind(self.beginning(), name)
    }

    /// Whether a name matches that has `rest` after the literal beginning. `None`: nothing follows.
    pub(crate) fn matches_after_literal(&self, rest: Option<&str>) -> bool {
        let behind = if self.segments == 0 { 0 } else { usize::from(self.segments) + 1 };
        let beginning = self.beginning().get(behind..).unwrap_or_default();
        rest.is_some_and(|rest| self.matches_behind(beginning, rest))
    }

    /// The ends first: most names that do not match differ there.
    fn matches_behind(&self, beginning: &str, text: &str) -> bool {
        let between = text.strip_prefix(beginning).and_then(|rest| rest.strip_suffix(self.end()));
        between.is_some_and(|between| self.between.matches(between))
    }

    /// Before the first byte of a name.
    pub(crate) fn begin(&self) -> Reached {
        match self.beginning {
            0 => Reached::Between(Some(self.between.start()), 0),
            _ => Reached::Beginning(0),
        }
    }

    pub(crate) fn after(&self, reached: Reached, byte: u8) -> Reached {
        match reached {
            Reached::Beginning(at) if self.beginning().as_bytes().get(at) == Some(&byte) => {
                match at + 1 == usize::from(self.beginning) {
                    true => Reached::Between(Some(self.between.start()), 0),
                    false => Reached::Beginning(at + 1),
                }
            }
            Reached::Between(state, _) => {
                let places = self.places(reached);
                let own = self.end().bytes().enumerate();
                let stay = own.filter(|&(at, own)| own == byte && places >> at & 1 == 1);
                let places = stay.fold(0, |places, (at, _)| places | 2 << at);
                match state.and_then(|state| self.between.after(state, byte)) {
                    None if places == 0 => Reached::Lost,
                    state => Reached::Between(state, places),
                }
            }
            Reached::Beginning(_) | Reached::Lost => Reached::Lost,
        }
    }

    /// Whether a name matches that ends here.
    pub(crate) fn ends(&self, reached: Reached) -> bool {
        self.places(reached) >> self.end().len() & 1 == 1
    }

    /// The places in the end that have been reached, its beginning included.
    fn places(&self, reached: Reached) -> u64 {
        match reached {
            Reached::Between(state, places) => {
                places | u64::from(state.is_some_and(|state| self.between.ends(state)))
            }
            Reached::Beginning(_) | Reached::Lost => 0,
        }
    }

    #[cfg(test)]
    pub(super) fn automaton(&self) -> &Arc<Automaton> {
        &self.between
    }

    /// The shortest match has at least so many bytes.
    pub(super) fn shortest(&self) -> usize {
        self.ends.len().saturating_add(self.between.shortest())
    }
}

/// Two expressions are the same where they are written in the same way.
impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Regex {}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Regex").field(&self.text).finish()
    }
}
