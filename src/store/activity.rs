//! What is done with images, as the state keeps it: who pulled them and pushed them, and where tags
//! pointed.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};
use policy::Subject;

use super::StoreError;

/// The operations on the state that tell what was done with images. None of it decides anything. What
/// is noted of a manifest goes with it, and the history of a tag with the tag, some time after it is
/// gone ([`Lessons::forget_lessons`](super::Lessons::forget_lessons)).
///
/// That tags moved is noted by [`Lessons::learn`](super::Lessons::learn), and who moved them with what
/// was pushed: of each tag the last 50 moves.
#[async_trait]
pub trait Activity: Send + Sync + 'static {
    /// Notes pulls, in whatever order and however often they come: the earliest and the latest of
    /// each stand. Those of repositories of which nothing is known are passed over.
    async fn note_pulls(&self, pulls: &[Pull], groups: &[GroupPull]) -> Result<(), StoreError>;

    /// Notes pushes, in whatever order and however often they come, also before it is learned that
    /// their tags moved: of each manifest the latest stands.
    async fn note_pushes(&self, pushes: &[Pushed]) -> Result<(), StoreError>;

    /// What was done with these manifests. Those with which nothing was done are left out.
    async fn handled(
        &self,
        images: &[(RepositoryName, Digest)],
    ) -> Result<HashMap<(RepositoryName, Digest), Handled>, StoreError>;

    /// When a member of the group pulled each of these last. Those that none pulled are left out.
    async fn pulled_by(
        &self,
        group: &str,
        images: &[(RepositoryName, Digest)],
    ) -> Result<HashMap<(RepositoryName, Digest), Timestamp>, StoreError>;

    /// The groups whose members pulled something that is still known, in order, at most so many.
    async fn pulling_groups(&self, limit: u32) -> Result<Vec<String>, StoreError>;

    /// Where a tag pointed, the latest first.
    async fn history_of(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Vec<Move>, StoreError>;

    /// Notes that a flag was taken away. Of each the last time stands.
    async fn note_removed_flag(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        removed: &RemovedFlag,
    ) -> Result<(), StoreError>;

    /// The flags that were taken away from a manifest in a repository, the last one first.
    async fn removed_flags(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<RemovedFlag>, StoreError>;
}

/// Pulls of a manifest by one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Where.
    pub repository: RepositoryName,
    /// Which manifest.
    pub digest: Digest,
    /// The tag that was asked for; none: its digest.
    pub tag: Option<Tag>,
    /// When it was pulled first.
    pub first_at: Timestamp,
    /// When it was pulled last.
    pub last_at: Timestamp,
    /// Who did that.
    pub by: Subject,
}

/// The last pull of a manifest by members of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPull {
    /// Where.
    pub repository: RepositoryName,
    /// Which manifest.
    pub digest: Digest,
    /// Whose members.
    pub group: String,
    /// When one of them pulled it.
    pub at: Timestamp,
}

/// A manifest that was pushed through the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Where.
    pub repository: RepositoryName,
    /// Which manifest.
    pub digest: Digest,
    /// The tags that were put on it.
    pub tags: Vec<Tag>,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Subject,
}

/// What was done with a manifest in one repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Handled {
    /// When it was pushed through the gate last, and by whom.
    pub pushed: Option<(Timestamp, Subject)>,
    /// When it was pulled first, by whatever name.
    pub first_pulled_at: Option<Timestamp>,
    /// When it was pulled last, and by whom.
    pub last_pulled: Option<(Timestamp, Subject)>,
}

/// Where a tag pointed from some time on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// From when on, or as of when that is known.
    pub at: Timestamp,
    /// The manifest; none: the tag was gone.
    pub digest: Option<Digest>,
    /// Who pushed it there through the gate; none: it was only seen.
    pub by: Option<Subject>,
}

/// A flag that was taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedFlag {
    /// Its name.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Subject,
}
