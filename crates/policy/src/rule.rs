//! A rule, ready to be asked.

use std::sync::Arc;

use crate::actions::Actions;
use crate::conditions::{Conditions, Unmet};
use crate::glob::Bindings;
use crate::image_pattern::{ImagePattern, TagPattern, Undecided};
use crate::image_text::is_segment;
use crate::subjects::{Role, Scope, Standing};

/// A rule without its images, which are kept where they are found by repository.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: Box<str>,
    pub(crate) file: Arc<str>,
    /// From 1.
    pub(crate) line: usize,
    /// In order, each once.
    pub(crate) subjects: Box<[Role]>,
    pub(crate) except_subjects: Box<[Role]>,
    pub(crate) except_images: Box<[ImagePattern]>,
    pub(crate) conditions: Option<Box<Conditions>>,
    /// How many patterns its images are.
    pub(crate) images: usize,
    pub(crate) allow: Actions,
    pub(crate) deny: Actions,
}

/// What a rule does about an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// One image pattern of a rule.
#[derive(Debug)]
pub(crate) struct Clause {
    pub(crate) rule: Arc<Rule>,
    pub(crate) image: ImagePattern,
}

impl Rule {
    /// Whether the rule speaks of this caller. What a credential carries narrows grants alone;
    /// whom a rule leaves out is always judged by all that the caller is.
    pub(crate) fn concerns(&self, standing: &Standing<'_>, effect: Effect) -> bool {
        standing.is_one_of(&self.subjects, effect.scope())
            && !standing.is_one_of(&self.except_subjects, Scope::Held)
            && self.holds(standing, effect)
    }

    /// Whether its conditions hold.
    fn holds(&self, standing: &Standing<'_>, effect: Effect) -> bool {
        match (&self.conditions, standing.circumstances()) {
            (None, _) => true,
            (Some(conditions), Some(here)) => {
                let judged = if standing.hopes() { effect.opposite() } else { effect };
                conditions.unmet(here, judged).is_none()
            }
            (Some(_), None) => effect == Effect::Allow,
        }
    }

    /// The condition that keeps the rule from allowing anything to this caller now.
    pub(crate) fn unmet(&self, standing: &Standing<'_>) -> Option<Unmet<'_>> {
        self.conditions.as_ref()?.unmet(standing.circumstances()?, Effect::Allow)
    }

    /// The exceptions among the images that are in this repository, each as the tags it takes out.
    pub(crate) fn excepted<'p, 'a>(
        &'p self,
        standing: &'a Standing<'a>,
        repository: &'a str,
    ) -> impl Iterator<Item = (&'p TagPattern, Bindings<'a>)> {
        self.except_images.iter().flat_map(move |image| {
            bindings(image, standing, Scope::Held)
                .filter(move |&bindings| image.repository.matches(repository, bindings))
                .map(move |bindings| (&image.tags, bindings))
        })
    }
}

impl Effect {
    pub(crate) fn opposite(self) -> Self {
        match self {
            Self::Allow => Self::Deny,
            Self::Deny => Self::Allow,
        }
    }

    /// On which side it falls that a pattern cannot decide: against the caller. In an exception it
    /// is the other one, for what is left out of an allowance is denied.
    pub(crate) fn undecided(self) -> Undecided {
        match self {
            Self::Allow => Undecided::Differs,
            Self::Deny => Undecided::Matches,
        }
    }

    /// The roles of a caller that count for it.
    pub(crate) fn scope(self) -> Scope {
        match self {
            Self::Allow => Scope::Carried,
            Self::Deny => Scope::Held,
        }
    }
}

/// What the variables of a pattern can stand for: one way if it has none or only `${user}`, one
/// for each group of the caller if it has `${group}`.
pub(crate) fn bindings<'a>(
    image: &ImagePattern,
    standing: &'a Standing<'a>,
    scope: Scope,
) -> impl Iterator<Item = Bindings<'a>> {
    let user = if image.uses_user { standing.user().filter(|name| is_segment(name)) } else { None };
    let single = (!image.uses_group).then_some(Bindings { user, group: None });
    let each = image.uses_group.then(|| {
        standing
            .groups(scope)
            .filter(|name| is_segment(name))
            .map(move |group| Bindings { user, group: Some(group) })
    });
    single.into_iter().chain(each.into_iter().flatten())
}
