//! The vulnerabilities of an image.

mod export;
mod natural;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use oci::Digest;
use reports::{Finding, Severity};

use super::super::address::vulnerability_page;
use super::super::shown::{Moment, short};
use crate::release::{KeptFinding, Known, counts};
use crate::service::api::image::show::Image;
use crate::service::api::{Api, Problem};
pub(in crate::web) use export::export;
pub(super) use view::{Column, View};

/// What is known of one part of the image, which is all of it unless it is an index.
pub(super) struct KnownPart {
    pub(super) digest: Digest,
    /// As its index says, or else its digest in short where there are several.
    pub(super) platform: Option<String>,
    pub(super) known: Arc<Known>,
}

/// All of them, each once for each package of a platform, whichever scanners told of it.
pub(super) struct Findings<'a> {
    pub(super) rows: Vec<Row<'a>>,
    /// The worst first.
    pub(super) counts: Vec<(Severity, usize)>,
    pub(super) has_platforms: bool,
    pub(super) view: &'a View,
}

/// A finding.
pub(super) struct Row<'a> {
    pub(super) finding: &'a Finding,
    pub(super) platform: Option<&'a str>,
    pub(super) first_seen: jiff::Timestamp,
    /// By whom a gate was told not to count it.
    pub(super) cleared: Option<String>,
    /// Whether it is looked for.
    pub(super) is_shown: bool,
}

impl Row<'_> {
    pub(super) fn page(&self) -> String {
        vulnerability_page(self.finding.id.as_str())
    }

    pub(super) fn cvss(&self) -> String {
        self.finding.max_cvss().map(|score| format!("{score:.1}")).unwrap_or_default()
    }

    /// In tenths, as it is shown.
    fn score(&self) -> Option<i64> {
        self.finding.max_cvss().map(|score| (score * 10.0).round() as i64)
    }

    /// Whether all these words, in lower case, stand in what is shown of it.
    fn says(&self, words: &[&str]) -> bool {
        let Finding { id, title, severity, package, status, .. } = self.finding;
        let texts = [
            id.as_str(),
            title.as_deref().unwrap_or_default(),
            if self.cleared.is_some() { "not counted" } else { "" },
            self.cleared.as_deref().unwrap_or_default(),
            severity.as_str(),
            &self.cvss(),
            &package.name,
            &package.version,
            &self.fixed_in(),
            &self.layer(),
            status.as_str(),
            &self.first_seen().day(),
            self.platform.unwrap_or_default(),
        ];
        let text = texts.join(" ").to_lowercase();
        words.iter().all(|word| text.contains(word))
    }

    pub(super) fn fixed_in(&self) -> String {
        self.finding.fixed_in.join(", ")
    }

    pub(super) fn layer(&self) -> String {
        self.finding.layer.as_ref().map(short).unwrap_or_default()
    }

    pub(super) fn first_seen(&self) -> Moment {
        Moment::of(self.first_seen)
    }
}

impl Findings<'_> {
    /// How many are looked for.
    pub(super) fn count(&self) -> usize {
        self.rows.iter().filter(|row| row.is_shown).count()
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
        let nameless = image.platforms.get(1).map(|_| short(&digest));
        parts.push(KnownPart { platform: part.platform.clone().or(nameless), digest, known });
    }
    Ok(parts)
}

impl<'a> Findings<'a> {
    /// Those of reports that count where the image is.
    pub(super) fn of(
        known: &'a [KnownPart],
        image: &Image,
        policy: &policy::Policy,
        view: &'a View,
    ) -> Self {
        let Ok(here) = oci::RepositoryName::new(&image.image.repository) else {
            return Self { rows: Vec::new(), counts: Vec::new(), has_platforms: false, view };
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
                    &part.digest,
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
                    is_shown: true,
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
        view.sort(&mut rows);
        view.choose(&mut rows);
        let counts = counts.into_iter().rev().collect();
        Self { rows, counts, has_platforms: known.len() > 1, view }
    }
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
