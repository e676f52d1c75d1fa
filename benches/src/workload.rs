//! Policies of any size and the requests of a day, the same ones in every run.

mod dice;
mod homes;
mod regexes;
mod rule;
mod teams;

use std::collections::HashMap;

use oci::{RepositoryName, Tag};
use policy::{Action, Caller, Image, Subject};

pub use rule::{Repositories, Rule, Tags, VERSIONS, Who};

use dice::Dice;

/// What a policy is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Teams with a space of their own, CI, guests, neighbours, and versions that do not move.
    Teams,
    /// A home for every user, with what its owner shares; and a library that each user was let into
    /// by a rule of its own.
    Homes,
    /// Repositories by regular expressions, tags by regular expressions and version ranges.
    Regexes,
}

/// A policy, and what is asked of it.
#[derive(Debug)]
pub struct Workload {
    /// The groups, each with the names of its users.
    pub groups: Vec<(String, Vec<String>)>,
    /// The rules. Denied unless one allows, and any that denies wins.
    pub rules: Vec<Rule>,
    /// The requests. About half of them are allowed.
    pub requests: Vec<Request>,
}

/// One question to a policy.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// To do what.
    pub action: Action,
    /// In which repository.
    pub repository: RepositoryName,
    /// To which tag. `None`: to what is untagged.
    pub tag: Option<Tag>,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Teams, Self::Homes, Self::Regexes];

    /// Its name, and how it is chosen on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Teams => "teams",
            Self::Homes => "homes",
            Self::Regexes => "regexes",
        }
    }

    /// A policy of about so many rules, and so many requests.
    #[must_use]
    pub fn workload(self, rules: usize, requests: usize) -> Workload {
        let mut dice = Dice::default();
        match self {
            Self::Teams => teams::workload(rules, requests, &mut dice),
            Self::Homes => homes::workload(rules, requests, &mut dice),
            Self::Regexes => regexes::workload(rules, requests, &mut dice),
        }
    }
}

impl Workload {
    /// Who is what.
    #[must_use]
    pub fn roles(&self) -> Roles<'_> {
        let mut groups_of: HashMap<&str, Vec<&str>> = HashMap::new();
        for (group, members) in &self.groups {
            for member in members {
                groups_of.entry(member).or_default().push(group);
            }
        }
        Roles { groups_of }
    }
}

/// Who is what, for contestants that have to be told.
#[derive(Debug)]
pub struct Roles<'a> {
    groups_of: HashMap<&'a str, Vec<&'a str>>,
}

impl Roles<'_> {
    /// All that a caller is to a rule: its own name, its groups, and the words for many.
    #[must_use]
    pub fn of(&self, caller: &Caller) -> Vec<String> {
        let mut roles = vec![caller.subject.to_string()];
        roles.extend(self.groups_of(caller).map(|group| format!("group:{group}")));
        if caller.subject != Subject::Anonymous {
            roles.push(Who::Authenticated.to_string());
        }
        roles.push(Who::Anyone.to_string());
        roles
    }

    /// Its groups.
    pub fn groups_of(&self, caller: &Caller) -> impl Iterator<Item = &str> {
        let groups = match &caller.subject {
            Subject::User(name) => self.groups_of.get(name.as_str()),
            _ => None,
        };
        groups.into_iter().flatten().copied()
    }
}

impl Request {
    /// What the request is about.
    #[must_use]
    pub fn image(&self) -> Image<'_> {
        Image { repository: &self.repository, tag: self.tag.as_ref() }
    }

    fn new(subject: Subject, action: Action, repository: &str, tag: Option<&&str>) -> Option<Self> {
        Some(Self {
            caller: Caller::new(subject, Vec::new()),
            action,
            repository: RepositoryName::new(repository).ok()?,
            tag: tag.and_then(|tag| Tag::new(tag).ok()),
        })
    }
}
