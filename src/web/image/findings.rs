//! The vulnerabilities of an image: as a table, and as a file to take away.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Json, http::header::CONTENT_DISPOSITION};
use http::header::CONTENT_TYPE;
use oci::Digest;
use reports::{Finding, Severity};
use serde::{Deserialize, Serialize};

use super::super::Web;
use super::super::address::vulnerability_page;
use super::super::problem::Trouble;
use super::super::query::Query;
use super::super::session::SignedIn;
use super::super::shown::{Moment, csv_cell};
use crate::release::{KeptFinding, Known, counts};
use crate::service::api::image::flags::Which;
use crate::service::api::image::show::{self, Image};
use crate::service::api::input::Asked;
use crate::service::api::{Api, Problem};

/// In which order findings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sorting {
    /// The worst first.
    #[default]
    Severity,
    /// The highest score first.
    Cvss,
    Id,
    Package,
    /// The newest first.
    Seen,
}

/// What is known of one part of the image, which is all of it unless it is an index.
pub(super) struct KnownPart {
    platform: Option<String>,
    known: Arc<Known>,
}

/// All of them, each once for each package of a platform, whichever scanners told of it.
pub(super) struct Findings<'a> {
    pub(super) rows: Vec<Row<'a>>,
    /// The worst first.
    pub(super) counts: Vec<(Severity, usize)>,
    pub(super) has_platforms: bool,
    pub(super) sorting: Sorting,
}

/// A finding.
pub(super) struct Row<'a> {
    pub(super) finding: &'a Finding,
    pub(super) platform: Option<&'a str>,
    pub(super) first_seen: jiff::Timestamp,
    /// By whom a gate was told not to count it.
    pub(super) cleared: Option<String>,
}

impl Row<'_> {
    pub(super) fn page(&self) -> String {
        vulnerability_page(self.finding.id.as_str())
    }

    pub(super) fn cvss(&self) -> String {
        self.finding.max_cvss().map(|score| format!("{score:.1}")).unwrap_or_default()
    }

    pub(super) fn fixed_in(&self) -> String {
        self.finding.fixed_in.join(", ")
    }

    pub(super) fn layer(&self) -> String {
        self.finding.layer.as_ref().map(super::super::shown::short).unwrap_or_default()
    }

    pub(super) fn first_seen(&self) -> Moment {
        Moment::of(self.first_seen)
    }
}

impl Findings<'_> {
    /// Which way (WAI-ARIA 1.2, `aria-sort`).
    pub(super) fn direction(&self) -> &'static str {
        match self.sorting {
            Sorting::Id | Sorting::Package => "ascending",
            Sorting::Severity | Sorting::Cvss | Sorting::Seen => "descending",
        }
    }

    pub(super) fn is_sorted_by(&self, word: &str) -> bool {
        let here = match self.sorting {
            Sorting::Severity => "severity",
            Sorting::Cvss => "cvss",
            Sorting::Id => "id",
            Sorting::Package => "package",
            Sorting::Seen => "seen",
        };
        here == word
    }
}

/// Severities as parts of a bar.
pub(in crate::web) fn bar(counts: &[(Severity, usize)]) -> Vec<(Severity, f64, f64)> {
    let all: usize = counts.iter().map(|(_, count)| count).sum();
    let mut begins = 0.0;
    let mut parts = Vec::with_capacity(counts.len());
    for (severity, count) in counts {
        let length = *count as f64 * 100.0 / all.max(1) as f64;
        parts.push((*severity, begins, length));
        begins += length;
    }
    parts
}

/// What is known of each part of it.
pub(super) async fn known(api: &Api, image: &Image) -> Result<Vec<KnownPart>, Problem> {
    let mut parts = Vec::new();
    for part in &image.platforms {
        let Ok(digest) = Digest::new(&part.digest) else { continue };
        let known = api.images.release.known(&digest).await?;
        parts.push(KnownPart { platform: part.platform.clone(), known });
    }
    Ok(parts)
}

impl<'a> Findings<'a> {
    /// Those of reports that count where the image is.
    pub(super) fn of(
        known: &'a [KnownPart],
        image: &Image,
        policy: &policy::Policy,
        sorting: Sorting,
    ) -> Self {
        let Ok(here) = oci::RepositoryName::new(&image.image.repository) else {
            return Self { rows: Vec::new(), counts: Vec::new(), has_platforms: false, sorting };
        };
        let mut cleared = BTreeMap::new();
        for gate in &image.verdicts.gates {
            for it in &gate.cleared {
                let name = (it.vulnerability.as_str(), it.package.as_str());
                cleared.entry(name).or_insert_with(|| format!("{}: {}", it.by, it.reason));
            }
        }
        let mut rows: BTreeMap<_, Row<'a>> = BTreeMap::new();
        for part in known {
            let reports = part.known.kept.reports.iter();
            let counting = reports.filter(|report| counts(report, &here, policy));
            for kept in counting.flat_map(|report| &report.findings) {
                let KeptFinding { finding, first_seen } = kept;
                let platform = part.platform.as_deref();
                let key = (
                    platform,
                    finding.id.as_str(),
                    finding.package.name.as_str(),
                    finding.package.version.as_str(),
                );
                let package = finding.package.purl.as_deref().unwrap_or(&finding.package.name);
                let row = Row {
                    finding,
                    platform,
                    first_seen: *first_seen,
                    cleared: cleared.get(&(finding.id.as_str(), package)).cloned(),
                };
                // Of what several scanners say, the worst counts, as it does before gates.
                match rows.entry(key) {
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        entry.insert(row);
                    }
                    std::collections::btree_map::Entry::Occupied(mut entry) => {
                        if entry.get().finding.severity < finding.severity {
                            entry.insert(row);
                        }
                    }
                }
            }
        }
        let mut rows: Vec<_> = rows.into_values().collect();
        let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
        for row in &rows {
            *counts.entry(row.finding.severity).or_default() += 1;
        }
        sort(&mut rows, sorting);
        let counts = counts.into_iter().rev().collect();
        Self { rows, counts, has_platforms: known.len() > 1, sorting }
    }
}

fn sort(rows: &mut [Row<'_>], sorting: Sorting) {
    let score = |row: &Row<'_>| row.finding.max_cvss().unwrap_or(-1.0);
    rows.sort_by(|one, other| {
        let by_severity = other.finding.severity.cmp(&one.finding.severity);
        let by_score = score(other).total_cmp(&score(one));
        let by_id = one.finding.id.as_str().cmp(other.finding.id.as_str());
        let by_package = one.finding.package.name.cmp(&other.finding.package.name);
        match sorting {
            Sorting::Severity => by_severity.then(by_score).then(by_id),
            Sorting::Cvss => by_score.then(by_severity).then(by_id),
            Sorting::Id => by_id.then(by_package),
            Sorting::Package => by_package.then(by_severity).then(by_id),
            Sorting::Seen => other.first_seen.cmp(&one.first_seen).then(by_severity).then(by_id),
        }
    });
}

/// In which form they are to be taken away.
#[derive(Deserialize)]
pub(in crate::web) struct Export {
    r#ref: String,
    format: Format,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Format {
    Csv,
    Json,
}

#[derive(Serialize)]
struct Exported<'a> {
    platform: Option<&'a str>,
    #[serde(flatten)]
    finding: &'a Finding,
    first_seen: jiff::Timestamp,
    cleared: Option<&'a str>,
}

/// The findings as a file.
pub(in crate::web) async fn export(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
    Query(export): Query<Export>,
) -> Result<Response, Trouble> {
    let api = &web.api;
    let which = Asked(Which { r#ref: export.r#ref });
    let shown = show::show(State(Arc::clone(api)), signed_in.who.clone(), which).await;
    let Json(image) = shown.map_err(Trouble::from)?;
    let known = known(api, &image).await?;
    let findings = Findings::of(&known, &image, &api.policy(), Sorting::default());
    let named = |ending: &str| format!("attachment; filename=\"vulnerabilities.{ending}\"");
    Ok(match export.format {
        Format::Json => {
            let rows: Vec<_> = findings.rows.iter().map(exported).collect();
            ([(CONTENT_DISPOSITION, named("json"))], Json(rows)).into_response()
        }
        Format::Csv => {
            let headers = [
                (CONTENT_DISPOSITION, named("csv")),
                (CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
            ];
            (headers, csv(&findings.rows)).into_response()
        }
    })
}

fn exported<'a>(row: &'a Row<'a>) -> Exported<'a> {
    Exported {
        platform: row.platform,
        finding: row.finding,
        first_seen: row.first_seen,
        cleared: row.cleared.as_deref(),
    }
}

const COLUMNS: &str =
    "platform,id,severity,cvss,package,version,fixed_in,layer,status,first_seen,cleared,title\r\n";

/// RFC 4180.
fn csv(rows: &[Row<'_>]) -> String {
    let mut text = COLUMNS.to_owned();
    for row in rows {
        let Finding { id, severity, package, layer, status, title, .. } = row.finding;
        let layer = layer.as_ref().map(ToString::to_string).unwrap_or_default();
        let first_seen = row.first_seen.to_string();
        let fields = [
            row.platform.unwrap_or_default(),
            id.as_str(),
            severity.as_str(),
            &row.cvss(),
            &package.name,
            &package.version,
            &row.fixed_in(),
            &layer,
            status.as_str(),
            &first_seen,
            row.cleared.as_deref().unwrap_or_default(),
            title.as_deref().unwrap_or_default(),
        ];
        let fields: Vec<_> = fields.iter().map(|field| csv_cell(field)).collect();
        text.push_str(&fields.join(","));
        text.push_str("\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_bar_fill_it() {
        let parts = bar(&[(Severity::Critical, 1), (Severity::Low, 3)]);
        assert_eq!(parts, [(Severity::Critical, 0.0, 25.0), (Severity::Low, 25.0, 75.0)]);
        assert!(bar(&[]).is_empty());
    }
}
