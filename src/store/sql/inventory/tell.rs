//! Telling what was learned.

use std::sync::Arc;

use oci::RepositoryName;

use super::super::super::engine::Value;
use super::super::super::inventory::{ManifestPlace, News, OfRepository};
use super::super::super::{Sequence, StoreError};
use super::super::row::{Row, damaged};
use super::super::work::Work;
use super::{id, last};
use crate::inventory::{Facts, Lesson};

/// A table of lessons.
struct Table {
    /// Those of one repository.
    of: &'static str,
    /// Those after a number, at most so many.
    since: &'static str,
    read: fn(&Row) -> Result<Lesson, StoreError>,
}

macro_rules! table {
    ($name:literal, $columns:literal, $read:expr) => {
        Table {
            of: concat!("SELECT ", $columns, " FROM ", $name, " WHERE repository = $1"),
            since: concat!(
                "SELECT name, sequence, ",
                $columns,
                " FROM ",
                $name,
                " JOIN repositories ON id = repository WHERE sequence > $1 \
                ORDER BY sequence LIMIT $2"
            ),
            read: $read,
        }
    };
}

/// What is gone first, then what is there.
const TABLES: [Table; 5] = [
    table!("gone_tags", "tag, gone_at, is_deleted", |row| {
        Ok(Lesson::NoTag {
            tag: row.read("tag")?,
            at: row.time("gone_at")?,
            deleted: row.int("is_deleted")? != 0,
        })
    }),
    table!("gone_manifests", "digest, gone_at", |row| {
        Ok(Lesson::NoManifest { digest: row.digest("digest")?, at: row.time("gone_at")? })
    }),
    table!("pointers", "tag, digest, seen_at", |row| {
        Ok(Lesson::Tag {
            tag: row.read("tag")?,
            digest: row.digest("digest")?,
            at: row.time("seen_at")?,
        })
    }),
    table!("manifests", "digest, facts", |row| {
        Ok(Lesson::Manifest { digest: row.digest("digest")?, facts: Arc::new(facts(row)?) })
    }),
    table!("pushes", "digest, pusher, pushed_at", |row| {
        Ok(Lesson::Push {
            digest: row.digest("digest")?,
            pusher: row.text("pusher")?.into(),
            at: row.time("pushed_at")?,
        })
    }),
];

pub(super) async fn manifests(
    work: &mut Work,
    after: Option<&ManifestPlace>,
    limit: u32,
) -> Result<Vec<(ManifestPlace, Facts)>, StoreError> {
    let sql = "SELECT repository, digest, facts FROM manifests \
        WHERE repository > $1 OR (repository = $1 AND digest > $2) \
        ORDER BY repository, digest LIMIT $3";
    // Repositories are numbered from 1, and no digest is empty.
    let (repository, digest): (i64, &[u8]) =
        after.map_or((0, &[]), |place| (place.repository, place.digest.as_bytes()));
    let rows = work.rows(sql, &[repository.into(), digest.into(), i64::from(limit).into()]).await?;
    let manifest = |row: &Row| {
        let (repository, digest) = (row.int("repository")?, row.digest("digest")?);
        Ok((ManifestPlace { repository, digest }, facts(row)?))
    };
    rows.iter().map(manifest).collect()
}

pub(in super::super) fn facts(row: &Row) -> Result<Facts, StoreError> {
    Facts::unpack(&row.bytes("facts")?).map_err(|error| damaged("facts", &error))
}

pub(super) async fn of(
    work: &mut Work,
    repository: &RepositoryName,
) -> Result<OfRepository, StoreError> {
    let sequence = last(work).await?;
    let mut lessons = Vec::new();
    if let Some(id) = id(work, repository).await? {
        for table in &TABLES {
            let rows = work.rows(table.of, &[id.into()]).await?;
            lessons.reserve(rows.len());
            for row in rows {
                lessons.push((table.read)(&row)?);
            }
        }
    }
    Ok(OfRepository { sequence, lessons })
}

pub(super) async fn since(
    work: &mut Work,
    since: Sequence,
    limit: u32,
) -> Result<News, StoreError> {
    let last = last(work).await?;
    let since = if since > last { Sequence::default() } else { since };
    let values: [Value<'_>; 2] = [since.into(), i64::from(limit).into()];
    let mut found = Vec::new();
    for table in &TABLES {
        for row in work.rows(table.since, &values).await? {
            found.push((row.int("sequence")?, row.read("name")?, (table.read)(&row)?));
        }
    }
    // Each table told its first ones, so those of all together are among them.
    found.sort_unstable_by_key(|(number, ..)| *number);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let goes_on = found.len() >= limit;
    found.truncate(limit);
    let sequence = match found.last() {
        Some((number, ..)) if goes_on => Sequence(*number),
        _ => last,
    };
    let lessons = found.into_iter().map(|(_, name, lesson)| (name, lesson)).collect();
    Ok(News { sequence, goes_on, lessons })
}
