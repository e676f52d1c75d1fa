//! Forgetting what was done with images that are gone.

use jiff::Timestamp;
use oci::Digest;

use super::super::super::StoreError;
use super::super::super::engine::Value;
use super::super::Sql;
use super::super::work::Work;

/// What is kept of manifests.
const OF_MANIFESTS: [&str; 3] = [
    "DELETE FROM pulls WHERE (repository, digest) IN (VALUES {rows})",
    "DELETE FROM group_pulls WHERE (repository, digest) IN (VALUES {rows})",
    "DELETE FROM stored_manifests WHERE (repository, digest) IN (VALUES {rows})",
];

/// What is kept of a repository. Its number may become that of another.
const OF_REPOSITORY: [&str; 4] = [
    "DELETE FROM pulls WHERE repository = $1",
    "DELETE FROM group_pulls WHERE repository = $1",
    "DELETE FROM stored_manifests WHERE repository = $1",
    "DELETE FROM tag_moves WHERE repository = $1",
];

/// Forgets what is known of manifests that are forgotten, or of the repository with them.
pub(in super::super) async fn forget(
    work: &mut Work,
    repository: i64,
    digests: &[Digest],
    is_whole: bool,
) -> Result<(), StoreError> {
    if is_whole {
        for sql in OF_REPOSITORY {
            work.execute(sql, &[repository.into()]).await?;
        }
        return Ok(());
    }
    let rows: Vec<[Value<'_>; 2]> =
        digests.iter().map(|digest| [repository.into(), digest.as_bytes().into()]).collect();
    for sql in OF_MANIFESTS {
        work.with_rows(sql, &rows).await?;
    }
    Ok(())
}

/// Forgets what was noted before that time of manifests and tags that are not known any more, or
/// never were: pulls are noted of whatever was served.
pub(in super::super) async fn forget_strays(
    sql: &Sql,
    before: Timestamp,
) -> Result<(), StoreError> {
    const WHAT: &str = "forget what was done with images";
    // Looked through without keeping others from writing.
    let mut read = sql.read(WHAT).await?;
    let manifests = "SELECT repository, digest FROM pulls WHERE last_at < $1 \
        AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.repository = pulls.repository \
            AND manifests.digest = pulls.digest) \
        UNION SELECT repository, digest FROM group_pulls WHERE last_at < $1 \
        AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.repository = group_pulls.repository \
            AND manifests.digest = group_pulls.digest) \
        UNION SELECT repository, digest FROM stored_manifests WHERE stored_at < $1 \
        AND NOT EXISTS (SELECT 1 FROM manifests \
            WHERE manifests.repository = stored_manifests.repository \
            AND manifests.digest = stored_manifests.digest)";
    let mut strays = Vec::new();
    for row in read.rows(manifests, &[before.into()]).await? {
        strays.push((row.int("repository")?, row.digest("digest")?));
    }
    let tags = "SELECT DISTINCT repository, tag FROM tag_moves WHERE moved_at < $1 \
        AND NOT EXISTS (SELECT 1 FROM pointers WHERE pointers.repository = tag_moves.repository \
            AND pointers.tag = tag_moves.tag)";
    let mut histories = Vec::new();
    for row in read.rows(tags, &[before.into()]).await? {
        histories.push((row.int("repository")?, row.text("tag")?));
    }
    drop(read);
    if strays.is_empty() && histories.is_empty() {
        return Ok(());
    }
    let mut work = sql.write(WHAT).await?;
    let rows =
        strays.iter().map(|(repository, digest)| [(*repository).into(), digest.as_bytes().into()]);
    let rows: Vec<[Value<'_>; 2]> = rows.collect();
    for sql in OF_MANIFESTS {
        work.with_rows(sql, &rows).await?;
    }
    let rows =
        histories.iter().map(|(repository, tag)| [(*repository).into(), tag.as_str().into()]);
    let rows: Vec<[Value<'_>; 2]> = rows.collect();
    work.with_rows("DELETE FROM tag_moves WHERE (repository, tag) IN (VALUES {rows})", &rows)
        .await?;
    work.commit().await
}
