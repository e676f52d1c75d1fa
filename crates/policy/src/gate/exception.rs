//! Vulnerabilities that a policy lets pass for a while.

use std::sync::Arc;

use jiff::Timestamp;
use oci::{Digest, RepositoryName};
use reports::VulnerabilityId;

use super::facts::FindingFact;
use super::package::PackagePattern;
use crate::glob::Bindings;
use crate::image_pattern::RepositoryPattern;

/// A vulnerability that does not hold some images for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct Exception {
    pub(crate) cve: VulnerabilityId,
    pub(crate) package: Option<PackagePattern>,
    pub(crate) images: Box<[Covered]>,
    pub(crate) reason: Box<str>,
    pub(crate) by: Box<str>,
    pub(crate) expires: Timestamp,
    pub(crate) file: Arc<str>,
    /// From 1.
    pub(crate) line: usize,
}

/// An image that an exception is about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Covered {
    /// All of these repositories.
    Repositories(RepositoryPattern),
    /// One manifest, and the children of an index; in one repository, if it names one.
    Digest(Option<RepositoryName>, Digest),
}

impl Exception {
    /// The vulnerability, by one of its names.
    #[must_use]
    pub fn vulnerability(&self) -> &VulnerabilityId {
        &self.cve
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Who answers for it.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.by
    }

    /// The first moment at which it is over.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The file it stands in, and its line there, from 1.
    #[must_use]
    pub fn place(&self) -> (&str, usize) {
        (&self.file, self.line)
    }

    /// Whether it is about a manifest in this repository with one of these digests: its own, and
    /// those of indexes that hold it.
    pub(super) fn is_about(&self, repository: &RepositoryName, digests: &[&Digest]) -> bool {
        self.images.iter().any(|image| match image {
            Covered::Repositories(pattern) => {
                pattern.matches(repository.as_str(), Bindings::default())
            }
            Covered::Digest(place, digest) => {
                place.as_ref().is_none_or(|place| place == repository) && digests.contains(&digest)
            }
        })
    }

    /// Whether the finding is the vulnerability, in a package that is meant.
    pub(super) fn names(&self, finding: &FindingFact) -> bool {
        (self.cve == finding.id || finding.aliases.contains(&self.cve))
            && self.package.as_ref().is_none_or(|package| package.matches(finding))
    }
}

impl std::fmt::Display for Covered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Repositories(pattern) => write!(f, "{pattern}"),
            Self::Digest(Some(repository), digest) => write!(f, "{repository}@{digest}"),
            Self::Digest(None, digest) => write!(f, "{digest}"),
        }
    }
}
