//! Everybody who could ask, as far as two policies tell them apart.

use std::collections::{BTreeSet, HashMap};

use super::both::Both;
use super::grammar::Grammar;
use super::limits::Limit;
use super::names::{Meant, Names, Own};
use super::shape::Shape;
use super::walk::{Path, paths};
use super::words::{Word, Words};
use crate::caller::{Caller, Subject};
use crate::glob::Bindings;
use crate::path::PathPattern;
use crate::policy::Policy;
use crate::subject_pattern::SubjectPattern;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    User,
    Service,
    Peer,
    Anonymous,
}

impl Kind {
    fn many(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Service => "services",
            Self::Peer => "peers",
            Self::Anonymous => "anonymous callers",
        }
    }
}

/// Someone by name alone: one for each set of patterns that a name can match.
pub(super) struct Person {
    pub(super) subject: Subject,
    pub(super) kind: Kind,
    /// No policy names it.
    pub(super) is_unnamed: bool,
    /// The patterns of subjects that it matches.
    pub(super) matched: Vec<Word>,
    /// Images name it.
    pub(super) is_found: bool,
    /// As policy files would write it.
    pub(super) label: String,
    pub(super) words: Both<Vec<Word>>,
}

/// A group that an identity source may assert, by one of the policies at least.
pub(super) struct Asserted {
    pub(super) name: String,
    /// No policy names it.
    pub(super) is_unnamed: bool,
    /// The patterns of groups that it matches.
    pub(super) matched: Vec<Word>,
    pub(super) may_be: Both<bool>,
    /// Images name it.
    pub(super) found: Option<Meant>,
    pub(super) words: Both<Vec<Word>>,
}

/// A name, and the patterns of subjects that it matches.
#[derive(Default)]
struct Name {
    text: String,
    matched: Vec<Word>,
    found: Option<Meant>,
}

pub(super) struct People {
    pub(super) persons: Vec<Person>,
    pub(super) groups: Vec<Asserted>,
    /// Those whom no policy names.
    pub(super) unnamed: Vec<usize>,
    pub(super) persons_by_word: HashMap<Word, Vec<usize>>,
    /// By the name that `${user}` stands for.
    pub(super) persons_by_user: HashMap<String, Vec<usize>>,
    pub(super) groups_by_word: HashMap<Word, Vec<usize>>,
    /// Where that is not everybody.
    pub(super) limits: BTreeSet<Limit>,
}

impl People {
    /// Where nobody has to be asked about.
    pub(super) fn nobody() -> Self {
        Self {
            persons: Vec::new(),
            groups: Vec::new(),
            unnamed: Vec::new(),
            persons_by_word: HashMap::new(),
            persons_by_user: HashMap::new(),
            groups_by_word: HashMap::new(),
            limits: BTreeSet::new(),
        }
    }

    /// `names` are those that images name.
    pub(super) fn new(policies: Both<&Policy>, words: &Words, names: &Names) -> Self {
        let mut people = Self::nobody();
        people.add_person(policies, words, Subject::Anonymous, Kind::Anonymous, Name::default());
        for kind in [Kind::User, Kind::Service, Kind::Peer] {
            let pattern = |pattern: &SubjectPattern| match (kind, pattern) {
                (Kind::User, SubjectPattern::User(name))
                | (Kind::Service, SubjectPattern::Service(name))
                | (Kind::Peer, SubjectPattern::Peer(name)) => Some(name.clone()),
                _ => None,
            };
            let anybody = PathPattern::of_name(if kind == Kind::Peer { "*/*/**" } else { "**" });
            let none = Own::default();
            let own = if kind == Kind::User { &names.users } else { &none };
            for name in people.names(kind.many(), words, pattern, anybody, own) {
                let text = name.text.clone();
                let subject = match kind {
                    Kind::User => Subject::User(text),
                    Kind::Service => Subject::Service(text),
                    Kind::Peer | Kind::Anonymous => match text.split_once('/') {
                        Some((gate, name)) => {
                            Subject::Peer { gate: gate.to_owned(), name: name.to_owned() }
                        }
                        None => continue,
                    },
                };
                people.add_person(policies, words, subject, kind, name);
            }
        }
        let groups = |pattern: &SubjectPattern| match pattern {
            SubjectPattern::Group(name) => Some(name.clone()),
            _ => None,
        };
        let anybody = PathPattern::of_name("**");
        for name in people.names("groups", words, groups, anybody, &names.groups) {
            people.add_group(policies, words, name);
        }
        people
    }

    /// Names by what they match among the patterns of one kind.
    fn names(
        &mut self,
        of: &'static str,
        words: &Words,
        of_kind: impl Fn(&SubjectPattern) -> Option<PathPattern>,
        anybody: PathPattern,
        Own { found, plain }: &Own,
    ) -> Vec<Name> {
        let mut own: Vec<(Option<Word>, Shape)> = Vec::new();
        let patterns = words.patterns.iter().enumerate();
        let patterns = patterns.filter_map(|(word, it)| Some((Some(word), of_kind(it)?)));
        let named = found.keys().map(|name| (None, PathPattern::of_name(name)));
        for (word, pattern) in patterns.chain([(None, anybody)]).chain(named) {
            own.extend(Shape::new(&pattern, Bindings::default()).map(|shape| (word, shape)));
        }
        let shapes: Vec<Shape> = own.iter().map(|(_, shape)| shape.clone()).collect();
        let (paths, is_whole) = paths(Grammar::Name, &shapes, |_| true);
        if !is_whole {
            self.limits.insert(Limit::Subjects { of });
        }
        let word = |place: &usize| own.get(*place).and_then(|(word, _)| *word);
        let name = |path: Path| {
            let matched: Vec<Word> = path.matched.iter().filter_map(word).collect();
            match found.get(&path.text) {
                Some(meant) => Name { found: Some(*meant), matched, text: path.text },
                None => {
                    let text = plain.get(&matched).cloned().unwrap_or(path.text);
                    Name { found: None, matched, text }
                }
            }
        };
        paths.into_iter().map(name).collect()
    }

    fn add_person(
        &mut self,
        policies: Both<&Policy>,
        words: &Words,
        subject: Subject,
        kind: Kind,
        Name { matched, found, .. }: Name,
    ) {
        let caller = Caller::new(subject.clone(), Vec::new());
        let filled = words.filled(policies, &Both { old: caller.clone(), new: caller });
        let own = subject.to_string();
        let texts = matched.iter().map(|word| words.text(*word));
        let is_own = texts.clone().any(|text| text == own);
        let label = match found {
            Some(meant) if !is_own => meant.label(kind.many(), &own),
            None if !is_own => texts.max_by_key(|text| text.len()).unwrap_or_default().to_owned(),
            _ => own,
        };
        let place = self.persons.len();
        for word in filled.each().into_iter().flatten().collect::<BTreeSet<_>>() {
            if !words.is_general(*word) {
                self.persons_by_word.entry(*word).or_default().push(place);
            }
        }
        let is_unnamed = matched.is_empty() && found.is_none();
        if is_unnamed {
            self.unnamed.push(place);
        }
        if let Subject::User(name) = &subject {
            self.persons_by_user.entry(name.clone()).or_default().push(place);
        }
        let is_found = found.is_some();
        self.persons.push(Person {
            subject,
            kind,
            is_unnamed,
            matched,
            is_found,
            label,
            words: filled,
        });
    }

    fn add_group(&mut self, policies: Both<&Policy>, words: &Words, name: Name) {
        let Name { text: name, matched, found } = name;
        let is_unnamed = matched.is_empty() && found.is_none();
        let may_be = policies.map(|policy| policy.may_be_asserted(&name));
        if !may_be.old && !may_be.new {
            return;
        }
        let callers = may_be.map(|may_be| {
            let groups = may_be.then(|| name.clone()).into_iter().collect();
            Caller::new(Subject::Anonymous, groups)
        });
        let mut filled = words.filled(policies, &callers);
        for own in [&mut filled.old, &mut filled.new] {
            own.retain(|word| !words.is_general(*word));
        }
        let place = self.groups.len();
        for word in filled.each().into_iter().flatten().collect::<BTreeSet<_>>() {
            self.groups_by_word.entry(*word).or_default().push(place);
        }
        self.groups.push(Asserted { name, is_unnamed, matched, may_be, found, words: filled });
    }
}
