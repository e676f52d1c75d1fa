//! Which part of the registry mirrors which other registry.

use std::collections::BTreeMap;

use crate::RepositoryName;

/// Namespaces as clients name them (`docker.io`) and the repository prefix that holds the copy of
/// each (`mirror/docker.io`).
///
/// A client that uses the registry as a mirror sends `?ns=docker.io` and leaves that part out of
/// the repository name, so the same path means another repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mirrors(BTreeMap<String, RepositoryName>);

impl Mirrors {
    /// No namespace is known.
    pub const NONE: Self = Self(BTreeMap::new());

    /// Where the repositories of a namespace are; nothing if it is not mirrored here. Namespaces
    /// are compared as written.
    #[must_use]
    pub fn prefix(&self, namespace: &str) -> Option<&RepositoryName> {
        self.0.get(namespace)
    }
}

impl FromIterator<(String, RepositoryName)> for Mirrors {
    fn from_iter<I: IntoIterator<Item = (String, RepositoryName)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}
