//! Which images make a difference: one for each set of patterns that an image can match.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use oci::{RepositoryName, Tag};

use super::entries::Entry;
use super::expressions::{of_regex, together};
use super::people::People;
use super::texts::Grammar;
use super::walk::{Shape, paths};
use super::words::Words;
use crate::caller::Subject;
use crate::glob::{Bindings, Part};
use crate::image_pattern::{ImagePattern, RepositoryPattern, Undecided};
use crate::image_text::is_segment;
use crate::path::PathPattern;
use crate::regex::Regex;

/// For so many names, a variable stands for each; beyond, for the first, and the comparison is not
/// complete where it matters.
const MAX_NAMES: usize = 64;

/// Which of some expressions match, for every set of them that a name can match together.
type Ways = HashSet<Vec<bool>>;

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
    pub(super) fn bindings(&self) -> Bindings<'_> {
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
    /// Those that stand for names beyond [`MAX_NAMES`].
    unnamed: HashSet<usize>,
    /// Those of names that are examples of expressions.
    examples: HashSet<usize>,
    /// The expressions, and which of them a name can match together.
    together: (Vec<String>, Option<Ways>),
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
        let cut = (users.len() > MAX_NAMES, groups.len() > MAX_NAMES);
        users.truncate(MAX_NAMES);
        groups.truncate(MAX_NAMES);
        let mut images = Self {
            bound: Vec::new(),
            shapes: Vec::new(),
            by_shape: Vec::new(),
            wanted: Vec::new(),
            unnamed: HashSet::new(),
            examples: HashSet::new(),
            together: Default::default(),
        };
        let mut known = HashMap::new();
        for (place, entry) in entries.iter().enumerate() {
            let own = entry.images.iter().map(|image| (*image, false));
            for (image, is_exception) in
                own.chain(entry.except_images.iter().map(|image| (*image, true)))
            {
                if (image.uses_user && cut.0) || (image.uses_group && cut.1) {
                    images.add_unnamed(image, entry.is_touched && !is_exception);
                }
                for user in names(image.uses_user, &users) {
                    for group in names(image.uses_group, &groups) {
                        images.add(place, entry, image, is_exception, (user, group), &mut known);
                    }
                }
            }
        }
        images.add_examples_together(entries);
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

    /// Names that an expression matches are told apart from others, as if a rule named them.
    fn add_examples(&mut self, repository: &RepositoryPattern) {
        let RepositoryPattern::Regex(regex) = repository else { return };
        for name in of_regex(regex).iter().filter(|name| RepositoryName::new(name).is_ok()) {
            self.add_example(name);
        }
    }

    fn add_examples_together(&mut self, entries: &[Entry<'p>]) {
        let images = entries.iter().flat_map(|it| it.images.iter().chain(&it.except_images));
        let regexes: BTreeMap<&str, &Regex> = images
            .filter_map(|image| match &image.repository {
                RepositoryPattern::Regex(regex) => Some((regex.text(), &**regex)),
                RepositoryPattern::Path(_) => None,
            })
            .collect();
        let texts = regexes.keys().map(|text| (*text).to_owned()).collect();
        let found = together(&regexes.into_values().collect::<Vec<_>>());
        for name in found.iter().flat_map(HashMap::values) {
            self.add_example(name);
        }
        self.together = (texts, found.map(|found| found.into_keys().collect()));
    }

    fn add_example(&mut self, name: &str) {
        if let Some(shape) = Shape::new(&PathPattern::of_name(name), Bindings::default()) {
            self.examples.insert(self.shapes.len());
            self.add_shape(shape, false);
        }
    }

    fn add_shape(&mut self, shape: Shape, is_wanted: bool) {
        self.shapes.push(shape);
        self.by_shape.push(Vec::new());
        self.wanted.push(is_wanted);
    }

    /// What a pattern matches for whomever its variables stand.
    fn add_unnamed(&mut self, image: &ImagePattern, is_wanted: bool) {
        if let RepositoryPattern::Path(path) = &image.repository {
            self.unnamed.insert(self.shapes.len());
            self.add_shape(Shape::of_anybody(path), is_wanted);
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
        let is_named = |path: &super::walk::Path| {
            !path.matched.iter().any(|shape| self.unnamed.contains(shape))
        };
        let is_whole = is_whole && found.iter().all(is_named) && self.expressions_are_there(&found);
        (found.into_iter().filter_map(repository).collect(), is_whole)
    }

    /// Whether there are names for every set of expressions that may match together, in and outside
    /// of each set of other patterns. Expressions over several segments are not walked through with
    /// the other patterns: what is known of them are examples.
    fn expressions_are_there(&self, found: &[super::walk::Path]) -> bool {
        let mut seen: BTreeMap<(Vec<usize>, Vec<&str>), Ways> = BTreeMap::new();
        let is_one = |shape: &usize| self.shapes.get(*shape).is_some_and(Shape::is_one_path);
        for path in found {
            let others = path.matched.iter().filter(|shape| !self.examples.contains(shape));
            let others: Vec<usize> = others.copied().collect();
            let own = others.iter().filter_map(|shape| self.expression(*shape));
            let (texts, matches): (Vec<_>, Vec<_>) =
                own.map(|regex| (regex.text(), regex.matches(&path.text))).unzip();
            if !texts.is_empty() && !others.iter().any(is_one) {
                seen.entry((others, texts)).or_default().insert(matches);
            }
        }
        seen.iter().all(|((_, texts), seen)| {
            let (all, Some(possible)) = &self.together else { return false };
            let places: Vec<usize> =
                texts.iter().filter_map(|text| all.iter().position(|it| it == text)).collect();
            let own = |ways: &Vec<bool>| -> Vec<bool> {
                places.iter().filter_map(|place| ways.get(*place).copied()).collect()
            };
            possible.iter().map(own).collect::<Ways>().is_subset(seen)
        })
    }

    fn expression(&self, shape: usize) -> Option<&'p Regex> {
        let bound = self.bound.get(*self.by_shape.get(shape)?.first()?)?;
        match &bound.image.repository {
            RepositoryPattern::Regex(regex) => Some(regex),
            RepositoryPattern::Path(_) => None,
        }
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
    users.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// Those that the policies name, whether they list the members or not, then others that may be
/// asserted.
fn group_names(people: &People, words: &Words) -> Vec<String> {
    let asserted = people.groups.iter().map(|group| group.name.as_str());
    let mut taken = HashSet::new();
    let names = words.named_groups().into_iter().chain(asserted);
    names.filter(|name| is_segment(name) && taken.insert(*name)).map(str::to_owned).collect()
}
