//! What the gate learned of the upstream.

mod crawl;
mod forget;
mod learn;
mod tags;
mod tell;

pub(super) use learn::{Batch, repositories};

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};

use super::super::inventory::{
    CrawlProgress, Extent, Learned, Lessons, ManifestPlace, News, OfRepository, Tagged,
};
use super::super::{Sequence, StoreError};
use super::row::damaged;
use super::work::Work;
use super::{Sql, activity, release};
use crate::inventory::{Facts, Lesson};
pub(super) use tell::facts;

#[async_trait]
impl Lessons for Sql {
    async fn learn(
        &self,
        lessons: &[(RepositoryName, Lesson)],
        now: Timestamp,
    ) -> Result<Learned, StoreError> {
        let mut work = self.write("learn what the upstream holds").await?;
        let learned = learn::learn(&mut work, lessons).await?;
        release::first_seen(&mut work, learn::manifests(lessons), now).await?;
        work.commit().await?;
        Ok(learned)
    }

    async fn lessons_of(&self, repository: &RepositoryName) -> Result<OfRepository, StoreError> {
        tell::of(&mut self.read("recall a repository").await?, repository).await
    }

    async fn lessons_since(&self, since: Sequence, limit: u32) -> Result<News, StoreError> {
        tell::since(&mut self.read("ask what others learned").await?, since, limit).await
    }

    async fn forget_lessons(&self, before: Timestamp) -> Result<u64, StoreError> {
        const WHAT: &str = "forget what the upstream held";
        let mut work = self.write(WHAT).await?;
        let (affected, mut forgotten) = forget::lingering(&mut work, before).await?;
        work.commit().await?;
        for repository in affected {
            // Looked through without keeping others from writing.
            let needless = forget::needless(&mut self.read(WHAT).await?, repository).await?;
            let mut work = self.write(WHAT).await?;
            forgotten += forget::manifests(&mut work, repository, &needless).await?;
            work.commit().await?;
        }
        let mut work = self.write(WHAT).await?;
        forget::descriptions(&mut work).await?;
        work.commit().await?;
        activity::forget_strays(self, before).await?;
        Ok(forgotten)
    }

    async fn extent(&self) -> Result<Extent, StoreError> {
        crawl::extent(&mut self.read("count what is known").await?).await
    }

    async fn tags_after(
        &self,
        after: Option<&(RepositoryName, String)>,
        limit: u32,
    ) -> Result<Vec<Tagged>, StoreError> {
        tags::after(&mut self.read("list tags").await?, after, limit).await
    }

    async fn manifests_after(
        &self,
        after: Option<&ManifestPlace>,
        limit: u32,
    ) -> Result<Vec<(ManifestPlace, Facts)>, StoreError> {
        tell::manifests(&mut self.read("list manifests").await?, after, limit).await
    }

    async fn tags_of(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: u32,
    ) -> Result<Vec<Tag>, StoreError> {
        tags::of(&mut self.read("list tags").await?, repository, digest, limit).await
    }

    async fn tags_on(
        &self,
        images: &[(RepositoryName, Digest)],
    ) -> Result<HashMap<(RepositoryName, Digest), Vec<Tag>>, StoreError> {
        tags::on(&mut self.read("list tags").await?, images).await
    }

    async fn add_repositories(&self, names: &[RepositoryName]) -> Result<(), StoreError> {
        let mut work = self.write("note repositories").await?;
        repositories(&mut work, names.iter().collect()).await?;
        work.commit().await
    }

    async fn next_to_crawl(&self, before: Timestamp) -> Result<Option<RepositoryName>, StoreError> {
        crawl::next(&mut self.read("ask what to crawl").await?, before).await
    }

    async fn crawled(&self, repository: &RepositoryName, at: Timestamp) -> Result<(), StoreError> {
        let mut work = self.write("note what was crawled").await?;
        crawl::crawled(&mut work, repository, at).await?;
        work.commit().await
    }

    async fn crawl_progress(&self) -> Result<CrawlProgress, StoreError> {
        crawl::progress(&mut self.read("ask how far crawling got").await?).await
    }

    async fn set_crawl_progress(&self, progress: CrawlProgress) -> Result<(), StoreError> {
        let mut work = self.write("note how far crawling got").await?;
        crawl::set_progress(&mut work, progress).await?;
        work.commit().await
    }

    async fn lease(
        &self,
        work: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.write("take a lease").await?;
        let taken = crawl::lease(&mut transaction, work, holder, now, until).await?;
        transaction.commit().await?;
        Ok(taken)
    }
}

/// The number of the last lesson.
pub(super) async fn last(work: &mut Work) -> Result<Sequence, StoreError> {
    let row = work.row("SELECT sequence FROM inventory", &[]).await?;
    let missing = || damaged("sequence", &"there is no row in the table `inventory`");
    Ok(Sequence(row.ok_or_else(missing)?.int("sequence")?))
}

/// The number that a repository has in the tables, if anything is known of it.
async fn id(work: &mut Work, repository: &RepositoryName) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT id FROM repositories WHERE name = $1";
    let row = work.row(sql, &[repository.as_str().into()]).await?;
    row.map(|row| row.int("id")).transpose()
}
