//! Which tags led to which manifests, as far as the lines that were read tell.

use std::collections::HashMap;

use oci::{Digest, RepositoryName, Tag};

use super::line::About;

/// Of manifests; what comes later is not remembered.
const MAX_DIGESTS: usize = 100_000;
/// Of one manifest.
const MAX_TAGS: usize = 8;

#[derive(Default)]
pub(super) struct Seen {
    tags: HashMap<(RepositoryName, Digest), Vec<Tag>>,
}

impl Seen {
    pub(super) fn learn(&mut self, about: &About) {
        let Some(digest) = about.digest.clone().filter(|_| !about.tags.is_empty()) else { return };
        let key = (about.repository.clone(), digest);
        if self.tags.len() >= MAX_DIGESTS && !self.tags.contains_key(&key) {
            return;
        }
        let known = self.tags.entry(key).or_default();
        for tag in &about.tags {
            if known.len() < MAX_TAGS && !known.contains(tag) {
                known.push(tag.clone());
            }
        }
    }

    pub(super) fn tags(&self, repository: &RepositoryName, digest: &Digest) -> &[Tag] {
        self.tags.get(&(repository.clone(), digest.clone())).map_or(&[], Vec::as_slice)
    }
}
