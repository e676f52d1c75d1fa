//! Of which digests something changed, and when they were learned of.

use std::collections::BTreeSet;

use jiff::Timestamp;
use oci::Digest;

use super::super::super::engine::Value;
use super::super::super::release::Released;
use super::super::super::{Sequence, StoreError};
use super::super::row::{Row, damaged};
use super::super::work::Work;

/// The number of the last change.
pub(in super::super) async fn last(work: &mut Work) -> Result<Sequence, StoreError> {
    number(work.row("SELECT sequence FROM releases", &[]).await?).map(Sequence)
}

fn number(row: Option<Row>) -> Result<i64, StoreError> {
    let missing = || damaged("sequence", &"there is no row in the table `releases`");
    row.ok_or_else(missing)?.int("sequence")
}

/// Gives each of these digests a number of its own, in order: whoever follows takes so many at a
/// time, and must find the rest behind the last one.
pub(super) async fn changed(work: &mut Work, digests: BTreeSet<&Digest>) -> Result<(), StoreError> {
    let Some(rows) = numbered(work, &digests, |digest, number| [digest, number]).await? else {
        return Ok(());
    };
    let sql = "INSERT INTO release_changes (digest, sequence) VALUES {rows} \
        ON CONFLICT (digest) DO UPDATE SET sequence = excluded.sequence";
    work.with_rows(sql, &rows).await?;
    Ok(())
}

/// Notes that the gate has learned of these manifests; the first time stays.
pub(in super::super) async fn first_seen(
    work: &mut Work,
    digests: BTreeSet<&Digest>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = |digest, number| [digest, now.into(), number];
    let Some(rows) = numbered(work, &digests, row).await? else { return Ok(()) };
    let sql = "INSERT INTO release_changes (digest, first_seen, sequence) VALUES {rows} \
        ON CONFLICT (digest) DO UPDATE \
        SET first_seen = excluded.first_seen, sequence = excluded.sequence \
        WHERE release_changes.first_seen IS NULL";
    work.with_rows(sql, &rows).await?;
    Ok(())
}

/// A row for each digest, with its new number; none if there is no digest.
async fn numbered<'a, const N: usize>(
    work: &mut Work,
    digests: &BTreeSet<&'a Digest>,
    row: impl Fn(Value<'a>, Value<'a>) -> [Value<'a>; N],
) -> Result<Option<Vec<[Value<'a>; N]>>, StoreError> {
    if digests.is_empty() {
        return Ok(None);
    }
    let count = i64::try_from(digests.len()).unwrap_or(i64::MAX);
    let sql = "UPDATE releases SET sequence = sequence + $1 RETURNING sequence";
    let last = number(work.row(sql, &[count.into()]).await?)?;
    work.announce().await?;
    let rows = (last - count + 1..).zip(digests);
    Ok(Some(rows.map(|(number, digest)| row(digest.as_bytes().into(), number.into())).collect()))
}

pub(super) async fn since(
    work: &mut Work,
    since: Sequence,
    limit: u32,
) -> Result<Released, StoreError> {
    let last = last(work).await?;
    if since > last {
        return Ok(Released { sequence: last, is_all: true, ..Released::default() });
    }
    let sql = "SELECT digest, sequence FROM release_changes WHERE sequence > $1 \
        ORDER BY sequence LIMIT $2";
    let rows = work.rows(sql, &[since.into(), i64::from(limit).into()]).await?;
    let goes_on = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let sequence = match rows.last() {
        Some(row) if goes_on => Sequence(row.int("sequence")?),
        _ => last,
    };
    let digests = rows.iter().map(|row| row.digest("digest")).collect::<Result<_, _>>()?;
    Ok(Released { sequence, goes_on, is_all: false, digests })
}
