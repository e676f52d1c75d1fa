//! What stands in rules and groups: subjects, actions, lists.

use document::{Entry, Mistake, Node, Value, did_you_mean, listed};

use super::{Lowering, NO_RELEASE_GATE};
use crate::actions::{self, Actions};
use crate::subject_pattern::SubjectPattern;
use crate::written::{SubjectEntry, Word};

/// Actions of a release gate, and those that begin with `flag:`.
const LATER: [&str; 3] = ["report", "scan", "break-glass"];

/// What actions are called elsewhere.
const ELSEWHERE: [(&[&str], &str); 3] = [
    (&["read", "get", "list", "download"], "pull"),
    (&["write", "put", "upload", "publish"], "push"),
    (&["*", "any", "admin"], "all"),
];

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

    pub(super) fn actions(&mut self, node: &Node, what: &str) -> Actions {
        let mut set = Actions::default();
        for item in self.list(node, what, false) {
            let Some(word) = self.text(item, "an action") else { continue };
            match Actions::from_word(&word.text) {
                Some(actions) => set = set.union(actions),
                None => self.problems.at(word.place, unknown_action(&word.text)),
            }
        }
        set
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

fn unknown_action(word: &str) -> Mistake {
    if word.starts_with("flag:") || LATER.contains(&word) {
        return Mistake::new(format!(
            "the action `{word}` comes with release gates, and this version has none yet"
        ))
        .help(NO_RELEASE_GATE);
    }
    let meant = ELSEWHERE.into_iter().find(|(others, _)| others.contains(&word));
    let help = meant
        .map(|(_, own)| format!("did you mean `{own}`?"))
        .or_else(|| did_you_mean(word, actions::WORDS))
        .unwrap_or_else(|| format!("actions are {}", listed(&actions::WORDS)));
    Mistake::new(format!("unknown action `{word}`")).help(help)
}
