//! Base images: what an image has to be built on.

use std::fmt;

use oci::{RepositoryName, Tag};

use crate::glob::Bindings;
use crate::image_pattern::{TagPattern, Undecided};

/// Images that others may be built on: the tags of one repository that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseImages {
    repository: RepositoryName,
    tags: TagPattern,
}

impl BaseImages {
    pub(crate) fn new(repository: RepositoryName, tags: TagPattern) -> Self {
        Self { repository, tags }
    }

    /// Where they are.
    #[must_use]
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// Whether the tag is one of them. One of which a range of versions cannot tell is none.
    #[must_use]
    pub fn include(&self, tag: &Tag) -> bool {
        self.tags.matches(Some(tag.as_str()), Bindings::default(), Undecided::Differs)
    }
}

/// As policies write it: `base/debian:*`, or `base/debian:{semver: ">=12"}`.
impl fmt::Display for BaseImages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { repository, tags } = self;
        match tags {
            TagPattern::Whole => write!(f, "{repository}"),
            TagPattern::Matching(tag) => write!(f, "{repository}:{tag}"),
            TagPattern::Regex(regex) => write!(f, "{repository}:{{regex: {:?}}}", regex.text()),
            TagPattern::Semver(versions) => {
                write!(f, "{repository}:{{semver: \"{}\"}}", versions.text())
            }
        }
    }
}
