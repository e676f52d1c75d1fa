//! Where tags pointed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};

use super::super::super::StoreError;
use super::super::super::activity::Move;
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

/// Of the moves of a tag the last one.
const LATEST: &str = "SELECT repository, tag, moved_at, digest FROM tag_moves \
    WHERE (repository, tag) IN (VALUES {rows}) \
    AND NOT EXISTS (SELECT 1 FROM tag_moves AS later \
        WHERE later.repository = tag_moves.repository AND later.tag = tag_moves.tag \
        AND later.moved_at > tag_moves.moved_at)";

/// Of several pushes of the same that follow each other at once the last may be told alone, so one
/// within two seconds is that of the tag.
const ATTRIBUTE: &str = "UPDATE tag_moves SET pusher = (SELECT MIN(pushes.pusher) FROM pushes \
        WHERE pushes.repository = tag_moves.repository AND pushes.digest = tag_moves.digest \
        AND pushes.pushed_at BETWEEN tag_moves.moved_at AND tag_moves.moved_at + 2000 \
        AND pushes.pusher NOT LIKE '% sha256:%') \
    WHERE pusher IS NULL AND (repository, digest) IN (VALUES {rows})";

/// More than the last 50 are not kept.
const TRIM: &str = "DELETE FROM tag_moves WHERE (repository, tag) IN (VALUES {rows}) \
    AND moved_at < (SELECT kept.moved_at FROM tag_moves AS kept \
        WHERE kept.repository = tag_moves.repository AND kept.tag = tag_moves.tag \
        ORDER BY kept.moved_at DESC LIMIT 1 OFFSET 49)";

/// Notes which tags moved. What is older than the last move that is known tells nothing new.
pub(super) async fn note(work: &mut Work, batch: &Batch<'_>) -> Result<(), StoreError> {
    let events = events(work, batch).await?;
    let tags: Vec<_> = events
        .keys()
        .map(|(repository, tag)| [(*repository).into(), tag.as_str().into()])
        .collect();
    let mut known: BTreeMap<Key, (Timestamp, Option<Digest>)> = BTreeMap::new();
    for row in work.with_rows(LATEST, &tags).await? {
        let key = (row.int("repository")?, row.text("tag")?);
        known.insert(key, (row.time("moved_at")?, digest(&row)?));
    }
    let mut moves = Vec::new();
    for (key, events) in &events {
        let mut events = events.clone();
        events.sort_by_key(|(at, _)| *at);
        moves.extend(moved(known.remove(key), &events).into_iter().map(|it| (key.clone(), it)));
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
    let pushed = batch.pushes.keys().map(|&(repository, digest, _)| (repository, digest));
    let moved =
        moves.iter().filter_map(|((repository, _), (_, digest))| Some((*repository, (*digest)?)));
    let digests: BTreeSet<_> = pushed.chain(moved).collect();
    let rows =
        digests.iter().map(|(repository, digest)| [(*repository).into(), digest.as_bytes().into()]);
    work.with_rows(ATTRIBUTE, &rows.collect::<Vec<_>>()).await?;
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

/// The moves that follow from what was learned, which is in the order of time.
fn moved<'a>(
    known: Option<(Timestamp, Option<Digest>)>,
    events: &[(Timestamp, Event<'a>)],
) -> Vec<(Timestamp, Option<&'a Digest>)> {
    let mut moves: Vec<(Timestamp, Option<&'a Digest>)> = Vec::new();
    for &(at, event) in events {
        let before = match (moves.last(), &known) {
            (Some((at, digest)), _) => Some((*at, *digest)),
            (None, Some((at, digest))) => Some((*at, digest.as_ref())),
            (None, None) => None,
        };
        let pointed_at = before.and_then(|(_, digest)| digest);
        let next = match event {
            Event::At(digest) => Some(digest),
            Event::Gone => None,
            Event::Without(digest) if pointed_at == Some(digest) => None,
            Event::Without(_) => continue,
        };
        let is_late =
            before.is_some_and(|(known, _)| at.as_millisecond() <= known.as_millisecond());
        if !is_late && next != pointed_at {
            moves.push((at, next));
        }
    }
    moves
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
