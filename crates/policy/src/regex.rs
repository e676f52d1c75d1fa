//! Regular expressions over names of repositories and tags.

use std::fmt;
use std::sync::Arc;

use regex_automata::util::primitives::StateID;

use crate::automaton::Automaton;

/// An expression that names match as a whole. It begins with a text of its own; what follows that is
/// matched by an automaton, which expressions share that differ in their beginning alone.
#[derive(Clone)]
pub(crate) struct Regex {
    text: Box<str>,
    /// What every match begins with.
    literal: Box<str>,
    /// How much of `literal` is whole segments, without the `/` behind the last one.
    segments: usize,
    rest: Arc<Automaton>,
}

/// Where an expression stands after a part of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reached {
    /// So many bytes of the literal beginning have been there.
    Literal(usize),
    Rest(StateID),
    /// It cannot match any more.
    Lost,
}

impl Regex {
    pub(super) fn new(text: &str, literal: String, rest: Arc<Automaton>) -> Self {
        let segments = literal.rfind('/').unwrap_or(0);
        Self { text: text.into(), literal: literal.into(), segments, rest }
    }

    /// As written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whole segments that every match begins with, and goes on after; often none.
    pub(crate) fn literal_prefix(&self) -> &str {
        self.literal.get(..self.segments).unwrap_or_default()
    }

    /// In time that grows with the name alone, and without memory.
    pub(crate) fn matches(&self, name: &str) -> bool {
        name.strip_prefix(&*self.literal).is_some_and(|rest| self.rest.matches(rest))
    }

    /// Whether a name matches that has `rest` after the literal beginning. `None`: nothing follows.
    pub(crate) fn matches_after_literal(&self, rest: Option<&str>) -> bool {
        let behind = if self.segments == 0 { 0 } else { self.segments + 1 };
        let literal = self.literal.get(behind..).unwrap_or_default();
        rest.and_then(|rest| rest.strip_prefix(literal)).is_some_and(|rest| self.rest.matches(rest))
    }

    /// Before the first byte of a name.
    pub(crate) fn begin(&self) -> Reached {
        match self.literal.len() {
            0 => Reached::Rest(self.rest.start()),
            _ => Reached::Literal(0),
        }
    }

    pub(crate) fn after(&self, reached: Reached, byte: u8) -> Reached {
        match reached {
            Reached::Literal(at) if self.literal.as_bytes().get(at) == Some(&byte) => {
                match at + 1 == self.literal.len() {
                    true => Reached::Rest(self.rest.start()),
                    false => Reached::Literal(at + 1),
                }
            }
            Reached::Rest(state) => {
                self.rest.after(state, byte).map_or(Reached::Lost, Reached::Rest)
            }
            Reached::Literal(_) | Reached::Lost => Reached::Lost,
        }
    }

    /// Whether a name matches that ends here.
    pub(crate) fn ends(&self, reached: Reached) -> bool {
        matches!(reached, Reached::Rest(state) if self.rest.ends(state))
    }

    /// The shortest match has at least so many bytes.
    pub(super) fn shortest(&self) -> usize {
        self.literal.len().saturating_add(self.rest.shortest())
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
