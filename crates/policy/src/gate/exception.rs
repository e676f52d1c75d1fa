//! Vulnerabilities that a policy lets pass for a while.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use oci::{Digest, RepositoryName};
use reports::VulnerabilityId;

use super::facts::FindingFact;
use super::package::PackagePattern;
use crate::glob::Bindings;
use crate::image_pattern::RepositoryPattern;
use crate::prefix_map::PrefixMap;

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

/// All exceptions of a policy, filed by what they are about: an image has few of them.
#[derive(Debug)]
pub(crate) struct Exceptions {
    all: Box<[Exception]>,
    /// By the literal beginning of the repository.
    by_beginning: PrefixMap<Vec<usize>>,
    by_digest: HashMap<Digest, Vec<usize>>,
}

impl Exceptions {
    pub(crate) fn new(all: Vec<Exception>) -> Self {
        let mut beginnings: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut by_digest: HashMap<Digest, Vec<usize>> = HashMap::new();
        for (place, exception) in all.iter().enumerate() {
            for image in &exception.images {
                match image {
                    Covered::Repositories(pattern) => {
                        beginnings.entry(pattern.literal_prefix()).or_default().push(place);
                    }
                    Covered::Digest(_, digest) => {
                        by_digest.entry(digest.clone()).or_default().push(place);
                    }
                }
            }
        }
        let mut by_beginning = PrefixMap::default();
        for (beginning, places) in beginnings {
            by_beginning.insert(beginning, places);
        }
        Self { all: all.into(), by_beginning, by_digest }
    }

    pub(crate) fn all(&self) -> &[Exception] {
        &self.all
    }

    /// Those that are about a manifest, in their order, as [`Exception::is_about`].
    pub(super) fn about(
        &self,
        repository: &RepositoryName,
        digests: &[&Digest],
    ) -> Vec<&Exception> {
        let by_beginning = self.by_beginning.candidates(repository.as_str());
        let by_digest = digests.iter().filter_map(|digest| self.by_digest.get(*digest));
        let found = by_beginning.map(|(_, places)| places).chain(by_digest).flatten();
        let mut places: Vec<usize> = found.copied().collect();
        places.sort_unstable();
        places.dedup();
        let found = places.into_iter().filter_map(|place| self.all.get(place));
        found.filter(|exception| exception.is_about(repository, digests)).collect()
    }
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
