//! Exceptions, with the digests that they name.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use oci::Digest;
use policy::Subject;

use super::super::super::StoreError;
use super::super::super::engine::Value;
use super::super::row::Row;
use super::super::work::Work;
use super::changes::changed;
use super::plain;
use crate::release::{Exception, ExceptionId};

/// The exceptions that the rest of the statement names, and their digests.
macro_rules! select {
    ($which:literal) => {
        [
            concat!("SELECT * FROM exceptions WHERE ", $which, " ORDER BY made_at DESC, id DESC"),
            concat!(
                "SELECT id, digest FROM exception_digests WHERE id IN \
                (SELECT id FROM exceptions WHERE ",
                $which,
                ") ORDER BY id, place"
            ),
        ]
    };
}

pub(super) async fn add(work: &mut Work, exception: &Exception) -> Result<(), StoreError> {
    let sql = "INSERT INTO exceptions (id, gate, repository, image, made_by, made_at, expires_at, \
        reason, removed_at, removed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let id = exception.id.as_str();
    let values = [
        id.into(),
        exception.gate.as_str().into(),
        exception.repository.as_str().into(),
        Value::Text(Some(plain(&exception.image))),
        exception.by.to_string().into(),
        exception.at.into(),
        exception.expires_at.into(),
        Value::Text(Some(plain(&exception.reason))),
        exception.removed.as_ref().map(|(at, _)| *at).into(),
        exception.removed.as_ref().map(|(_, by)| by.to_string()).into(),
    ];
    work.execute(sql, &values).await?;
    let rows = (0_i64..).zip(&exception.digests);
    let rows = rows.map(|(place, digest)| [id.into(), place.into(), digest.as_bytes().into()]);
    let sql = "INSERT INTO exception_digests (id, place, digest) VALUES {rows}";
    work.with_rows(sql, &rows.collect::<Vec<_>>()).await?;
    changed(work, exception.digests.iter().collect()).await
}

pub(super) async fn remove(
    work: &mut Work,
    id: &ExceptionId,
    at: Timestamp,
    by: &Subject,
) -> Result<Option<Exception>, StoreError> {
    let sql = "UPDATE exceptions SET removed_at = $2, removed_by = $3 \
        WHERE id = $1 AND removed_at IS NULL";
    let values = [id.as_str().into(), at.into(), by.to_string().into()];
    let is_removed = work.execute(sql, &values).await? > 0;
    let found = read(work, select!("id = $1"), &[id.as_str().into()]).await?;
    let Some(exception) = found.into_iter().next() else { return Ok(None) };
    if is_removed {
        changed(work, exception.digests.iter().collect()).await?;
    }
    Ok(Some(exception))
}

pub(super) async fn list(
    work: &mut Work,
    holding_at: Option<Timestamp>,
) -> Result<Vec<Exception>, StoreError> {
    let which = select!("$1 IS NULL OR (removed_at IS NULL AND expires_at > $1)");
    read(work, which, &[holding_at.into()]).await
}

pub(super) async fn of(work: &mut Work, digest: &Digest) -> Result<Vec<Exception>, StoreError> {
    let which = select!("id IN (SELECT id FROM exception_digests WHERE digest = $1)");
    read(work, which, &[digest.as_bytes().into()]).await
}

/// Those that were over, which the audit log alone still tells of.
pub(super) async fn purge(work: &mut Work, before: Timestamp) -> Result<u64, StoreError> {
    let values = [before.into()];
    let over = read(work, select!("expires_at <= $1 OR removed_at <= $1"), &values).await?;
    let sql = "DELETE FROM exceptions WHERE expires_at <= $1 OR removed_at <= $1";
    let gone = work.execute(sql, &values).await?;
    let digests: BTreeSet<_> = over.iter().flat_map(|exception| &exception.digests).collect();
    changed(work, digests).await?;
    Ok(gone)
}

async fn read(
    work: &mut Work,
    [exceptions, digests]: [&'static str; 2],
    values: &[Value<'_>],
) -> Result<Vec<Exception>, StoreError> {
    let rows = work.rows(exceptions, values).await?;
    let mut named: HashMap<_, Vec<_>> = HashMap::new();
    if !rows.is_empty() {
        for row in work.rows(digests, values).await? {
            named.entry(row.text("id")?).or_default().push(row.digest("digest")?);
        }
    }
    let mut read = |row| {
        let digests = named.remove(&Row::text(row, "id")?).unwrap_or_default();
        exception(row, digests)
    };
    rows.iter().map(&mut read).collect()
}

fn exception(row: &Row, digests: Vec<Digest>) -> Result<Exception, StoreError> {
    let removed = match row.maybe_time("removed_at")? {
        Some(at) => Some((at, row.read("removed_by")?)),
        None => None,
    };
    Ok(Exception {
        id: row.read("id")?,
        gate: row.text("gate")?,
        repository: row.read("repository")?,
        image: row.text("image")?,
        digests,
        by: row.read("made_by")?,
        at: row.time("made_at")?,
        expires_at: row.time("expires_at")?,
        reason: row.text("reason")?,
        removed,
    })
}
