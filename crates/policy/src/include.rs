//! Which of the subjects that are written include which others.

use std::collections::HashMap;

use crate::check::listed_members;
use crate::path::PathPattern;
use crate::prefix_map::PrefixMap;
use crate::subject_pattern::SubjectPattern;
use crate::subjects::Scope;
use crate::written::{SubjectEntry, Written};

/// More groups around one subject than this are not looked at: what comes of it is a warning.
const MAX_AROUND: usize = 128;

/// A subject, as far as others may include it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Who<'a> {
    Anyone,
    Authenticated,
    /// By its name.
    Group(&'a str),
    /// As it is written: a name, or a pattern.
    Written(&'a str),
}

/// The subjects of all files.
pub(crate) struct Inclusion<'a> {
    /// By member: the groups that list it.
    listed_in: HashMap<Who<'a>, Vec<&'a str>>,
    /// By how it is written.
    patterns: HashMap<&'a str, &'a SubjectPattern>,
    /// Patterns with wildcards over the names of users, services, peers and groups.
    wide: [PrefixMap<Vec<(&'a SubjectPattern, &'a str)>>; 4],
}

impl<'a> Who<'a> {
    pub(crate) fn of(entry: &'a SubjectEntry) -> Self {
        match &entry.pattern {
            SubjectPattern::Anyone => Self::Anyone,
            SubjectPattern::Authenticated => Self::Authenticated,
            SubjectPattern::Group(name) => {
                name.literal().map_or(Self::Written(&entry.written.text), Self::Group)
            }
            _ => Self::Written(&entry.written.text),
        }
    }
}

impl<'a> Inclusion<'a> {
    pub(crate) fn new(files: &'a [Written]) -> Self {
        let mut inclusion =
            Self { listed_in: HashMap::new(), patterns: HashMap::new(), wide: Default::default() };
        for file in files {
            for group in &file.groups {
                for member in listed_members(group) {
                    inclusion.add(member);
                    let groups = inclusion.listed_in.entry(Who::of(member)).or_default();
                    groups.push(&group.name.text);
                }
            }
            for rule in &file.rules {
                for subject in rule.subjects.iter().chain(&rule.except.subjects) {
                    inclusion.add(subject);
                }
            }
        }
        inclusion
    }

    fn add(&mut self, entry: &'a SubjectEntry) {
        let (pattern, text) = (&entry.pattern, entry.written.text.as_str());
        if self.patterns.insert(text, pattern).is_some() {
            return;
        }
        if let Some((kind, path)) = kind(pattern)
            && path.literal().is_none()
            && let Some(wide) = self.wide.get_mut(kind)
        {
            wide.push(path, (pattern, text));
        }
    }

    /// The subject, and all that include it for certain. Membership of a person counts where roles
    /// are [`Scope::Held`]: a credential need not carry a group that the policy lists its holder in.
    pub(crate) fn around(&self, entry: &'a SubjectEntry, scope: Scope) -> Vec<Who<'a>> {
        let mut found = vec![Who::of(entry)];
        let mut next = 0;
        while let Some(&who) = found.get(next) {
            next += 1;
            let group;
            let pattern = match who {
                Who::Group(name) => {
                    group = SubjectPattern::Group(PathPattern::of_name(name));
                    &group
                }
                Who::Written(text) => match self.patterns.get(text) {
                    Some(&pattern) => pattern,
                    None => continue,
                },
                Who::Authenticated => &SubjectPattern::Authenticated,
                Who::Anyone => continue,
            };
            let is_group = matches!(pattern, SubjectPattern::Group(_));
            let listed = if is_group || scope == Scope::Held {
                self.listed_in.get(&who).map_or(&[][..], Vec::as_slice)
            } else {
                &[]
            };
            let words = [
                (SubjectPattern::Authenticated, Who::Authenticated),
                (SubjectPattern::Anyone, Who::Anyone),
            ];
            let words = words.into_iter().filter(|(word, _)| word.contains(pattern));
            let wider = kind(pattern).into_iter().flat_map(|(kind, path)| {
                let wide = self.wide.get(kind).into_iter();
                wide.flat_map(|wide| wide.candidates(path.literal_prefix()))
            });
            let wider = wider
                .flat_map(|(_, found)| found)
                .filter(|(outer, _)| outer.contains(pattern))
                .map(|&(_, text)| Who::Written(text));
            let all = words.map(|(_, who)| who).chain(wider);
            for who in all.chain(listed.iter().map(|&name| Who::Group(name))) {
                if found.len() < MAX_AROUND && !found.contains(&who) {
                    found.push(who);
                }
            }
        }
        found
    }
}

/// Which kind of name a subject is a pattern over.
fn kind(pattern: &SubjectPattern) -> Option<(usize, &PathPattern)> {
    match pattern {
        SubjectPattern::User(path) => Some((0, path)),
        SubjectPattern::Service(path) => Some((1, path)),
        SubjectPattern::Peer(path) => Some((2, path)),
        SubjectPattern::Group(path) => Some((3, path)),
        SubjectPattern::Authenticated | SubjectPattern::Anyone => None,
    }
}
