//! Where patterns with variables meet others, in images that a rule which differs is about.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::beside::{Beside, has_wildcards};
use super::entries::Entry;
use super::grammar::Grammar;
use super::images::{Bound, Images};
use super::limits::Limit;
use super::reading::{Boundaries, is_anything};
use super::seats::{Seat, seats};
use super::situation::Situation;
use super::words::{Word, Words};
use crate::glob::{Bindings, Glob, Part};
use crate::image_pattern::{RepositoryPattern, TagPattern};
use crate::path::{PathPattern, Segment};
use crate::subject_pattern::SubjectPattern;

/// Names for which the other variable stands.
pub(super) struct Others {
    /// Where it stands alone, or beside plain text.
    pub(super) all: Vec<String>,
    /// Beside wildcards, where each name tells many others apart.
    pub(super) few: Vec<String>,
}

/// The sets of patterns that meet.
pub(super) struct Meetings<'p> {
    images: Images<'p>,
    all: Vec<Vec<usize>>,
    /// The subjects that each rule is about.
    subjects: Vec<BTreeSet<Word>>,
}

impl<'p> Meetings<'p> {
    pub(super) fn new(entries: &[Entry<'p>], limits: &mut BTreeSet<Limit>) -> Self {
        let images = Images::of_anybody(entries);
        let all = if images.has_variables() { images.meetings(limits) } else { Vec::new() };
        let subjects = entries
            .iter()
            .map(|entry| entry.subjects.iter().chain(&entry.except_subjects).copied().collect());
        Self { images, all, subjects: subjects.collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What tells names apart for which a variable stands, each once, with a pattern that it is in.
    pub(super) fn situations(
        &self,
        variable: &Part,
        others: &Others,
        words: &Words,
    ) -> Vec<(String, Situation<'p>)> {
        let mut boundaries = Boundaries::default();
        let mut known = HashSet::new();
        let mut situations = Vec::new();
        for places in &self.all {
            let there = self.images.get(places);
            let own = there.iter().filter(|bound| uses(bound, variable));
            let Some(first) = own.clone().next() else { continue };
            let mut besides = Vec::new();
            for bound in own {
                let meeting = Meeting { there: &there, variable, others };
                besides.extend(meeting.beside_segments(bound, &mut boundaries));
                besides.extend(meeting.beside_tag(bound));
            }
            let entries: BTreeSet<usize> = there.iter().map(|bound| bound.entry).collect();
            let subjects = entries.iter().filter_map(|entry| self.subjects.get(*entry));
            let subjects = subjects.flatten().copied().collect();
            let subjects = globs(subjects, variable, words);
            let other = if *variable == Part::User { Part::Group } else { Part::User };
            let has_others = there.iter().any(|bound| uses(bound, &other));
            if let Some(situation) = Situation::new(besides, subjects, has_others)
                && known.insert(situation.key())
            {
                situations.push((first.image.to_string(), situation));
            }
        }
        situations
    }
}

fn uses(bound: &Bound<'_>, variable: &Part) -> bool {
    match variable {
        Part::User => bound.image.uses_user,
        _ => bound.image.uses_group,
    }
}

/// The wildcards among subjects that can be the name of one segment.
fn globs(subjects: BTreeSet<Word>, variable: &Part, words: &Words) -> BTreeMap<String, Glob> {
    let mut globs = BTreeMap::new();
    for word in words.within(subjects) {
        let pattern = words.patterns.get(word).and_then(|it| of_variable(it, variable));
        if let Some(glob) = pattern.and_then(in_one_segment).filter(|glob| !is_anything(glob)) {
            globs.insert(glob.to_string(), glob);
        }
    }
    globs
}

/// The names of a subject that a variable can stand for.
pub(super) fn of_variable<'s>(
    subject: &'s SubjectPattern,
    variable: &Part,
) -> Option<&'s PathPattern> {
    match (variable, subject) {
        (Part::User, SubjectPattern::User(name)) | (Part::Group, SubjectPattern::Group(name)) => {
            Some(name)
        }
        _ => None,
    }
}

fn in_one_segment(name: &PathPattern) -> Option<Glob> {
    if name.literal().is_some() {
        return None;
    }
    let globs = name.segments().filter_map(|segment| match segment {
        Segment::One(glob) => Some(glob),
        Segment::AnyNumber => None,
    });
    let globs: Vec<Glob> = globs.collect();
    match <[Glob; 1]>::try_from(globs) {
        Ok([glob]) => Some(glob),
        Err(_) => None,
    }
}

struct Meeting<'a, 'p> {
    there: &'a [&'a Bound<'p>],
    variable: &'a Part,
    others: &'a Others,
}

impl<'p> Meeting<'_, 'p> {
    fn beside_segments(
        &self,
        bound: &Bound<'p>,
        boundaries: &mut Boundaries<'p>,
    ) -> Vec<Beside<'p>> {
        let RepositoryPattern::Path(path) = &bound.image.repository else { return Vec::new() };
        let own = seats(path).into_iter().filter(|(glob, _)| glob.uses(self.variable));
        own.map(|(text, seat)| self.beside_segment(&text, seat, boundaries)).collect()
    }

    fn beside_segment(
        &self,
        text: &Glob,
        seat: Seat,
        boundaries: &mut Boundaries<'p>,
    ) -> Beside<'p> {
        let mut beside = Beside::new(text.clone(), self.variable.clone(), Grammar::Segment);
        for other in self.there {
            match &other.image.repository {
                RepositoryPattern::Path(path) => {
                    let there = seats(path).into_iter();
                    for (glob, _) in there.filter(|(glob, it)| glob != text && it.meets(seat)) {
                        self.add(&mut beside, &glob);
                    }
                }
                RepositoryPattern::Regex(regex) => {
                    for reached in boundaries.of(regex, seat.before()) {
                        beside.add_expression(regex, *reached);
                    }
                }
            }
        }
        beside
    }

    fn beside_tag(&self, bound: &Bound<'p>) -> Option<Beside<'p>> {
        let TagPattern::Matching(text) = &bound.image.tags else { return None };
        if !text.uses(self.variable) {
            return None;
        }
        let mut beside = Beside::new(text.clone(), self.variable.clone(), Grammar::Tag);
        for other in self.there {
            match &other.image.tags {
                TagPattern::Matching(glob) if glob != text => self.add(&mut beside, glob),
                TagPattern::Regex(regex) => beside.add_expression(regex, regex.begin()),
                TagPattern::Semver(range) => beside.add_range(range),
                TagPattern::Matching(_) | TagPattern::Whole => {}
            }
        }
        Some(beside)
    }

    /// With everything that its variables can stand for.
    fn add(&self, beside: &mut Beside<'p>, glob: &Glob) {
        beside.add_glob(glob.of_anybody());
        let is_wild = beside.has_wildcards() || has_wildcards(glob);
        let others = if is_wild { &self.others.few } else { &self.others.all };
        // Beside wildcards each name tells many others apart: not all of them are gone through.
        let other = if *self.variable == Part::User { Part::Group } else { Part::User };
        if is_wild && glob.uses(&other) && others.len() < self.others.all.len() {
            beside.leave_out();
        }
        let (mut user, mut group) = (None, None);
        for name in others {
            match self.variable {
                Part::User => group = Some(name.as_str()),
                _ => user = Some(name.as_str()),
            }
            if let Some(glob) = glob.bind(Bindings { user, group }).filter(|it| it != glob) {
                beside.add_glob(glob);
            }
        }
    }
}
