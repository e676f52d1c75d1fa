//! Everything that is kept of one digest.

use oci::Digest;

use super::super::super::StoreError;
use super::super::work::Work;
use super::{changes, exceptions, flags, passed, reports, scans, statements};
use crate::release::Kept;

pub(super) async fn of(work: &mut Work, digest: &Digest) -> Result<Kept, StoreError> {
    let sql = "SELECT first_seen FROM release_changes WHERE digest = $1";
    let row = work.row(sql, &[digest.as_bytes().into()]).await?;
    let first_seen = row.map_or(Ok(None), |row| row.maybe_time("first_seen"))?;
    Ok(Kept {
        sequence: changes::last(work).await?,
        first_seen,
        flags: flags::of(work, digest).await?,
        reports: reports::of(work, digest).await?,
        statements: statements::of(work, digest).await?,
        exceptions: exceptions::of(work, digest).await?,
        passed: passed::of(work, digest).await?,
        scans: scans::of(work, digest).await?,
    })
}
