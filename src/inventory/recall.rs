//! Taking in what is kept of a repository.

use jiff::Timestamp;
use oci::RepositoryName;

use super::{Inventory, Lesson};

impl Inventory {
    /// Takes in what is kept of the repository beyond this process: it may not be in memory, and
    /// others may have written meanwhile. A push may go through one replica, and its next step,
    /// which looks at what was pushed, through this one.
    pub(crate) async fn recall(&self, repository: &RepositoryName, now: Timestamp) {
        // From here on it is in memory, so that what others write is followed while it is read.
        let since = self.0.room.change(repository, |graph| graph.recalled);
        let Some(lessons) = self.0.journal.recall(repository, since).await else { return };
        for lesson in lessons {
            self.apply(repository, &lesson);
        }
        self.0.room.change(repository, |graph| graph.recalled = Some(now));
    }

    /// Takes in what another replica learned of a repository that is in memory. Any other is
    /// recalled as a whole when somebody asks about it.
    pub fn follow(&self, repository: &RepositoryName, lesson: &Lesson) {
        if self.0.room.holds(repository) {
            self.apply(repository, lesson);
        }
    }

    /// Waits, for a moment at the most, until other replicas can know of what was learned here so
    /// far.
    pub async fn settle(&self) {
        self.0.journal.settle().await;
    }
}
