//! Flags that a policy declares.

use jiff::{SignedDuration, Timestamp};
use oci::RepositoryName;

use super::facts::FlagFact;
use super::lasting::after;
use crate::flag_name::FlagName;
use crate::glob::Bindings;
use crate::image_pattern::RepositoryPattern;

/// Something that can be said of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    pub(crate) name: FlagName,
    /// Among these repositories it follows the digest.
    pub(crate) carries: Box<[RepositoryPattern]>,
    pub(crate) expires_after: Option<SignedDuration>,
}

impl Flag {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> FlagName {
        self.name
    }

    /// How long it holds after it was set, if it does not hold for ever.
    #[must_use]
    pub fn expires_after(&self) -> Option<SignedDuration> {
        self.expires_after
    }

    /// The repositories among which it follows the digest, as patterns.
    pub fn carries(&self) -> impl Iterator<Item = String> {
        self.carries.iter().map(ToString::to_string)
    }

    /// Whether it counts in `here` where it was set in `there`: the same repository, or both are
    /// among those that carry it.
    #[must_use]
    pub fn counts(&self, there: &RepositoryName, here: &RepositoryName) -> bool {
        let is_carried = |name: &RepositoryName| {
            self.carries.iter().any(|it| it.matches(name.as_str(), Bindings::default()))
        };
        there == here || (is_carried(there) && is_carried(here))
    }

    /// The first moment at which it does not hold any more; [`Timestamp::MAX`] where it ends never.
    #[must_use]
    pub fn ends(&self, fact: &FlagFact) -> Timestamp {
        let declared = self.expires_after.map(|life| after(fact.set_at, life));
        declared.into_iter().chain(fact.expires_at).min().unwrap_or(Timestamp::MAX)
    }
}
