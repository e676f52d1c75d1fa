//! Reports.

use jiff::Timestamp;
use oci::{Digest, RepositoryName};
use policy::Subject;
use reports::{Finding, Format, Scanner};
use serde::{Deserialize, Serialize};

use super::super::super::StoreError;
use super::super::super::engine::Value;
use super::super::row::{Row, damaged};
use super::super::work::Work;
use super::changes::changed;
use super::times::{self, Times};
use super::{briefs, findings, hash, packed, plain};
use crate::release::{KeptFinding, KeptReport};

/// A finding as it is packed. What this version does not know of it is passed over.
#[derive(Serialize, Deserialize)]
struct Packed<F> {
    finding: F,
    /// In milliseconds.
    first_seen: i64,
}

pub(super) async fn keep(work: &mut Work, report: &KeptReport) -> Result<bool, StoreError> {
    let scanner = hash::of(&[&report.scanner.name]);
    let uploader = report.uploader.to_string();
    let sql = "SELECT id, made_at, findings FROM reports \
        WHERE digest = $1 AND repository = $2 AND uploader = $3 AND scanner = $4";
    let place = [
        report.digest.as_bytes().into(),
        report.repository.as_str().into(),
        uploader.as_str().into(),
        scanner.as_slice().into(),
    ];
    let before = work.row(sql, &place).await?;
    if let Some(before) = &before
        && before.time("made_at")?.as_millisecond() > report.made_at.as_millisecond()
    {
        return Ok(false);
    }
    let times = times::note(work, &report.digest, &report.findings).await?;
    let id = match &before {
        Some(before) => before.int("id")?,
        None => next(work).await?,
    };
    write(work, id, place, report, &times).await?;
    if before.map(|before| unpack(&before)).transpose()?.is_none_or(|kept| !same(&kept, report)) {
        findings::write(work, id, &report.findings).await?;
    }
    if times.is_earlier {
        correct_others(work, id, &report.digest, &times).await?;
    }
    changed(work, [&report.digest].into()).await?;
    Ok(true)
}

async fn next(work: &mut Work) -> Result<i64, StoreError> {
    let highest = work.row("SELECT COALESCE(MAX(id), 0) AS id FROM reports", &[]).await?;
    Ok(1 + highest.map_or(Ok(0), |row| row.int("id"))?)
}

async fn write<'a>(
    work: &mut Work,
    id: i64,
    [digest, repository, uploader, scanner]: [Value<'a>; 4],
    report: &'a KeptReport,
    times: &Times,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO reports (id, digest, repository, uploader, scanner, scanner_name, \
        scanner_version, scanner_database, uploader_groups, format, made_at, received_at, \
        recognized, counts, findings) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
        ON CONFLICT (id) DO UPDATE SET scanner_version = excluded.scanner_version, \
        scanner_database = excluded.scanner_database, uploader_groups = excluded.uploader_groups, \
        format = excluded.format, made_at = excluded.made_at, received_at = excluded.received_at, \
        recognized = excluded.recognized, counts = excluded.counts, findings = excluded.findings";
    let written = |error: serde_json::Error| StoreError::Damaged(error.to_string());
    let findings = pack(&report.findings, times)?;
    let values = [
        id.into(),
        digest,
        repository,
        uploader,
        scanner,
        Value::Text(Some(plain(&report.scanner.name))),
        Value::Text(report.scanner.version.as_deref().map(plain)),
        report.scanner.database.into(),
        serde_json::to_string(&report.uploader_groups).map_err(written)?.into(),
        report.format.as_str().into(),
        report.made_at.into(),
        report.received_at.into(),
        i64::from(report.recognized).into(),
        briefs::counted(&report.findings)?.into(),
        Value::Bytes(&findings),
    ];
    work.execute(sql, &values).await?;
    Ok(())
}

/// Whether there are reports that are to be written anew for searches.
pub(super) async fn is_any_unkeyed(work: &mut Work) -> Result<bool, StoreError> {
    Ok(work.row("SELECT report FROM unkeyed_reports LIMIT 1", &[]).await?.is_some())
}

/// Writes some of them. One that is damaged is told where somebody asks for it: it is found by what it
/// was found by before.
pub(super) async fn rekey(work: &mut Work, most: i64) -> Result<(), StoreError> {
    let sql = "SELECT report AS id, findings FROM unkeyed_reports \
        JOIN reports ON reports.id = report ORDER BY report LIMIT $1";
    let rows = work.rows(sql, &[most.into()]).await?;
    if rows.is_empty() {
        work.execute("DELETE FROM unkeyed_reports", &[]).await?;
    }
    for row in rows {
        let id = row.int("id")?;
        if let Ok(kept) = unpack(&row) {
            findings::write(work, id, &kept).await?;
        }
        work.execute("DELETE FROM unkeyed_reports WHERE report = $1", &[id.into()]).await?;
    }
    Ok(())
}

/// Whether the findings are the same, so that those to search by need not be written again.
fn same(kept: &[KeptFinding], report: &KeptReport) -> bool {
    kept.iter().map(|kept| &kept.finding).eq(report.findings.iter().map(|new| &new.finding))
}

/// A report told that a finding is known for longer than another report of the digest has it.
async fn correct_others(
    work: &mut Work,
    id: i64,
    digest: &Digest,
    times: &Times,
) -> Result<(), StoreError> {
    let sql = "SELECT id, findings FROM reports WHERE digest = $1 AND id <> $2";
    for row in work.rows(sql, &[digest.as_bytes().into(), id.into()]).await? {
        let findings = pack(&unpack(&row)?, times)?;
        let sql = "UPDATE reports SET findings = $2 WHERE id = $1";
        work.execute(sql, &[row.int("id")?.into(), Value::Bytes(&findings)]).await?;
    }
    Ok(())
}

fn pack(findings: &[KeptFinding], times: &Times) -> Result<Vec<u8>, StoreError> {
    let packed = findings.iter().map(|KeptFinding { finding, first_seen }| {
        let first_seen = times.first.get(&times::key(finding)).unwrap_or(first_seen);
        Packed { finding, first_seen: first_seen.as_millisecond() }
    });
    packed::pack("keep what a scanner found", &packed.collect::<Vec<_>>())
}

fn unpack(row: &Row) -> Result<Vec<KeptFinding>, StoreError> {
    let packed: Vec<Packed<Finding>> = packed::unpack("findings", &row.bytes("findings")?)?;
    let findings = packed.into_iter().map(|Packed { finding, first_seen }| {
        let first_seen = Timestamp::from_millisecond(first_seen);
        let first_seen = first_seen.map_err(|error| damaged("findings", &error))?;
        Ok(KeptFinding { finding, first_seen })
    });
    findings.collect()
}

pub(super) async fn of(work: &mut Work, digest: &Digest) -> Result<Vec<KeptReport>, StoreError> {
    let sql = "SELECT * FROM reports WHERE digest = $1 ORDER BY id";
    work.rows(sql, &[digest.as_bytes().into()]).await?.iter().map(report).collect()
}

fn report(row: &Row) -> Result<KeptReport, StoreError> {
    let groups = serde_json::from_str(&row.text("uploader_groups")?);
    Ok(KeptReport {
        repository: row.read("repository")?,
        digest: row.digest("digest")?,
        uploader: row.read("uploader")?,
        uploader_groups: groups.map_err(|error| damaged("uploader_groups", &error))?,
        format: row.word("format", &Format::ALL, Format::as_str)?,
        scanner: Scanner {
            name: row.text("scanner_name")?,
            version: row.maybe_text("scanner_version")?,
            database: row.maybe_time("scanner_database")?,
        },
        made_at: row.time("made_at")?,
        received_at: row.time("received_at")?,
        recognized: row.int("recognized")? != 0,
        findings: unpack(row)?,
    })
}

/// Where nothing is to be scanned, or somebody is at it, or it was of no use a while ago, nothing is
/// told: those would come first for ever.
pub(super) async fn old(
    work: &mut Work,
    uploader: &Subject,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<(RepositoryName, Digest)>, StoreError> {
    let sql = "SELECT repository, digest, MAX(made_at) AS newest FROM reports \
        WHERE uploader = $1 \
        AND EXISTS (SELECT 1 FROM manifests JOIN repositories ON id = manifests.repository \
            WHERE name = reports.repository AND manifests.digest = reports.digest) \
        AND NOT EXISTS (SELECT 1 FROM scans WHERE scans.digest = reports.digest \
            AND scans.repository = reports.repository \
            AND (scans.due_at IS NOT NULL OR scans.ended_at >= $2)) \
        GROUP BY digest, repository HAVING MAX(made_at) < $2 \
        ORDER BY newest, digest, repository LIMIT $3";
    let values = [uploader.to_string().into(), before.into(), i64::from(limit).into()];
    let rows = work.rows(sql, &values).await?;
    rows.iter().map(|row| Ok((row.read("repository")?, row.digest("digest")?))).collect()
}
