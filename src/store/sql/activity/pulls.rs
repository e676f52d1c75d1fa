//! Who pulled what when.

use std::collections::HashMap;

use jiff::Timestamp;
use oci::{Digest, RepositoryName};

use super::super::super::StoreError;
use super::super::super::activity::{GroupPull, Handled, Pull};
use super::super::super::engine::Value;
use super::super::work::Work;
use super::Names;

pub(super) async fn note(work: &mut Work, pulls: &[Pull]) -> Result<(), StoreError> {
    let names = Names::of(work, pulls.iter().map(|pull| &pull.repository)).await?;
    // A statement may change no row twice.
    let mut once: HashMap<_, Pull> = HashMap::with_capacity(pulls.len());
    for pull in pulls {
        let Some(id) = names.id(&pull.repository) else { continue };
        let known = once.entry((id, &pull.digest, &pull.tag)).or_insert_with(|| pull.clone());
        known.first_at = known.first_at.min(pull.first_at);
        if known.last_at < pull.last_at {
            (known.last_at, known.by) = (pull.last_at, pull.by.clone());
        }
    }
    let rows = once.iter().map(|((id, digest, tag), pull)| {
        let tag = tag.as_ref().map_or("", |tag| tag.as_str());
        let (first, last) = (pull.first_at.into(), pull.last_at.into());
        [
            (*id).into(),
            digest.as_bytes().into(),
            tag.into(),
            first,
            last,
            pull.by.to_string().into(),
        ]
    });
    let sql = "INSERT INTO pulls (repository, digest, tag, first_at, last_at, puller) \
        VALUES {rows} ON CONFLICT (repository, digest, tag) DO UPDATE SET \
        first_at = CASE WHEN pulls.first_at < excluded.first_at \
            THEN pulls.first_at ELSE excluded.first_at END, \
        puller = CASE WHEN pulls.last_at > excluded.last_at \
            THEN pulls.puller ELSE excluded.puller END, \
        last_at = CASE WHEN pulls.last_at > excluded.last_at \
            THEN pulls.last_at ELSE excluded.last_at END";
    work.with_rows(sql, &rows.collect::<Vec<_>>()).await?;
    Ok(())
}

pub(super) async fn note_groups(work: &mut Work, pulls: &[GroupPull]) -> Result<(), StoreError> {
    let names = Names::of(work, pulls.iter().map(|pull| &pull.repository)).await?;
    let mut once: HashMap<_, Timestamp> = HashMap::with_capacity(pulls.len());
    for pull in pulls {
        let Some(id) = names.id(&pull.repository) else { continue };
        let known = once.entry((id, &pull.digest, pull.group.as_str())).or_insert(pull.at);
        *known = pull.at.max(*known);
    }
    let rows = once.iter().map(|((id, digest, group), at)| {
        [(*id).into(), digest.as_bytes().into(), (*group).into(), (*at).into()]
    });
    let sql = "INSERT INTO group_pulls (repository, digest, member_of, last_at) \
        VALUES {rows} ON CONFLICT (repository, digest, member_of) DO UPDATE \
        SET last_at = excluded.last_at WHERE group_pulls.last_at < excluded.last_at";
    work.with_rows(sql, &rows.collect::<Vec<_>>()).await?;
    Ok(())
}

/// Adds what is known of pulls.
pub(super) async fn of(
    work: &mut Work,
    names: &Names,
    images: &[(RepositoryName, Digest)],
    handled: &mut HashMap<(RepositoryName, Digest), Handled>,
) -> Result<(), StoreError> {
    let sql = "SELECT repository, digest, first_at, last_at, puller FROM pulls \
        WHERE (repository, digest) IN (VALUES {rows})";
    for row in work.with_rows(sql, &keys(names, images)).await? {
        let Some(name) = names.name(row.int("repository")?) else { continue };
        let (first, last) = (row.time("first_at")?, row.time("last_at")?);
        let told = handled.entry((name, row.digest("digest")?)).or_default();
        told.first_pulled_at = Some(told.first_pulled_at.map_or(first, |known| known.min(first)));
        if told.last_pulled.as_ref().is_none_or(|(known, _)| *known < last) {
            told.last_pulled = Some((last, row.read("puller")?));
        }
    }
    Ok(())
}

pub(super) async fn of_group(
    work: &mut Work,
    names: &Names,
    images: &[(RepositoryName, Digest)],
    group: &str,
) -> Result<HashMap<(RepositoryName, Digest), Timestamp>, StoreError> {
    let rows: Vec<[Value<'_>; 3]> = keys(names, images)
        .into_iter()
        .map(|[repository, digest]| [repository, digest, group.into()])
        .collect();
    let sql = "SELECT repository, digest, last_at FROM group_pulls \
        WHERE (repository, digest, member_of) IN (VALUES {rows})";
    let mut pulled = HashMap::new();
    for row in work.with_rows(sql, &rows).await? {
        if let Some(name) = names.name(row.int("repository")?) {
            pulled.insert((name, row.digest("digest")?), row.time("last_at")?);
        }
    }
    Ok(pulled)
}

pub(super) async fn groups(work: &mut Work, limit: u32) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT DISTINCT member_of FROM group_pulls ORDER BY member_of LIMIT $1";
    let rows = work.rows(sql, &[i64::from(limit).into()]).await?;
    rows.iter().map(|row| row.text("member_of")).collect()
}

/// What stands for manifests in the tables.
pub(in super::super) fn keys<'i>(
    names: &Names,
    images: &'i [(RepositoryName, Digest)],
) -> Vec<[Value<'i>; 2]> {
    let key = |(name, digest): &'i (RepositoryName, Digest)| {
        Some([names.id(name)?.into(), digest.as_bytes().into()])
    };
    images.iter().filter_map(key).collect()
}
