//! What the gate learned of the upstream, as the state keeps it.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};

use super::{Sequence, StoreError};
use crate::inventory::{Facts, Lesson};

/// The operations of the inventory on the state. What was learned has numbers of its own, apart
/// from those of [`Store::changes`](super::Store::changes), in the order in which it is committed.
#[async_trait]
pub trait Lessons: Send + Sync + 'static {
    /// Takes in what was learned, in whatever order and however often it comes: of two sightings of
    /// the same thing the later one stands. A tag or manifest that was deleted through the gate
    /// loses the pointers that were seen until then, also those that are told of only afterwards.
    ///
    /// A manifest that no repository was known to have until then was first seen at `now`, which
    /// is never forgotten ([`Kept::first_seen`](crate::release::Kept::first_seen)).
    async fn learn(
        &self,
        lessons: &[(RepositoryName, Lesson)],
        now: Timestamp,
    ) -> Result<Learned, StoreError>;

    /// Everything about one repository: what is gone first, then what is there.
    async fn lessons_of(&self, repository: &RepositoryName) -> Result<OfRepository, StoreError>;

    /// What was learned after `since`, in order, at most so much of it. What was learned again later
    /// is told once. A number that is not reached yet is of another state (a backup was restored):
    /// everything is told.
    async fn lessons_since(&self, since: Sequence, limit: u32) -> Result<News, StoreError>;

    /// Forgets what lingers no longer at `before`, and tells how much: former pointers, pushes, and
    /// what is gone. What a tag points at now stays, however long ago it was seen.
    ///
    /// Of the repositories where something was forgotten, the manifests go that no pointer and no
    /// push leads to any more: itself, from an index that names it, or from its subject. One that
    /// becomes needed at the same moment may go as well; it is learned anew when it is asked for.
    /// A repository of which nothing is left is forgotten too.
    async fn forget_lessons(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// How much is known.
    async fn extent(&self) -> Result<Extent, StoreError>;

    /// Tags that are there with what they point at, in the order of repository and tag, those after
    /// this place, at most so many.
    async fn tags_after(
        &self,
        after: Option<&(RepositoryName, String)>,
        limit: u32,
    ) -> Result<Vec<Tagged>, StoreError>;

    /// Manifests and what they are made of, in no order that means anything, those after this place,
    /// at most so many.
    async fn manifests_after(
        &self,
        after: Option<&ManifestPlace>,
        limit: u32,
    ) -> Result<Vec<(ManifestPlace, Facts)>, StoreError>;

    /// Tags that are there and point at this digest, in order, at most so many.
    async fn tags_of(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: u32,
    ) -> Result<Vec<Tag>, StoreError>;

    /// The same of several manifests at once, without an end. Those that no tag points at are left
    /// out.
    async fn tags_on(
        &self,
        images: &[(RepositoryName, Digest)],
    ) -> Result<HashMap<(RepositoryName, Digest), Vec<Tag>>, StoreError>;

    /// Notes that there are repositories of these names.
    async fn add_repositories(&self, names: &[RepositoryName]) -> Result<(), StoreError>;

    /// The repository that was crawled the longest ago, if that was before `before`.
    async fn next_to_crawl(&self, before: Timestamp) -> Result<Option<RepositoryName>, StoreError>;

    /// Notes that all of a repository was looked at.
    async fn crawled(&self, repository: &RepositoryName, at: Timestamp) -> Result<(), StoreError>;

    /// How far crawling got.
    async fn crawl_progress(&self) -> Result<CrawlProgress, StoreError>;

    /// Remembers how far crawling got.
    async fn set_crawl_progress(&self, progress: CrawlProgress) -> Result<(), StoreError>;

    /// Takes or prolongs the right to do what only one replica at a time may do. False: another
    /// has it at `now`.
    async fn lease(
        &self,
        work: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;
}

/// A tag, and what it points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// Where.
    pub repository: RepositoryName,
    /// Which.
    pub tag: Tag,
    /// The manifest.
    pub digest: Digest,
}

/// A manifest of a repository, which the state numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestPlace {
    /// The number of the repository.
    pub repository: i64,
    /// The manifest.
    pub digest: Digest,
}

/// The numbers that lessons got: those after `before`, up to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Learned {
    /// The last one before.
    pub before: Sequence,
    /// The last one of them.
    pub last: Sequence,
}

/// What is known of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OfRepository {
    /// The number of the last lesson that is in it, of whatever repository.
    pub sequence: Sequence,
    /// In an order in which they may be taken in.
    pub lessons: Vec<Lesson>,
}

/// What was learned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct News {
    /// The number up to which it is told.
    pub sequence: Sequence,
    /// There is more after that.
    pub goes_on: bool,
    /// In order.
    pub lessons: Vec<(RepositoryName, Lesson)>,
}

/// How much is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Repositories.
    pub repositories: u64,
    /// Tags that are there.
    pub tags: u64,
    /// Manifests, tagged or not.
    pub manifests: u64,
}

/// How far crawling got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CrawlProgress {
    /// When the upstream's catalogue was read to its end.
    pub listed_at: Option<Timestamp>,
    /// When every repository had been looked at.
    pub passed_at: Option<Timestamp>,
}
