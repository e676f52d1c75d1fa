//! Taking in what is kept of a repository.

use jiff::Timestamp;
use oci::RepositoryName;

use super::{Clock, Inventory};

impl Inventory {
    /// Takes in what is kept of the repository beyond this process, if that was not done just
    /// before: it may not be in memory, and others may have written meanwhile.
    pub(crate) async fn recall(&self, repository: &RepositoryName, now: Timestamp) {
        let fresh = Clock { now, linger: self.0.settings.freshness };
        let since = self.0.room.change(repository, |graph| graph.recalled);
        if since.is_some_and(|since| fresh.is_fresh(since)) {
            return;
        }
        for lesson in self.0.journal.recall(repository, since).await {
            self.apply(repository, &lesson);
        }
        self.0.room.change(repository, |graph| graph.recalled = Some(now));
    }
}
