//! Which flags were taken away.

use oci::{Digest, RepositoryName};

use super::super::super::StoreError;
use super::super::super::activity::RemovedFlag;
use super::super::row::Row;
use super::super::work::Work;

pub(super) async fn note(
    work: &mut Work,
    repository: &RepositoryName,
    digest: &Digest,
    removed: &RemovedFlag,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO removed_flags (digest, repository, name, removed_by, removed_at) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (digest, repository, name) DO UPDATE \
        SET removed_by = excluded.removed_by, removed_at = excluded.removed_at \
        WHERE removed_flags.removed_at < excluded.removed_at";
    let values = [
        digest.as_bytes().into(),
        repository.as_str().into(),
        removed.name.as_str().into(),
        removed.by.to_string().into(),
        removed.at.into(),
    ];
    work.execute(sql, &values).await?;
    Ok(())
}

pub(super) async fn of(
    work: &mut Work,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Vec<RemovedFlag>, StoreError> {
    let sql = "SELECT name, removed_by, removed_at FROM removed_flags \
        WHERE digest = $1 AND repository = $2 ORDER BY removed_at DESC, name";
    let rows = work.rows(sql, &[digest.as_bytes().into(), repository.as_str().into()]).await?;
    let read = |row: &Row| {
        Ok(RemovedFlag {
            name: row.text("name")?,
            at: row.time("removed_at")?,
            by: row.read("removed_by")?,
        })
    };
    rows.iter().map(read).collect()
}
