//! Taking in lessons.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};

use super::super::super::engine::Value;
use super::super::super::inventory::Learned;
use super::super::super::{Sequence, StoreError};
use super::super::activity;
use super::super::work::Work;
use super::last;
use crate::inventory::{Facts, Lesson};

/// The number of a repository in the tables.
pub(in super::super) type Id = i64;

/// When something was seen, and as which lesson.
pub(in super::super) type Sighting = (Timestamp, i64);

/// Each thing once, as a statement may change no row twice.
#[derive(Default)]
pub(in super::super) struct Batch<'a> {
    pub(in super::super) pointers: BTreeMap<(Id, &'a Tag, &'a Digest), Sighting>,
    pub(in super::super) gone_tags: BTreeMap<(Id, &'a Tag, bool), Sighting>,
    pub(in super::super) gone_manifests: BTreeMap<(Id, &'a Digest), Sighting>,
    manifests: BTreeMap<(Id, &'a Digest), (&'a Facts, i64)>,
    pushes: BTreeMap<(Id, &'a Digest, &'a str), Sighting>,
}

impl<'a> Batch<'a> {
    fn add(&mut self, repository: Id, lesson: &'a Lesson, number: i64) {
        match lesson {
            Lesson::Tag { tag, digest, at } => {
                latest(&mut self.pointers, (repository, tag, digest), (*at, number));
            }
            Lesson::NoTag { tag, at, deleted } => {
                latest(&mut self.gone_tags, (repository, tag, *deleted), (*at, number));
            }
            Lesson::NoManifest { digest, at } => {
                latest(&mut self.gone_manifests, (repository, digest), (*at, number));
            }
            Lesson::Manifest { digest, facts } => {
                self.manifests.entry((repository, digest)).or_insert((&**facts, number));
            }
            Lesson::Push { digest, pusher, at } => {
                latest(&mut self.pushes, (repository, digest, pusher), (*at, number));
            }
        }
    }
}

fn latest<K: Ord>(things: &mut BTreeMap<K, Sighting>, thing: K, sighting: Sighting) {
    let known = things.entry(thing).or_insert(sighting);
    if known.0 < sighting.0 {
        *known = sighting;
    }
}

/// A pointer that was seen no later than its tag or its manifest was deleted.
macro_rules! delete_covered {
    ($which:literal) => {
        concat!(
            "DELETE FROM pointers WHERE (repository, ",
            $which,
            ") IN (VALUES {rows}) AND (EXISTS (SELECT 1 FROM gone_tags AS gone \
            WHERE gone.repository = pointers.repository AND gone.tag = pointers.tag \
            AND gone.is_deleted = 1 AND gone.gone_at >= pointers.seen_at) \
            OR EXISTS (SELECT 1 FROM gone_manifests AS gone \
            WHERE gone.repository = pointers.repository AND gone.digest = pointers.digest \
            AND gone.gone_at >= pointers.seen_at))"
        )
    };
}

/// Turns those round that are not what they should be.
const MARK_CURRENT: &str = "UPDATE pointers SET is_current = 1 - is_current \
    WHERE (repository, tag) IN (VALUES {rows}) AND is_current = CASE \
    WHEN EXISTS (SELECT 1 FROM pointers AS other WHERE other.repository = pointers.repository \
        AND other.tag = pointers.tag AND other.seen_at > pointers.seen_at) \
    OR EXISTS (SELECT 1 FROM gone_tags AS gone WHERE gone.repository = pointers.repository \
        AND gone.tag = pointers.tag AND gone.gone_at >= pointers.seen_at) THEN 1 ELSE 0 END";

pub(super) async fn learn(
    work: &mut Work,
    lessons: &[(RepositoryName, Lesson)],
) -> Result<Learned, StoreError> {
    let before = last(work).await?;
    if lessons.is_empty() {
        return Ok(Learned { before, last: before });
    }
    let ids = repositories(work, lessons.iter().map(|(name, _)| name).collect()).await?;
    let mut batch = Batch::default();
    let mut number = before.0;
    for (name, lesson) in lessons {
        number += 1;
        if let Some(&repository) = ids.get(name) {
            batch.add(repository, lesson, number);
        }
    }
    let last = Sequence(number);
    work.execute("UPDATE inventory SET sequence = $1", &[last.into()]).await?;
    work.announce().await?;
    write(work, &batch).await?;
    settle(work, &batch).await?;
    activity::note_moves(work, &batch).await?;
    Ok(Learned { before, last })
}

/// The manifests that lessons tell of.
pub(super) fn manifests(lessons: &[(RepositoryName, Lesson)]) -> BTreeSet<&Digest> {
    let lessons = lessons.iter().map(|(_, lesson)| lesson);
    let digests = lessons.filter_map(|lesson| match lesson {
        Lesson::Manifest { digest, .. } => Some(digest),
        _ => None,
    });
    digests.collect()
}

/// Writes down each thing that is new, or was seen later than it was known to be.
async fn write(work: &mut Work, batch: &Batch<'_>) -> Result<(), StoreError> {
    let rows = batch.gone_tags.iter().map(|(&(repository, tag, deleted), &(at, number))| {
        let deleted = i64::from(deleted).into();
        [repository.into(), tag.as_str().into(), deleted, at.into(), number.into()]
    });
    let sql = "INSERT INTO gone_tags (repository, tag, is_deleted, gone_at, sequence) \
        VALUES {rows} ON CONFLICT (repository, tag, is_deleted) DO UPDATE \
        SET gone_at = excluded.gone_at, sequence = excluded.sequence \
        WHERE gone_tags.gone_at < excluded.gone_at";
    work.with_rows(sql, &rows.collect::<Vec<_>>()).await?;

    let rows = batch.gone_manifests.iter().map(|(&(repository, digest), &(at, number))| {
        [repository.into(), digest.as_bytes().into(), at.into(), number.into()]
    });
    let sql = "INSERT INTO gone_manifests (repository, digest, gone_at, sequence) VALUES {rows} \
        ON CONFLICT (repository, digest) DO UPDATE \
        SET gone_at = excluded.gone_at, sequence = excluded.sequence \
        WHERE gone_manifests.gone_at < excluded.gone_at";
    work.with_rows(sql, &rows.collect::<Vec<_>>()).await?;

    let rows = batch.pointers.iter().map(|(&(repository, tag, digest), &(at, number))| {
        let (tag, digest) = (tag.as_str().into(), digest.as_bytes().into());
        [repository.into(), tag, digest, at.into(), 1.into(), number.into()]
    });
    let sql = "INSERT INTO pointers (repository, tag, digest, seen_at, is_current, sequence) \
        VALUES {rows} ON CONFLICT (repository, tag, digest) DO UPDATE \
        SET seen_at = excluded.seen_at, sequence = excluded.sequence \
        WHERE pointers.seen_at < excluded.seen_at";
    work.with_rows(sql, &rows.collect::<Vec<_>>()).await?;

    let packed: Vec<_> = batch.manifests.values().map(|(facts, _)| facts.pack()).collect();
    let manifests = batch.manifests.iter().zip(&packed);
    let rows = manifests.map(|((&(repository, digest), &(_, number)), facts)| {
        let digest = digest.as_bytes().into();
        [repository.into(), digest, Value::Bytes(facts), number.into()]
    });
    let sql = "INSERT INTO manifests (repository, digest, facts, sequence) VALUES {rows} \
        ON CONFLICT (repository, digest) DO NOTHING";
    work.with_rows(sql, &rows.collect::<Vec<_>>()).await?;

    let rows = batch.pushes.iter().map(|(&(repository, digest, pusher), &(at, number))| {
        let digest = digest.as_bytes().into();
        [repository.into(), digest, pusher.into(), at.into(), number.into()]
    });
    let sql = "INSERT INTO pushes (repository, digest, pusher, pushed_at, sequence) \
        VALUES {rows} ON CONFLICT (repository, digest, pusher) DO UPDATE \
        SET pushed_at = excluded.pushed_at, sequence = excluded.sequence \
        WHERE pushes.pushed_at < excluded.pushed_at";
    work.with_rows(sql, &rows.collect::<Vec<_>>()).await?;
    Ok(())
}

/// Takes away the pointers that a deletion covers, and tells current ones from former ones.
async fn settle(work: &mut Work, batch: &Batch<'_>) -> Result<(), StoreError> {
    let seen = batch.pointers.keys().map(|&(repository, tag, _)| (repository, tag));
    let gone = batch.gone_tags.keys().map(|&(repository, tag, _)| (repository, tag));
    let tags: BTreeSet<_> = seen.chain(gone).collect();
    let tags = tags.into_iter().map(|(repository, tag)| [repository.into(), tag.as_str().into()]);
    let tags: Vec<_> = tags.collect();
    let digests = batch.gone_manifests.keys();
    let digests =
        digests.map(|&(repository, digest)| [repository.into(), digest.as_bytes().into()]);
    work.with_rows(delete_covered!("digest"), &digests.collect::<Vec<_>>()).await?;
    work.with_rows(delete_covered!("tag"), &tags).await?;
    work.with_rows(MARK_CURRENT, &tags).await?;
    Ok(())
}

/// The numbers of repositories in the tables; those that are not known get one.
pub(in super::super) async fn repositories(
    work: &mut Work,
    names: BTreeSet<&RepositoryName>,
) -> Result<HashMap<RepositoryName, Id>, StoreError> {
    let rows: Vec<_> = names.iter().map(|name| [name.as_str().into()]).collect();
    let sql = "SELECT id, name FROM repositories WHERE name IN (VALUES {rows})";
    let mut ids = HashMap::with_capacity(names.len());
    for row in work.with_rows(sql, &rows).await? {
        ids.insert(row.read("name")?, row.int("id")?);
    }
    let new: Vec<_> = names.into_iter().filter(|name| !ids.contains_key(*name)).collect();
    if !new.is_empty() {
        let highest = work.row("SELECT COALESCE(MAX(id), 0) AS id FROM repositories", &[]).await?;
        let next = 1 + highest.map_or(Ok(0), |row| row.int("id"))?;
        let rows = (next..).zip(&new);
        let rows = rows.map(|(id, name)| [id.into(), name.as_str().into(), 0.into()]);
        let sql = "INSERT INTO repositories (id, name, crawled_at) VALUES {rows}";
        work.with_rows(sql, &rows.collect::<Vec<_>>()).await?;
        ids.extend(new.into_iter().cloned().zip(next..));
    }
    Ok(ids)
}
