//! Names that the patterns of images tell apart: where `home/${user}` is allowed and `home/bob` is
//! denied, Bob is told apart from everybody else although no subject names him.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::budget::Budget;
use super::entries::Entry;
use super::grammar::PLAIN;
use super::images::{MAX_NAMES, group_names, user_names};
use super::limits::Limit;
use super::meetings::{Meetings, Others, of_variable};
use super::people::People;
use super::situation::{Candidate, Kind, Situation};
use super::words::{Word, Words};
use crate::caller::Subject;
use crate::glob::{Bindings, Part};
use crate::image_text::is_segment;
use crate::path::PathPattern;

/// In the walks for the names that variables stand for.
pub(super) const MAX_STEPS_OF_NAMES: usize = 200_000_000;

/// Whom a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meant {
    /// One of all whom the images do not tell apart.
    Example,
    /// That name alone.
    Itself,
}

impl Meant {
    pub(super) fn label(self, many: &str, own: &str) -> String {
        match self {
            Self::Itself => own.to_owned(),
            Self::Example => format!("{many} such as {own}"),
        }
    }
}

/// Those of users, and those of groups.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) users: Own,
    pub(super) groups: Own,
}

/// Names that stand for a variable.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// That make a difference to images.
    pub(super) found: BTreeMap<String, Meant>,
    /// For everybody whom these subjects mean, and whom no image names: where it cannot be any name.
    pub(super) plain: BTreeMap<Vec<Word>, String>,
}

/// Someone whose name was made up.
struct MadeUp {
    name: String,
    /// The subjects that mean them.
    matched: Vec<Word>,
}

/// What is looked for, and where.
struct Search<'a, 'p> {
    situations: Vec<(String, Situation<'p>)>,
    made_up: Vec<MadeUp>,
    /// Examples of those for whom the other variable stands.
    of_others: HashSet<String>,
    /// The names that subjects are.
    literals: HashSet<&'a str>,
    /// The other subjects.
    wildcards: Vec<(Word, &'a PathPattern)>,
}

impl Names {
    /// Adds names for a variable that tell images apart which nobody's name does yet. False: there
    /// are none.
    pub(super) fn find(
        &mut self,
        variable: &Part,
        meetings: &Meetings<'_>,
        entries: &[Entry<'_>],
        people: &People,
        words: &Words,
        limits: &mut BTreeSet<Limit>,
    ) -> bool {
        let [of_users, of_groups] = [Part::User, Part::Group].map(|it| made_up(&it, people, words));
        let examples = |of: &[MadeUp], own: &Own| -> HashSet<String> {
            let found = own.found.iter().filter(|(_, meant)| **meant == Meant::Example);
            of.iter().map(|it| &it.name).chain(found.map(|(name, _)| name)).cloned().collect()
        };
        let (mut all, found, own, made_up, of_others) = match variable {
            Part::User => {
                let of_others = examples(&of_groups, &self.groups);
                let found = self.groups.found.clone();
                (group_names(people, words), found, &mut self.users, of_users, of_others)
            }
            _ => {
                // Where a name was made up, it is enough that a user has one of a group.
                let taken: HashSet<&str> = of_groups.iter().map(|it| it.name.as_str()).collect();
                let is_anybody = |it: &&MadeUp| it.matched.is_empty();
                let anybody: HashSet<&str> =
                    of_users.iter().filter(is_anybody).map(|it| it.name.as_str()).collect();
                let mut users = user_names(entries, people);
                users.retain(|name| {
                    !taken.contains(name.as_str()) && !anybody.contains(name.as_str())
                });
                let of_others = examples(&of_users, &self.users);
                let found = self.users.found.clone();
                (users, found, &mut self.groups, of_groups, of_others)
            }
        };
        all.truncate(MAX_NAMES);
        let few = all.iter().filter(|name| found.get(*name) != Some(&Meant::Example));
        let others = Others { few: few.cloned().collect(), all };
        let situations = meetings.situations(variable, &others, words);
        own.find(Search::new(variable, situations, made_up, of_others, words), limits)
    }
}

impl Own {
    fn find(&mut self, mut search: Search<'_, '_>, limits: &mut BTreeSet<Limit>) -> bool {
        let budget = &mut Budget::new(MAX_STEPS_OF_NAMES);
        let mut is_new = false;
        let mut all: Vec<Vec<Candidate>> = Vec::new();
        for (images, situation) in &search.situations {
            let (candidates, is_whole) = situation.candidates(&search.literals, budget);
            if !is_whole {
                limits.insert(Limit::Variables { images: images.clone() });
            }
            all.push(candidates);
        }
        let names = all.iter().flatten().map(|it| it.name.as_str());
        for (matched, name) in search.make_plain(&names, &self.found) {
            self.plain.insert(matched, name);
            is_new = true;
        }
        for ((images, situation), candidates) in search.situations.iter().zip(all) {
            // Of more names than are asked about, one is enough to see that there are more.
            if self.found.len() > MAX_NAMES {
                break;
            }
            let made_up = search.made_up.iter().map(|it| it.name.as_str());
            let known = made_up.chain(self.found.keys().map(String::as_str));
            let known: Vec<Kind> = known.map(|name| situation.kind(name, budget).0).collect();
            let new = candidates.into_iter().filter(|it| !known.contains(&it.kind));
            let new: Vec<Candidate> = new.collect();
            if new.is_empty() {
                continue;
            }
            is_new = true;
            let mut taken = search.literals.clone();
            taken.extend(new.iter().map(|it| it.name.as_str()));
            let (others, is_whole) = situation.candidates(&taken, budget);
            if !is_whole {
                limits.insert(Limit::Variables { images: images.clone() });
            }
            for Candidate { name, kind } in &new {
                let is_of_others = situation.has_others && search.of_others.contains(name);
                let is_example = is_of_others || others.iter().any(|it| it.kind == *kind);
                let meant = if is_example { Meant::Example } else { Meant::Itself };
                self.found.insert(name.clone(), meant);
            }
        }
        is_new
    }
}

impl<'a, 'p> Search<'a, 'p> {
    fn new(
        variable: &Part,
        situations: Vec<(String, Situation<'p>)>,
        made_up: Vec<MadeUp>,
        of_others: HashSet<String>,
        words: &'a Words,
    ) -> Self {
        let (mut literals, mut wildcards) = (HashSet::new(), Vec::new());
        for (word, pattern) in words.patterns.iter().enumerate() {
            let Some(pattern) = of_variable(pattern, variable) else { continue };
            match pattern.literal() {
                Some(name) => drop(literals.insert(name)),
                None => wildcards.push((word, pattern)),
            }
        }
        Self { situations, made_up, of_others, literals, wildcards }
    }

    /// Gives names to those whose own would be one that images name, as far as there are others.
    fn make_plain<'n>(
        &mut self,
        names: &(impl Iterator<Item = &'n str> + Clone),
        found: &BTreeMap<String, Meant>,
    ) -> Vec<(Vec<Word>, String)> {
        let is_plain = |name: &str| self.situations.iter().all(|(_, it)| it.is_plain(name));
        let mut changed = Vec::new();
        for (place, it) in self.made_up.iter().enumerate() {
            if is_plain(&it.name) && !found.contains_key(&it.name) {
                continue;
            }
            let is_other = |name: &String| {
                is_segment(name)
                    && !self.literals.contains(name.as_str())
                    && !found.contains_key(name)
                    && self.matched(name) == it.matched
                    && is_plain(name)
            };
            let others = names.clone().map(str::to_owned).chain(short());
            changed.extend(others.into_iter().find(is_other).map(|name| (place, name)));
        }
        let mut plain = Vec::new();
        for (place, name) in changed {
            if let Some(it) = self.made_up.get_mut(place) {
                it.name.clone_from(&name);
                plain.push((it.matched.clone(), name));
            }
        }
        plain
    }

    fn matched(&self, name: &str) -> Vec<Word> {
        let own = self.wildcards.iter();
        let own = own.filter(|(_, pattern)| pattern.matches(name, Bindings::default()));
        own.map(|(word, _)| *word).collect()
    }
}

fn made_up(variable: &Part, people: &People, words: &Words) -> Vec<MadeUp> {
    let made_up = |(name, matched): (&String, &Vec<Word>)| {
        is_segment(name).then(|| MadeUp { name: name.clone(), matched: matched.clone() })
    };
    let users = people.persons.iter().filter_map(|person| match &person.subject {
        Subject::User(name) if !person.is_found => Some((name, &person.matched)),
        _ => None,
    });
    let groups = people.groups.iter().filter(|group| group.found.is_none());
    let groups = groups.map(|group| (&group.name, &group.matched));
    match variable {
        Part::User => {
            let is_own = |name: &str| words.of_text(&format!("user:{name}")).is_some();
            users.filter(|(name, _)| !is_own(name)).filter_map(made_up).collect()
        }
        _ => {
            groups.filter(|(name, _)| words.of_group(name).is_none()).filter_map(made_up).collect()
        }
    }
}

/// Names of one letter and of two.
fn short() -> impl Iterator<Item = String> {
    let two = PLAIN.chars().flat_map(|one| PLAIN.chars().map(move |two| format!("{one}{two}")));
    PLAIN.chars().map(String::from).chain(two)
}
