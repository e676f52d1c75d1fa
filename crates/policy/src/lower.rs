//! From the tree of a file to what it says, noting everything that does not belong there.

mod amounts;
mod conditions;
mod delegations;
mod exceptions;
mod flags;
mod gate;
mod image;
mod require;
mod rule;
mod values;
mod vulnerabilities;

pub(crate) use amounts::{duration, score, size, written};
pub(crate) use conditions::{credential, time};
pub(crate) use gate::word;

use document::{Entry, Mistake, Node, Problems, Value, did_you_mean};

use crate::expressions::Expressions;
use crate::written::{GroupEntry, Members, Word, Written};

/// Names travel in denials, metrics and the audit trail.
const MAX_NAME: usize = 128;

/// How many patterns the alternatives of all files may make. They multiply, and a file within its
/// limit could fill the memory.
const MAX_ALTERNATIVES: usize = 100_000;

/// What the files of a policy have in common while they are lowered.
pub(crate) struct Shared {
    /// What is left of [`MAX_ALTERNATIVES`].
    alternatives: usize,
    expressions: Expressions,
}

impl Default for Shared {
    fn default() -> Self {
        Self { alternatives: MAX_ALTERNATIVES, expressions: Expressions::default() }
    }
}

/// Lowers one file.
pub(crate) fn lower(root: &Node, shared: &mut Shared, problems: &mut Problems) -> Written {
    Lowering { shared, problems }.file(root)
}

struct Lowering<'a> {
    shared: &'a mut Shared,
    problems: &'a mut Problems,
}

impl Lowering<'_> {
    fn file(&mut self, root: &Node) -> Written {
        let mut written = Written { file: root.place.file, ..Written::default() };
        if root.value == Value::Null {
            return written;
        }
        let Some(mut file) = root.section("a policy file", self.problems) else { return written };
        if let Some(node) = file.take("groups", self.problems) {
            written.groups = self.groups(node);
        }
        if let Some(node) = file.take("rules", self.problems) {
            written.rules = self.rules(node);
        }
        if let Some(entry) = file.entry("administrators", self.problems) {
            written.administrators_place = Some(entry.key_place);
            written.administrators = self.subjects(&entry.value, "`administrators`");
        }
        if let Some(entry) = file.entry("delegations", self.problems) {
            written.delegations_place = Some(entry.key_place);
            written.delegations = self.delegations(&entry.value);
        }
        if let Some(entry) = file.entry("flags", self.problems) {
            written.flags_place = Some(entry.key_place);
            written.flags = self.flags(&entry.value);
        }
        if let Some(node) = file.take("gates", self.problems) {
            written.gates = self.gates(node);
        }
        if let Some(entry) = file.entry("exceptions", self.problems) {
            written.exceptions_place = Some(entry.key_place);
            written.exceptions = self.exceptions(&entry.value);
        }
        file.finish(self.problems);
        written
    }

    fn groups(&mut self, node: &Node) -> Vec<GroupEntry> {
        let entries = node.map("`groups`", self.problems).unwrap_or_default();
        entries.iter().map(|entry| self.group(entry)).collect()
    }

    fn group(&mut self, Entry { key, key_place, value }: &Entry) -> GroupEntry {
        let name = Word { text: key.clone(), place: *key_place };
        self.check_group_name(&name);
        let what = format!("the members of group `{key}`");
        let members = match &value.value {
            Value::Text(text) if text == "external" => Members::External,
            Value::Text(text) => {
                let help = did_you_mean(text, ["external"]).unwrap_or_else(|| {
                    format!("write `[{text}]`, or `external` for a group of an identity source")
                });
                let mistake = Mistake::new(format!("{what} have to be a list")).help(help);
                self.problems.at(value.place, mistake);
                Members::Unreadable
            }
            Value::Broken => Members::Unreadable,
            _ => Members::Listed(self.subject_list(value, &what, true)),
        };
        GroupEntry { name, members }
    }

    fn check_group_name(&mut self, name: &Word) {
        let text = &name.text;
        let mistake = if text.is_empty() || text.len() > MAX_NAME {
            Mistake::new(format!("the name of a group has 1 to {MAX_NAME} characters"))
        } else if text.contains('*') {
            Mistake::new(format!("the name of group `{text}` holds a `*`"))
        } else if text.trim() != text || text.chars().any(char::is_control) {
            let text = text.escape_debug();
            Mistake::new(format!("the name of group `{text}` has white space around it"))
        } else if text.split('/').any(str::is_empty) {
            Mistake::new(format!("a part of the name of group `{text}` is empty"))
        } else if let Some(bare) = text.strip_prefix("group:") {
            Mistake::new("`group:` is not part of a group's own name")
                .help(format!("write `{bare}` here, and `group:{bare}` where it is used"))
        } else {
            return;
        };
        self.problems.at(name.place, mistake);
    }
}
