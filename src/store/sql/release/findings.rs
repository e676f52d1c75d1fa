//! Findings to search by.

use reports::{Finding, PackageUrl, Severity};

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
    let package = &finding.package;
    let found = package.purl.as_deref().and_then(PackageUrl::new);
    let any_version = found.as_ref().map(PackageUrl::without_version);
    let purls = found.into_iter().chain(any_version).map(|name| purl(&name));
    names.chain([self::package(&package.name)]).chain(purls)
}

fn key(key: &FindingKey) -> [u8; 16] {
    match key {
        FindingKey::Vulnerability(name) => vulnerability(name.trim()),
        FindingKey::Package(name) => package(name),
        FindingKey::Purl(name) => purl(name),
    }
}

fn vulnerability(name: &str) -> [u8; 16] {
    hash::of(&["vulnerability", &name.to_ascii_lowercase()])
}

fn package(name: &str) -> [u8; 16] {
    hash::of(&["package", &name.to_lowercase()])
}

fn purl(name: &PackageUrl) -> [u8; 16] {
    hash::of(&["purl", &name.to_string()])
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

/// The statement that finds them, with one more condition.
macro_rules! find {
    ($condition:literal) => {
        concat!(
            "SELECT badness, finding_keys.report, finding_keys.place, vulnerability, package, \
            version, fixed_in, repository, digest, scanner_name, made_at \
            FROM finding_keys \
            JOIN findings ON findings.report = finding_keys.report \
            AND findings.place = finding_keys.place \
            JOIN reports ON reports.id = finding_keys.report \
            WHERE found_by = $1 \
            AND (badness, finding_keys.report, finding_keys.place) > ($2, $3, $4) ",
            $condition,
            " ORDER BY badness, finding_keys.report, finding_keys.place LIMIT $5"
        )
    };
}

pub(super) async fn find(work: &mut Work, query: &FindingQuery) -> Result<Vec<Found>, StoreError> {
    let (by, also) = (key(&query.by), query.also.as_ref().map(key));
    let (after_badness, after_report, after_place) = match &query.after {
        Some(after) => (badness(after.severity), after.report, i64::from(after.index)),
        None => (-1, -1, -1),
    };
    let mut values = vec![
        by.as_slice().into(),
        after_badness.into(),
        after_report.into(),
        after_place.into(),
        i64::from(query.limit).into(),
    ];
    let found_by = match &also {
        None => work.rows(find!(""), &values).await?,
        Some(also) => {
            values.push(also.as_slice().into());
            let sql = find!(
                "AND EXISTS (SELECT 1 FROM finding_keys AS other WHERE other.found_by = $6 \
                AND other.badness = finding_keys.badness AND other.report = finding_keys.report \
                AND other.place = finding_keys.place)"
            );
            work.rows(sql, &values).await?
        }
    };
    found_by.iter().map(found).collect()
}

/// The reports with such a finding. The index of the keys holds all that this asks for, and they come as
/// one text: many rows take longer than what is in them.
pub(super) async fn reports(work: &mut Work, by: &FindingKey) -> Result<Vec<i64>, StoreError> {
    // One report may tell of a thousand findings in one package.
    let sql = "SELECT string_agg(CAST(report AS TEXT), ' ') AS reports \
        FROM (SELECT DISTINCT report FROM finding_keys WHERE found_by = $1) AS told";
    let row = work.row(sql, &[key(by).as_slice().into()]).await?;
    let text = row.map(|row| row.maybe_text("reports")).transpose()?.flatten().unwrap_or_default();
    let reports: Result<Vec<i64>, _> = text.split_ascii_whitespace().map(str::parse).collect();
    let mut reports = reports.map_err(|error| damaged("report", &error))?;
    reports.sort_unstable();
    Ok(reports)
}

/// In what a group pulled, from the last pull on.
pub(super) async fn find_pulled(
    work: &mut Work,
    by: &FindingKey,
    group: &str,
    limit: u32,
) -> Result<Vec<Found>, StoreError> {
    // `CROSS JOIN`: SQLite begins with the pulls, from the last one on, as it does not know that the
    // group pulled fewer images than have the finding. With all that `badness` may be, the key leads
    // from a report to its findings.
    let sql = "SELECT badness, findings.*, reports.repository, reports.digest, scanner_name, made_at \
        FROM group_pulls CROSS JOIN repositories CROSS JOIN reports CROSS JOIN finding_keys \
        CROSS JOIN findings \
        WHERE member_of = $2 AND repositories.id = group_pulls.repository \
        AND reports.digest = group_pulls.digest AND reports.repository = repositories.name \
        AND found_by = $1 AND badness IN (0, 1, 2, 3, 4, 5) AND finding_keys.report = reports.id \
        AND findings.report = finding_keys.report AND findings.place = finding_keys.place \
        ORDER BY last_at DESC, badness, finding_keys.report, finding_keys.place LIMIT $3";
    let key = key(by);
    let values = [key.as_slice().into(), group.into(), i64::from(limit).into()];
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
