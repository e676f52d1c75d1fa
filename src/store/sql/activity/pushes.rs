//! Who stored manifests.

use std::collections::HashMap;

use oci::{Digest, RepositoryName};

use super::super::super::StoreError;
use super::super::super::activity::{Handled, Pushed};
use super::super::inventory::repositories;
use super::super::work::Work;
use super::pulls::keys;
use super::{Names, moves};

pub(super) async fn note(work: &mut Work, pushes: &[Pushed]) -> Result<(), StoreError> {
    let ids = repositories(work, pushes.iter().map(|push| &push.repository).collect()).await?;
    for push in pushes {
        let Some(&repository) = ids.get(&push.repository) else { continue };
        let by = push.by.to_string();
        let sql = "INSERT INTO stored_manifests (repository, digest, stored_at, pusher) \
            VALUES ($1, $2, $3, $4) ON CONFLICT (repository, digest) DO UPDATE \
            SET stored_at = excluded.stored_at, pusher = excluded.pusher \
            WHERE stored_manifests.stored_at < excluded.stored_at";
        let digest = push.digest.as_bytes().into();
        work.execute(sql, &[repository.into(), digest, push.at.into(), by.as_str().into()]).await?;
        for tag in &push.tags {
            moves::pushed(work, repository, tag, push).await?;
        }
    }
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
