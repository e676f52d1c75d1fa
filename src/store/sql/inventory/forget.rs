//! Forgetting what nobody can need any more.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use oci::Digest;

use super::super::super::StoreError;
use super::super::super::engine::Value;
use super::super::activity;
use super::super::work::Work;
use super::tell::facts;

/// Forgets what lingers no longer. Tells the repositories that it was of, and how much it was.
pub(super) async fn lingering(
    work: &mut Work,
    before: Timestamp,
) -> Result<(Vec<i64>, u64), StoreError> {
    let sql = "SELECT repository FROM pointers WHERE is_current = 0 AND seen_at < $1 \
        UNION SELECT repository FROM pushes WHERE pushed_at < $1 \
        UNION SELECT repository FROM gone_tags WHERE gone_at < $1 \
        UNION SELECT repository FROM gone_manifests WHERE gone_at < $1";
    let rows = work.rows(sql, &[before.into()]).await?;
    let affected = rows.iter().map(|row| row.int("repository")).collect::<Result<_, _>>()?;
    let mut forgotten = 0;
    for sql in [
        "DELETE FROM pointers WHERE is_current = 0 AND seen_at < $1",
        "DELETE FROM pushes WHERE pushed_at < $1",
        "DELETE FROM gone_tags WHERE gone_at < $1",
        "DELETE FROM gone_manifests WHERE gone_at < $1",
    ] {
        forgotten += work.execute(sql, &[before.into()]).await?;
    }
    Ok((affected, forgotten))
}

/// The manifests of a repository that no pointer and no push leads to.
pub(super) async fn needless(work: &mut Work, repository: i64) -> Result<Vec<Digest>, StoreError> {
    let sql = "SELECT digest FROM pointers WHERE repository = $1 \
        UNION SELECT digest FROM pushes WHERE repository = $1";
    let mut ahead = Vec::new();
    for row in work.rows(sql, &[repository.into()]).await? {
        ahead.push(row.digest("digest")?);
    }
    let sql = "SELECT digest, facts FROM manifests WHERE repository = $1";
    let mut children = HashMap::new();
    let mut attached: HashMap<_, Vec<_>> = HashMap::new();
    for row in work.rows(sql, &[repository.into()]).await? {
        let (digest, facts) = (row.digest("digest")?, facts(&row)?);
        if let Some(subject) = facts.subject {
            attached.entry(subject).or_default().push(digest.clone());
        }
        children.insert(digest, facts.children);
    }
    let mut needed: HashSet<_> = ahead.iter().cloned().collect();
    while let Some(at) = ahead.pop() {
        let children = children.get(&at).into_iter().flatten();
        for next in children.chain(attached.get(&at).into_iter().flatten()) {
            if needed.insert(next.clone()) {
                ahead.push(next.clone());
            }
        }
    }
    Ok(children.into_keys().filter(|digest| !needed.contains(digest)).collect())
}

/// Forgets what manifests said that no repository has any more.
pub(super) async fn descriptions(work: &mut Work) -> Result<u64, StoreError> {
    let sql = "DELETE FROM descriptions WHERE NOT EXISTS \
        (SELECT 1 FROM manifests WHERE manifests.digest = descriptions.digest)";
    work.execute(sql, &[]).await
}

/// Forgets manifests, and the repository if nothing is left of it. One that the upstream still has
/// is found again in its catalogue.
pub(super) async fn manifests(
    work: &mut Work,
    repository: i64,
    digests: &[Digest],
) -> Result<u64, StoreError> {
    let rows: Vec<[Value<'_>; 2]> =
        digests.iter().map(|digest| [repository.into(), digest.as_bytes().into()]).collect();
    let sql = "DELETE FROM manifests WHERE (repository, digest) IN (VALUES {rows}) \
        RETURNING repository";
    let forgotten = work.with_rows(sql, &rows).await?.len();
    let sql = "DELETE FROM repositories WHERE id = $1 \
        AND NOT EXISTS (SELECT 1 FROM pointers WHERE repository = $1) \
        AND NOT EXISTS (SELECT 1 FROM manifests WHERE repository = $1) \
        AND NOT EXISTS (SELECT 1 FROM pushes WHERE repository = $1) \
        AND NOT EXISTS (SELECT 1 FROM gone_tags WHERE repository = $1) \
        AND NOT EXISTS (SELECT 1 FROM gone_manifests WHERE repository = $1)";
    let is_gone = work.execute(sql, &[repository.into()]).await? > 0;
    activity::forget(work, repository, digests, is_gone).await?;
    Ok(u64::try_from(forgotten).unwrap_or(u64::MAX))
}
