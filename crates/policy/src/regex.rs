//! Regular expressions over names of repositories and tags.

use std::fmt;
use std::sync::Arc;

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
