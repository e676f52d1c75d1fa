//! Reading a map key by key.

use crate::{Entry, Located, Mistake, Node, Problems, Value, listed, nearest};

/// A map whose keys are taken one after the other. What nobody took is unknown, and
/// [`Section::finish`] says so.
#[derive(Debug)]
#[must_use = "`finish` reports the unknown keys"]
pub struct Section<'a> {
    what: String,
    entries: &'a [Entry],
    flow: bool,
    known: Vec<&'static str>,
    refused: Vec<&'static str>,
}

impl Node {
    /// This node as a map; anything else is noted as a mistake. `what` names it in mistakes.
    pub fn section(&self, what: &str, problems: &mut Problems) -> Option<Section<'_>> {
        let entries = self.map(what, problems)?;
        let flow = matches!(self.value, Value::Map { flow: true, .. });
        Some(Section {
            what: what.to_owned(),
            entries,
            flow,
            known: Vec::new(),
            refused: Vec::new(),
        })
    }
}

impl<'a> Section<'a> {
    /// Whether there are no keys at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of `key`, if it is there. A key without a value is noted as a mistake.
    pub fn entry(&mut self, key: &'static str, problems: &mut Problems) -> Option<&'a Entry> {
        self.known.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        if entry.value.value == Value::Null {
            let mistake = Mistake::new(format!("`{key}` has no value"));
            problems.at(entry.key_place, mistake.help("give it one, or remove the key"));
            return None;
        }
        Some(entry)
    }

    /// The value of `key`, if it is there.
    pub fn take(&mut self, key: &'static str, problems: &mut Problems) -> Option<&'a Node> {
        self.entry(key, problems).map(|entry| &entry.value)
    }

    /// The value of `key` as `read` understands it.
    pub fn read<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
        read: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<Located<T>> {
        self.take(key, problems)?.read(&format!("`{key}`"), problems, read)
    }

    /// The map below `key`.
    pub fn section(&mut self, key: &'static str, problems: &mut Problems) -> Option<Section<'a>> {
        self.take(key, problems)?.section(&format!("`{key}`"), problems)
    }

    /// Notes a mistake of its own where `key` is there, which is not one of the known keys.
    pub fn refuse(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
        mistake: impl FnOnce() -> Mistake,
    ) {
        self.refused.push(key);
        if let Some(entry) = self.entries.iter().find(|entry| entry.key == key) {
            problems.at(entry.key_place, mistake());
        }
    }

    /// Whether `key` is not there at all.
    #[must_use]
    pub fn lacks(&self, key: &str) -> bool {
        !self.entries.iter().any(|entry| entry.key == key)
    }

    /// Notes every key that was not taken. Gives those that were probably meant by them: a key that
    /// is written wrong is not missing too.
    pub fn finish(self, problems: &mut Problems) -> Vec<&'static str> {
        let mut misspelt = Vec::new();
        let is_new = |entry: &&Entry| {
            let key = entry.key.as_str();
            !self.known.contains(&key) && !self.refused.contains(&key)
        };
        for entry in self.entries.iter().filter(is_new) {
            if self.flow && entry.value.value == Value::Null {
                // `{password: a,b}`: what looks like a key is the end of a value, maybe a secret.
                problems.hide(entry.key_place);
                let mistake = Mistake::new("a key without a value");
                let help = "a value that holds a comma must stand in quotes";
                problems.at(entry.key_place, mistake.help(help));
                continue;
            }
            let meant = nearest(&entry.key, self.known.iter().copied());
            let help = match meant {
                Some(known) => {
                    if problems.is_secret(known) {
                        problems.hide(entry.value.place);
                    }
                    format!("did you mean `{known}`?")
                }
                None => format!("keys of {} are {}", self.what, listed(&self.known)),
            };
            let mistake = Mistake::new(format!("unknown key `{}` in {}", entry.key, self.what));
            problems.at(entry.key_place, mistake.help(help));
            misspelt.extend(meant);
        }
        misspelt
    }
}
