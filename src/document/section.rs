//! Reading a mapping key by key.

use std::ops::Range;

use super::{Entry, Mistake, Node, Problems, Value, closest};

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where, in bytes of the file.
    pub span: Range<usize>,
}

/// A mapping whose keys are taken one after the other. What nobody took is unknown, and
/// [`Section::finish`] says so.
#[must_use = "`finish` reports the unknown keys"]
pub struct Section<'a> {
    entries: &'a [Entry],
    flow: bool,
    known: Vec<&'static str>,
}

impl Node {
    /// This node as a mapping; anything else is noted as a mistake.
    pub fn section(&self, problems: &mut Problems) -> Option<Section<'_>> {
        match &self.value {
            Value::Map { entries, flow } => {
                Some(Section { entries, flow: *flow, known: Vec::new() })
            }
            _ => {
                self.refuse("a mapping", problems);
                None
            }
        }
    }

    /// This node as a list; anything else is noted as a mistake.
    pub fn list(&self, problems: &mut Problems) -> Option<&[Self]> {
        match &self.value {
            Value::List(nodes) => Some(nodes),
            _ => {
                self.refuse("a list", problems);
                None
            }
        }
    }

    /// This node as text; anything else is noted as a mistake.
    pub fn text(&self, problems: &mut Problems) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => {
                self.refuse("a single value", problems);
                None
            }
        }
    }

    /// This node read by `read`, whose mistake is noted at this place.
    pub fn read<T>(
        &self,
        problems: &mut Problems,
        read: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<Located<T>> {
        match read(self.text(problems)?) {
            Ok(value) => Some(Located { value, span: self.span.clone() }),
            Err(mistake) => {
                problems.at(&self.span, mistake);
                None
            }
        }
    }

    fn refuse(&self, expected: &str, problems: &mut Problems) {
        problems.at(&self.span, Mistake::new(format!("{} where {expected} belongs", self.kind())));
    }
}

impl<'a> Section<'a> {
    /// Whether `key` is not there at all.
    #[must_use]
    pub fn lacks(&self, key: &str) -> bool {
        !self.entries.iter().any(|entry| entry.key == key)
    }

    /// The value of `key`, if it is there. A key without a value is noted as a mistake.
    pub fn take(&mut self, key: &'static str, problems: &mut Problems) -> Option<&'a Node> {
        self.known.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        if entry.value.value == Value::Null {
            let mistake = Mistake::new(format!("`{key}` has no value"));
            problems.at(&entry.key_span, mistake.help("give it one, or remove the key"));
            return None;
        }
        Some(&entry.value)
    }

    /// The value of `key` read by `read`.
    pub fn read<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
        read: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<Located<T>> {
        self.take(key, problems)?.read(problems, read)
    }

    /// Notes every key that was not taken.
    pub fn finish(self, problems: &mut Problems) {
        for entry in self.entries.iter().filter(|entry| !self.known.contains(&entry.key.as_str())) {
            if self.flow && entry.value.value == Value::Null {
                // `{password: a,b}`: what looks like a key is the end of a value, maybe a secret.
                problems.mask(&entry.key_span);
                let mistake = Mistake::new("a key without a value");
                let help = "a value that holds a comma must stand in quotes";
                problems.at(&entry.key_span, mistake.help(help));
                continue;
            }
            let help = match closest(&entry.key, self.known.iter().copied()) {
                Some(known) => {
                    if known == "password" {
                        problems.mask(&entry.value.span);
                    }
                    format!("did you mean `{known}`?")
                }
                None => format!("known here: {}", self.known.join(", ")),
            };
            let mistake = Mistake::new(format!("unknown key `{}`", entry.key)).help(help);
            problems.at(&entry.key_span, mistake);
        }
    }
}
