//! Whether files keep to what is delegated to them.
//!
//! Whoever may change a file that is delegated may not reach further by it: its rules are about the
//! images of the delegation, and it neither declares nor names any group but those of the
//! delegation. Who belongs to other groups, and who administrates, is not for it to say.

use std::collections::{HashMap, HashSet};

use document::{Mistake, Place, Problems, SourceFile};

use crate::check::{Groups, listed_members};
use crate::glob::Bindings;
use crate::prefix_map::PrefixMap;
use crate::subject_pattern::SubjectPattern;
use crate::written::{
    DelegationEntry, GateEntry, GroupEntry, ImageEntry, RuleEntry, SubjectEntry, Written,
};

/// Checks each file against each delegation that covers it. A delegation that covers none is warned
/// of: its pattern may be misspelt, and then nothing holds the files back that it is meant for.
pub(crate) fn check(
    files: &[Written],
    sources: &[SourceFile],
    groups: &Groups<'_>,
    problems: &mut Problems,
) {
    let delegations: Vec<_> = files.iter().flat_map(|file| &file.delegations).collect();
    if delegations.is_empty() {
        return;
    }
    let mut by_path = PrefixMap::default();
    for (index, delegation) in delegations.iter().enumerate() {
        by_path.push(&delegation.files.pattern, (index, *delegation));
    }
    let written: HashMap<usize, &Written> = files.iter().map(|file| (file.file, file)).collect();
    let mut used = HashSet::new();
    let mut delegated = HashSet::new();
    for (file, source) in sources.iter().enumerate() {
        let alike = by_path.candidates(below_folder(&source.path));
        let found = alike.flat_map(|(rest, alike)| alike.iter().map(move |it| (rest, *it)));
        for (rest, (index, delegation)) in found {
            if !delegation.files.pattern.matches_after_literal(rest, Bindings::default()) {
                continue;
            }
            used.insert(index);
            delegated.insert(file);
            if let Some(file) = written.get(&file) {
                Delegated { delegation, problems: &mut *problems }.check(file);
            }
        }
    }
    for (index, delegation) in delegations.iter().enumerate() {
        if !used.contains(&index) {
            problems.warn(delegation.files.written.place, covers_nothing(delegation, sources));
        }
    }
    for file in files.iter().filter(|file| !delegated.contains(&file.file)) {
        for administrator in &file.administrators {
            warn_administrators(administrator, groups, &delegated, problems);
        }
    }
}

/// The path of a file from the policy folder on, whose name its shown path begins with.
fn below_folder(path: &str) -> &str {
    path.split_once('/').map_or(path, |(_, below)| below)
}

fn covers_nothing(delegation: &DelegationEntry, sources: &[SourceFile]) -> Mistake {
    let written = &delegation.files.written.text;
    let folder = sources.first().and_then(|source| source.path.split_once('/'));
    let below = folder.and_then(|(folder, _)| written.strip_prefix(folder)?.strip_prefix('/'));
    let help = match below {
        Some(below) => format!("paths begin below the policy folder: `{below}`"),
        None => "no file is held back by it; look for a slip in the path, or remove it".to_owned(),
    };
    Mistake::new(format!("no file matches `{written}`"))
        .label("a delegation without a file")
        .help(help)
}

/// A file before a delegation that covers it.
struct Delegated<'a> {
    delegation: &'a DelegationEntry,
    problems: &'a mut Problems,
}

impl Delegated<'_> {
    fn check(&mut self, file: &Written) {
        for (key, place) in [
            ("administrators", file.administrators_place),
            ("delegations", file.delegations_place),
            // Both let pass what gates of others would hold.
            ("flags", file.flags_place),
            ("exceptions", file.exceptions_place),
        ] {
            if let Some(place) = place {
                self.refuse_key(key, place);
            }
        }
        for group in &file.groups {
            self.check_group(group);
        }
        for rule in &file.rules {
            self.check_rule(rule);
        }
        for gate in &file.gates {
            self.check_gate(gate);
        }
    }

    fn refuse_key(&mut self, key: &str, place: Place) {
        let files = &self.delegation.files.written;
        let mistake = Mistake::new(format!("`{key}` cannot stand in a file that is delegated"))
            .label("in a file that a delegation covers")
            .also(files.place, "by this delegation")
            .help(if files.place.file == place.file {
                "let `files` match other files than its own"
            } else {
                "move it to a file that no delegation covers"
            });
        self.problems.at(place, mistake);
    }

    fn check_group(&mut self, group: &GroupEntry) {
        let name = &group.name.text;
        let covers = |allowed: &SubjectEntry| match &allowed.pattern {
            SubjectPattern::Group(pattern) => pattern.matches(name, Bindings::default()),
            _ => false,
        };
        if !self.delegation.groups.iter().any(covers) {
            self.refuse_group(&format!("group `{name}`"), "declared", group.name.place);
        }
        for member in listed_members(group) {
            self.check_mention(member);
        }
    }

    fn check_rule(&mut self, rule: &RuleEntry) {
        for subject in rule.subjects.iter().chain(&rule.except.subjects) {
            self.check_mention(subject);
        }
        self.check_images("rule", &rule.name.text, &rule.images, !rule.deny.is_empty());
    }

    fn check_gate(&mut self, gate: &GateEntry) {
        for subject in gate.subjects.iter().chain(&gate.except.subjects) {
            self.check_mention(subject);
        }
        self.check_images("gate", &gate.name.text, &gate.images, true);
    }

    /// What a rule or a gate leaves out may lie anywhere: it only narrows it. What denies or holds
    /// does so for what a pattern cannot decide, too.
    fn check_images(&mut self, kind: &str, name: &str, images: &[ImageEntry], holds: bool) {
        for image in images {
            let is_covered = |pattern: &&_| {
                let mut allowed = self.delegation.images.iter().flat_map(|entry| &entry.patterns);
                allowed.any(|outer| outer.contains(pattern) && (outer.decides() || !holds))
            };
            if let Some(beyond) = image.patterns.iter().find(|pattern| !is_covered(pattern)) {
                let mistake = Mistake::new(format!("{kind} `{name}` goes beyond its delegation"))
                    .label(format!("`{beyond}` is not within the images of this file"))
                    .also(self.delegation.images_place, "these are its images")
                    .help(format!("name images within those, or move the {kind} to a file that no delegation covers"));
                self.problems.at(image.place, mistake);
            }
        }
    }

    fn check_mention(&mut self, subject: &SubjectEntry) {
        let is_covered = || {
            self.delegation.groups.iter().any(|allowed| allowed.pattern.contains(&subject.pattern))
        };
        if matches!(subject.pattern, SubjectPattern::Group(_)) && !is_covered() {
            let text = &subject.written.text;
            self.refuse_group(&format!("`{text}`"), "named", subject.written.place);
        }
    }

    fn refuse_group(&mut self, what: &str, how: &str, place: Place) {
        let names: Vec<_> =
            self.delegation.groups.iter().map(|group| group.written.text.as_str()).collect();
        let (label, help) = match names.as_slice() {
            [] => (
                "it has no `groups`",
                "add `groups: […]` to the delegation, or move this to a file that no delegation covers"
                    .to_owned(),
            ),
            names => (
                "these are its groups",
                format!(
                    "groups of this file are {}; move what is about others to a file that no \
                     delegation covers",
                    document::listed(names)
                ),
            ),
        };
        let also = match self.delegation.groups.as_slice() {
            [first, .., last] => first.written.place.up_to(last.written.place),
            [only] => only.written.place,
            [] => self.delegation.files.written.place,
        };
        let mistake = Mistake::new(format!("{what} goes beyond the delegation of this file"))
            .label(format!("{how} here"))
            .also(also, label)
            .help(help);
        self.problems.at(place, mistake);
    }
}

/// Warns where a delegated file says who administrates: its authors could add themselves.
fn warn_administrators(
    administrator: &SubjectEntry,
    groups: &Groups<'_>,
    delegated: &HashSet<usize>,
    problems: &mut Problems,
) {
    let mut within = groups.within(&administrator.pattern);
    let theirs = within.find(|group| delegated.contains(&group.name.place.file));
    if let Some(group) = theirs {
        let name = &group.name.text;
        let message = format!("a delegated file says who is in `{name}`, and so who administrates");
        let mistake = Mistake::new(message)
            .label("administrators")
            .also(group.name.place, "its members are for the authors of this file to say")
            .help("name a group here that no delegated file declares");
        problems.warn(administrator.written.place, mistake);
    }
}
