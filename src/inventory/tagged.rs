//! Which tags lead to a digest.

use std::cell::RefCell;

use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};

use super::{Exhausted, Inventory, Sight, lock};

impl Inventory {
    /// One of such tags from whose manifest `digest` is known to be reachable. Memory alone is asked.
    ///
    /// # Errors
    /// It would take too long to find out.
    pub(crate) fn tag_leading_to(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        is_such: impl Fn(&Tag) -> bool,
        now: Timestamp,
    ) -> Result<Option<Tag>, Exhausted> {
        let found = RefCell::new(None);
        // The walk ends at the first tag that is open.
        let sight = |tag: &Tag| {
            if !is_such(tag) {
                return Sight::Closed;
            }
            found.borrow_mut().get_or_insert_with(|| tag.clone());
            Sight::Open
        };
        let is_led_to = self.is_vouched_for(repository, digest, sight, now)?;
        Ok(found.into_inner().filter(|_| is_led_to))
    }

    /// A tag of which it is known that it points at the manifest itself, the first by name; none that
    /// only says what something else is about.
    #[must_use]
    pub(crate) fn tag_of(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        now: Timestamp,
    ) -> Option<Tag> {
        let graph = self.0.room.graph(repository)?;
        let graph = lock(&graph);
        let tags = graph.tags_of(digest, self.clock(now));
        tags.filter(|tag| tag.referrers_subject().is_none()).min().cloned()
    }
}
