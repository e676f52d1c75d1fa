//! Flags.

use oci::{Digest, RepositoryName};

use super::super::super::StoreError;
use super::super::super::engine::Value;
use super::super::row::Row;
use super::super::work::Work;
use super::changes::changed;
use super::plain;
use crate::release::Flag;

pub(super) async fn set(work: &mut Work, flag: &Flag) -> Result<(), StoreError> {
    let sql = "INSERT INTO flags (digest, repository, name, set_by, set_from, set_at, reason, \
        link, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
        ON CONFLICT (digest, repository, name) DO UPDATE SET set_by = excluded.set_by, \
        set_from = excluded.set_from, set_at = excluded.set_at, reason = excluded.reason, \
        link = excluded.link, expires_at = excluded.expires_at";
    let values = [
        flag.digest.as_bytes().into(),
        flag.repository.as_str().into(),
        flag.name.as_str().into(),
        flag.by.to_string().into(),
        flag.from.map(|from| from.to_string()).into(),
        flag.at.into(),
        Value::Text(flag.reason.as_deref().map(plain)),
        Value::Text(flag.link.as_deref().map(plain)),
        flag.expires_at.into(),
    ];
    work.execute(sql, &values).await?;
    changed(work, [&flag.digest].into()).await
}

pub(super) async fn remove(
    work: &mut Work,
    repository: &RepositoryName,
    digest: &Digest,
    name: &str,
) -> Result<Option<Flag>, StoreError> {
    let sql = "DELETE FROM flags WHERE digest = $1 AND repository = $2 AND name = $3 RETURNING *";
    let values = [digest.as_bytes().into(), repository.as_str().into(), name.into()];
    let Some(row) = work.row(sql, &values).await? else { return Ok(None) };
    changed(work, [digest].into()).await?;
    flag(&row).map(Some)
}

pub(super) async fn of(work: &mut Work, digest: &Digest) -> Result<Vec<Flag>, StoreError> {
    let sql = "SELECT * FROM flags WHERE digest = $1 ORDER BY repository, name";
    work.rows(sql, &[digest.as_bytes().into()]).await?.iter().map(flag).collect()
}

pub(super) fn flag(row: &Row) -> Result<Flag, StoreError> {
    Ok(Flag {
        repository: row.read("repository")?,
        digest: row.digest("digest")?,
        name: row.text("name")?,
        by: row.read("set_by")?,
        from: row.maybe_read("set_from")?,
        at: row.time("set_at")?,
        reason: row.maybe_text("reason")?,
        link: row.maybe_text("link")?,
        expires_at: row.maybe_time("expires_at")?,
    })
}
