//! Callers in as few words as describe them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use super::askers::{ANY_GROUP, Asker, Askers, union};
use super::people::Kind;
use super::words::{Word, Words};

/// So many are told whom a change is not about.
const MAX_APART: usize = 3;

/// Words for some of them.
pub(super) struct Who {
    pub(super) text: String,
    /// One whom the words mean.
    pub(super) place: usize,
    /// All those of them whom the words mean, and maybe more.
    pub(super) all: BTreeSet<usize>,
}

struct Described {
    who: String,
    /// Those who are least.
    places: Vec<usize>,
    apart: Vec<Apart>,
    /// So many more are not meant.
    more: usize,
}

/// A subject of the policies, or one that only images name.
enum Name {
    Word(Word),
    Label(String),
}

/// Who is not meant although the words mean them: `peer:*/** in group:qa`.
struct Apart {
    text: String,
    kinds: Vec<Kind>,
    /// Whom the name means. `None`: everybody of these kinds.
    name: Option<Name>,
    /// Of all of which somebody is to be meant.
    groups: Vec<usize>,
}

impl Askers {
    /// Some of them in as few words as describe them.
    pub(super) fn describe(&self, some: &BTreeSet<usize>, words: &Words) -> Vec<Who> {
        let mut described = self.describe_all(some, words);
        // An exception can mean more than those that it was made for: they are told by themselves.
        let lost: BTreeSet<usize> = {
            let apart: Vec<&Apart> = described.iter().flat_map(|it| &it.apart).collect();
            let is_lost = |asker: &Asker| apart.iter().any(|it| self.may_mean(it, asker, words));
            let lost = |place: &&usize| self.all.get(**place).is_some_and(is_lost);
            some.iter().filter(lost).copied().collect()
        };
        described.extend(self.describe_each(&lost));
        let who = |it: Described| {
            let all = self.from(&it.places, some);
            Some(Who { text: it.to_string(), place: *it.places.first()?, all })
        };
        described.into_iter().filter_map(who).collect()
    }

    /// These, and those of some who are more.
    fn from(&self, places: &[usize], some: &BTreeSet<usize>) -> BTreeSet<usize> {
        let mut all = BTreeSet::new();
        let mut open = places.to_vec();
        while let Some(place) = open.pop() {
            if some.contains(&place) && all.insert(place) {
                open.extend(self.all.get(place).into_iter().flat_map(|it| &it.children));
            }
        }
        all
    }

    fn describe_all(&self, some: &BTreeSet<usize>, words: &Words) -> Vec<Described> {
        let open = self.open(some);
        let mut described = Vec::new();
        for (who, places, kinds) in self.describe_unnamed(&open) {
            let first = places.first().and_then(|place| self.all.get(*place));
            let mut it = Described::new(who, places);
            let is_meant = |asker: &Asker| asker.groups.is_empty() && !asker.class.is_variable;
            if first.is_some_and(is_meant) {
                it.apart = self.apart(&kinds, some, words);
                it.more = it.apart.len().saturating_sub(MAX_APART);
                it.apart.truncate(MAX_APART);
            }
            described.push(it);
        }
        let named = alone(&open);
        described.extend(self.describe_named(named, some, words, &[0, MAX_APART]));
        described.extend(self.describe_in_groups(&open));
        described
    }

    /// Without a word that means others, too.
    fn describe_each(&self, some: &BTreeSet<usize>) -> Vec<Described> {
        let open = self.open(some);
        let unnamed = self.describe_unnamed(&open).into_iter();
        let mut described: Vec<Described> =
            unnamed.map(|(who, places, _)| Described::new(who, places)).collect();
        for place in alone(&open) {
            described
                .extend(self.names(place).map(|name| Described::new(name.into(), vec![place])));
        }
        described.extend(self.describe_in_groups(&open));
        described
    }

    /// Those of some who are not meant where somebody is who is less.
    fn open(&self, some: &BTreeSet<usize>) -> Vec<(usize, &Asker)> {
        let each = some.iter().filter_map(|place| Some((*place, self.all.get(*place)?)));
        each.filter(|(_, asker)| !asker.parents.iter().any(|parent| some.contains(parent)))
            .collect()
    }

    fn names(&self, place: usize) -> impl Iterator<Item = &str> {
        self.all.get(place).into_iter().flat_map(|it| &it.class.names).map(String::as_str)
    }

    /// Who of some kinds is not meant although the words mean them.
    fn apart(&self, kinds: &[Kind], some: &BTreeSet<usize>, words: &Words) -> Vec<Apart> {
        let each = self.all.iter().enumerate();
        let apart =
            each.filter(|(place, it)| kinds.contains(&it.class.kind) && !some.contains(place));
        let apart: BTreeSet<usize> = apart.map(|(place, _)| place).collect();
        let first = self.open(&apart);
        let meant = |text: String, name: &str, groups: &[usize]| Apart {
            text,
            kinds: kinds.to_vec(),
            name: named(name, words),
            groups: groups.to_vec(),
        };
        let named = self.describe_named(alone(&first), &apart, words, &[0]);
        let mut all: Vec<Apart> =
            named.into_iter().map(|it| meant(it.who.clone(), &it.who, &[])).collect();
        let mut unnamed: BTreeMap<&[usize], BTreeMap<Kind, ()>> = BTreeMap::new();
        for (_, asker) in first.iter().filter(|(_, asker)| !asker.groups.is_empty()) {
            let groups = self.group_names(&asker.groups);
            if asker.class.is_unnamed {
                unnamed.entry(&asker.groups).or_default().insert(asker.class.kind, ());
                continue;
            }
            let names = asker.class.names.iter();
            all.extend(names.map(|it| meant(format!("{it} in {groups}"), it, &asker.groups)));
        }
        // Whoever is anonymous is in no group.
        let may_be_in = || kinds.iter().filter(|kind| **kind != Kind::Anonymous);
        for (groups, of) in unnamed {
            let text = self.group_names(groups);
            let parts = match may_be_in().all(|kind| of.contains_key(kind)) {
                true => vec![(text, kinds.to_vec())],
                false => {
                    let parts = everybody(of).into_iter();
                    parts.map(|(who, _, of)| (format!("{who} in {text}"), of)).collect()
                }
            };
            let apart = |(text, kinds)| Apart { text, kinds, name: None, groups: groups.to_vec() };
            all.extend(parts.into_iter().map(apart));
        }
        all.sort_by(|one, other| one.text.cmp(&other.text));
        all.dedup_by(|one, other| one.text == other.text);
        all
    }

    fn group_names(&self, groups: &[usize]) -> String {
        let labels = groups.iter().filter_map(|group| self.groups.get(*group));
        let labels: Vec<&str> = labels.map(|(label, _)| label.as_str()).collect();
        labels.join(" and ")
    }

    /// Whether the words of an exception mean somebody, or could.
    fn may_mean(&self, apart: &Apart, asker: &Asker, words: &Words) -> bool {
        let Asker { class, groups, words: said, .. } = asker;
        let holds = |word| {
            class.held.contains(&word) || said.old.contains(&word) || said.new.contains(&word)
        };
        let is_in = |group: &usize| {
            let label = self.groups.get(*group).map_or("", |(label, _)| label);
            groups.contains(group)
                || (label == ANY_GROUP && !groups.is_empty())
                || words.of_text(label).is_some_and(holds)
        };
        apart.kinds.contains(&class.kind)
            && apart.name.as_ref().is_none_or(|name| match name {
                Name::Word(word) => holds(*word),
                Name::Label(label) => class.names.contains(label),
            })
            && apart.groups.iter().all(is_in)
    }

    /// Those whom no policy names, by their asserted groups.
    fn describe_unnamed(&self, open: &[(usize, &Asker)]) -> Vec<(String, Vec<usize>, Vec<Kind>)> {
        let mut by_groups: BTreeMap<&[usize], BTreeMap<Kind, usize>> = BTreeMap::new();
        for (place, asker) in open.iter().filter(|(_, asker)| asker.class.is_unnamed) {
            by_groups.entry(&asker.groups).or_default().insert(asker.class.kind, *place);
        }
        let mut described = Vec::new();
        for (groups, kinds) in by_groups {
            let text = self.group_names(groups);
            let has = |kind| kinds.contains_key(kind);
            if !groups.is_empty() && PEOPLE.iter().all(has) {
                described.push((text, kinds.into_values().collect(), PEOPLE.to_vec()));
                continue;
            }
            described.extend(everybody(kinds).into_iter().map(|(who, places, kinds)| {
                let who = if groups.is_empty() { who.into() } else { format!("{who} in {text}") };
                (who, places, kinds)
            }));
        }
        described
    }

    /// Those that are named, and in groups.
    fn describe_in_groups(&self, open: &[(usize, &Asker)]) -> Vec<Described> {
        let named = open.iter().filter(|(_, it)| !it.class.is_unnamed && !it.groups.is_empty());
        let each = named.flat_map(|(place, asker)| {
            let groups = self.group_names(&asker.groups);
            let names = asker.class.names.iter();
            names.map(move |name| Described::new(format!("{name} in {groups}"), vec![*place]))
        });
        each.collect()
    }

    /// Those that are named, by the subjects of the rules that mean them all or nearly all.
    fn describe_named(
        &self,
        mut alone: BTreeSet<usize>,
        some: &BTreeSet<usize>,
        words: &Words,
        exceptions: &[usize],
    ) -> Vec<Described> {
        let mut described = Vec::new();
        let mut meant: BTreeMap<Word, Vec<usize>> = BTreeMap::new();
        for (place, asker) in self.all.iter().enumerate() {
            if !asker.class.is_unnamed && asker.groups.is_empty() {
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
            asker.class.is_unnamed && asker.groups.len() == 1 && !some.contains(place)
        });
        let others = others.flat_map(|(_, asker)| &asker.groups);
        let of_others: HashSet<Word> =
            others.filter_map(|it| self.groups.get(*it)).flat_map(|it| &it.1).copied().collect();
        meant.retain(|word, places| {
            !words.is_general(*word)
                && !of_others.contains(word)
                && (!words.stands_in_both(*word) || places.iter().all(|place| stays(place, word)))
        });
        let names = |place: &usize| self.names(*place);
        let mut meant: Vec<(Word, Vec<usize>)> = meant.into_iter().collect();
        meant.sort_by_key(|(word, places)| (places.iter().flat_map(names).count() < 2, *word));
        for &few in exceptions {
            for (word, places) in &meant {
                let (in_it, apart): (Vec<usize>, Vec<usize>) =
                    places.iter().partition(|place| some.contains(place));
                let open: Vec<usize> =
                    in_it.iter().copied().filter(|place| alone.contains(place)).collect();
                let apart: Vec<&str> = apart.iter().flat_map(names).collect();
                let count = in_it.iter().flat_map(names).count();
                if open.is_empty() || apart.len() > few || (few > 0 && count <= apart.len()) {
                    continue;
                }
                let mut it = Described::new(words.text(*word).to_owned(), open.clone());
                it.apart.extend(apart.into_iter().map(|name| Apart {
                    text: name.to_owned(),
                    kinds: ALL.to_vec(),
                    name: named(name, words),
                    groups: Vec::new(),
                }));
                described.push(it);
                alone.retain(|place| !open.contains(place));
            }
        }
        for place in alone {
            described
                .extend(self.names(place).map(|name| Described::new(name.into(), vec![place])));
        }
        described
    }
}

fn named(name: &str, words: &Words) -> Option<Name> {
    let label = || (!name.is_empty()).then(|| Name::Label(name.to_owned()));
    words.of_text(name).map(Name::Word).or_else(label)
}

/// By name alone.
fn alone(open: &[(usize, &Asker)]) -> BTreeSet<usize> {
    let named = open.iter().filter(|(_, it)| !it.class.is_unnamed && it.groups.is_empty());
    named.map(|(place, _)| *place).collect()
}

/// Who can be in groups.
const PEOPLE: [Kind; 3] = [Kind::User, Kind::Service, Kind::Peer];

const ALL: [Kind; 4] = [Kind::User, Kind::Service, Kind::Peer, Kind::Anonymous];

/// Everybody of some kinds, with what stands beside each.
fn everybody<T>(mut kinds: BTreeMap<Kind, T>) -> Vec<(&'static str, Vec<T>, Vec<Kind>)> {
    let mut described = Vec::new();
    for (who, all) in [("anyone", ALL.as_slice()), ("authenticated", &[Kind::User, Kind::Service])]
    {
        if all.iter().all(|kind| kinds.contains_key(kind)) {
            let own = all.iter().filter_map(|kind| kinds.remove(kind)).collect();
            described.push((who, own, all.to_vec()));
        }
    }
    described.extend(kinds.into_iter().map(|(kind, it)| (kind.everybody(), vec![it], vec![kind])));
    described
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

impl Described {
    fn new(who: String, places: Vec<usize>) -> Self {
        Self { who, places, apart: Vec::new(), more: 0 }
    }
}

/// "anyone except group:qa, user:carol and 2 more"
impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apart: Vec<&str> = self.apart.iter().map(|it| it.text.as_str()).collect();
        match (apart.as_slice(), self.more) {
            ([], _) => f.write_str(&self.who),
            (apart, 0) => write!(f, "{} except {}", self.who, apart.join(", ")),
            (apart, more) => write!(f, "{} except {} and {more} more", self.who, apart.join(", ")),
        }
    }
}
