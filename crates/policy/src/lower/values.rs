//! What stands in rules and groups: subjects, images, actions, and the shapes of YAML they come in.

use super::{Lowering, MAX_ALTERNATIVES};
use crate::actions::{self, Actions};
use crate::diagnostic::{At, Mistake, Span};
use crate::document::{ImageEntry, SubjectEntry, Word};
use crate::image_pattern::ImagePattern;
use crate::subject_pattern::SubjectPattern;
use crate::suggest;
use crate::yaml::{Entry, Key, Node, Value};

impl Lowering<'_, '_> {
    pub(super) fn subjects(&mut self, node: Node, what: &str) -> Vec<SubjectEntry> {
        self.subject_list(node, what, false)
    }

    pub(super) fn subject_list(
        &mut self,
        node: Node,
        what: &str,
        may_be_empty: bool,
    ) -> Vec<SubjectEntry> {
        let items = self.list(node, what, may_be_empty);
        items.into_iter().filter_map(|item| self.subject(item)).collect()
    }

    pub(super) fn subject(&mut self, node: Node) -> Option<SubjectEntry> {
        if let Value::Map(entries) = &node.value
            && let [Entry { key, value: Node { value: Value::Text(name), .. } }] =
                entries.as_slice()
        {
            let mistake = Mistake::error(self.at(node.span), "a subject has to be text")
                .label("a map with one key, because of the space after the colon")
                .help(format!("write `{}:{name}`", key.text));
            self.findings.report(mistake);
            return None;
        }
        let written = self.text(node, "a subject")?;
        match SubjectPattern::parse(&written.text) {
            Ok(pattern) => Some(SubjectEntry { written, pattern }),
            Err(invalid) => {
                let text = &written.text;
                let help = invalid.help.unwrap_or_else(|| {
                    format!("write `user:{text}`, `service:{text}` or `group:{text}`")
                });
                self.findings.report(Mistake::error(written.at, invalid.message).help(help));
                None
            }
        }
    }

    pub(super) fn images(&mut self, node: Node, what: &str) -> Vec<ImageEntry> {
        let items = self.list(node, what, false);
        items.into_iter().filter_map(|item| self.image(item)).collect()
    }

    pub(super) fn image(&mut self, node: Node) -> Option<ImageEntry> {
        let help = match &node.value {
            Value::Map(_) => Some("put a pattern that begins with `{` or holds `: ` in quotes"),
            _ => None,
        };
        let written = self.text_or(node, "an image pattern", help)?;
        match ImagePattern::parse(&written.text) {
            Ok(patterns) if patterns.len() > *self.alternatives + 1 => {
                let message = format!(
                    "the alternatives of all files make more than {MAX_ALTERNATIVES} patterns"
                );
                let mistake = Mistake::error(written.at, message)
                    .help("use `*` in the place of long lists of alternatives");
                self.findings.report(mistake);
                None
            }
            Ok(patterns) => {
                // One pattern is what was written; the others are what its alternatives add.
                *self.alternatives -= patterns.len().saturating_sub(1);
                Some(ImageEntry { at: written.at, patterns })
            }
            Err(invalid) => {
                let mistake = Mistake::error(written.at, invalid.message).maybe_help(invalid.help);
                self.findings.report(mistake);
                None
            }
        }
    }

    pub(super) fn actions(&mut self, node: Node, what: &str) -> Actions {
        let mut set = Actions::default();
        for item in self.list(node, what, false) {
            let Some(word) = self.text(item, "an action") else { continue };
            match Actions::from_word(&word.text) {
                Some(actions) => set = set.union(actions),
                None => {
                    let help = suggest::did_you_mean(&word.text, actions::WORDS)
                        .unwrap_or_else(|| format!("actions are {}", listed(&actions::WORDS)));
                    let message = format!("unknown action `{}`", word.text);
                    self.findings.report(Mistake::error(word.at, message).help(help));
                }
            }
        }
        set
    }

    pub(super) fn map(&mut self, node: Node, what: &str) -> Vec<Entry> {
        match node.value {
            Value::Map(entries) => entries,
            _ => {
                self.unexpected(&node, what, "a map", None);
                Vec::new()
            }
        }
    }

    pub(super) fn list(&mut self, node: Node, what: &str, may_be_empty: bool) -> Vec<Node> {
        match node.value {
            Value::List(items) => {
                if items.is_empty() && !may_be_empty {
                    let mistake = Mistake::error(self.at(node.span), format!("{what} is empty"));
                    self.findings.report(mistake.help("name at least one"));
                }
                items
            }
            Value::Text(ref text) => {
                let help = format!("write `[{text}]`");
                self.unexpected(&node, what, "a list", Some(&help));
                Vec::new()
            }
            _ => {
                self.unexpected(&node, what, "a list", None);
                Vec::new()
            }
        }
    }

    pub(super) fn text(&mut self, node: Node, what: &str) -> Option<Word> {
        self.text_or(node, what, None)
    }

    pub(super) fn text_or(&mut self, node: Node, what: &str, help: Option<&str>) -> Option<Word> {
        match node.value {
            Value::Text(text) => Some(self.word(text, node.span)),
            _ => {
                self.unexpected(&node, what, "text", help);
                None
            }
        }
    }

    pub(super) fn unexpected(
        &mut self,
        node: &Node,
        what: &str,
        expected: &str,
        help: Option<&str>,
    ) {
        let (found, help) = match node.value {
            Value::Nothing => ("nothing", help.or(Some("write it, or remove the key"))),
            Value::Text(_) => ("text", help),
            Value::List(_) => ("a list", help),
            Value::Map(_) => ("a map", help),
            Value::Broken => return,
        };
        let mistake = Mistake::error(self.at(node.span), format!("{what} has to be {expected}"))
            .label(format!("this is {found}"))
            .maybe_help(help.map(str::to_owned));
        self.findings.report(mistake);
    }

    /// Reports a key, and tells which one was probably meant.
    pub(super) fn unknown_key<'k>(
        &mut self,
        key: &Key,
        place: &str,
        known: &[&'k str],
    ) -> Option<&'k str> {
        let meant = suggest::nearest(&key.text, known.iter().copied());
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("keys of {place} are {}", listed(known)),
        };
        let mistake =
            Mistake::error(self.at(key.span), format!("unknown key `{}` in {place}", key.text));
        self.findings.report(mistake.help(help));
        meant
    }

    pub(super) fn word(&self, text: String, span: Span) -> Word {
        Word { text, at: self.at(span) }
    }

    pub(super) fn at(&self, span: Span) -> At {
        At { file: self.file, span }
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
