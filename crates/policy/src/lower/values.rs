//! What stands in rules and groups: subjects, actions, lists.

use document::{Entry, Mistake, Node, Value};

use super::Lowering;
use crate::actions::Actions;
use crate::subject_pattern::SubjectPattern;
use crate::written::{SubjectEntry, Word};

impl Lowering<'_> {
    pub(super) fn subjects(&mut self, node: &Node, what: &str) -> Vec<SubjectEntry> {
        self.subject_list(node, what, false)
    }

    pub(super) fn subject_list(
        &mut self,
        node: &Node,
        what: &str,
        may_be_empty: bool,
    ) -> Vec<SubjectEntry> {
        let items = self.list(node, what, may_be_empty);
        exactly(items.len(), items.iter().filter_map(|item| self.subject(item)))
    }

    fn subject(&mut self, node: &Node) -> Option<SubjectEntry> {
        if let Value::Map { entries, .. } = &node.value
            && let [Entry { key, value: Node { value: Value::Text(name), .. }, .. }] =
                entries.as_slice()
        {
            let mistake = Mistake::new("a subject has to be text")
                .label("a map with one key, because of the space after the colon")
                .help(format!("write `{key}:{name}`"));
            self.problems.at(node.place, mistake);
            return None;
        }
        let written = self.text(node, "a subject")?;
        match SubjectPattern::parse(&written.text) {
            Ok(pattern) => Some(SubjectEntry { written, pattern }),
            Err(mistake) => {
                self.problems.at(written.place, mistake);
                None
            }
        }
    }

    /// A list of actions. The words for flags are told apart: whether there are such flags is not
    /// known yet.
    pub(super) fn actions(&mut self, node: &Node, what: &str) -> (Actions, Vec<Word>) {
        let (mut set, mut flags) = (Actions::default(), Vec::new());
        for item in self.list(node, what, false) {
            let Some(word) = self.text(item, "an action") else { continue };
            match Actions::read(&word.text) {
                Ok(actions) => {
                    if actions.has_any_flag() || !actions.flags().is_empty() {
                        flags.push(word);
                    }
                    set = set.union(actions);
                }
                Err(mistake) => self.problems.at(word.place, mistake),
            }
        }
        (set, flags)
    }

    pub(super) fn list<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        may_be_empty: bool,
    ) -> &'n [Node] {
        if let Value::Text(text) = &node.value
            && let Some(mistake) = node.refusal(what, "a list")
        {
            self.problems.at(node.place, mistake.help(format!("write `[{text}]`")));
            return &[];
        }
        let Some(items) = node.list(what, self.problems) else { return &[] };
        if items.is_empty() && !may_be_empty {
            let mistake = Mistake::new(format!("{what} is empty")).help("name at least one");
            self.problems.at(node.place, mistake);
        }
        items
    }

    pub(super) fn text(&mut self, node: &Node, what: &str) -> Option<Word> {
        let text = node.text(what, self.problems)?.to_owned();
        Some(Word { text, place: node.place })
    }
}

/// A list with room for so many and no more: a policy has hundreds of thousands of short lists.
pub(super) fn exactly<T>(most: usize, items: impl Iterator<Item = T>) -> Vec<T> {
    let mut list = Vec::with_capacity(most);
    list.extend(items);
    list
}
