//! From the tree of a file to its document, reporting everything that does not belong there.

mod rule;
mod values;

use crate::diagnostic::{Findings, Mistake};
use crate::document::{Document, GroupEntry, Members, Word};
use crate::suggest;
use crate::yaml::{Entry, Node, Value};

/// Names travel in denials, metrics and the audit trail.
const MAX_NAME: usize = 128;

/// How many patterns the alternatives of all files may make. They multiply, and a file within its
/// limit could fill the memory.
pub(crate) const MAX_ALTERNATIVES: usize = 100_000;

/// Lowers one file. `alternatives` is what is left of [`MAX_ALTERNATIVES`].
pub(crate) fn lower(
    file: usize,
    root: Node,
    alternatives: &mut usize,
    findings: &mut Findings<'_>,
) -> Document {
    let mut lowering = Lowering { file, alternatives, findings };
    lowering.document(root)
}

struct Lowering<'a, 'f> {
    file: usize,
    alternatives: &'a mut usize,
    findings: &'a mut Findings<'f>,
}

impl Lowering<'_, '_> {
    fn document(&mut self, root: Node) -> Document {
        let mut document = Document::default();
        if matches!(root.value, Value::Nothing) {
            return document;
        }
        let known = ["groups", "rules", "administrators"];
        for Entry { key, value } in self.map(root, "a policy file") {
            match key.text.as_str() {
                "groups" => document.groups = self.groups(value),
                "rules" => document.rules = self.rules(value),
                "administrators" => {
                    document.administrators = self.subjects(value, "`administrators`");
                }
                _ => {
                    self.unknown_key(&key, "a policy file", &known);
                }
            }
        }
        document
    }

    fn groups(&mut self, node: Node) -> Vec<GroupEntry> {
        let entries = self.map(node, "`groups`");
        let mut groups = Vec::with_capacity(entries.len());
        for Entry { key, value } in entries {
            let name = self.word(key.text, key.span);
            self.check_group_name(&name);
            let members = match &value.value {
                Value::Text(text) if text == "external" => Members::External,
                Value::Text(text) => {
                    let mistake =
                        Mistake::error(
                            self.at(value.span),
                            format!("the members of group `{}` have to be a list", name.text),
                        )
                        .help(suggest::did_you_mean(text, ["external"]).unwrap_or_else(|| {
                            format!(
                                "write `[{text}]`, or `external` for a group of an identity source"
                            )
                        }));
                    self.findings.report(mistake);
                    Members::Unreadable
                }
                Value::Broken => Members::Unreadable,
                _ => {
                    let what = format!("the members of group `{}`", name.text);
                    Members::Listed(self.subject_list(value, &what, true))
                }
            };
            groups.push(GroupEntry { name, members });
        }
        groups
    }

    fn check_group_name(&mut self, name: &Word) {
        let text = &name.text;
        let message = if text.is_empty() || text.len() > MAX_NAME {
            format!("the name of a group has 1 to {MAX_NAME} characters")
        } else if text.contains('*') {
            format!("the name of group `{text}` holds a `*`")
        } else if text.trim() != text || text.chars().any(char::is_control) {
            format!("the name of group `{}` has white space around it", text.escape_debug())
        } else if text.split('/').any(str::is_empty) {
            format!("a part of the name of group `{text}` is empty")
        } else if let Some(bare) = text.strip_prefix("group:") {
            let mistake = Mistake::error(name.at, "`group:` is not part of a group's own name")
                .help(format!("write `{bare}` here, and `group:{bare}` where it is used"));
            self.findings.report(mistake);
            return;
        } else {
            return;
        };
        self.findings.report(Mistake::error(name.at, message));
    }
}
