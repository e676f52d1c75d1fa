//! The tree of a file.

use crate::{Located, Mistake, Place, Problems};

/// A value and its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What stands there.
    pub value: Value,
    /// Where.
    pub place: Place,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Any other scalar, as text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping.
    Map {
        /// In the order of the file; no key twice.
        entries: Vec<Entry>,
        /// Whether it is written with braces.
        flow: bool,
    },
    /// What was noted as a mistake already; nothing more is said about it.
    Broken,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its place.
    pub key_place: Place,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The text that stands here; anything else is noted as a mistake. `what` names it there.
    pub fn text(&self, what: &str, problems: &mut Problems) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => {
                self.refuse(what, "text", problems);
                None
            }
        }
    }

    /// The nodes of the list that stands here; anything else is noted as a mistake.
    pub fn list(&self, what: &str, problems: &mut Problems) -> Option<&[Self]> {
        match &self.value {
            Value::List(nodes) => Some(nodes),
            _ => {
                self.refuse(what, "a list", problems);
                None
            }
        }
    }

    /// The entries of the map that stands here, for any keys; anything else is noted as a mistake.
    pub fn map(&self, what: &str, problems: &mut Problems) -> Option<&[Entry]> {
        match &self.value {
            Value::Map { entries, .. } => Some(entries),
            _ => {
                self.refuse(what, "a map", problems);
                None
            }
        }
    }

    /// The text that stands here as `read` understands it, whose mistake is noted at this place.
    pub fn read<T>(
        &self,
        what: &str,
        problems: &mut Problems,
        read: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<Located<T>> {
        match read(self.text(what, problems)?) {
            Ok(value) => Some(Located { value, place: self.place }),
            Err(mistake) => {
                problems.at(self.place, mistake);
                None
            }
        }
    }

    /// The mistake that something else is `expected` here, to be noted at this place. `None` where
    /// a mistake was noted before.
    #[must_use]
    pub fn refusal(&self, what: &str, expected: &str) -> Option<Mistake> {
        let mistake = Mistake::new(format!("{what} has to be {expected}"));
        let found = match self.value {
            Value::Null => {
                return Some(mistake.label("this is nothing").help("write it, or remove the key"));
            }
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map { .. } => "a map",
            Value::Broken => return None,
        };
        Some(mistake.label(format!("this is {found}")))
    }

    pub(crate) fn refuse(&self, what: &str, expected: &str, problems: &mut Problems) {
        if let Some(mistake) = self.refusal(what, expected) {
            problems.at(self.place, mistake);
        }
    }
}
