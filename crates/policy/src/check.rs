//! Mistakes that show only when all files are looked at together.

use std::collections::{HashMap, HashSet, hash_map};

use document::{Mistake, Place, Problems, SourceFile, did_you_mean};
use jiff::Timestamp;

use crate::glob::Bindings;
use crate::subject_pattern::SubjectPattern;
use crate::written::{GroupEntry, Members, SubjectEntry, Word, Written};
use crate::{check_flags, delegate, warn};

/// How often a pattern over groups may be held against a group, in all: two thousand patterns over
/// ten thousand groups.
const MAX_GROUP_COMPARISONS: usize = 20_000_000;

/// How many names may be compared to find what was meant, in all. Comparing takes long, and help
/// with the first mistakes is help enough.
const MAX_SUGGESTION_COMPARISONS: usize = 100_000;

/// Looking further would take too long; that has been noted.
struct TooMany;

/// Checks a policy as a whole. Where a file could not be read, groups may be missing through no
/// fault of those that name them, so unknown groups are not reported then.
pub(crate) fn check(
    files: &[Written],
    sources: &[SourceFile],
    all_readable: bool,
    now: Option<Timestamp>,
    problems: &mut Problems,
) {
    let groups = Groups::new(files, problems);
    unique_rules(files, problems);
    check_flags::unique_names(files, problems);
    if groups.check_patterns(files, problems).is_err() {
        return;
    }
    if all_readable {
        let mut comparisons = MAX_SUGGESTION_COMPARISONS;
        for mention in mentions(files) {
            groups.check_known(mention, &mut comparisons, problems);
        }
        check_flags::known(files, problems);
    }
    members_are_enumerable(files, problems);
    groups.check_cycles(problems);
    delegate::check(files, sources, &groups, problems);
    if !problems.has_errors() {
        warn::warn(files, &groups, now, problems);
    }
}

/// Every subject that is written anywhere.
pub(crate) fn mentions(files: &[Written]) -> impl Iterator<Item = &SubjectEntry> {
    files.iter().flat_map(|file| {
        let members = file.groups.iter().flat_map(listed_members);
        let rules =
            file.rules.iter().flat_map(|rule| rule.subjects.iter().chain(&rule.except.subjects));
        let gates =
            file.gates.iter().flat_map(|gate| gate.subjects.iter().chain(&gate.except.subjects));
        members.chain(rules).chain(gates).chain(&file.administrators)
    })
}

/// The members that a file lists.
pub(crate) fn listed_members(group: &GroupEntry) -> &[SubjectEntry] {
    match &group.members {
        Members::Listed(members) => members,
        Members::External | Members::Unreadable => &[],
    }
}

fn unique_rules(files: &[Written], problems: &mut Problems) {
    let mut seen: HashMap<&str, Place> = HashMap::new();
    for rule in files.iter().flat_map(|file| &file.rules) {
        if rule.name.text.is_empty() {
            continue;
        }
        unique(&rule.name, "rule", &mut seen, problems);
    }
}

/// Reports the second use of a name.
pub(crate) fn unique<'a>(
    name: &'a Word,
    kind: &str,
    seen: &mut HashMap<&'a str, Place>,
    problems: &mut Problems,
) {
    match seen.entry(&name.text) {
        hash_map::Entry::Vacant(place) => {
            place.insert(name.place);
        }
        hash_map::Entry::Occupied(first) => {
            let mistake = Mistake::new(format!("two {kind}s are named `{}`", name.text))
                .label("the second")
                .also(*first.get(), "the first")
                .help("rename one of them; a name that begins with its team or file stays unique");
            problems.at(name.place, mistake);
        }
    }
}

/// `anyone` is no member of a group and no administrator: everybody would pass for staff.
fn members_are_enumerable(files: &[Written], problems: &mut Problems) {
    let mut refuse = |entry: &SubjectEntry, place: &str, help: &str| {
        if matches!(entry.pattern, SubjectPattern::Anyone | SubjectPattern::Authenticated) {
            let message = format!("`{}` cannot be {place}", entry.written.text);
            problems.at(entry.written.place, Mistake::new(message).help(help));
        }
    };
    for file in files {
        for member in file.groups.iter().flat_map(listed_members) {
            refuse(member, "a member of a group", "name it in the `subjects` of a rule instead");
        }
        for administrator in &file.administrators {
            refuse(administrator, "an administrator", "name people, services or groups");
        }
    }
}

/// The groups of all files.
pub(crate) struct Groups<'a> {
    declared: HashMap<&'a str, &'a GroupEntry>,
    /// In the order of the files.
    in_order: Vec<&'a GroupEntry>,
}

impl<'a> Groups<'a> {
    fn new(files: &'a [Written], problems: &mut Problems) -> Self {
        let in_order: Vec<_> = files.iter().flat_map(|file| &file.groups).collect();
        let mut seen = HashMap::new();
        let mut declared = HashMap::new();
        for &group in &in_order {
            unique(&group.name, "group", &mut seen, problems);
            declared.entry(group.name.text.as_str()).or_insert(group);
        }
        Self { declared, in_order }
    }

    /// Each pattern over groups is held against each group, wherever one is a member of a group. In
    /// files with many of both that would take hours, and fill the memory.
    fn check_patterns(&self, files: &[Written], problems: &mut Problems) -> Result<(), TooMany> {
        let mut seen = HashSet::new();
        let is_pattern = |mention: &&SubjectEntry| match &mention.pattern {
            SubjectPattern::Group(name) => name.literal().is_none(),
            _ => false,
        };
        let members = self.in_order.iter().copied().flat_map(listed_members).filter(is_pattern);
        let different = mentions(files)
            .filter(is_pattern)
            .filter(|mention| seen.insert(mention.written.text.as_str()));
        let mut left = MAX_GROUP_COMPARISONS;
        for mention in members.chain(different) {
            let Some(less) = left.checked_sub(self.in_order.len()) else {
                let mistake = Mistake::new("too many patterns over groups for so many groups")
                    .label("one of them")
                    .help("name the groups, or a group that contains them");
                problems.at(mention.written.place, mistake);
                return Err(TooMany);
            };
            left = less;
        }
        Ok(())
    }

    /// `comparisons` is how many names may still be looked at for a suggestion.
    fn check_known(
        &self,
        mention: &SubjectEntry,
        comparisons: &mut usize,
        problems: &mut Problems,
    ) {
        let SubjectPattern::Group(pattern) = &mention.pattern else { return };
        match pattern.literal() {
            Some(name) if self.declared.contains_key(name) => {}
            Some(name) => {
                let left = comparisons.checked_sub(self.declared.len());
                let names = left.map(|_| self.declared.keys().copied());
                *comparisons = left.unwrap_or_default();
                let help = did_you_mean(name, names.into_iter().flatten()).unwrap_or_else(|| {
                    format!("if an identity source asserts it, add `{name}: external` to `groups`")
                });
                let mistake = Mistake::new(format!("unknown group `{name}`"))
                    .label("not defined in any policy file")
                    .help(help);
                problems.at(mention.written.place, mistake);
            }
            None if self.matched(&mention.pattern).next().is_some() => {}
            None => {
                let message = format!("no group matches `{}`", mention.written.text);
                let mistake = Mistake::new(message).label("no policy file defines such a group");
                problems.warn(mention.written.place, mistake);
            }
        }
    }

    /// The declared groups that a subject names.
    pub(crate) fn matched<'s>(
        &'s self,
        pattern: &'s SubjectPattern,
    ) -> impl Iterator<Item = &'a GroupEntry> {
        let (exact, all) = match pattern {
            SubjectPattern::Group(name) => match name.literal() {
                Some(literal) => (self.declared.get(literal).copied(), None),
                None => (None, Some((name, &self.in_order))),
            },
            _ => (None, None),
        };
        let matching = all.into_iter().flat_map(|(name, groups)| {
            groups
                .iter()
                .copied()
                .filter(|group| name.matches(&group.name.text, Bindings::default()))
        });
        exact.into_iter().chain(matching)
    }

    /// A group that contains itself has no meaning. Each cycle is reported once.
    fn check_cycles(&self, problems: &mut Problems) {
        let mut done: HashSet<&str> = HashSet::new();
        for &start in &self.in_order {
            let mut path = vec![Visit::new(start)];
            let mut on_path = HashSet::from([start.name.text.as_str()]);
            if done.contains(start.name.text.as_str()) {
                continue;
            }
            while let Some(visit) = path.last_mut() {
                let Some((member, next)) = visit.next(self) else {
                    let name = visit.group.name.text.as_str();
                    done.insert(name);
                    on_path.remove(name);
                    path.pop();
                    continue;
                };
                let name = next.name.text.as_str();
                if on_path.contains(name) {
                    report_cycle(&path, member, name, problems);
                } else if !done.contains(name) {
                    on_path.insert(name);
                    path.push(Visit::new(next));
                }
            }
        }
    }

    /// The declared groups that a subject names, and those that these contain.
    pub(crate) fn within(&self, subject: &SubjectPattern) -> impl Iterator<Item = &'a GroupEntry> {
        let mut seen = HashSet::new();
        let mut open: Vec<_> = self.matched(subject).collect();
        std::iter::from_fn(move || {
            while let Some(group) = open.pop() {
                if seen.insert(group.name.text.as_str()) {
                    for member in listed_members(group) {
                        open.extend(self.matched(&member.pattern));
                    }
                    return Some(group);
                }
            }
            None
        })
    }

    /// The groups that somebody may be in: that list somebody who is no group, or are external, or
    /// contain such a group.
    pub(crate) fn populated(&self) -> HashSet<&'a str> {
        let mut containing: HashMap<&str, Vec<&'a str>> = HashMap::new();
        let mut open = Vec::new();
        for &group in &self.in_order {
            let name = group.name.text.as_str();
            let is_group =
                |member: &SubjectEntry| matches!(member.pattern, SubjectPattern::Group(_));
            let is_listed = matches!(group.members, Members::Listed(_));
            if !is_listed || !listed_members(group).iter().all(is_group) {
                open.push(name);
            }
            for member in listed_members(group) {
                for inner in self.matched(&member.pattern) {
                    containing.entry(&inner.name.text).or_default().push(name);
                }
            }
        }
        let mut populated = HashSet::new();
        while let Some(name) = open.pop() {
            if populated.insert(name) {
                open.extend(containing.get(name).into_iter().flatten());
            }
        }
        populated
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.in_order.iter().map(|group| group.name.text.as_str())
    }

    /// In the order of the files.
    pub(crate) fn all(&self) -> &[&'a GroupEntry] {
        &self.in_order
    }
}

/// A group on the path of the search for cycles, with the members that were not looked at yet.
struct Visit<'a> {
    group: &'a GroupEntry,
    members: std::slice::Iter<'a, SubjectEntry>,
    /// The member in work, and the groups that it names.
    current: Option<(&'a SubjectEntry, std::vec::IntoIter<&'a GroupEntry>)>,
}

impl<'a> Visit<'a> {
    fn new(group: &'a GroupEntry) -> Self {
        Self { group, members: listed_members(group).iter(), current: None }
    }

    /// The next group that is a member, and how it is written.
    fn next(&mut self, groups: &Groups<'a>) -> Option<(&'a SubjectEntry, &'a GroupEntry)> {
        loop {
            if let Some((member, named)) = &mut self.current
                && let Some(group) = named.next()
            {
                return Some((member, group));
            }
            let member = self.members.next()?;
            let named: Vec<_> = groups.matched(&member.pattern).collect();
            self.current = Some((member, named.into_iter()));
        }
    }
}

fn report_cycle(path: &[Visit<'_>], member: &SubjectEntry, name: &str, problems: &mut Problems) {
    let names = path.iter().map(|visit| visit.group.name.text.as_str());
    let cycle: Vec<_> = names.skip_while(|&group| group != name).chain([name]).collect();
    let written: Vec<_> = cycle.iter().map(|group| format!("`{group}`")).collect();
    let mistake = Mistake::new(format!("group `{name}` contains itself"))
        .label(written.join(" contains "))
        .help("take one of these out");
    problems.at(member.written.place, mistake);
}
