//! A compiled policy.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use document::Diagnostics;
use oci::{RepositoryName, Tag};

use crate::caller::Caller;
use crate::clauses::Clauses;
use crate::decide::RuleRef;
use crate::gate::{Exception, Exceptions, Flag, GateIndex};
use crate::rule::Rule;
use crate::subjects::{Role, Scope, Standing, Subjects};

/// What may be done to what by whom. Made by [`Policy::compile`]; never changes.
#[derive(Debug)]
pub struct Policy {
    pub(crate) subjects: Subjects,
    /// In the order of their names, so that the order of files and rules means nothing.
    pub(crate) rules: Vec<Arc<Rule>>,
    pub(crate) clauses: Clauses,
    pub(crate) administrators: Box<[Role]>,
    /// The groups whose members the policy lists.
    pub(crate) listed_groups: HashSet<Box<str>>,
    /// Kept for comparisons; files were checked against them.
    pub(crate) delegations: Box<[Delegation]>,
    /// In the order of their names.
    pub(crate) flags: Box<[Flag]>,
    pub(crate) gates: GateIndex,
    pub(crate) exceptions: Exceptions,
}

/// Files that may speak of some images and groups only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// The pattern of their paths, as written.
    pub files: String,
    /// In order, each once.
    pub images: Vec<String>,
    /// Likewise, without `group:`.
    pub groups: Vec<String>,
}

/// A policy that can be used, and what is odd about it.
#[derive(Debug)]
pub struct Compiled {
    /// The policy.
    pub policy: Policy,
    /// What is probably not meant as it was written.
    pub warnings: Diagnostics,
}

/// What an action is done to.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// The repository.
    pub repository: &'a RepositoryName,
    /// The tag. `None`: the repository as a whole, or what is untagged in it.
    pub tag: Option<&'a Tag>,
}

impl Policy {
    /// All groups of a caller: those that its identity source asserts, those that the policy
    /// declares it a member of, and those that contain one of these.
    ///
    /// Asserted groups are honoured as they are, declared in the policy or not: what a source may
    /// assert is configured where the source is.
    #[must_use]
    pub fn groups_of(&self, caller: &Caller) -> BTreeSet<String> {
        let standing = Standing::new(&self.subjects, caller);
        standing.groups(Scope::Held).map(str::to_owned).collect()
    }

    /// The names of the groups that the policy names, in no order.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.subjects.group_names()
    }

    /// Whether a source outside may say who is in the group: it is declared `external`, or not at
    /// all. The members of any other group are those that the policy lists.
    #[must_use]
    pub fn may_be_asserted(&self, group: &str) -> bool {
        !self.listed_groups.contains(group)
    }

    /// Whether the caller is one of the `administrators`, with the groups that its credential
    /// carries. Nobody is with a credential that has bounds: it was made for some images, and
    /// an administrator could make one without.
    #[must_use]
    pub fn is_administrator(&self, caller: &Caller) -> bool {
        caller.bounds.is_none()
            && Standing::new(&self.subjects, caller).is_one_of(&self.administrators, Scope::Carried)
    }

    /// The flags that are declared, in the order of their names.
    pub fn flags(&self) -> impl ExactSizeIterator<Item = &Flag> {
        self.flags.iter()
    }

    /// The flag of that name.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<&Flag> {
        self.flags.iter().find(|flag| flag.name().as_str() == name)
    }

    /// The exceptions, expired or not.
    pub fn exceptions(&self) -> impl ExactSizeIterator<Item = &Exception> {
        self.exceptions.all().iter()
    }

    /// The keys that gates ask for, each with a gate that does: to be held against the keys that
    /// are trusted.
    #[must_use]
    pub fn trusted_keys(&self) -> BTreeMap<&str, RuleRef<'_>> {
        let mut keys = BTreeMap::new();
        for gate in self.gates() {
            for key in &gate.require.signed_by {
                keys.entry(&**key).or_insert_with(|| gate.place());
            }
        }
        keys
    }

    /// The groups that the files declare.
    pub(crate) fn declared_groups(&self) -> impl Iterator<Item = &str> {
        self.subjects.group_names()
    }

    /// The rules, in the order of their names.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = RuleRef<'_>> {
        self.rules.iter().map(|rule| rule.reference())
    }

    /// How many rules there are.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }
}
