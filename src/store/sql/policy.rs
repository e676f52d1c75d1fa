//! The last good policy.

use super::super::engine::{Session, Value};
use super::super::{KeptPolicy, StoreError};
use super::row::{Row, damaged};
use super::work::Work;

const SELECT: &str = "SELECT sha256, loaded_at, files FROM policy";

pub(super) async fn keep(work: &mut Work, policy: &KeptPolicy) -> Result<(), StoreError> {
    let sql = "INSERT INTO policy (one, sha256, loaded_at, files) VALUES (1, $1, $2, $3) \
        ON CONFLICT (one) DO UPDATE SET sha256 = excluded.sha256, \
        loaded_at = excluded.loaded_at, files = excluded.files";
    let values =
        [Value::Bytes(&policy.sha256), policy.loaded_at.into(), Value::Bytes(&policy.files)];
    work.execute(sql, &values).await?;
    Ok(())
}

pub(super) async fn kept(work: &mut Work) -> Result<Option<KeptPolicy>, StoreError> {
    work.row(SELECT, &[]).await?.map(|row| policy(&row)).transpose()
}

/// The same for who only looks at a state.
pub(in super::super) async fn look(
    session: &mut dyn Session,
) -> Result<Option<KeptPolicy>, sqlx::Error> {
    let row = session.rows(SELECT, &[]).await?.into_iter().next();
    let kept = row.map(|row| policy(&Row(row))).transpose();
    kept.map_err(|damaged| sqlx::Error::Decode(damaged.into()))
}

fn policy(row: &Row) -> Result<KeptPolicy, StoreError> {
    let sha256 = row.bytes("sha256")?.try_into();
    let sha256 = sha256.map_err(|_| damaged("sha256", &"it is not 32 bytes long"))?;
    Ok(KeptPolicy { sha256, loaded_at: row.time("loaded_at")?, files: row.bytes("files")? })
}
