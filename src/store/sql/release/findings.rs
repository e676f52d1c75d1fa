//! Findings to search by.

use reports::{Finding, Severity};

use super::super::super::StoreError;
use super::super::super::engine::Value;
use super::super::super::release::{FindingKey, FindingQuery, Found, Place};
use super::super::row::{Row, damaged};
use super::super::work::Work;
use super::{hash, plain};
use crate::release::KeptFinding;

/// Puts the findings of a report in the place of those that it had.
pub(super) async fn write(
    work: &mut Work,
    report: i64,
    findings: &[KeptFinding],
) -> Result<(), StoreError> {
    work.execute("DELETE FROM findings WHERE report = $1", &[report.into()]).await?;
    work.execute("DELETE FROM finding_keys WHERE report = $1", &[report.into()]).await?;
    let findings = || (0_i64..).zip(findings.iter().map(|kept| &kept.finding));
    let rows = findings().map(|(place, finding)| {
        let package = &finding.package;
        [
            report.into(),
            place.into(),
            finding.id.as_str().into(),
            Value::Text(Some(plain(&package.name))),
            Value::Text(Some(plain(&package.version))),
            Value::Text(finding.fixed_in.first().map(|version| plain(version))),
        ]
    });
    let sql = "INSERT INTO findings (report, place, vulnerability, package, version, fixed_in) \
        VALUES {rows}";
    work.with_rows(sql, &rows.collect::<Vec<_>>()).await?;
    let keys: Vec<_> = findings()
        .flat_map(|(place, finding)| keys(finding).map(move |key| (key, finding.severity, place)))
        .collect();
    let rows = keys.iter().map(|(key, severity, place)| {
        [key.as_slice().into(), badness(*severity).into(), report.into(), (*place).into()]
    });
    // A vulnerability may go by one name in several ways of writing it.
    let sql = "INSERT INTO finding_keys (found_by, badness, report, place) VALUES {rows} \
        ON CONFLICT DO NOTHING";
    work.with_rows(sql, &rows.collect::<Vec<_>>()).await?;
    Ok(())
}

fn keys(finding: &Finding) -> impl Iterator<Item = [u8; 16]> {
    let names = std::iter::once(&finding.id).chain(&finding.aliases);
    let names = names.map(|name| vulnerability(name.as_str()));
    names.chain([package(&finding.package.name)])
}

fn vulnerability(name: &str) -> [u8; 16] {
    hash::of(&["vulnerability", &name.to_ascii_lowercase()])
}

fn package(name: &str) -> [u8; 16] {
    hash::of(&["package", name])
}

/// From the worst.
const SEVERITIES: [Severity; 6] = {
    let [unknown, negligible, low, medium, high, critical] = Severity::ALL;
    [critical, high, medium, low, negligible, unknown]
};

/// Counts from the worst.
fn badness(severity: Severity) -> i64 {
    let worse = SEVERITIES.iter().take_while(|other| **other != severity);
    i64::try_from(worse.count()).unwrap_or(i64::MAX)
}

pub(super) async fn find(work: &mut Work, query: &FindingQuery) -> Result<Vec<Found>, StoreError> {
    let key = match &query.by {
        FindingKey::Vulnerability(name) => vulnerability(name.trim()),
        FindingKey::Package(name) => package(name),
    };
    let (after_badness, after_report, after_place) = match &query.after {
        Some(after) => (badness(after.severity), after.report, i64::from(after.index)),
        None => (-1, -1, -1),
    };
    let sql = "SELECT badness, finding_keys.report, finding_keys.place, vulnerability, package, \
        version, fixed_in, repository, digest, scanner_name, made_at \
        FROM finding_keys \
        JOIN findings ON findings.report = finding_keys.report \
        AND findings.place = finding_keys.place \
        JOIN reports ON reports.id = finding_keys.report \
        WHERE found_by = $1 \
        AND (badness, finding_keys.report, finding_keys.place) > ($2, $3, $4) \
        ORDER BY badness, finding_keys.report, finding_keys.place LIMIT $5";
    let values = [
        key.as_slice().into(),
        after_badness.into(),
        after_report.into(),
        after_place.into(),
        i64::from(query.limit).into(),
    ];
    work.rows(sql, &values).await?.iter().map(found).collect()
}

fn found(row: &Row) -> Result<Found, StoreError> {
    let badness = usize::try_from(row.int("badness")?).ok();
    let severity = badness.and_then(|badness| SEVERITIES.get(badness)).copied();
    let index = u32::try_from(row.int("place")?).map_err(|error| damaged("place", &error))?;
    Ok(Found {
        place: Place {
            severity: severity.ok_or_else(|| damaged("badness", &"it is not known"))?,
            report: row.int("report")?,
            index,
        },
        repository: row.read("repository")?,
        digest: row.digest("digest")?,
        id: row.text("vulnerability")?,
        package: row.text("package")?,
        version: row.text("version")?,
        fixed_in: row.maybe_text("fixed_in")?,
        scanner: row.text("scanner_name")?,
        made_at: row.time("made_at")?,
    })
}
