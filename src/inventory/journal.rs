//! Where what is learned outlives the process.

use async_trait::async_trait;
use jiff::Timestamp;
use oci::RepositoryName;

use super::Lesson;

/// Keeps what the inventory learns beyond this process, and tells what others learned.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Something new was learned of the repository. Must not wait for anything.
    fn learned(&self, repository: &RepositoryName, lesson: &Lesson);

    /// What is kept of the repository: all of it where memory holds nothing that was recalled, else
    /// what was written since then, by others too. None: it cannot be read now. Not to know something
    /// never allows anything.
    async fn recall(
        &self,
        repository: &RepositoryName,
        since: Option<Timestamp>,
    ) -> Option<Vec<Lesson>>;

    /// Waits, for a moment at the most, until what was told so far is known to all who recall.
    async fn settle(&self);
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forgetful;

#[async_trait]
impl Journal for Forgetful {
    fn learned(&self, _: &RepositoryName, _: &Lesson) {}

    async fn recall(&self, _: &RepositoryName, _: Option<Timestamp>) -> Option<Vec<Lesson>> {
        Some(Vec::new())
    }

    async fn settle(&self) {}
}
