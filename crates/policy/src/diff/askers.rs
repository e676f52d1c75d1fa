//! Who is asked about in one repository: everybody whom the rules there tell apart, once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::both::Both;
use super::people::{Kind, People};
use super::words::{Word, Words};
use crate::caller::{Caller, Subject};
use crate::glob::Bindings;
use crate::path::PathPattern;

/// With so many asserted groups, all their combinations are asked about; with more, all pairs.
const ALL_COMBINATIONS: usize = 4;
/// With so many people who are named, each is asked about with every combination.
const MANY_PEOPLE: usize = 200;
/// So many are told whom a change is not about.
const MAX_APART: usize = 3;

/// Somebody, for all whom the rules here do not tell apart.
#[derive(Debug)]
pub(super) struct Asker {
    /// The same caller with the groups that may be asserted before each policy.
    pub(super) callers: Both<Caller>,
    kind: Kind,
    is_unnamed: bool,
    /// A variable stands for its name: others have other images.
    is_variable: bool,
    /// The names of all of them.
    names: BTreeSet<String>,
    /// Asserted, by their place in the list.
    groups: Vec<usize>,
    /// What the rules here say of them.
    words: Both<BTreeSet<Word>>,
    /// Who is less: has one group less, or no name.
    parents: Vec<usize>,
}

/// What the rules of a repository are about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Concern {
    /// Of all rules there.
    pub(super) words: BTreeSet<Word>,
    /// Of those that may decide otherwise: who is none of these is not asked about.
    pub(super) touched: BTreeSet<Word>,
    /// The names that stand for a variable there.
    pub(super) users: BTreeSet<String>,
    pub(super) groups: BTreeSet<String>,
    /// Of how many rules there, subjects are excepted.
    pub(super) exceptions: usize,
}

pub(super) struct Askers {
    pub(super) all: Vec<Asker>,
    /// Where sets of groups are left out that could matter.
    pub(super) cut: Option<Cut>,
    /// The groups of the askers, as they are told, and what the rules here say of them.
    groups: Vec<(String, BTreeSet<Word>)>,
}

/// Of so many groups that somebody may be in, so many at a time are asked about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) groups: usize,
    pub(super) together: usize,
}

/// Asserted groups that the rules do not tell apart.
struct GroupClass {
    names: Vec<String>,
    may_be: Both<bool>,
    words: Both<BTreeSet<Word>>,
    label: String,
    is_unnamed: bool,
}

/// A group that no policy names.
pub(super) const ANY_GROUP: &str = "group:*";

type Key = (Kind, bool, String, Vec<usize>);

impl Askers {
    pub(super) fn new(people: &People, words: &Words, concern: &Concern) -> Self {
        let classes = group_classes(people, words, concern);
        let mut persons: BTreeMap<_, (usize, BTreeSet<String>)> = BTreeMap::new();
        let named = concern.words.iter().filter_map(|word| people.persons_by_word.get(word));
        let bound = concern.users.iter().filter_map(|name| people.persons_by_user.get(name));
        let places: BTreeSet<usize> =
            named.chain(bound).flatten().chain(&people.unnamed).copied().collect();
        for place in places {
            let Some(person) = people.persons.get(place) else { continue };
            let own = person.words.map(|words| restricted(words, concern));
            let name = user(&person.subject);
            let variable = concern.users.contains(&name).then_some(name);
            let key = (person.kind, person.is_unnamed, own, variable);
            let class = persons.entry(key).or_insert((place, BTreeSet::new()));
            class.1.insert(person.label.clone());
        }
        let most = most_together(classes.len(), persons.len());
        let cut = Some(Cut { groups: classes.len(), together: most })
            .filter(|cut| cut.together < cut.groups.min(needed_together(concern)));
        let sets = combinations(classes.len(), most);
        let mut all = Vec::new();
        for ((kind, is_unnamed, own, variable), (place, names)) in &persons {
            let Some(person) = people.persons.get(*place) else { continue };
            for set in &sets {
                if *kind == Kind::Anonymous && !set.is_empty() {
                    continue;
                }
                let carried: Vec<&GroupClass> =
                    set.iter().filter_map(|it| classes.get(*it)).collect();
                let filled = Both {
                    old: union(&own.old, carried.iter().map(|class| &class.words.old)),
                    new: union(&own.new, carried.iter().map(|class| &class.words.new)),
                };
                if filled.each().iter().all(|words| words.is_disjoint(&concern.touched)) {
                    continue;
                }
                let caller = |may_be: fn(&Both<bool>) -> bool| {
                    let carried = carried.iter().filter(|class| may_be(&class.may_be));
                    let groups = carried.filter_map(|class| class.names.first().cloned());
                    Caller::new(person.subject.clone(), groups.collect())
                };
                all.push(Asker {
                    callers: Both { old: caller(|it| it.old), new: caller(|it| it.new) },
                    kind: *kind,
                    is_unnamed: *is_unnamed,
                    is_variable: variable.is_some(),
                    names: names.clone(),
                    groups: set.clone(),
                    words: filled,
                    parents: Vec::new(),
                });
            }
        }
        let group = |class: GroupClass| {
            let words = union(&class.words.old, [&class.words.new].into_iter());
            (class.label, words)
        };
        let groups = classes.into_iter().map(group).collect();
        let mut askers = Self { all, cut, groups };
        askers.find_parents();
        askers
    }

    fn find_parents(&mut self) {
        let key = |asker: &Asker| -> Key {
            let name = asker.names.first().cloned().unwrap_or_default();
            (asker.kind, asker.is_unnamed, name, asker.groups.clone())
        };
        let keys: HashMap<Key, usize> =
            self.all.iter().enumerate().map(|(place, asker)| (key(asker), place)).collect();
        for asker in &mut self.all {
            let (kind, is_unnamed, name, groups) = key(asker);
            let less = (0..groups.len()).map(|without| {
                let mut less = groups.clone();
                less.remove(without);
                (kind, is_unnamed, name.clone(), less)
            });
            let unnamed = (!is_unnamed).then(|| (kind, true, String::new(), groups.clone()));
            asker.parents = less.chain(unnamed).filter_map(|key| keys.get(&key).copied()).collect();
        }
    }

    /// Some of them in as few words as describe them, each with one whom the words mean.
    pub(super) fn describe(&self, some: &BTreeSet<usize>, words: &Words) -> Vec<(String, usize)> {
        let open: Vec<(usize, &Asker)> = some
            .iter()
            .filter_map(|place| Some((*place, self.all.get(*place)?)))
            .filter(|(_, asker)| !asker.parents.iter().any(|parent| some.contains(parent)))
            .collect();
        let mut described = self.describe_unnamed(&open);
        for (who, place, kinds) in &mut described {
            let is_meant = |it: &&Asker| it.groups.is_empty() && !it.is_variable;
            if self.all.get(*place).filter(is_meant).is_some() {
                who.push_str(&self.apart(kinds, some, words));
            }
        }
        let mut described: Vec<(String, usize)> =
            described.into_iter().map(|(who, place, _)| (who, place)).collect();
        let named: Vec<_> = open.into_iter().filter(|(_, asker)| !asker.is_unnamed).collect();
        let alone: BTreeSet<usize> = named
            .iter()
            .filter(|(_, asker)| asker.groups.is_empty())
            .map(|(place, _)| *place)
            .collect();
        described.extend(self.describe_named(alone, some, words, &[0, MAX_APART]));
        for (place, asker) in named.iter().filter(|(_, asker)| !asker.groups.is_empty()) {
            let groups = self.group_names(asker);
            described.extend(asker.names.iter().map(|it| (format!("{it} in {groups}"), *place)));
        }
        described
    }

    /// Who of some kinds is not meant although the words mean them: " except user:carol, group:qa".
    fn apart(&self, kinds: &[Kind], some: &BTreeSet<usize>, words: &Words) -> String {
        let is_apart =
            |(place, asker): &(usize, &Asker)| kinds.contains(&asker.kind) && !some.contains(place);
        let apart: BTreeSet<usize> =
            self.all.iter().enumerate().filter(is_apart).map(|(place, _)| place).collect();
        let first: Vec<(usize, &Asker)> = apart
            .iter()
            .filter_map(|place| Some((*place, self.all.get(*place)?)))
            .filter(|(_, asker)| !asker.parents.iter().any(|parent| apart.contains(parent)))
            .collect();
        let alone = first.iter().filter(|(_, asker)| asker.groups.is_empty());
        let alone = alone.map(|(place, _)| *place).collect();
        let named = self.describe_named(alone, &apart, words, &[0]);
        let mut texts: Vec<String> = named.into_iter().map(|(text, _)| text).collect();
        for (_, asker) in first.iter().filter(|(_, asker)| !asker.groups.is_empty()) {
            let groups = self.group_names(asker);
            match asker.is_unnamed {
                true => texts.push(groups),
                false => texts.extend(asker.names.iter().map(|name| format!("{name} in {groups}"))),
            }
        }
        texts.sort();
        texts.dedup();
        let more = texts.len().saturating_sub(MAX_APART);
        texts.truncate(MAX_APART);
        match (texts.join(", ").as_str(), more) {
            ("", _) => String::new(),
            (texts, 0) => format!(" except {texts}"),
            (texts, _) => format!(" except {texts} and {more} more"),
        }
    }

    fn group_names(&self, asker: &Asker) -> String {
        let names: Vec<&str> =
            asker.groups.iter().filter_map(|it| self.groups.get(*it)).map(|it| &*it.0).collect();
        names.join(" and ")
    }

    /// Those whom no policy names, by their asserted groups.
    fn describe_unnamed(&self, open: &[(usize, &Asker)]) -> Vec<(String, usize, Vec<Kind>)> {
        let mut by_groups: BTreeMap<&[usize], BTreeMap<Kind, usize>> = BTreeMap::new();
        for (place, asker) in open.iter().filter(|(_, asker)| asker.is_unnamed) {
            by_groups.entry(&asker.groups).or_default().insert(asker.kind, *place);
        }
        let mut described = Vec::new();
        for (groups, mut kinds) in by_groups {
            let Some((_, &first)) = kinds.first_key_value() else { continue };
            let Some(asker) = self.all.get(first) else { continue };
            let has = |all: &[Kind]| all.iter().all(|kind| kinds.contains_key(kind));
            let people = [Kind::User, Kind::Service, Kind::Peer];
            if !groups.is_empty() && has(&people) {
                described.push((self.group_names(asker), first, people.to_vec()));
                continue;
            }
            if groups.is_empty() && has(&people) && has(&[Kind::Anonymous]) {
                let all = kinds.keys().copied().collect();
                described.push(("anyone".to_owned(), first, all));
                continue;
            }
            let mut of = Vec::new();
            if has(&[Kind::User, Kind::Service]) {
                of.push(("authenticated", first, vec![Kind::User, Kind::Service]));
                kinds.retain(|kind, _| !matches!(kind, Kind::User | Kind::Service));
            }
            of.extend(kinds.iter().map(|(kind, place)| (kind.everybody(), *place, vec![*kind])));
            described.extend(of.into_iter().map(|(text, place, kinds)| match groups {
                [] => (text.to_owned(), place, kinds),
                _ => (format!("{text} in {}", self.group_names(asker)), place, kinds),
            }));
        }
        described
    }

    /// Those that are named, by the subjects of the rules that mean them all or nearly all.
    fn describe_named(
        &self,
        mut alone: BTreeSet<usize>,
        some: &BTreeSet<usize>,
        words: &Words,
        exceptions: &[usize],
    ) -> Vec<(String, usize)> {
        let mut described = Vec::new();
        let mut meant: BTreeMap<Word, Vec<usize>> = BTreeMap::new();
        for (place, asker) in self.all.iter().enumerate() {
            if !asker.is_unnamed && asker.groups.is_empty() {
                for word in union(&asker.words.old, [&asker.words.new].into_iter()) {
                    meant.entry(word).or_default().push(place);
                }
            }
        }
        // Whoever has come or gone does not stand for the group.
        let stays = |place: &usize, word: &Word| {
            self.all.get(*place).is_some_and(|asker| {
                asker.words.old.contains(word) == asker.words.new.contains(word)
            })
        };
        // A group that a source may assert means others, too.
        let others = self.all.iter().enumerate().filter(|(place, asker)| {
            asker.is_unnamed && asker.groups.len() == 1 && !some.contains(place)
        });
        let others = others.flat_map(|(_, asker)| &asker.groups);
        let of_others: HashSet<Word> =
            others.filter_map(|it| self.groups.get(*it)).flat_map(|it| &it.1).copied().collect();
        meant.retain(|word, places| {
            !words.is_general(*word)
                && !of_others.contains(word)
                && (!words.stands_in_both(*word) || places.iter().all(|place| stays(place, word)))
        });
        let names = |place: &usize| self.all.get(*place).into_iter().flat_map(|it| &it.names);
        let mut meant: Vec<(Word, Vec<usize>)> = meant.into_iter().collect();
        meant.sort_by_key(|(word, places)| (places.iter().flat_map(names).count() < 2, *word));
        for &few in exceptions {
            for (word, places) in &meant {
                let (in_it, apart): (Vec<usize>, Vec<usize>) =
                    places.iter().partition(|place| some.contains(place));
                let open: Vec<usize> =
                    in_it.iter().copied().filter(|place| alone.contains(place)).collect();
                let apart: Vec<&str> = apart.iter().flat_map(names).map(String::as_str).collect();
                let count = in_it.iter().flat_map(names).count();
                let Some(&first) = open.first() else { continue };
                if apart.len() > few || (few > 0 && count <= apart.len()) {
                    continue;
                }
                let text = words.text(*word);
                described.push(match apart.is_empty() {
                    true => (text.to_owned(), first),
                    false => (format!("{text} except {}", apart.join(", ")), first),
                });
                alone.retain(|place| !open.contains(place));
            }
        }
        for place in alone {
            described.extend(names(&place).map(|name| (name.clone(), place)));
        }
        described
    }
}

impl Kind {
    fn everybody(self) -> &'static str {
        match self {
            Self::User => "user:**",
            Self::Service => "service:**",
            Self::Peer => "peer:*/**",
            Self::Anonymous => "anonymous",
        }
    }
}

/// The name that `${user}` stands for.
fn user(subject: &Subject) -> String {
    match subject {
        Subject::User(name) => name.clone(),
        _ => String::new(),
    }
}

fn restricted(words: &[Word], concern: &Concern) -> BTreeSet<Word> {
    words.iter().copied().filter(|word| concern.words.contains(word)).collect()
}

fn union<'a>(
    one: &'a BTreeSet<Word>,
    others: impl Iterator<Item = &'a BTreeSet<Word>>,
) -> BTreeSet<Word> {
    one.iter().chain(others.flatten()).copied().collect()
}

fn group_classes(people: &People, words: &Words, concern: &Concern) -> Vec<GroupClass> {
    let relevant = concern.words.iter().filter_map(|word| people.groups_by_word.get(word));
    let mut places: BTreeSet<usize> = relevant.flatten().copied().collect();
    if !concern.groups.is_empty() {
        let named = people.groups.iter().enumerate();
        places.extend(named.filter(|(_, it)| concern.groups.contains(&it.name)).map(|(at, _)| at));
    }
    let mut classes: BTreeMap<_, GroupClass> = BTreeMap::new();
    for group in places.into_iter().filter_map(|place| people.groups.get(place)) {
        let own = group.words.map(|words| restricted(words, concern));
        let variable = concern.groups.contains(&group.name).then(|| group.name.clone());
        let key = (own.clone(), group.may_be, variable);
        let class = classes.entry(key).or_insert(GroupClass {
            names: Vec::new(),
            may_be: group.may_be,
            words: own,
            label: String::new(),
            is_unnamed: group.is_unnamed,
        });
        class.names.push(group.name.clone());
    }
    let mut classes: Vec<GroupClass> = classes.into_values().collect();
    for class in &mut classes {
        let own = class.names.iter().find(|name| {
            class
                .words
                .each()
                .into_iter()
                .flatten()
                .any(|word| words.text(*word) == format!("group:{name}"))
        });
        // A name that was made up for a pattern is told as the pattern.
        let is_pattern = |word: &&Word| {
            let pattern = words.text(**word).strip_prefix("group:").map(PathPattern::of_name);
            pattern.is_some_and(|pattern| {
                let mut names = class.names.iter();
                pattern.literal().is_none()
                    && names.all(|name| pattern.matches(name, Bindings::default()))
            })
        };
        let all = || class.words.each().into_iter().flatten();
        let narrowest = all().filter(is_pattern).max_by_key(|word| words.text(**word).len());
        let meant = narrowest.or_else(|| all().find(|_| class.names.len() > 1));
        if class.is_unnamed && class.names.len() == 1 {
            class.label = ANY_GROUP.to_owned();
            continue;
        }
        class.label = match (own, meant, class.names.first()) {
            (Some(name), _, _) => format!("group:{name}"),
            (None, Some(word), _) => words.text(*word).to_owned(),
            (None, None, name) => format!("group:{}", name.map_or("", String::as_str)),
        };
        // The caller is told by the name that its words mention.
        if let Some(place) =
            class.names.iter().position(|name| class.label == format!("group:{name}"))
        {
            class.names.swap(0, place);
        }
    }
    classes
}

/// In how many groups somebody is asked about.
fn most_together(groups: usize, persons: usize) -> usize {
    match (persons > MANY_PEOPLE, groups <= ALL_COMBINATIONS) {
        (true, _) => 1,
        (false, true) => groups,
        (false, false) => 2,
    }
}

/// In how many groups somebody has to be for a decision to change, at most. A group makes one rule
/// of a policy allow, and another one makes a rule of the other policy deny; what else they are in
/// can only take them out of rules with exceptions. With a variable, a rule speaks of two groups.
fn needed_together(concern: &Concern) -> usize {
    let of_one = if concern.groups.is_empty() { 1 } else { 2 };
    (2 + concern.exceptions) * of_one
}

/// Sets of groups to be in at the same time; the smaller ones first.
fn combinations(groups: usize, most: usize) -> Vec<Vec<usize>> {
    let mut sets = vec![Vec::new()];
    let mut from = 0;
    for _ in 0..most {
        let until = sets.len();
        for place in from..until {
            let Some(set) = sets.get(place).cloned() else { continue };
            for group in set.last().map_or(0, |last| last + 1)..groups {
                sets.push(set.iter().copied().chain([group]).collect());
            }
        }
        from = until;
    }
    sets
}
