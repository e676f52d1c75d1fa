//! Names that stand in the patterns of images alone: where `home/${user}` is allowed and `home/bob` is
//! denied, Bob is told apart from everybody else although no subject names him.

use std::collections::{BTreeMap, BTreeSet};

use oci::{RepositoryName, Tag};

use super::entries::Entry;
use super::images::{Bound, Images, MAX_NAMES};
use super::limits::Limit;
use super::people::People;
use super::tags::Tags;
use super::words::Words;
use crate::glob::{Bindings, Glob, Part};
use crate::image_pattern::{ImagePattern, RepositoryPattern, TagPattern};
use crate::image_text::is_segment;
use crate::path::Segment;

/// Of the images that match the same patterns, so many are looked at.
const FEW: usize = 4;

/// Whom a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meant {
    /// One of all whom the images do not tell apart.
    Example,
    /// That name alone.
    Itself,
}

impl Meant {
    pub(super) fn label(self, many: &str, own: &str) -> String {
        match self {
            Self::Itself => own.to_owned(),
            Self::Example => format!("{many} such as {own}"),
        }
    }
}

/// Those that are found.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) users: BTreeMap<String, Meant>,
    pub(super) groups: BTreeMap<String, Meant>,
}

/// Images that match the same patterns, whatever the variables in these stand for.
#[derive(Default)]
struct Alike<'a, 'p> {
    /// The patterns that match one for a name that no subject is.
    users: BTreeSet<usize>,
    groups: BTreeSet<usize>,
    /// Those that match for no name that is known.
    open: Vec<Found<'a, 'p>>,
    /// Those that match for a name that no subject is.
    met: Vec<Found<'a, 'p>>,
}

/// An image, and what matches it.
struct Found<'a, 'p> {
    repository: RepositoryName,
    tag: Option<Tag>,
    matched: Vec<&'a Bound<'p>>,
}

impl Names {
    /// Adds names that tell images apart which nobody's name does yet. False: there are none.
    pub(super) fn find(
        &mut self,
        entries: &[Entry<'_>],
        people: &People,
        words: &Words,
        limits: &mut BTreeSet<Limit>,
    ) -> bool {
        let mut images = entries.iter().flat_map(|it| it.images.iter().chain(&it.except_images));
        if !images.any(|image| image.uses_user || image.uses_group) {
            return false;
        }
        let before = self.count();
        let images = Images::of_anybody(entries, people, words);
        for alike in alike(entries, &images, words, limits).values() {
            for found in &alike.met {
                found.add_met(&mut self.users, &mut self.groups, words);
            }
            for found in &alike.open {
                let named: BTreeSet<usize> = found.matched.iter().filter_map(of_name).collect();
                let open = found.matched.iter().filter(|it| it.is_anybody);
                for bound in open.filter(|it| !named.contains(&it.pattern)) {
                    if bound.image.uses_user && !alike.users.contains(&bound.pattern) {
                        found.add(bound, &Part::User, &mut self.users);
                    }
                    if bound.image.uses_group && !alike.groups.contains(&bound.pattern) {
                        found.add(bound, &Part::Group, &mut self.groups);
                    }
                }
            }
        }
        self.count() > before
    }

    fn count(&self) -> usize {
        self.users.len() + self.groups.len()
    }
}

/// A name that no subject is: it was made up, or found.
fn new_user<'a>(bound: &'a Bound<'_>, words: &Words) -> Option<&'a str> {
    bound.user.as_deref().filter(|name| words.of_text(&format!("user:{name}")).is_none())
}

fn new_group<'a>(bound: &'a Bound<'_>, words: &Words) -> Option<&'a str> {
    bound.group.as_deref().filter(|name| words.of_group(name).is_none())
}

fn of_name(bound: &&Bound<'_>) -> Option<usize> {
    bound.has_name().then_some(bound.pattern)
}

fn alike<'a, 'p>(
    entries: &[Entry<'_>],
    images: &'a Images<'p>,
    words: &Words,
    limits: &mut BTreeSet<Limit>,
) -> BTreeMap<Vec<usize>, Alike<'a, 'p>> {
    let is_touched = |bound: &&Bound<'_>| {
        !bound.is_exception && entries.get(bound.entry).is_some_and(|entry| entry.is_touched)
    };
    let mut all: BTreeMap<Vec<usize>, Alike<'a, 'p>> = BTreeMap::new();
    let mut tags = Tags::new();
    for repository in images.repositories(limits) {
        let there = images.get(&repository.matched);
        if !there.iter().any(|bound| bound.is_anybody) {
            continue;
        }
        for tag in tags.of(&there, &repository.name, limits).iter() {
            let here = there.iter().copied().filter(|it| it.matches_tag(tag.as_ref()));
            let matched: Vec<&Bound<'p>> = here.collect();
            if !matched.iter().any(is_touched) {
                continue;
            }
            let patterns = matched.iter().filter(|it| !it.has_name()).map(|it| it.pattern);
            let alike = all.entry(patterns.collect()).or_default();
            for bound in &matched {
                if new_user(bound, words).is_some() {
                    alike.users.insert(bound.pattern);
                }
                if new_group(bound, words).is_some() {
                    alike.groups.insert(bound.pattern);
                }
            }
            let found = || {
                let (repository, tag) = (repository.name.clone(), tag.clone());
                Found { repository, tag, matched: matched.clone() }
            };
            let is_new =
                |it: &&Bound<'p>| new_user(it, words).is_some() || new_group(it, words).is_some();
            if alike.met.len() < FEW && matched.iter().any(is_new) {
                alike.met.push(found());
            }
            let named: BTreeSet<usize> = matched.iter().filter_map(of_name).collect();
            let is_open = |it: &&Bound<'_>| it.is_anybody && !named.contains(&it.pattern);
            if alike.open.len() < FEW && matched.iter().any(is_open) {
                alike.open.push(found());
            }
        }
    }
    all
}

impl Found<'_, '_> {
    /// Adds what a variable can stand for there. Of more names than are asked about, one is enough
    /// to see that there are more.
    fn add(&self, bound: &Bound<'_>, variable: &Part, names: &mut BTreeMap<String, Meant>) {
        for (name, meant) in self.names(bound.image, variable) {
            let is_full = names.len() > MAX_NAMES;
            match names.get_mut(&name) {
                Some(known) => *known = meant.min(*known),
                None if !is_full => drop(names.insert(name, meant)),
                None => return,
            }
        }
    }

    /// Adds what was made up for everybody, and images name it.
    fn add_met(
        &self,
        users: &mut BTreeMap<String, Meant>,
        groups: &mut BTreeMap<String, Meant>,
        words: &Words,
    ) {
        for bound in &self.matched {
            let user = (new_user(bound, words), Part::User, &mut *users);
            let group = (new_group(bound, words), Part::Group, &mut *groups);
            for (own, variable, names) in [user, group] {
                let is_own = |(name, meant): &(String, Meant)| {
                    own == Some(name.as_str()) && *meant == Meant::Itself
                };
                if own.is_some() && names.len() <= MAX_NAMES {
                    let mut all = self.names(bound.image, &variable).into_iter();
                    if let Some((name, meant)) = all.find(is_own) {
                        names.entry(name).or_insert(meant);
                    }
                }
            }
        }
    }

    /// What a variable of a pattern can stand for there.
    fn names(&self, image: &ImagePattern, variable: &Part) -> Vec<(String, Meant)> {
        let mut names = Vec::new();
        for (text, glob, is_tag) in self.texts(image, variable) {
            for (before, name, after) in names_in(text) {
                let may_be = glob.with(variable, name).of_anybody();
                if is_segment(name) && may_be.matches(text, Bindings::default()) {
                    let others =
                        [format!("{before}x{name}{after}"), format!("{before}{name}x{after}")];
                    names.push((name.to_owned(), self.meant(text, is_tag, &others)));
                }
            }
        }
        names
    }

    /// Where the variable stands, with what matches there.
    fn texts(&self, image: &ImagePattern, variable: &Part) -> Vec<(&str, Glob, bool)> {
        let mut texts = Vec::new();
        if let RepositoryPattern::Path(path) = &image.repository {
            for segment in path.segments() {
                let Segment::One(glob) = segment else { continue };
                if glob.uses(variable) {
                    let all = self.repository.as_str().split('/');
                    texts.extend(all.map(|text| (text, glob.clone(), false)));
                }
            }
        }
        if let (TagPattern::Matching(glob), Some(tag)) = (&image.tags, &self.tag)
            && glob.uses(variable)
        {
            texts.push((tag.as_str(), glob.clone(), true));
        }
        texts
    }

    /// Whether the patterns without variables match for that name alone.
    fn meant(&self, text: &str, is_tag: bool, longer: &[String]) -> Meant {
        let others = || self.matched.iter().filter(|it| !it.is_anybody && !it.has_name());
        let names_it = |image: &ImagePattern| match (&image.repository, &image.tags) {
            (_, TagPattern::Matching(glob)) if is_tag => glob.literal() == Some(text),
            (RepositoryPattern::Path(path), _) => path.segments().any(
                |segment| matches!(segment, Segment::One(glob) if glob.literal() == Some(text)),
            ),
            _ => false,
        };
        let matches = |other: &String| {
            let repository = self.repository.as_str().split('/');
            let repository = repository.map(|it| if it == text && !is_tag { other } else { it });
            let repository = repository.collect::<Vec<_>>().join("/");
            let tag = match &self.tag {
                Some(_) if is_tag => Tag::new(other).ok(),
                tag => tag.clone(),
            };
            others().all(|it| {
                it.image.repository.matches(&repository, Bindings::default())
                    && it.matches_tag(tag.as_ref())
            })
        };
        match others().any(|it| names_it(it.image)) && !longer.iter().any(matches) {
            true => Meant::Itself,
            false => Meant::Example,
        }
    }
}

/// Every part of a text, with what stands before it and behind it. The text is ASCII.
fn names_in(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    (0..text.len()).flat_map(move |from| {
        (from + 1..=text.len()).filter_map(move |until| {
            Some((text.get(..from)?, text.get(from..until)?, text.get(until..)?))
        })
    })
}
