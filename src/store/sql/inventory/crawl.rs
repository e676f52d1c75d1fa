//! How far crawling got, and what is known.

use jiff::Timestamp;
use oci::RepositoryName;

use super::super::super::StoreError;
use super::super::super::inventory::{CrawlProgress, Extent};
use super::super::row::damaged;
use super::super::work::Work;

pub(super) async fn next(
    work: &mut Work,
    before: Timestamp,
) -> Result<Option<RepositoryName>, StoreError> {
    let sql = "SELECT name FROM repositories WHERE crawled_at < $1 ORDER BY crawled_at, id LIMIT 1";
    let row = work.row(sql, &[before.into()]).await?;
    row.map(|row| row.read("name")).transpose()
}

pub(super) async fn crawled(
    work: &mut Work,
    repository: &RepositoryName,
    at: Timestamp,
) -> Result<(), StoreError> {
    let sql = "UPDATE repositories SET crawled_at = $2 WHERE name = $1 AND crawled_at < $2";
    work.execute(sql, &[repository.as_str().into(), at.into()]).await?;
    Ok(())
}

pub(super) async fn progress(work: &mut Work) -> Result<CrawlProgress, StoreError> {
    match work.row("SELECT listed_at, passed_at FROM inventory", &[]).await? {
        Some(row) => Ok(CrawlProgress {
            listed_at: row.maybe_time("listed_at")?,
            passed_at: row.maybe_time("passed_at")?,
        }),
        None => Ok(CrawlProgress::default()),
    }
}

pub(super) async fn set_progress(
    work: &mut Work,
    progress: CrawlProgress,
) -> Result<(), StoreError> {
    let sql = "UPDATE inventory SET listed_at = $1, passed_at = $2";
    work.execute(sql, &[progress.listed_at.into(), progress.passed_at.into()]).await?;
    Ok(())
}

pub(super) async fn lease(
    transaction: &mut Work,
    work: &str,
    holder: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO leases (work, holder, held_until) VALUES ($1, $2, $4) \
        ON CONFLICT (work) DO UPDATE SET holder = excluded.holder, \
        held_until = excluded.held_until \
        WHERE leases.holder = excluded.holder OR leases.held_until <= $3";
    let values = [work.into(), holder.into(), now.into(), until.into()];
    Ok(transaction.execute(sql, &values).await? > 0)
}

pub(super) async fn extent(work: &mut Work) -> Result<Extent, StoreError> {
    let sql = "SELECT (SELECT COUNT(*) FROM repositories) AS repositories, \
        (SELECT COUNT(*) FROM pointers WHERE is_current = 1) AS tags, \
        (SELECT COUNT(*) FROM manifests) AS manifests";
    let Some(row) = work.row(sql, &[]).await? else { return Ok(Extent::default()) };
    let count = |column| u64::try_from(row.int(column)?).map_err(|error| damaged(column, &error));
    Ok(Extent {
        repositories: count("repositories")?,
        tags: count("tags")?,
        manifests: count("manifests")?,
    })
}
