//! Everybody who could ask, as far as two policies tell them apart.

use std::collections::{BTreeSet, HashMap};

use super::both::Both;
use super::grammar::Grammar;
use super::limits::Limit;
use super::shape::Shape;
use super::walk::paths;
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
    /// As policy files would write it.
    pub(super) label: String,
    pub(super) words: Both<Vec<Word>>,
}

/// A group that an identity source may assert, by one of the policies at least.
pub(super) struct Asserted {
    pub(super) name: String,
    /// No policy names it.
    pub(super) is_unnamed: bool,
    pub(super) may_be: Both<bool>,
    pub(super) words: Both<Vec<Word>>,
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

    pub(super) fn new(policies: Both<&Policy>, words: &Words) -> Self {
        let mut people = Self::nobody();
        people.add_person(policies, words, Subject::Anonymous, Kind::Anonymous, &[]);
        for kind in [Kind::User, Kind::Service, Kind::Peer] {
            let pattern = |pattern: &SubjectPattern| match (kind, pattern) {
                (Kind::User, SubjectPattern::User(name))
                | (Kind::Service, SubjectPattern::Service(name))
                | (Kind::Peer, SubjectPattern::Peer(name)) => Some(name.clone()),
                _ => None,
            };
            let anybody = PathPattern::of_name(if kind == Kind::Peer { "*/*/**" } else { "**" });
            for (text, matched) in people.names(kind.many(), words, pattern, anybody) {
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
                people.add_person(policies, words, subject, kind, &matched);
            }
        }
        let groups = |pattern: &SubjectPattern| match pattern {
            SubjectPattern::Group(name) => Some(name.clone()),
            _ => None,
        };
        for (name, matched) in people.names("groups", words, groups, PathPattern::of_name("**")) {
            people.add_group(policies, words, name, matched.is_empty());
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
    ) -> Vec<(String, Vec<Word>)> {
        let mut own: Vec<(Option<Word>, Shape)> = Vec::new();
        let patterns = words.patterns.iter().enumerate();
        let patterns = patterns.filter_map(|(word, it)| Some((Some(word), of_kind(it)?)));
        for (word, pattern) in patterns.chain([(None, anybody)]) {
            own.extend(Shape::new(&pattern, Bindings::default()).map(|shape| (word, shape)));
        }
        let shapes: Vec<Shape> = own.iter().map(|(_, shape)| shape.clone()).collect();
        let (found, is_whole) = paths(Grammar::Name, &shapes, |_| true);
        if !is_whole {
            self.limits.insert(Limit::Subjects { of });
        }
        let word = |place: &usize| own.get(*place).and_then(|(word, _)| *word);
        found
            .into_iter()
            .map(|path| (path.text, path.matched.iter().filter_map(word).collect()))
            .collect()
    }

    fn add_person(
        &mut self,
        policies: Both<&Policy>,
        words: &Words,
        subject: Subject,
        kind: Kind,
        matched: &[Word],
    ) {
        let caller = Caller::new(subject.clone(), Vec::new());
        let filled = words.filled(policies, &Both { old: caller.clone(), new: caller });
        let own = subject.to_string();
        let texts = matched.iter().map(|word| words.text(*word));
        let label = match texts.clone().find(|text| *text == own) {
            Some(_) => own,
            None => texts.max_by_key(|text| text.len()).unwrap_or_default().to_owned(),
        };
        let place = self.persons.len();
        for word in filled.each().into_iter().flatten().collect::<BTreeSet<_>>() {
            if !words.is_general(*word) {
                self.persons_by_word.entry(*word).or_default().push(place);
            }
        }
        let is_unnamed = matched.is_empty();
        if is_unnamed {
            self.unnamed.push(place);
        }
        if let Subject::User(name) = &subject {
            self.persons_by_user.entry(name.clone()).or_default().push(place);
        }
        self.persons.push(Person { subject, kind, is_unnamed, label, words: filled });
    }

    fn add_group(
        &mut self,
        policies: Both<&Policy>,
        words: &Words,
        name: String,
        is_unnamed: bool,
    ) {
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
        self.groups.push(Asserted { name, is_unnamed, may_be, words: filled });
    }
}
