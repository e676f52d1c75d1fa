//! Who is asked about in one repository: everybody whom the rules there tell apart, once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::both::Both;
use super::names::Meant;
use super::people::{Kind, People};
use super::words::{Word, Words};
use crate::caller::{Caller, Subject};
use crate::glob::Bindings;
use crate::path::PathPattern;

/// With so many asserted groups, all their combinations are asked about; with more, all pairs.
const ALL_COMBINATIONS: usize = 4;
/// With so many people who are named, each is asked about with every combination.
const MANY_PEOPLE: usize = 200;

/// Somebody, for all whom the rules here do not tell apart.
#[derive(Debug)]
pub(super) struct Asker {
    /// The same caller with the groups that may be asserted before each policy.
    pub(super) callers: Both<Caller>,
    pub(super) class: Rc<Class>,
    /// Asserted, by their place in the list.
    pub(super) groups: Vec<usize>,
    /// What the rules here say of them.
    pub(super) words: Both<BTreeSet<Word>>,
    /// Who is less: has one group less, or no name.
    pub(super) parents: Vec<usize>,
    /// Who is more by as much.
    pub(super) children: Vec<usize>,
}

/// People that the rules here do not tell apart by their names.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) kind: Kind,
    pub(super) is_unnamed: bool,
    /// A variable stands for its name: others have other images.
    pub(super) is_variable: bool,
    /// The names of all of them.
    pub(super) names: BTreeSet<String>,
    /// What any policy says of any of them.
    pub(super) held: BTreeSet<Word>,
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
    pub(super) groups: Vec<(String, BTreeSet<Word>)>,
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
    /// A variable stands for it, and images name it.
    found: Option<Meant>,
}

/// A group that no policy names.
pub(super) const ANY_GROUP: &str = "group:*";

impl Askers {
    pub(super) fn new(people: &People, words: &Words, concern: &Concern) -> Self {
        let classes = group_classes(people, words, concern);
        let mut persons: BTreeMap<_, (usize, Class)> = BTreeMap::new();
        let named = concern.words.iter().filter_map(|word| people.persons_by_word.get(word));
        let bound = concern.users.iter().filter_map(|name| people.persons_by_user.get(name));
        let places: BTreeSet<usize> =
            named.chain(bound).flatten().chain(&people.unnamed).copied().collect();
        for place in places {
            let Some(person) = people.persons.get(place) else { continue };
            let (kind, is_unnamed) = (person.kind, person.is_unnamed);
            let own = person.words.map(|words| restricted(words, concern));
            let name = user(&person.subject);
            let variable = concern.users.contains(&name).then_some(name);
            let is_variable = variable.is_some();
            let (names, held) = (BTreeSet::new(), BTreeSet::new());
            let class = Class { kind, is_unnamed, is_variable, names, held };
            let key = (kind, is_unnamed, own, variable);
            let (_, class) = persons.entry(key).or_insert((place, class));
            class.names.insert(person.label.clone());
            class.held.extend(person.words.each().into_iter().flatten());
        }
        let most = most_together(classes.len(), persons.len());
        let cut = Some(Cut { groups: classes.len(), together: most })
            .filter(|cut| cut.together < cut.groups.min(needed_together(concern)));
        let sets = combinations(classes.len(), most);
        let mut all = Vec::new();
        for ((kind, _, own, _), (place, class)) in persons {
            let Some(person) = people.persons.get(place) else { continue };
            let class = Rc::new(class);
            for set in &sets {
                if kind == Kind::Anonymous && !set.is_empty() {
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
                    class: Rc::clone(&class),
                    groups: set.clone(),
                    words: filled,
                    parents: Vec::new(),
                    children: Vec::new(),
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
        let mut places: HashMap<(*const Class, Vec<usize>), usize> = HashMap::new();
        let mut unnamed: HashMap<Kind, *const Class> = HashMap::new();
        for (place, asker) in self.all.iter().enumerate() {
            let class = Rc::as_ptr(&asker.class);
            places.insert((class, asker.groups.clone()), place);
            if asker.class.is_unnamed {
                unnamed.insert(asker.class.kind, class);
            }
        }
        for asker in &mut self.all {
            let class = Rc::as_ptr(&asker.class);
            let less = (0..asker.groups.len()).map(|without| {
                let mut less = asker.groups.clone();
                less.remove(without);
                (class, less)
            });
            let general = unnamed.get(&asker.class.kind).filter(|general| **general != class);
            let general = general.map(|general| (*general, asker.groups.clone()));
            asker.parents =
                less.chain(general).filter_map(|key| places.get(&key).copied()).collect();
        }
        let parents = |asker: &Asker| asker.parents.clone();
        for (place, parents) in self.all.iter().map(parents).collect::<Vec<_>>().iter().enumerate()
        {
            for parent in parents {
                if let Some(parent) = self.all.get_mut(*parent) {
                    parent.children.push(place);
                }
            }
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

pub(super) fn union<'a>(
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
        let found = group.found.filter(|_| variable.is_some());
        let key = (own.clone(), group.may_be, variable);
        let class = classes.entry(key).or_insert(GroupClass {
            names: Vec::new(),
            may_be: group.may_be,
            words: own,
            label: String::new(),
            is_unnamed: group.is_unnamed,
            found,
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
        let found = class.found.zip(class.names.first()).filter(|_| own.is_none());
        if let Some((meant, name)) = found {
            class.label = meant.label("groups", &format!("group:{name}"));
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
