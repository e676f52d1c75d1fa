//! What lists tell of images.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use oci::Digest;
use reports::Severity;

use super::super::super::StoreError;
use super::super::row::{Row, damaged};
use super::super::work::Work;
use super::descriptions::description;
use super::flags::flag;
use crate::release::{Brief, BriefReport, KeptFinding};

pub(super) async fn of(
    work: &mut Work,
    digests: &[Digest],
) -> Result<HashMap<Digest, Brief>, StoreError> {
    let mut briefs: HashMap<Digest, Brief> = HashMap::with_capacity(digests.len());
    // Each once, as each piece of them is asked for by itself.
    let digests: BTreeSet<&Digest> = digests.iter().collect();
    let rows: Vec<_> = digests.into_iter().map(|digest| [digest.as_bytes().into()]).collect();
    let sql = "SELECT * FROM flags WHERE digest IN (VALUES {rows}) ORDER BY repository, name";
    for row in work.with_rows(sql, &rows).await? {
        let flag = flag(&row)?;
        briefs.entry(flag.digest.clone()).or_default().flags.push(flag);
    }
    let sql = "SELECT id, digest, repository, uploader, uploader_groups, made_at, \
        recognized, counts \
        FROM reports WHERE digest IN (VALUES {rows}) ORDER BY id";
    for row in work.with_rows(sql, &rows).await? {
        briefs.entry(row.digest("digest")?).or_default().reports.push(report(&row)?);
    }
    let sql = "SELECT digest, first_seen FROM release_changes WHERE digest IN (VALUES {rows}) \
        AND first_seen IS NOT NULL";
    for row in work.with_rows(sql, &rows).await? {
        let first_seen = row.maybe_time("first_seen")?;
        briefs.entry(row.digest("digest")?).or_default().first_seen = first_seen;
    }
    let sql = "SELECT * FROM descriptions WHERE digest IN (VALUES {rows})";
    for row in work.with_rows(sql, &rows).await? {
        let description = Some(description(&row)?);
        briefs.entry(row.digest("digest")?).or_default().description = description;
    }
    Ok(briefs)
}

fn report(row: &Row) -> Result<BriefReport, StoreError> {
    let groups = serde_json::from_str(&row.text("uploader_groups")?);
    Ok(BriefReport {
        id: row.int("id")?,
        repository: row.read("repository")?,
        uploader: row.read("uploader")?,
        uploader_groups: groups.map_err(|error| damaged("uploader_groups", &error))?,
        made_at: row.time("made_at")?,
        recognized: row.int("recognized")? != 0,
        counts: counts(row)?,
    })
}

/// How many findings there are of each severity, as a column holds it.
pub(super) fn counted(findings: &[KeptFinding]) -> Result<String, StoreError> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for kept in findings {
        *counts.entry(kept.finding.severity.as_str()).or_default() += 1;
    }
    serde_json::to_string(&counts).map_err(|error| StoreError::Damaged(error.to_string()))
}

fn counts(row: &Row) -> Result<BTreeMap<Severity, usize>, StoreError> {
    let counts: Result<BTreeMap<String, usize>, _> = serde_json::from_str(&row.text("counts")?);
    let counts = counts
        .map_err(|error| damaged("counts", &error))?
        .into_iter()
        .map(|(word, n)| Ok((word.parse().map_err(|error| damaged("counts", &error))?, n)));
    counts.collect()
}
