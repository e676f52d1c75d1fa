//! Which digests have passed which gates.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use oci::Digest;

use super::super::super::StoreError;
use super::super::work::Work;
use super::changes::changed;
use crate::release::PassedGate;

pub(super) async fn note(
    work: &mut Work,
    passed: &[(String, Digest, Timestamp)],
) -> Result<(), StoreError> {
    // Each once, as a statement may change no row twice.
    let mut first: BTreeMap<(&Digest, &str), Timestamp> = BTreeMap::new();
    for (gate, digest, at) in passed {
        let known = first.entry((digest, gate)).or_insert(*at);
        *known = (*known).min(*at);
    }
    let rows = first
        .iter()
        .map(|(&(digest, gate), &at)| [digest.as_bytes().into(), gate.into(), at.into()]);
    let sql = "INSERT INTO passed_gates (digest, gate, passed_at) VALUES {rows} \
        ON CONFLICT (digest, gate) DO UPDATE SET passed_at = excluded.passed_at \
        WHERE passed_gates.passed_at > excluded.passed_at RETURNING digest";
    let rows = work.with_rows(sql, &rows.collect::<Vec<_>>()).await?;
    let news = rows.iter().map(|row| row.digest("digest"));
    let news = news.collect::<Result<BTreeSet<_>, _>>()?;
    changed(work, news.iter().collect()).await
}

pub(super) async fn of(work: &mut Work, digest: &Digest) -> Result<Vec<PassedGate>, StoreError> {
    let sql = "SELECT gate, passed_at FROM passed_gates WHERE digest = $1 ORDER BY gate";
    let rows = work.rows(sql, &[digest.as_bytes().into()]).await?;
    let passed = rows.iter();
    passed
        .map(|row| Ok(PassedGate { gate: row.text("gate")?, at: row.time("passed_at")? }))
        .collect()
}

pub(super) async fn gate(
    work: &mut Work,
    gate: &str,
    limit: u32,
) -> Result<Vec<Digest>, StoreError> {
    let sql = "SELECT digest FROM passed_gates WHERE gate = $1 \
        ORDER BY passed_at DESC, digest DESC LIMIT $2";
    let rows = work.rows(sql, &[gate.into(), i64::from(limit).into()]).await?;
    rows.iter().map(|row| row.digest("digest")).collect()
}
