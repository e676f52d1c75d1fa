//! Everybody a policy speaks of, and which of them a caller is.
//!
//! Each subject that is written anywhere becomes a number, a [`Role`]. A caller fills several
//! roles: its name, patterns over names, `authenticated`, its groups, and the groups that contain
//! those. A rule then only compares numbers.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use crate::caller::{Caller, Subject};
use crate::circumstances::Circumstances;
use crate::glob::Bindings;
use crate::path::PathPattern;
use crate::prefix_map::PrefixMap;
use crate::subject_pattern::SubjectPattern;

/// A subject of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Role(pub(crate) u32);

/// Everybody fills it, whatever a credential carries.
pub(crate) const ANYONE: Role = Role(0);
pub(crate) const AUTHENTICATED: Role = Role(1);

/// The roles that a caller fills, in order and each once.
pub(crate) type Roles = SmallVec<[Role; 32]>;

/// All subjects of a policy.
#[derive(Debug)]
pub(crate) struct Subjects {
    users: Names,
    services: Names,
    peers: Names,
    groups: HashMap<Box<str>, Role, RandomState>,
    group_patterns: Vec<(PathPattern, Role)>,
    /// By role.
    entries: Vec<Entry>,
}

/// Patterns over the names of one kind.
type Names = PrefixMap<Vec<(PathPattern, Role)>>;

#[derive(Debug, Default)]
struct Entry {
    /// Where the role is a group: its name.
    group: Option<Box<str>>,
    /// The groups that this subject is a direct member of, and the patterns that match its name.
    belongs_to: SmallVec<[Role; 4]>,
}

impl Subjects {
    /// The names of the groups that are declared.
    pub(crate) fn group_names(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(AsRef::as_ref)
    }

    /// The role of a group that is declared or named.
    pub(crate) fn group_role(&self, name: &str) -> Option<Role> {
        self.groups.get(name).copied()
    }

    /// The roles of a caller by its name alone.
    fn named(&self, subject: &Subject) -> Roles {
        let mut roles = Roles::new();
        roles.push(ANYONE);
        match subject {
            Subject::User(name) => {
                roles.push(AUTHENTICATED);
                find(&self.users, name, &mut roles);
            }
            Subject::Service(name) => {
                roles.push(AUTHENTICATED);
                find(&self.services, name, &mut roles);
            }
            Subject::Peer { gate, name } => {
                // On the stack: a decision is made without asking for memory.
                let mut full: SmallVec<[u8; 256]> = SmallVec::new();
                full.extend_from_slice(gate.as_bytes());
                full.push(b'/');
                full.extend_from_slice(name.as_bytes());
                find(&self.peers, str::from_utf8(&full).unwrap_or_default(), &mut roles);
            }
            Subject::Anonymous => {}
        }
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    /// Adds a group by its name, and all that contain it.
    fn add_group(&self, name: &str, roles: &mut Roles) {
        match self.groups.get(name) {
            Some(&role) => self.add(role, roles),
            // A group that an identity source asserts and no file mentions: patterns may match it.
            None => {
                for &(ref pattern, role) in &self.group_patterns {
                    if pattern.matches(name, Bindings::default()) {
                        self.add(role, roles);
                    }
                }
            }
        }
    }

    /// Adds a role and all that follow from it.
    fn add(&self, role: Role, roles: &mut Roles) {
        let mut open = Roles::new();
        open.push(role);
        while let Some(role) = open.pop() {
            if let Err(place) = roles.binary_search(&role) {
                roles.insert(place, role);
                open.extend_from_slice(self.belongs_to(role));
            }
        }
    }

    /// Every subject that is written anywhere. Groups that are declared count as written.
    pub(crate) fn written(&self) -> impl Iterator<Item = (Role, SubjectPattern)> {
        let everybody =
            [(ANYONE, SubjectPattern::Anyone), (AUTHENTICATED, SubjectPattern::Authenticated)];
        let each = |(pattern, role): &(PathPattern, Role)| (*role, pattern.clone());
        let groups = self.groups.iter().map(|(name, &role)| (role, PathPattern::of_name(name)));
        let groups = groups.chain(self.group_patterns.iter().map(each));
        let users = self.users.values().flatten().map(each);
        let services = self.services.values().flatten().map(each);
        let peers = self.peers.values().flatten().map(each);
        everybody
            .into_iter()
            .chain(groups.map(|(role, name)| (role, SubjectPattern::Group(name))))
            .chain(users.map(|(role, name)| (role, SubjectPattern::User(name))))
            .chain(services.map(|(role, name)| (role, SubjectPattern::Service(name))))
            .chain(peers.map(|(role, name)| (role, SubjectPattern::Peer(name))))
    }

    /// The groups that the subject is a direct member of, and the patterns that match its name.
    pub(crate) fn belongs_to(&self, role: Role) -> &[Role] {
        self.entry(role).map_or(&[], |entry| &entry.belongs_to)
    }

    pub(crate) fn role_count(&self) -> usize {
        self.entries.len()
    }

    /// In no order.
    pub(crate) fn groups(&self) -> impl Iterator<Item = Role> {
        self.groups.values().copied()
    }

    /// In the order of their roles.
    pub(crate) fn group_patterns(&self) -> impl Iterator<Item = Role> {
        self.group_patterns.iter().map(|&(_, role)| role)
    }

    /// The names and patterns over names that begin in the same way, together and in the order of
    /// their roles.
    pub(crate) fn beginnings(&self) -> impl Iterator<Item = impl Iterator<Item = Role>> {
        [&self.users, &self.services, &self.peers]
            .into_iter()
            .flat_map(PrefixMap::values)
            .map(|alike| alike.iter().map(|&(_, role)| role))
    }

    fn entry(&self, role: Role) -> Option<&Entry> {
        self.entries.get(role.0 as usize)
    }

    /// The name of a group, if the role is one.
    fn group_name(&self, role: Role) -> Option<&str> {
        self.entry(role)?.group.as_deref()
    }
}

fn find(names: &Names, name: &str, roles: &mut Roles) {
    for (rest, named) in names.candidates(name) {
        let matching =
            named.iter().filter(|(it, _)| it.matches_after_literal(rest, Bindings::default()));
        roles.extend(matching.map(|&(_, role)| role));
    }
}

/// Which of a caller's roles count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All: for denials and exceptions.
    Held,
    /// Those that its credential carries: for grants.
    Carried,
}

/// A caller before a policy.
#[derive(Debug)]
pub(crate) struct Standing<'a> {
    subjects: &'a Subjects,
    caller: &'a Caller,
    circumstances: Option<&'a Circumstances>,
    /// What is not known of the circumstances goes in favour of the caller, not against it.
    hopes: bool,
    held: Roles,
    /// `None`: the credential carries all.
    carried: Option<Roles>,
}

impl<'a> Standing<'a> {
    pub(crate) fn new(subjects: &'a Subjects, caller: &'a Caller) -> Self {
        let named = subjects.named(&caller.subject);
        let mut held = named.clone();
        for &role in &named {
            for &group in subjects.belongs_to(role) {
                subjects.add(group, &mut held);
            }
        }
        for group in &caller.groups {
            subjects.add_group(group, &mut held);
        }
        let circumstances = Some(&caller.circumstances);
        let mut standing =
            Self { subjects, caller, circumstances, hopes: false, held, carried: None };
        if let Some(groups) = &caller.granting {
            let mut carried = named;
            for group in groups.iter().filter(|group| standing.holds_group(group)) {
                subjects.add_group(group, &mut carried);
            }
            standing.carried = Some(carried);
        }
        standing
    }

    /// Whether the caller fills one of these roles, which are in order.
    pub(crate) fn is_one_of(&self, roles: &[Role], scope: Scope) -> bool {
        let own = self.roles(scope);
        match roles {
            [] => false,
            [role] => own.binary_search(role).is_ok(),
            _ if roles.len() > own.len() => {
                own.iter().any(|role| roles.binary_search(role).is_ok())
            }
            _ => roles.iter().any(|role| own.binary_search(role).is_ok()),
        }
    }

    /// Every role that the caller fills, in order.
    pub(crate) fn held(&self) -> &[Role] {
        &self.held
    }

    /// The same in whatever circumstances: conditional rules that allow count, and conditional ones
    /// that deny do not.
    pub(crate) fn ever(self) -> Self {
        Self { circumstances: None, ..self }
    }

    /// The same where what is not known of the circumstances is as the caller would have it.
    pub(crate) fn hopeful(self) -> Self {
        Self { hopes: true, ..self }
    }

    /// Whether what is not known goes in favour of the caller.
    pub(crate) fn hopes(&self) -> bool {
        self.hopes
    }

    /// When, from where and with what the caller asks; none: whenever, and so on.
    pub(crate) fn circumstances(&self) -> Option<&'a Circumstances> {
        self.circumstances
    }

    /// The name of the caller where it is a user, for `${user}`.
    pub(crate) fn user(&self) -> Option<&'a str> {
        match &self.caller.subject {
            Subject::User(name) => Some(name),
            _ => None,
        }
    }

    /// The names of the caller's groups.
    pub(crate) fn groups(&self, scope: Scope) -> impl Iterator<Item = &'a str> {
        let subjects = self.subjects;
        let declared = self.roles(scope).iter().filter_map(move |&role| subjects.group_name(role));
        let undeclared = self
            .caller
            .groups
            .iter()
            .filter(move |group| scope == Scope::Held || self.is_carried(group))
            .filter(move |group| !subjects.groups.contains_key(group.as_str()))
            .map(String::as_str);
        declared.chain(undeclared)
    }

    fn roles(&self, scope: Scope) -> &Roles {
        match (scope, &self.carried) {
            (Scope::Carried, Some(carried)) => carried,
            _ => &self.held,
        }
    }

    /// A credential may carry only what its holder has.
    fn holds_group(&self, group: &str) -> bool {
        match self.subjects.groups.get(group) {
            Some(role) => self.held.binary_search(role).is_ok(),
            None => self.caller.groups.iter().any(|asserted| asserted == group),
        }
    }

    fn is_carried(&self, group: &str) -> bool {
        match &self.caller.granting {
            Some(granting) => granting.iter().any(|carried| carried == group),
            None => true,
        }
    }
}

/// Gives out roles while a policy is compiled.
#[derive(Debug)]
pub(crate) struct SubjectsBuilder {
    subjects: Subjects,
    by_text: HashMap<String, Role>,
}

impl SubjectsBuilder {
    pub(crate) fn new() -> Self {
        let subjects = Subjects {
            users: Names::default(),
            services: Names::default(),
            peers: Names::default(),
            groups: HashMap::default(),
            group_patterns: Vec::new(),
            entries: vec![Entry::default(), Entry::default()],
        };
        Self { subjects, by_text: HashMap::new() }
    }

    /// The role of a subject, as `text` writes it.
    pub(crate) fn role(&mut self, text: &str, pattern: &SubjectPattern) -> Role {
        let name = match pattern {
            SubjectPattern::Anyone => return ANYONE,
            SubjectPattern::Authenticated => return AUTHENTICATED,
            SubjectPattern::User(name)
            | SubjectPattern::Service(name)
            | SubjectPattern::Peer(name)
            | SubjectPattern::Group(name) => name,
        };
        if let (SubjectPattern::Group(_), Some(group)) = (pattern, name.literal()) {
            return self.group(group);
        }
        if let Some(&role) = self.by_text.get(text) {
            return role;
        }
        let role = self.next();
        self.by_text.insert(text.to_owned(), role);
        let value = (name.clone(), role);
        match pattern {
            SubjectPattern::User(_) => self.subjects.users.push(name, value),
            SubjectPattern::Service(_) => self.subjects.services.push(name, value),
            SubjectPattern::Peer(_) => self.subjects.peers.push(name, value),
            _ => self.subjects.group_patterns.push(value),
        }
        role
    }

    /// The role of a group that is declared.
    pub(crate) fn group(&mut self, name: &str) -> Role {
        if let Some(&role) = self.subjects.groups.get(name) {
            return role;
        }
        let role = self.next();
        self.subjects.groups.insert(name.into(), role);
        if let Some(entry) = self.subjects.entries.get_mut(role.0 as usize) {
            entry.group = Some(name.into());
        }
        role
    }

    /// Makes `member` a direct member of `group`.
    pub(crate) fn belongs(&mut self, member: Role, group: Role) {
        if let Some(entry) = self.subjects.entries.get_mut(member.0 as usize) {
            entry.belongs_to.push(group);
        }
    }

    pub(crate) fn finish(mut self) -> Subjects {
        let patterns = std::mem::take(&mut self.subjects.group_patterns);
        let groups: Vec<(Box<str>, Role)> =
            self.subjects.groups.iter().map(|(name, &role)| (name.clone(), role)).collect();
        for (name, group) in groups {
            for &(ref pattern, role) in &patterns {
                if pattern.matches(&name, Bindings::default()) {
                    self.belongs(group, role);
                }
            }
        }
        self.subjects.group_patterns = patterns;
        self.subjects.entries.shrink_to_fit();
        for entry in &mut self.subjects.entries {
            let mut seen = HashSet::new();
            entry.belongs_to.retain(|role| seen.insert(*role));
        }
        self.subjects
    }

    fn next(&mut self) -> Role {
        // Bounded by the size of the files, far below 2³².
        let role = Role(u32::try_from(self.subjects.entries.len()).unwrap_or(u32::MAX));
        self.subjects.entries.push(Entry::default());
        role
    }
}
