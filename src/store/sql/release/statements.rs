//! What the makers of an image say of vulnerabilities in it.

use oci::Digest;

use super::super::super::StoreError;
use super::super::super::engine::Value;
use super::super::row::Row;
use super::super::work::Work;
use super::changes::changed;
use super::{hash, packed};
use crate::release::KeptStatements;

pub(super) async fn keep(work: &mut Work, kept: &KeptStatements) -> Result<(), StoreError> {
    let sql = "INSERT INTO statements (digest, repository, made_by, name, made_at, document) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (digest, repository, made_by, name) \
        DO UPDATE SET made_at = excluded.made_at, document = excluded.document";
    let document = packed::pack("keep a document", &kept.document)?;
    let values = [
        kept.digest.as_bytes().into(),
        kept.repository.as_str().into(),
        kept.by.to_string().into(),
        Value::Bytes(&hash::of(&[&kept.document.id])),
        kept.at.into(),
        Value::Bytes(&document),
    ];
    work.execute(sql, &values).await?;
    changed(work, [&kept.digest].into()).await
}

pub(super) async fn of(
    work: &mut Work,
    digest: &Digest,
) -> Result<Vec<KeptStatements>, StoreError> {
    let sql = "SELECT * FROM statements WHERE digest = $1 ORDER BY made_at, repository, name";
    work.rows(sql, &[digest.as_bytes().into()]).await?.iter().map(statements).collect()
}

fn statements(row: &Row) -> Result<KeptStatements, StoreError> {
    Ok(KeptStatements {
        repository: row.read("repository")?,
        digest: row.digest("digest")?,
        by: row.read("made_by")?,
        at: row.time("made_at")?,
        document: packed::unpack("document", &row.bytes("document")?)?,
    })
}
