//! Since when a finding is known of a digest.

use std::collections::HashMap;

use jiff::Timestamp;
use oci::Digest;
use reports::Finding;

use super::super::super::StoreError;
use super::super::work::Work;
use super::hash;
use crate::release::KeptFinding;

/// What stands for the name and the package of a finding.
pub(super) type Key = [u8; 16];

pub(super) fn key(finding: &Finding) -> Key {
    let id = finding.id.as_str().to_ascii_lowercase();
    hash::of(&[&id, &finding.package.name])
}

/// Since when findings are known, now that these are told of too.
pub(super) struct Times {
    pub(super) first: HashMap<Key, Timestamp>,
    /// Some were known already, but of a later time.
    pub(super) is_earlier: bool,
}

/// Writes down each that is new, or earlier than it was known.
pub(super) async fn note(
    work: &mut Work,
    digest: &Digest,
    findings: &[KeptFinding],
) -> Result<Times, StoreError> {
    let mut first: HashMap<Key, Timestamp> = HashMap::with_capacity(findings.len());
    for found in findings {
        let time = first.entry(key(&found.finding)).or_insert(found.first_seen);
        *time = (*time).min(found.first_seen);
    }
    let keys: Vec<_> = first.keys().copied().collect();
    let rows = keys.iter().map(|key| [digest.as_bytes().into(), key.as_slice().into()]);
    let sql = "SELECT finding, first_seen FROM finding_times \
        WHERE (digest, finding) IN (VALUES {rows})";
    let mut known: HashMap<Key, Timestamp> = HashMap::new();
    for row in work.with_rows(sql, &rows.collect::<Vec<_>>()).await? {
        if let Ok(key) = row.bytes("finding")?.as_slice().try_into() {
            known.insert(key, row.time("first_seen")?);
        }
    }
    let (mut new, mut is_earlier) = (Vec::new(), false);
    for (key, time) in &mut first {
        match known.get(key) {
            Some(earlier) if earlier.as_millisecond() <= time.as_millisecond() => *time = *earlier,
            later => {
                is_earlier |= later.is_some();
                new.push((*key, *time));
            }
        }
    }
    let rows = new
        .iter()
        .map(|(key, time)| [digest.as_bytes().into(), key.as_slice().into(), (*time).into()]);
    let sql = "INSERT INTO finding_times (digest, finding, first_seen) VALUES {rows} \
        ON CONFLICT (digest, finding) DO UPDATE SET first_seen = excluded.first_seen";
    work.with_rows(sql, &rows.collect::<Vec<_>>()).await?;
    Ok(Times { first, is_earlier })
}
