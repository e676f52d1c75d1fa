//! The subjects that two policies write, as one list, and which of them mean something else in the
//! other policy.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::both::Both;
use crate::caller::Caller;
use crate::policy::Policy;
use crate::subject_pattern::SubjectPattern;
use crate::subjects::{Role, Standing};

/// A subject, by its place in the list.
pub(super) type Word = usize;

pub(super) struct Words {
    pub(super) texts: Vec<String>,
    pub(super) patterns: Vec<SubjectPattern>,
    by_text: HashMap<String, Word>,
    roles: Both<HashMap<Role, Word>>,
    /// In how many of the policies each stands.
    counts: Vec<u8>,
    /// What each group contains directly, in either policy.
    members: HashMap<Word, BTreeSet<Word>>,
    /// Groups with other members, and those that contain them.
    changed: HashSet<Word>,
}

impl Words {
    pub(super) fn new(policies: Both<&Policy>) -> Self {
        let mut words = Self {
            texts: Vec::new(),
            patterns: Vec::new(),
            by_text: HashMap::new(),
            roles: Both::default(),
            counts: Vec::new(),
            members: HashMap::new(),
            changed: HashSet::new(),
        };
        let mut by_text = HashMap::new();
        words.roles = policies.map(|policy| {
            let mut written: Vec<_> = policy
                .subjects
                .written()
                .map(|(role, pattern)| (pattern.to_string(), role, pattern))
                .collect();
            written.sort_by(|one, other| one.0.cmp(&other.0));
            let mut roles = HashMap::new();
            for (text, role, pattern) in written {
                let word = *by_text.entry(text.clone()).or_insert(words.texts.len());
                if word == words.texts.len() {
                    words.texts.push(text);
                    words.patterns.push(pattern);
                    words.counts.push(0);
                }
                if let Some(count) = words.counts.get_mut(word) {
                    *count += 1;
                }
                roles.insert(role, word);
            }
            roles
        });
        words.by_text = by_text;
        words.find_changed(policies);
        words
    }

    fn find_changed(&mut self, policies: Both<&Policy>) {
        let above = policies.zip(&self.roles, above);
        let members = above.map(|above| {
            let mut members: HashMap<Word, BTreeSet<Word>> = HashMap::new();
            for (&member, groups) in above {
                for &group in groups {
                    members.entry(group).or_default().insert(member);
                }
            }
            members
        });
        let differs = |word: Word, text: &str| {
            let [old, new] = members.each().map(|members| members.get(&word));
            let listed = policies.map(|policy| {
                text.strip_prefix("group:").is_some_and(|name| !policy.may_be_asserted(name))
            });
            old != new || listed.old != listed.new
        };
        let mut changed = HashSet::new();
        let mut open: Vec<Word> = self
            .texts
            .iter()
            .enumerate()
            .filter(|(word, text)| differs(*word, text))
            .map(|(word, _)| word)
            .collect();
        while let Some(word) = open.pop() {
            if changed.insert(word) {
                let groups = above.each().map(|above| above.get(&word));
                open.extend(groups.into_iter().flatten().flatten().copied());
            }
        }
        let Both { old, new } = members;
        self.members = old;
        for (group, members) in new {
            self.members.entry(group).or_default().extend(members);
        }
        self.changed = changed;
    }

    /// These, and what they contain in either policy.
    pub(super) fn within(&self, words: BTreeSet<Word>) -> BTreeSet<Word> {
        let mut open: Vec<Word> = words.iter().copied().collect();
        let mut all = words;
        while let Some(word) = open.pop() {
            let members = self.members.get(&word).into_iter().flatten();
            open.extend(members.copied().filter(|member| all.insert(*member)));
        }
        all
    }

    /// Written like that, if a policy speaks of it.
    pub(super) fn of_text(&self, text: &str) -> Option<Word> {
        self.by_text.get(text).copied()
    }

    /// The group of that name, if a policy speaks of it.
    pub(super) fn of_group(&self, name: &str) -> Option<Word> {
        self.of_text(&format!("group:{name}"))
    }

    /// The groups that the policies name, those with other members first.
    pub(super) fn named_groups(&self) -> Vec<&str> {
        let mut named: Vec<(bool, &str)> = Vec::new();
        for (word, pattern) in self.patterns.iter().enumerate() {
            if let SubjectPattern::Group(name) = pattern {
                named.extend(name.literal().map(|name| (!self.is_changed(word), name)));
            }
        }
        named.sort_unstable();
        named.into_iter().map(|(_, name)| name).collect()
    }

    pub(super) fn is_changed(&self, word: Word) -> bool {
        self.changed.contains(&word)
    }

    /// Whether both policies speak of it.
    pub(super) fn stands_in_both(&self, word: Word) -> bool {
        self.counts.get(word).is_some_and(|count| *count == 2)
    }

    pub(super) fn has_changed_groups(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The words for roles of one policy.
    pub(super) fn of_roles(&self, roles: &[Role], is_old: bool) -> Vec<Word> {
        let map = if is_old { &self.roles.old } else { &self.roles.new };
        let mut words: Vec<Word> = roles.iter().filter_map(|role| map.get(role).copied()).collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    /// Everything that the callers are, each before its policy.
    pub(super) fn filled(
        &self,
        policies: Both<&Policy>,
        callers: &Both<Caller>,
    ) -> Both<Vec<Word>> {
        let held = |policy: &Policy, caller: &Caller| {
            Standing::new(&policy.subjects, caller).held().to_vec()
        };
        Both {
            old: self.of_roles(&held(policies.old, &callers.old), true),
            new: self.of_roles(&held(policies.new, &callers.new), false),
        }
    }

    /// Whether it is everybody, or everybody who has signed in.
    pub(super) fn is_general(&self, word: Word) -> bool {
        matches!(
            self.patterns.get(word),
            Some(SubjectPattern::Anyone | SubjectPattern::Authenticated)
        )
    }

    pub(super) fn text(&self, word: Word) -> &str {
        self.texts.get(word).map_or("", String::as_str)
    }
}

/// The groups that each word is directly in.
fn above(policy: &&Policy, words: &HashMap<Role, Word>) -> HashMap<Word, Vec<Word>> {
    let groups = |role: &Role| {
        let groups = policy.subjects.belongs_to(*role).iter();
        groups.filter_map(|group| words.get(group).copied()).collect()
    };
    words.iter().map(|(role, &word)| (word, groups(role))).collect()
}
