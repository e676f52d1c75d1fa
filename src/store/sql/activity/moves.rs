//! Where tags pointed.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};

use super::super::super::StoreError;
use super::super::super::activity::{Move, Pushed};
use super::super::super::engine::Value;
use super::super::inventory::Batch;
use super::super::row::{Row, damaged};
use super::super::work::Work;

/// What was learned about where a tag points.
#[derive(Debug, Clone, Copy)]
enum Event<'a> {
    /// At this.
    At(&'a Digest),
    /// There was no such tag.
    Gone,
    /// The manifest was deleted, and the tag if it pointed at it.
    Without(&'a Digest),
}

/// A tag, by the number of its repository.
type Key = (i64, String);

/// From when on it pointed where; nowhere, if there is no digest.
type History = Vec<(Timestamp, Option<Digest>)>;

/// Of the moves of a tag the last one.
const LATEST: &str = "SELECT repository, tag, moved_at, digest FROM tag_moves \
    WHERE (repository, tag) IN (VALUES {rows}) \
    AND NOT EXISTS (SELECT 1 FROM tag_moves AS later \
        WHERE later.repository = tag_moves.repository AND later.tag = tag_moves.tag \
        AND later.moved_at > tag_moves.moved_at)";

/// All of them.
const WHOLE: &str = "SELECT repository, tag, moved_at, digest FROM tag_moves \
    WHERE (repository, tag) IN (VALUES {rows})";

/// Where what was pushed was seen again at once, the later time may be all that was told.
const ATTRIBUTE: &str = "UPDATE tag_moves SET pusher = $5 \
    WHERE repository = $1 AND tag = $2 AND digest = $3 AND pusher IS NULL \
    AND moved_at BETWEEN $4 AND $4 + 10000";

/// More than the last 50 are not kept.
const TRIM: &str = "DELETE FROM tag_moves WHERE (repository, tag) IN (VALUES {rows}) \
    AND moved_at < (SELECT kept.moved_at FROM tag_moves AS kept \
        WHERE kept.repository = tag_moves.repository AND kept.tag = tag_moves.tag \
        ORDER BY kept.moved_at DESC LIMIT 1 OFFSET 49)";

/// Notes which tags moved.
pub(in super::super) async fn note(work: &mut Work, batch: &Batch<'_>) -> Result<(), StoreError> {
    let events = events(work, batch).await?;
    let tags: Vec<_> = events
        .keys()
        .map(|(repository, tag)| [(*repository).into(), tag.as_str().into()])
        .collect();
    let mut known = histories(work, LATEST, &tags).await?;
    // What another replica saw meanwhile may have been noted before.
    let is_late = |(key, events): &(&Key, &Vec<(Timestamp, Event<'_>)>)| {
        let latest = known.get(*key).and_then(|moves| moves.last());
        latest.is_some_and(|(latest, _)| events.iter().any(|(at, _)| at < latest))
    };
    let late = events.iter().filter(is_late);
    let late = late.map(|((repository, tag), _)| [(*repository).into(), tag.as_str().into()]);
    let late: Vec<_> = late.collect();
    known.extend(histories(work, WHOLE, &late).await?);
    let mut moves = Vec::new();
    for (key, events) in &events {
        let mut events = events.clone();
        events.sort_by_key(|(at, _)| *at);
        let history = known.get(key).map(Vec::as_slice).unwrap_or_default();
        moves.extend(moved(history, &events).into_iter().map(|it| (key.clone(), it)));
    }
    if !moves.is_empty() {
        let rows = moves.iter().map(|((repository, tag), (at, digest))| {
            let digest = digest.map_or(&[][..], Digest::as_bytes);
            [(*repository).into(), tag.as_str().into(), (*at).into(), digest.into()]
        });
        let sql = "INSERT INTO tag_moves (repository, tag, moved_at, digest) VALUES {rows} \
            ON CONFLICT (repository, tag, moved_at) DO NOTHING";
        work.with_rows(sql, &rows.collect::<Vec<_>>()).await?;
        work.with_rows(TRIM, &tags).await?;
    }
    Ok(())
}

/// Notes who pushed what a tag points at, unless it did so before.
pub(super) async fn pushed(
    work: &mut Work,
    repository: i64,
    tag: &Tag,
    push: &Pushed,
) -> Result<(), StoreError> {
    let Pushed { digest, at, by, .. } = push;
    let by = by.to_string();
    let values: [Value<'_>; 5] = [
        repository.into(),
        tag.as_str().into(),
        digest.as_bytes().into(),
        (*at).into(),
        by.as_str().into(),
    ];
    if work.execute(ATTRIBUTE, &values).await? > 0 {
        return Ok(());
    }
    let sql = "SELECT digest FROM tag_moves WHERE repository = $1 AND tag = $2 \
        AND moved_at <= $3 ORDER BY moved_at DESC LIMIT 1";
    let place = [repository.into(), tag.as_str().into(), (*at).into()];
    let before = work.row(sql, &place).await?.map(|row| self::digest(&row)).transpose()?;
    if before.flatten().as_ref() == Some(digest) {
        return Ok(());
    }
    // That it moved is not learned yet.
    let sql = "INSERT INTO tag_moves (repository, tag, digest, moved_at, pusher) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (repository, tag, moved_at) DO NOTHING";
    work.execute(sql, &values).await?;
    Ok(())
}

/// What was learned of each tag.
async fn events<'a>(
    work: &mut Work,
    batch: &Batch<'a>,
) -> Result<BTreeMap<Key, Vec<(Timestamp, Event<'a>)>>, StoreError> {
    let mut events: BTreeMap<Key, Vec<_>> = BTreeMap::new();
    let mut add = |repository: i64, tag: &str, at: Timestamp, event: Event<'a>| {
        events.entry((repository, tag.to_owned())).or_default().push((at, event));
    };
    for (&(repository, tag, digest), &(at, _)) in &batch.pointers {
        add(repository, tag.as_str(), at, Event::At(digest));
        if let Some(&(deleted_at, _)) = batch.gone_manifests.get(&(repository, digest)) {
            add(repository, tag.as_str(), deleted_at, Event::Without(digest));
        }
    }
    for (&(repository, tag, _), &(at, _)) in &batch.gone_tags {
        add(repository, tag.as_str(), at, Event::Gone);
    }
    let gone = batch.gone_manifests.iter();
    let gone: HashMap<(i64, Digest), (&'a Digest, Timestamp)> = gone
        .map(|(&(repository, digest), &(at, _))| ((repository, digest.clone()), (digest, at)))
        .collect();
    let rows = gone.keys();
    let rows = rows.map(|(repository, digest)| [(*repository).into(), digest.as_bytes().into()]);
    let sql = "SELECT repository, tag, digest FROM tag_moves \
        WHERE (repository, digest) IN (VALUES {rows})";
    for row in work.with_rows(sql, &rows.collect::<Vec<_>>()).await? {
        let (repository, digest) = (row.int("repository")?, row.digest("digest")?);
        if let Some(&(digest, at)) = gone.get(&(repository, digest)) {
            add(repository, &row.text("tag")?, at, Event::Without(digest));
        }
    }
    Ok(events)
}

/// The moves of tags that are known, in the order of time.
async fn histories(
    work: &mut Work,
    sql: &'static str,
    tags: &[[Value<'_>; 2]],
) -> Result<BTreeMap<Key, History>, StoreError> {
    let mut known: BTreeMap<Key, History> = BTreeMap::new();
    for row in work.with_rows(sql, tags).await? {
        let key = (row.int("repository")?, row.text("tag")?);
        known.entry(key).or_default().push((row.time("moved_at")?, digest(&row)?));
    }
    known.values_mut().for_each(|moves| moves.sort_by_key(|(at, _)| *at));
    Ok(known)
}

/// The moves that follow from what was learned; both are in the order of time.
fn moved<'a>(
    known: &'a [(Timestamp, Option<Digest>)],
    events: &[(Timestamp, Event<'a>)],
) -> Vec<(Timestamp, Option<&'a Digest>)> {
    let mut moves: Vec<_> = known.iter().map(|(at, digest)| (*at, digest.as_ref())).collect();
    let mut new = Vec::new();
    for &(at, event) in events {
        let at_most = |(known, _): &(Timestamp, _)| known.as_millisecond() <= at.as_millisecond();
        let place = moves.partition_point(at_most);
        let before = place.checked_sub(1).and_then(|place| moves.get(place)).copied();
        let pointed_at = before.and_then(|(_, digest)| digest);
        let next = match event {
            Event::At(digest) => Some(digest),
            Event::Gone => None,
            Event::Without(digest) if pointed_at == Some(digest) => None,
            Event::Without(_) => continue,
        };
        let is_known = before
            .is_some_and(|(known, _)| known.as_millisecond() == at.as_millisecond())
            || next == pointed_at
            || moves.get(place).is_some_and(|(_, digest)| *digest == next);
        if !is_known {
            moves.insert(place, (at, next));
            new.push((at, next));
        }
    }
    new
}

pub(super) async fn of(
    work: &mut Work,
    repository: &RepositoryName,
    tag: &Tag,
) -> Result<Vec<Move>, StoreError> {
    let sql = "SELECT moved_at, digest, pusher FROM tag_moves \
        JOIN repositories ON repositories.id = tag_moves.repository \
        WHERE repositories.name = $1 AND tag = $2 ORDER BY moved_at DESC";
    let rows = work.rows(sql, &[repository.as_str().into(), tag.as_str().into()]).await?;
    let read = |row: &Row| {
        Ok(Move { at: row.time("moved_at")?, digest: digest(row)?, by: row.maybe_read("pusher")? })
    };
    rows.iter().map(read).collect()
}

/// None where it is empty.
fn digest(row: &Row) -> Result<Option<Digest>, StoreError> {
    match row.bytes("digest")?.is_empty() {
        true => Ok(None),
        false => row.digest("digest").map(Some).map_err(|error| damaged("digest", &error)),
    }
}
