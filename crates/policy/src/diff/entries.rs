//! The rules of two policies as one list: what stands in both in the same words is one entry.

use std::collections::{BTreeMap, HashMap};

use super::both::Both;
use super::words::{Word, Words};
use crate::actions::Actions;
use crate::conditions::Conditions;
use crate::image_pattern::ImagePattern;
use crate::policy::Policy;
use crate::rule::Rule;

pub(super) struct Entry<'p> {
    rule: Both<Option<&'p Rule>>,
    pub(super) subjects: Vec<Word>,
    pub(super) except_subjects: Vec<Word>,
    pub(super) images: Vec<&'p ImagePattern>,
    pub(super) except_images: Vec<&'p ImagePattern>,
    pub(super) conditions: Option<&'p Conditions>,
    pub(super) actions: Actions,
    /// Whether it may decide otherwise: it stands in one policy alone, or speaks of a group that
    /// has other members.
    pub(super) is_touched: bool,
}

pub(super) fn entries<'p>(policies: Both<&'p Policy>, words: &Words) -> Vec<Entry<'p>> {
    // Nearly all rules stand in both policies under the same name: the others are compared by what
    // they say, which takes longer.
    let (old, new) = (written(policies.old, words, true), written(policies.new, words, false));
    let mut new: BTreeMap<&str, Entry<'p>> = new.collect();
    let mut entries: Vec<Entry<'p>> = Vec::new();
    let mut others: BTreeMap<String, Entry<'p>> = BTreeMap::new();
    for (name, mut entry) in old {
        match new.remove(name) {
            Some(same) if same.says_as(&entry) => {
                entry.rule.new = same.rule.new;
                entries.push(entry);
            }
            there => {
                new.extend(there.map(|there| (name, there)));
                others.entry(entry.meaning()).or_insert(entry);
            }
        }
    }
    for entry in new.into_values() {
        let meaning = entry.meaning();
        match others.get_mut(&meaning) {
            Some(there) => there.rule.new = there.rule.new.or(entry.rule.new),
            None => drop(others.insert(meaning, entry)),
        }
    }
    entries.extend(others.into_values());
    for entry in &mut entries {
        let mut named = entry.subjects.iter().chain(&entry.except_subjects);
        let mut images = entry.images.iter().chain(&entry.except_images);
        entry.is_touched = entry.rule.old.is_none()
            || entry.rule.new.is_none()
            || named.any(|&word| words.is_changed(word))
            || (words.has_changed_groups() && images.any(|image| image.uses_group));
    }
    entries
}

fn written<'p>(
    policy: &'p Policy,
    words: &Words,
    is_old: bool,
) -> impl Iterator<Item = (&'p str, Entry<'p>)> {
    let mut images: HashMap<&str, Vec<&ImagePattern>> = HashMap::new();
    for clause in policy.clauses.iter() {
        images.entry(&clause.rule.name).or_default().push(&clause.image);
    }
    policy.rules.iter().map(move |rule| {
        let rule: &'p Rule = rule;
        let entry = Entry {
            rule: Both { old: is_old.then_some(rule), new: (!is_old).then_some(rule) },
            subjects: words.of_roles(&rule.subjects, is_old),
            except_subjects: words.of_roles(&rule.except_subjects, is_old),
            images: sorted(images.remove(&*rule.name).unwrap_or_default()),
            except_images: sorted(rule.except_images.iter().collect()),
            conditions: rule.conditions.as_deref(),
            actions: rule.allow.clone().union(rule.deny.clone()),
            is_touched: false,
        };
        (&*rule.name, entry)
    })
}

fn sorted(mut images: Vec<&ImagePattern>) -> Vec<&ImagePattern> {
    images.sort_by_cached_key(ToString::to_string);
    images
}

impl Entry<'_> {
    /// Whether more groups may take somebody out of it.
    pub(super) fn excepts_people(&self) -> bool {
        !self.except_subjects.is_empty() || self.except_images.iter().any(|image| image.uses_group)
    }

    fn effects(&self) -> Option<(&Actions, &Actions)> {
        let rule = self.rule.old.or(self.rule.new)?;
        Some((&rule.allow, &rule.deny))
    }

    /// Whether both say the same.
    fn says_as(&self, other: &Self) -> bool {
        let Self { subjects, except_subjects, images, except_images, conditions, .. } = self;
        *subjects == other.subjects
            && *except_subjects == other.except_subjects
            && *images == other.images
            && *except_images == other.except_images
            && *conditions == other.conditions
            && self.effects() == other.effects()
    }

    /// Equal for rules that say the same: neither their names nor the order of their words matters.
    fn meaning(&self) -> String {
        let Self { subjects, except_subjects, images, except_images, conditions, .. } = self;
        let effects = self.effects();
        format!("{:?}", (subjects, except_subjects, images, except_images, conditions, effects))
    }
}
