//! Scans: the queue, and what became of them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use oci::{Digest, RepositoryName};

use super::super::super::StoreError;
use super::super::super::engine::Value;
use super::super::super::release::{ScanCounts, ScanEnd, ScanPlace};
use super::super::row::{Row, damaged};
use super::super::work::Work;
use super::changes::changed;
use super::plain;
use crate::release::{Cause, Progress, Scan};

pub(super) async fn request(
    work: &mut Work,
    repository: &RepositoryName,
    digest: &Digest,
    cause: Cause,
    now: Timestamp,
) -> Result<Scan, StoreError> {
    // Begins it, or begins it anew where it has ended.
    let begin = "INSERT INTO scans (digest, repository, cause, turn, requested_at, attempts, due_at) \
        VALUES ($1, $2, $3, $4, $5, 0, $5) \
        ON CONFLICT (digest, repository) DO UPDATE SET cause = excluded.cause, \
        turn = excluded.turn, requested_at = excluded.requested_at, attempts = 0, \
        due_at = excluded.due_at, holder = NULL, failing_since = NULL, reason = NULL, \
        ended_at = NULL WHERE scans.due_at IS NULL";
    let hasten = "UPDATE scans SET cause = $3, turn = $4, \
        due_at = CASE WHEN due_at < $5 THEN due_at ELSE $5 END \
        WHERE digest = $1 AND repository = $2 AND holder IS NULL AND (due_at > $5 OR turn > $4)";
    let turn = i64::from(cause != Cause::Demand);
    let (key, name) = (Value::Bytes(digest.as_bytes()), Value::from(repository.as_str()));
    let values = [key, name, cause.as_str().into(), turn.into(), now.into()];
    let mut is_new = work.execute(begin, &values).await? > 0;
    if !is_new && cause == Cause::Demand {
        is_new = work.execute(hasten, &values).await? > 0;
    }
    if is_new {
        changed(work, [digest].into()).await?;
    }
    let sql = "SELECT * FROM scans WHERE digest = $1 AND repository = $2";
    let values = [digest.as_bytes().into(), repository.as_str().into()];
    let row = work.row(sql, &values).await?;
    scan(&row.ok_or_else(|| damaged("digest", &"a scan that was written is not there"))?)
}

pub(super) async fn take(
    work: &mut Work,
    holder: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<Scan>, StoreError> {
    let sql = "UPDATE scans SET holder = $1, due_at = $3, attempts = attempts + 1 \
        WHERE (digest, repository) = (SELECT digest, repository FROM scans WHERE due_at <= $2 \
            ORDER BY turn, requested_at, digest, repository LIMIT 1) RETURNING *";
    let row = work.row(sql, &[holder.into(), now.into(), until.into()]).await?;
    let Some(taken) = row.as_ref().map(scan).transpose()? else { return Ok(None) };
    changed(work, [&taken.digest].into()).await?;
    Ok(Some(taken))
}

/// Nobody is told: whoever looks at scans sees no difference.
pub(super) async fn hold(
    work: &mut Work,
    holder: &str,
    repository: &RepositoryName,
    digest: &Digest,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "UPDATE scans SET due_at = $4 \
        WHERE holder = $1 AND digest = $2 AND repository = $3 AND due_at IS NOT NULL";
    let (key, name) = (digest.as_bytes().into(), repository.as_str().into());
    Ok(work.execute(sql, &[holder.into(), key, name, until.into()]).await? > 0)
}

pub(super) async fn end(
    work: &mut Work,
    holder: &str,
    repository: &RepositoryName,
    digest: &Digest,
    end: &ScanEnd,
) -> Result<bool, StoreError> {
    macro_rules! update {
        ($what:literal) => {
            concat!(
                "UPDATE scans SET holder = NULL, ",
                $what,
                " WHERE holder = $1 AND digest = $2 AND repository = $3"
            )
        };
    }
    let mut values = vec![holder.into(), digest.as_bytes().into(), repository.as_str().into()];
    let sql = match end {
        ScanEnd::Done { at } => {
            values.push((*at).into());
            update!("due_at = NULL, ended_at = $4, failing_since = NULL, reason = NULL")
        }
        ScanEnd::Retry { at, next_at, reason } => {
            values.extend([(*at).into(), plain(reason).into_owned().into(), (*next_at).into()]);
            update!("due_at = $6, failing_since = COALESCE(failing_since, $4), reason = $5")
        }
        ScanEnd::Failed { at, reason } => {
            values.extend([(*at).into(), plain(reason).into_owned().into()]);
            update!(
                "due_at = NULL, ended_at = $4, failing_since = COALESCE(failing_since, $4), \
                reason = $5"
            )
        }
    };
    let was_held = work.execute(sql, &values).await? > 0;
    if was_held {
        changed(work, [digest].into()).await?;
    }
    Ok(was_held)
}

pub(super) async fn of(work: &mut Work, digest: &Digest) -> Result<Vec<Scan>, StoreError> {
    let sql = "SELECT * FROM scans WHERE digest = $1 ORDER BY repository";
    work.rows(sql, &[digest.as_bytes().into()]).await?.iter().map(scan).collect()
}

pub(super) async fn list(
    work: &mut Work,
    place: ScanPlace,
    limit: u32,
) -> Result<Vec<Scan>, StoreError> {
    let sql = match place {
        ScanPlace::Ahead => {
            "SELECT * FROM scans WHERE due_at IS NOT NULL \
            ORDER BY turn, requested_at, digest, repository LIMIT $1"
        }
        ScanPlace::GivenUp => {
            "SELECT * FROM scans WHERE ended_at IS NOT NULL AND reason IS NOT NULL \
            ORDER BY ended_at DESC, digest, repository LIMIT $1"
        }
    };
    work.rows(sql, &[i64::from(limit).into()]).await?.iter().map(scan).collect()
}

pub(super) async fn count(work: &mut Work) -> Result<ScanCounts, StoreError> {
    let sql = "SELECT \
        (SELECT COUNT(*) FROM scans WHERE due_at IS NOT NULL AND holder IS NULL) AS waiting, \
        (SELECT COUNT(*) FROM scans WHERE due_at IS NOT NULL AND holder IS NOT NULL) AS running, \
        (SELECT COUNT(*) FROM scans WHERE ended_at IS NOT NULL AND reason IS NOT NULL) AS failed";
    let Some(row) = work.row(sql, &[]).await? else { return Ok(ScanCounts::default()) };
    let count = |column| u64::try_from(row.int(column)?).map_err(|error| damaged(column, &error));
    Ok(ScanCounts {
        waiting: count("waiting")?,
        running: count("running")?,
        failed: count("failed")?,
    })
}

/// Those that were done. One that was given up still says why an image has no report, as long as
/// there is such an image.
pub(super) async fn purge(work: &mut Work, before: Timestamp) -> Result<u64, StoreError> {
    let sql = "DELETE FROM scans WHERE ended_at <= $1 AND (reason IS NULL OR NOT EXISTS \
        (SELECT 1 FROM manifests JOIN repositories ON id = manifests.repository \
        WHERE name = scans.repository AND manifests.digest = scans.digest)) RETURNING digest";
    let rows = work.rows(sql, &[before.into()]).await?;
    let digests = rows.iter().map(|row| row.digest("digest"));
    let digests = digests.collect::<Result<BTreeSet<_>, _>>()?;
    changed(work, digests.iter().collect()).await?;
    Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
}

fn scan(row: &Row) -> Result<Scan, StoreError> {
    let failing = match row.maybe_time("failing_since")? {
        Some(since) => Some((since, row.text("reason")?)),
        None => None,
    };
    let is_held = row.maybe_text("holder")?.is_some();
    let progress = match (row.maybe_time("due_at")?, row.maybe_time("ended_at")?, failing) {
        (Some(until), _, failing) if is_held => Progress::Running { until, failing },
        (Some(next_at), _, failing) => Progress::Waiting { next_at, failing },
        (None, Some(_), Some((since, reason))) => Progress::Failed { since, reason },
        (None, Some(at), None) => Progress::Done(at),
        (None, None, _) => return Err(damaged("ended_at", &"the scan is in no state")),
    };
    let cause = row.text("cause")?;
    Ok(Scan {
        repository: row.read("repository")?,
        digest: row.digest("digest")?,
        cause: Cause::of(&cause)
            .ok_or_else(|| damaged("cause", &format!("`{cause}` is not known")))?,
        requested_at: row.time("requested_at")?,
        attempts: u32::try_from(row.int("attempts")?)
            .map_err(|error| damaged("attempts", &error))?,
        progress,
    })
}
