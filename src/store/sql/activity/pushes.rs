//! Who stored manifests.

use std::collections::{BTreeSet, HashMap};

use oci::{Digest, RepositoryName};

use super::super::super::StoreError;
use super::super::super::activity::Handled;
use super::super::inventory::Batch;
use super::super::work::Work;
use super::Names;
use super::pulls::keys;

/// Of several who pushed it the last one, by name alone: a push with bounds is there twice.
const NOTE: &str = "INSERT INTO stored_manifests (repository, digest, stored_at, pusher) \
    SELECT repository, digest, pushed_at, pusher FROM pushes \
    WHERE (repository, digest) IN (VALUES {rows}) AND pusher NOT LIKE '% sha256:%' \
    AND EXISTS (SELECT 1 FROM manifests WHERE manifests.repository = pushes.repository \
        AND manifests.digest = pushes.digest) \
    AND NOT EXISTS (SELECT 1 FROM pushes AS later WHERE later.repository = pushes.repository \
        AND later.digest = pushes.digest AND later.pusher NOT LIKE '% sha256:%' \
        AND (later.pushed_at > pushes.pushed_at \
            OR later.pushed_at = pushes.pushed_at AND later.pusher < pushes.pusher)) \
    ON CONFLICT (repository, digest) DO UPDATE \
    SET stored_at = excluded.stored_at, pusher = excluded.pusher \
    WHERE stored_manifests.stored_at < excluded.stored_at";

/// Notes them. Blobs are pushed as well, and what is a manifest may be learned before or after.
pub(super) async fn note(work: &mut Work, batch: &Batch<'_>) -> Result<(), StoreError> {
    let pushed = batch.pushes.keys().map(|&(repository, digest, _)| (repository, digest));
    let learned = batch.manifests.keys().map(|&(repository, digest)| (repository, digest));
    let all: BTreeSet<_> = pushed.chain(learned).collect();
    let rows =
        all.iter().map(|(repository, digest)| [(*repository).into(), digest.as_bytes().into()]);
    work.with_rows(NOTE, &rows.collect::<Vec<_>>()).await?;
    Ok(())
}

/// Adds what is known of pushes.
pub(super) async fn of(
    work: &mut Work,
    names: &Names,
    images: &[(RepositoryName, Digest)],
    handled: &mut HashMap<(RepositoryName, Digest), Handled>,
) -> Result<(), StoreError> {
    let sql = "SELECT repository, digest, stored_at, pusher FROM stored_manifests \
        WHERE (repository, digest) IN (VALUES {rows})";
    for row in work.with_rows(sql, &keys(names, images)).await? {
        let Some(name) = names.name(row.int("repository")?) else { continue };
        let told = handled.entry((name, row.digest("digest")?)).or_default();
        told.pushed = Some((row.time("stored_at")?, row.read("pusher")?));
    }
    Ok(())
}
