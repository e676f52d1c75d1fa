//! Which images make a difference: one for each set of patterns that an image can match.

use std::collections::{BTreeSet, HashMap, HashSet};

use oci::{RepositoryName, Tag};

use super::entries::Entry;
use super::expressions::{of_regex, of_versions};
use super::people::People;
use super::texts::{Grammar, texts};
use super::walk::{Shape, paths};
use super::words::Words;
use crate::caller::Subject;
use crate::glob::{Bindings, Glob, Part};
use crate::image_pattern::{ImagePattern, RepositoryPattern, TagPattern, Undecided};
use crate::image_text::is_segment;
use crate::path::PathPattern;

/// For so many names, a variable stands for each; beyond, for the first.
const MAX_NAMES: usize = 64;

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

    pub(super) fn matches_tag(&self, tag: Option<&Tag>) -> bool {
        // A rule that cannot be decided about a tag may decide about it.
        self.image.tags.matches(tag.map(Tag::as_str), self.bindings(), Undecided::Matches)
    }
}

/// Every pattern of the rules, and the different repositories among them.
pub(super) struct Images<'p> {
    pub(super) bound: Vec<Bound<'p>>,
    shapes: Vec<Shape>,
    by_shape: Vec<Vec<usize>>,
    wanted: Vec<bool>,
}

/// A repository, and the patterns that match it by their place in [`Images::bound`].
pub(super) struct Repository {
    pub(super) name: RepositoryName,
    pub(super) matched: Vec<usize>,
}

impl<'p> Images<'p> {
    pub(super) fn new(entries: &[Entry<'p>], people: &People, words: &Words) -> Self {
        let users = user_names(entries, people);
        let groups = group_names(people, words);
        let mut images = Self {
            bound: Vec::new(),
            shapes: Vec::new(),
            by_shape: Vec::new(),
            wanted: Vec::new(),
        };
        let mut known = HashMap::new();
        for (place, entry) in entries.iter().enumerate() {
            let own = entry.images.iter().map(|image| (*image, false));
            for (image, is_exception) in
                own.chain(entry.except_images.iter().map(|image| (*image, true)))
            {
                for user in names(image.uses_user, &users) {
                    for group in names(image.uses_group, &groups) {
                        images.add(place, entry, image, is_exception, (user, group), &mut known);
                    }
                }
            }
        }
        images
    }

    fn add(
        &mut self,
        place: usize,
        entry: &Entry<'p>,
        image: &'p ImagePattern,
        is_exception: bool,
        (user, group): (Option<&String>, Option<&String>),
        known: &mut HashMap<(String, Option<String>, Option<String>), usize>,
    ) {
        let (user, group) = (user.cloned(), group.cloned());
        let bindings = Bindings { user: user.as_deref(), group: group.as_deref() };
        let uses = |part: &Part| matches!(&image.repository, RepositoryPattern::Path(path) if path.uses(part));
        let path = match &image.repository {
            RepositoryPattern::Path(path) => path.clone(),
            // At least where it matches; what of that matches is found out later.
            RepositoryPattern::Regex(regex) => match regex.literal_prefix() {
                "" => PathPattern::of_name("**"),
                prefix => PathPattern::of_name(&format!("{prefix}/**")),
            },
        };
        let key = (
            image.repository.to_string(),
            user.clone().filter(|_| uses(&Part::User)),
            group.clone().filter(|_| uses(&Part::Group)),
        );
        let shape = match known.get(&key) {
            Some(shape) => *shape,
            None => {
                let Some(made) = Shape::new(&path, bindings) else { return };
                self.add_examples(&image.repository);
                self.shapes.push(made);
                self.by_shape.push(Vec::new());
                self.wanted.push(false);
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

    /// Names that an expression matches are told apart from others, as if a rule named them.
    fn add_examples(&mut self, repository: &RepositoryPattern) {
        let RepositoryPattern::Regex(regex) = repository else { return };
        for name in of_regex(regex).iter().filter(|name| RepositoryName::new(name).is_ok()) {
            if let Some(shape) = Shape::new(&PathPattern::of_name(name), Bindings::default()) {
                self.shapes.push(shape);
                self.by_shape.push(Vec::new());
                self.wanted.push(false);
            }
        }
    }

    /// Every repository that a pattern of a touched rule matches.
    pub(super) fn repositories(&self) -> (Vec<Repository>, bool) {
        let wanted = |shape: usize| self.wanted.get(shape).copied().unwrap_or(false);
        let (found, is_whole) = paths(Grammar::Segment, &self.shapes, wanted);
        let repository = |path: super::walk::Path| {
            let matched = path.matched.iter().filter_map(|shape| self.by_shape.get(*shape));
            let is_there =
                |place: &usize| match self.bound.get(*place).map(|it| &it.image.repository) {
                    Some(RepositoryPattern::Regex(regex)) => regex.matches(&path.text),
                    Some(RepositoryPattern::Path(_)) => true,
                    None => false,
                };
            Some(Repository {
                name: RepositoryName::new(&path.text).ok()?,
                matched: matched.flatten().copied().filter(is_there).collect(),
            })
        };
        (found.into_iter().filter_map(repository).collect(), is_whole)
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
        let is_path = |it: &Bound<'_>| matches!(it.image.repository, RepositoryPattern::Path(_));
        if !is_path(outer) {
            return inner.image.repository == outer.image.repository;
        }
        let (found, is_whole) =
            paths(Grammar::Segment, &[one.clone(), two.clone()], |pattern| pattern == 0);
        is_whole && found.iter().all(|path| path.matched.contains(&1))
    }
}

/// `None` alone where there is no variable.
fn names(uses: bool, names: &[String]) -> Vec<Option<&String>> {
    if uses { names.iter().map(Some).collect() } else { vec![None] }
}

/// An unnamed user first, then those that touched rules speak of.
fn user_names(entries: &[Entry<'_>], people: &People) -> Vec<String> {
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
            users.push((if person.is_unnamed { 0 } else { 2 - u8::from(is_meant) }, name));
        }
    }
    users.sort_unstable();
    users.into_iter().take(MAX_NAMES).map(|(_, name)| name.to_owned()).collect()
}

/// Those that the policies name, whether they list the members or not, then others that may be
/// asserted.
fn group_names(people: &People, words: &Words) -> Vec<String> {
    let asserted = people.groups.iter().map(|group| group.name.as_str());
    let mut taken = HashSet::new();
    let names = words.named_groups().into_iter().chain(asserted);
    let names = names.filter(|name| is_segment(name) && taken.insert(*name));
    names.take(MAX_NAMES).map(str::to_owned).collect()
}

/// The tags that the patterns tell apart, and `None` for what is untagged.
pub(super) fn tags(matched: &[&Bound<'_>]) -> (Vec<Option<Tag>>, bool) {
    let mut literals: BTreeSet<String> = BTreeSet::new();
    let mut globs: HashMap<String, Glob> = HashMap::new();
    for bound in matched {
        match &bound.image.tags {
            TagPattern::Matching(glob) => {
                let Some(glob) = glob.bind(bound.bindings()) else { continue };
                match glob.0.iter().all(|part| matches!(part, Part::Text(_))) {
                    true => drop(literals.insert(glob.to_string())),
                    false => drop(globs.insert(glob.to_string(), glob)),
                }
            }
            TagPattern::Regex(regex) => literals.extend(of_regex(regex)),
            TagPattern::Semver(versions) => literals.extend(of_versions(versions)),
            TagPattern::Whole => {}
        }
    }
    let any = Glob(vec![Part::Any]);
    globs.entry(any.to_string()).or_insert(any);
    let mut globs: Vec<(String, Glob)> = globs.into_iter().collect();
    globs.sort_by(|one, other| one.0.cmp(&other.0));
    let globs: Vec<&Glob> = globs.iter().map(|(_, glob)| glob).collect();
    let taken: HashSet<&str> = literals.iter().map(String::as_str).collect();
    let (found, is_whole) = texts(Grammar::Tag, &globs, &taken);
    let found = found.into_iter().map(|found| found.text).chain(literals.iter().cloned());
    let tags = found.filter_map(|text| Tag::new(&text).ok()).map(Some);
    (std::iter::once(None).chain(tags).collect(), is_whole)
}

/// Whether every tag of one pattern is one of the other.
pub(super) fn tags_within(inner: &Bound<'_>, outer: &Bound<'_>) -> bool {
    match (&inner.image.tags, &outer.image.tags) {
        (_, TagPattern::Whole) => true,
        (TagPattern::Matching(one), TagPattern::Matching(two)) => {
            let both = [one.bind(inner.bindings()), two.bind(outer.bindings())];
            let [Some(one), Some(two)] = both else { return false };
            let (found, is_whole) = texts(Grammar::Tag, &[&one, &two], &HashSet::new());
            is_whole
                && found.iter().all(|text| !text.matched.contains(&0) || text.matched.contains(&1))
        }
        (one, two) => one == two,
    }
}
