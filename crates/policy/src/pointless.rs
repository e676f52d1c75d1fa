//! Rules that another rule makes pointless.
//!
//! A rule is, where one other rule that always holds does the same to everybody and everything that
//! it is about, or denies all that it allows. Others are found by the beginning of their images and
//! by their subjects, and only so many of them are looked at: a policy of a hundred thousand rules
//! is not to wait for a warning.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use document::{Mistake, Problems};

use crate::image_pattern::{ImagePattern, RepositoryPattern, TagPattern};
use crate::include::{Inclusion, Who};
use crate::subjects::Scope;
use crate::written::{RuleEntry, SubjectEntry};

/// Of those that begin in the same way and are for the same people, how many are compared.
const MAX_COMPARED: usize = 64;
/// Comparisons in all: this many, and so many for each rule.
const BUDGET: usize = 10_000;
const BUDGET_EACH: usize = 16;
/// A rule with more pairs of subjects and images than this is not looked for.
const MAX_PAIRS: usize = 1_000;

/// Warns of each rule of `rules` that is pointless. Of two that do the same, the later one is.
pub(crate) fn warn(rules: &[&RuleEntry], inclusion: &Inclusion<'_>, problems: &mut Problems) {
    let mut search = Search::new(rules, inclusion);
    for rule in rules {
        if problems.is_full() {
            return;
        }
        if let Some((other, why)) = search.reason(rule) {
            let (name, by) = (&rule.name.text, &other.name.text);
            let (message, label, help) = match why {
                Why::Covered => (
                    format!("rule `{name}` is pointless: rule `{by}` says all that it does"),
                    "this rule is about no less",
                    format!("remove `{name}`, or make `{by}` narrower"),
                ),
                Why::Denied => (
                    format!("rule `{name}` allows nothing: rule `{by}` denies all of it"),
                    "a denial wins",
                    format!("remove `{name}`, or add an `except` to `{by}`"),
                ),
            };
            let mistake = Mistake::new(message).also(other.name.place, label).help(help);
            problems.warn(rule.name.place, mistake);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The other rule allows and denies as much.
    Covered,
    /// The other rule denies what this one allows.
    Denied,
}

/// An image pattern of a rule that always holds.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    rule: &'a RuleEntry,
    image: &'a ImagePattern,
}

struct Search<'a> {
    inclusion: &'a Inclusion<'a>,
    /// By the [`fingerprint`] of the whole pattern.
    exact: HashMap<(u64, Who<'a>), Vec<Candidate<'a>>>,
    /// Those with wildcards, by their literal beginning; the widest first.
    wide: HashMap<(&'a str, Who<'a>), Vec<Candidate<'a>>>,
    budget: usize,
}

impl<'a> Search<'a> {
    fn new(rules: &[&'a RuleEntry], inclusion: &'a Inclusion<'a>) -> Self {
        let mut exact: HashMap<_, Vec<_>> = HashMap::new();
        let mut wide: HashMap<_, Vec<_>> = HashMap::new();
        for &rule in rules.iter().filter(|rule| always_holds(rule)) {
            if patterns(rule).count().saturating_mul(rule.subjects.len()) > MAX_PAIRS {
                continue;
            }
            for image in patterns(rule) {
                let print = fingerprint(image);
                for who in rule.subjects.iter().map(Who::of) {
                    let candidate = Candidate { rule, image };
                    exact.entry((print, who)).or_default().push(candidate);
                    if !is_single(image) {
                        let prefix = image.repository.literal_prefix();
                        wide.entry((prefix, who)).or_default().push(candidate);
                    }
                }
            }
        }
        for candidates in wide.values_mut() {
            candidates.sort_by_cached_key(|candidate| width(candidate.image));
        }
        let budget = BUDGET + BUDGET_EACH * rules.len();
        Self { inclusion, exact, wide, budget }
    }

    /// The rule that makes this one pointless.
    fn reason(&mut self, rule: &'a RuleEntry) -> Option<(&'a RuleEntry, Why)> {
        let first = rule.subjects.first()?;
        let image = rule.images.first()?.patterns.first()?;
        let print = fingerprint(image);
        let prefixes = beginnings(image.repository.literal_prefix());
        for who in self.inclusion.around(first, Scope::Held) {
            let exact = self.exact.get(&(print, who)).into_iter();
            let wide = prefixes.clone().filter_map(|prefix| self.wide.get(&(prefix, who)));
            let found = exact.chain(wide).flat_map(|found| found.iter().take(MAX_COMPARED));
            for candidate in found {
                if std::ptr::eq(candidate.rule, rule) {
                    continue;
                }
                self.budget = self.budget.checked_sub(1)?;
                if candidate.image.contains(image)
                    && let Some(why) = self.inclusion.answers(candidate.rule, rule)
                {
                    return Some((candidate.rule, why));
                }
            }
        }
        None
    }
}

impl<'a> Inclusion<'a> {
    /// Why `other`, which always holds, leaves nothing to `rule`, if it does.
    fn answers(&self, other: &'a RuleEntry, rule: &'a RuleEntry) -> Option<Why> {
        let (why, scope) = effect(other, rule)?;
        let is_about =
            self.includes(&other.subjects, &rule.subjects, scope) && images_contain(other, rule);
        // Where both say the same, the earlier one stays.
        let is_mutual = || {
            why == Why::Covered
                && always_holds(rule)
                && is_before(rule, other)
                && effect(rule, other).is_some_and(|(why, _)| why == Why::Covered)
                && self.includes(&rule.subjects, &other.subjects, scope)
                && images_contain(rule, other)
        };
        (is_about && !is_mutual()).then_some(why)
    }

    /// Whether each of `inner` is among `outer`.
    pub(crate) fn includes(
        &self,
        outer: &'a [SubjectEntry],
        inner: &'a [SubjectEntry],
        scope: Scope,
    ) -> bool {
        let outer: Vec<_> = outer.iter().map(Who::of).collect();
        let is_among = |subject| self.around(subject, scope).iter().any(|who| outer.contains(who));
        inner.iter().all(is_among)
    }
}

/// What `other` does about all actions of `rule`, and which roles of a caller have to be the same.
fn effect(other: &RuleEntry, rule: &RuleEntry) -> Option<(Why, Scope)> {
    let granted = |it: &RuleEntry| it.allow.clone().granted();
    let withheld = |it: &RuleEntry| it.deny.clone().withheld();
    let (allow, deny) = (granted(rule), withheld(rule));
    if deny.is_empty() && withheld(other).includes(&allow) {
        return Some((Why::Denied, Scope::Held));
    }
    let covers = granted(other).includes(&allow) && withheld(other).includes(&deny);
    let scope = if allow.is_empty() { Scope::Held } else { Scope::Carried };
    covers.then_some((Why::Covered, scope))
}

fn images_contain(outer: &RuleEntry, inner: &RuleEntry) -> bool {
    patterns(inner).all(|image| patterns(outer).any(|wide| wide.contains(image)))
}

fn patterns(rule: &RuleEntry) -> impl Iterator<Item = &ImagePattern> {
    rule.images.iter().flat_map(|entry| &entry.patterns)
}

fn always_holds(rule: &RuleEntry) -> bool {
    rule.conditions.is_empty() && rule.except.subjects.is_empty() && rule.except.images.is_empty()
}

/// By where they are written.
fn is_before(one: &RuleEntry, other: &RuleEntry) -> bool {
    let place = |rule: &RuleEntry| (rule.name.place.file, rule.name.place.start);
    place(one) < place(other)
}

/// Whether the pattern contains itself alone.
fn is_single(image: &ImagePattern) -> bool {
    match (&image.repository, &image.tags) {
        (RepositoryPattern::Path(path), TagPattern::Matching(tag)) => {
            path.literal().is_some() && tag.literal().is_some()
        }
        _ => false,
    }
}

/// The same for equal patterns, and for hardly any others.
fn fingerprint(image: &ImagePattern) -> u64 {
    let mut hasher = DefaultHasher::new();
    image.to_string().hash(&mut hasher);
    hasher.finish()
}

/// Less is wider.
fn width(image: &ImagePattern) -> (u8, usize) {
    let tags = match &image.tags {
        TagPattern::Whole => 0,
        TagPattern::Matching(tag) if tag.literal().is_none() => 1,
        TagPattern::Matching(_) => 2,
        TagPattern::Regex(_) | TagPattern::Semver(_) => 3,
    };
    (tags, image.to_string().len())
}

/// The empty text, and each beginning of a path that ends with a segment.
fn beginnings(path: &str) -> impl Iterator<Item = &str> + Clone {
    let ends =
        path.match_indices('/').map(|(end, _)| end).chain((!path.is_empty()).then_some(path.len()));
    std::iter::once(0).chain(ends).filter_map(|end| path.get(..end))
}
