//! Which images make a difference: one for each set of patterns that an image can match.

use std::collections::{BTreeSet, HashMap, HashSet};

use oci::{RepositoryName, Tag};

use super::askers::Asker;
use super::entries::Entry;
use super::grammar::Grammar;
use super::limits::Limit;
use super::people::People;
use super::shape::Shape;
use super::walk::{Path, meeting_paths, paths};
use super::words::Words;
use crate::caller::Subject;
use crate::glob::{Bindings, Glob, Part};
use crate::image_pattern::{ImagePattern, RepositoryPattern, Undecided};
use crate::image_text::is_segment;

/// For so many names, a variable stands for each; beyond, for the first, and the comparison is not
/// complete where it matters.
pub(super) const MAX_NAMES: usize = 64;

/// A pattern of a rule, with its variables replaced.
pub(super) struct Bound<'p> {
    pub(super) entry: usize,
    pub(super) image: &'p ImagePattern,
    pub(super) is_exception: bool,
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
    shape: usize,
}

impl Bound<'_> {
    fn bindings(&self) -> Bindings<'_> {
        Bindings { user: self.user.as_deref(), group: self.group.as_deref() }
    }

    /// `None`: a variable stands for nothing.
    pub(super) fn bind(&self, glob: &Glob) -> Option<Glob> {
        glob.bind(self.bindings())
    }

    /// Whether its variables stand for names.
    pub(super) fn has_name(&self) -> bool {
        self.user.is_some() || self.group.is_some()
    }

    /// Whether it stands for a name, and another one than this caller has: it says nothing of them.
    pub(super) fn is_of_others(&self, asker: &Asker, words: &Words) -> bool {
        let caller = &asker.callers.old;
        let is_user = |name: &String| matches!(&caller.subject, Subject::User(own) if own == name);
        let is_in = |name: &String| {
            let carried = asker.callers.each().into_iter().flat_map(|caller| &caller.groups);
            let word = words.of_group(name);
            carried.into_iter().any(|own| own == name)
                || word.is_some_and(|word| asker.words.each().iter().any(|it| it.contains(&word)))
        };
        !self.user.as_ref().is_none_or(is_user) || !self.group.as_ref().is_none_or(is_in)
    }

    pub(super) fn matches_tag(&self, tag: Option<&Tag>) -> bool {
        // A rule that cannot be decided about a tag may decide about it.
        self.image.tags.matches(tag.map(Tag::as_str), self.bindings(), Undecided::Matches)
    }
}

/// A pattern as it stands in a rule.
#[derive(Clone, Copy)]
struct Written<'p> {
    entry: usize,
    image: &'p ImagePattern,
    is_exception: bool,
}

fn written<'e, 'p>(entries: &'e [Entry<'p>]) -> impl Iterator<Item = (&'e Entry<'p>, Written<'p>)> {
    entries.iter().enumerate().flat_map(|(place, entry)| {
        let own = entry.images.iter().map(|image| (*image, false));
        let all = own.chain(entry.except_images.iter().map(|image| (*image, true)));
        all.map(move |(image, is_exception)| (entry, Written { entry: place, image, is_exception }))
    })
}

/// Every pattern of the rules, and the different repositories among them.
pub(super) struct Images<'p> {
    pub(super) bound: Vec<Bound<'p>>,
    shapes: Vec<Shape>,
    by_shape: Vec<Vec<usize>>,
    wanted: Vec<bool>,
    /// Those that stand for names beyond [`MAX_NAMES`], with the pattern and how many names there are.
    unnamed: HashMap<usize, (String, usize)>,
}

/// A repository, and the patterns that match it by their place in [`Images::bound`].
pub(super) struct Repository {
    pub(super) name: RepositoryName,
    pub(super) matched: Vec<usize>,
}

impl<'p> Images<'p> {
    pub(super) fn new(entries: &[Entry<'p>], people: &People, words: &Words) -> Self {
        let mut users = user_names(entries, people);
        let mut groups = group_names(people, words);
        let all = (users.len(), groups.len());
        users.truncate(MAX_NAMES);
        groups.truncate(MAX_NAMES);
        let mut images = Self::nowhere();
        let mut known = HashMap::new();
        for (entry, written) in written(entries) {
            let Written { image, is_exception, .. } = written;
            let of_users = Some(all.0).filter(|_| image.uses_user);
            let of_groups = Some(all.1).filter(|_| image.uses_group);
            let most = of_users.max(of_groups).filter(|count| *count > MAX_NAMES);
            if let Some(count) = most {
                images.add_unnamed(image, entry.is_touched && !is_exception, count);
            }
            for user in names(image.uses_user, &users) {
                for group in names(image.uses_group, &groups) {
                    images.add(entry, written, (user, group), &mut known);
                }
            }
        }
        images
    }

    /// Where variables stand for any name.
    pub(super) fn of_anybody(entries: &[Entry<'p>]) -> Self {
        let mut images = Self::nowhere();
        let mut known = HashMap::new();
        for (entry, written) in written(entries) {
            images.add(entry, written, (None, None), &mut known);
        }
        images
    }

    fn nowhere() -> Self {
        Self {
            bound: Vec::new(),
            shapes: Vec::new(),
            by_shape: Vec::new(),
            wanted: Vec::new(),
            unnamed: HashMap::new(),
        }
    }

    pub(super) fn has_variables(&self) -> bool {
        self.bound.iter().any(|it| it.image.uses_user || it.image.uses_group)
    }

    /// The patterns that meet, one of which is of a touched rule, and one has variables.
    pub(super) fn meetings(&self, limits: &mut BTreeSet<Limit>) -> Vec<Vec<usize>> {
        let wanted = |shape: usize| self.wanted.get(shape).copied().unwrap_or(false);
        let uses = |it: &Bound<'_>| it.image.uses_user || it.image.uses_group;
        let of: HashSet<usize> =
            self.bound.iter().filter(|it| uses(it)).map(|it| it.shape).collect();
        let (found, is_whole) =
            meeting_paths(Grammar::Segment, &self.shapes, wanted, |shape| of.contains(&shape));
        if !is_whole {
            limits.insert(Limit::Repositories);
        }
        let bound = |path: Path| {
            let matched = path.matched.iter().filter_map(|shape| self.by_shape.get(*shape));
            matched.flatten().copied().collect()
        };
        found.into_iter().map(bound).collect()
    }

    fn add(
        &mut self,
        entry: &Entry<'p>,
        Written { entry: place, image, is_exception }: Written<'p>,
        (user, group): (Option<&String>, Option<&String>),
        known: &mut HashMap<(String, Option<String>, Option<String>), usize>,
    ) {
        let is_anybody = (image.uses_user || image.uses_group) && user.is_none() && group.is_none();
        let (user, group) = (user.cloned(), group.cloned());
        let bindings = Bindings { user: user.as_deref(), group: group.as_deref() };
        let uses = |part: &Part| matches!(&image.repository, RepositoryPattern::Path(path) if path.uses(part));
        let key = (
            image.repository.to_string(),
            user.clone().filter(|_| uses(&Part::User)),
            group.clone().filter(|_| uses(&Part::Group)),
        );
        let shape = match known.get(&key) {
            Some(shape) => *shape,
            None => {
                let made = match &image.repository {
                    RepositoryPattern::Path(path) if is_anybody => Shape::of_anybody(path),
                    RepositoryPattern::Path(path) => Shape::new(path, bindings),
                    RepositoryPattern::Regex(regex) => Some(Shape::of_expression(regex)),
                };
                let Some(made) = made else { return };
                self.add_shape(made, false);
                known.insert(key, self.shapes.len() - 1);
                self.shapes.len() - 1
            }
        };
        if let Some(wanted) = self.wanted.get_mut(shape) {
            *wanted |= entry.is_touched && !is_exception;
        }
        if let Some(own) = self.by_shape.get_mut(shape) {
            own.push(self.bound.len());
        }
        self.bound.push(Bound { entry: place, image, is_exception, user, group, shape });
    }

    fn add_shape(&mut self, shape: Shape, is_wanted: bool) {
        self.shapes.push(shape);
        self.by_shape.push(Vec::new());
        self.wanted.push(is_wanted);
    }

    /// What a pattern matches for whomever its variables stand.
    fn add_unnamed(&mut self, image: &ImagePattern, is_wanted: bool, names: usize) {
        let shape = match &image.repository {
            RepositoryPattern::Path(path) => Shape::of_anybody(path),
            RepositoryPattern::Regex(regex) => Some(Shape::of_expression(regex)),
        };
        if let Some(shape) = shape {
            self.unnamed.insert(self.shapes.len(), (image.to_string(), names));
            self.add_shape(shape, is_wanted);
        }
    }

    /// Every repository that a pattern of a touched rule matches.
    pub(super) fn repositories(&self, limits: &mut BTreeSet<Limit>) -> Vec<Repository> {
        let wanted = |shape: usize| self.wanted.get(shape).copied().unwrap_or(false);
        let (found, is_whole) = paths(Grammar::Segment, &self.shapes, wanted);
        if !is_whole {
            limits.insert(Limit::Repositories);
        }
        let repository = |path: Path| {
            let matched = path.matched.iter().filter_map(|shape| self.by_shape.get(*shape));
            let name = RepositoryName::new(&path.text).ok()?;
            Some(Repository { name, matched: matched.flatten().copied().collect() })
        };
        for shape in found.iter().flat_map(|path| &path.matched) {
            if let Some((images, names)) = self.unnamed.get(shape) {
                limits.insert(Limit::Names { images: images.clone(), names: *names });
            }
        }
        found.into_iter().filter_map(repository).collect()
    }

    pub(super) fn get(&self, places: &[usize]) -> Vec<&Bound<'p>> {
        places.iter().filter_map(|place| self.bound.get(*place)).collect()
    }

    /// Whether every repository of one pattern is one of the other.
    pub(super) fn is_within(&self, inner: &Bound<'_>, outer: &Bound<'_>) -> bool {
        let [Some(one), Some(two)] = [inner.shape, outer.shape].map(|it| self.shapes.get(it))
        else {
            return false;
        };
        let (found, is_whole) =
            paths(Grammar::Segment, &[one.clone(), two.clone()], |pattern| pattern == 0);
        is_whole && found.iter().all(|path| path.matched.contains(&1))
    }
}

/// `None` alone where there is no variable.
fn names(uses: bool, names: &[String]) -> Vec<Option<&String>> {
    if uses { names.iter().map(Some).collect() } else { vec![None] }
}

/// An unnamed user first, then those that touched rules speak of, or that images name.
pub(super) fn user_names(entries: &[Entry<'_>], people: &People) -> Vec<String> {
    let touched: BTreeSet<usize> = entries
        .iter()
        .filter(|entry| entry.is_touched)
        .flat_map(|entry| entry.subjects.iter().chain(&entry.except_subjects).copied())
        .collect();
    let mut users: Vec<(u8, &str)> = Vec::new();
    for person in &people.persons {
        if let Subject::User(name) = &person.subject
            && is_segment(name)
        {
            let is_meant =
                person.words.each().into_iter().flatten().any(|word| touched.contains(word));
            users.push((
                if person.is_unnamed { 0 } else { 2 - u8::from(is_meant || person.is_found) },
                name,
            ));
        }
    }
    users.sort_unstable();
    users.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// Those that the policies name, whether they list the members or not, those that images name, then
/// others that may be asserted.
pub(super) fn group_names(people: &People, words: &Words) -> Vec<String> {
    let asserted = || people.groups.iter();
    let unnamed = asserted().filter(|group| group.is_unnamed).map(|group| group.name.as_str());
    let found = asserted().filter(|group| group.found.is_some()).map(|group| group.name.as_str());
    let asserted = asserted().map(|group| group.name.as_str());
    let mut taken = HashSet::new();
    let names = unnamed.chain(words.named_groups()).chain(found).chain(asserted);
    names.filter(|name| is_segment(name) && taken.insert(*name)).map(str::to_owned).collect()
}
