//! Which tags of a repository a caller may do something with, as a predicate.

use std::borrow::Cow;

use oci::{RepositoryName, Tag};

use crate::Action;
use crate::bounds::Reach;
use crate::caller::Caller;
use crate::clauses::Candidate;
use crate::glob::{Bindings, Glob};
use crate::image_pattern::{TagPattern, Undecided};
use crate::policy::Policy;
use crate::regex::Regex;
use crate::rule::{Effect, bindings};
use crate::subjects::Standing;
use crate::versions::Versions;

/// Which tags of a repository.
#[derive(Debug)]
pub enum Tags<'p> {
    /// The whole repository: every tag and what is untagged. No denial can apply to any of it, and
    /// the credential reaches all of it.
    All,
    /// Nothing in it.
    None,
    /// What the filter says. It may turn out to allow nothing.
    Some(TagFilter<'p>),
}

/// Which tags, by patterns.
#[derive(Debug)]
pub struct TagFilter<'p> {
    grants: Vec<Share<'p>>,
    denials: Vec<Share<'p>>,
    /// How far the credential reaches, if not through the whole repository.
    within: Option<Vec<TagPattern>>,
}

/// The part of a repository that one clause of a rule is about.
#[derive(Debug)]
struct Share<'p> {
    covers: Scoped<'p>,
    except: Vec<Scoped<'p>>,
}

/// A tag pattern with its variables replaced.
#[derive(Debug)]
enum Scoped<'p> {
    Whole,
    Matching(Cow<'p, Glob>),
    Regex(&'p Regex),
    Semver(&'p Versions, Undecided),
}

impl Tags<'_> {
    /// Whether nothing is allowed.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

impl TagFilter<'_> {
    /// Whether this tag is one of them.
    #[must_use]
    pub fn allows(&self, tag: &Tag) -> bool {
        self.decides(Some(tag.as_str()))
    }

    /// Whether what is untagged is allowed, and with it the repository as a whole but for the
    /// denied tags.
    #[must_use]
    pub fn includes_untagged(&self) -> bool {
        self.decides(None)
    }

    fn decides(&self, tag: Option<&str>) -> bool {
        self.grants.iter().any(|grant| grant.holds(tag))
            && !self.denials.iter().any(|denial| denial.holds(tag))
            && self.within.as_ref().is_none_or(|within| {
                within.iter().any(|tags| tags.matches(tag, Bindings::default(), Undecided::Differs))
            })
    }
}

impl Share<'_> {
    fn holds(&self, tag: Option<&str>) -> bool {
        self.covers.matches(tag) && !self.except.iter().any(|except| except.matches(tag))
    }

    /// Whether it is about everything in the repository.
    fn is_everything(&self) -> bool {
        matches!(self.covers, Scoped::Whole) && self.except.is_empty()
    }
}

impl<'p> Scoped<'p> {
    fn new(tags: &'p TagPattern, bindings: Bindings<'_>, undecided: Undecided) -> Option<Self> {
        match tags {
            TagPattern::Whole => Some(Self::Whole),
            TagPattern::Matching(glob) if glob.has_variables() => {
                glob.bind(bindings).map(|glob| Self::Matching(Cow::Owned(glob)))
            }
            TagPattern::Matching(glob) => Some(Self::Matching(Cow::Borrowed(glob))),
            TagPattern::Regex(regex) => Some(Self::Regex(regex)),
            TagPattern::Semver(versions) => Some(Self::Semver(versions, undecided)),
        }
    }

    fn matches(&self, tag: Option<&str>) -> bool {
        match (self, tag) {
            (Self::Whole, _) => true,
            (_, None) => false,
            (Self::Matching(glob), Some(tag)) => glob.matches(tag, Bindings::default()),
            (Self::Regex(regex), Some(tag)) => regex.matches(tag),
            (Self::Semver(versions, undecided), Some(tag)) => {
                versions.contain(tag).unwrap_or(*undecided == Undecided::Matches)
            }
        }
    }
}

impl Policy {
    /// Which tags of the repository the caller may do `action` on: the same answers as
    /// [`Policy::decide`] gives for each tag.
    #[must_use]
    pub fn tags<'p>(
        &'p self,
        caller: &Caller,
        action: Action,
        repository: &RepositoryName,
    ) -> Tags<'p> {
        self.tags_of(&Standing::new(&self.subjects, caller), caller, action, repository)
    }

    /// The same for a caller whose standing is known.
    pub(crate) fn tags_of<'p>(
        &'p self,
        standing: &Standing<'_>,
        caller: &Caller,
        action: Action,
        repository: &RepositoryName,
    ) -> Tags<'p> {
        let within = match &caller.bounds {
            Some(bounds) => match bounds.reach(action, repository) {
                Reach::Nothing => return Tags::None,
                Reach::Whole => None,
                Reach::Tags(patterns) => Some(patterns),
            },
            None => None,
        };
        let mut filter = TagFilter { grants: Vec::new(), denials: Vec::new(), within };
        for (effect, found) in self.relevant(standing, action, repository.as_str()) {
            let shares = match effect {
                Effect::Allow => &mut filter.grants,
                Effect::Deny => &mut filter.denials,
            };
            add_shares(&found, effect, standing, repository, shares);
        }
        filter.simplify()
    }
}

fn add_shares<'p>(
    &Candidate { clause, rest, .. }: &Candidate<'p, '_>,
    effect: Effect,
    standing: &Standing<'_>,
    repository: &RepositoryName,
    shares: &mut Vec<Share<'p>>,
) {
    let undecided = effect.undecided();
    for bindings in bindings(&clause.image, standing, effect.scope()) {
        if !clause.image.repository.matches_after_literal(rest, bindings) {
            continue;
        }
        let Some(covers) = Scoped::new(&clause.image.tags, bindings, undecided) else { continue };
        let except: Vec<_> = clause
            .rule
            .excepted(standing, repository.as_str())
            .filter_map(|(tags, bindings)| Scoped::new(tags, bindings, undecided.opposite()))
            .collect();
        if !except.iter().any(|except| matches!(except, Scoped::Whole)) {
            shares.push(Share { covers, except });
        }
    }
}

impl<'p> TagFilter<'p> {
    fn simplify(self) -> Tags<'p> {
        if self.grants.is_empty() || self.denials.iter().any(Share::is_everything) {
            Tags::None
        } else if self.denials.is_empty()
            && self.within.is_none()
            && self.grants.iter().any(Share::is_everything)
        {
            Tags::All
        } else {
            Tags::Some(self)
        }
    }
}
