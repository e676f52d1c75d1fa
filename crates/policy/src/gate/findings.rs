//! Findings of all reports, as the vulnerabilities they are.

use std::collections::HashSet;

use jiff::Timestamp;
use reports::{Severity, Status, VulnerabilityId};
use smallvec::SmallVec;

use super::alike::Alike;
use super::facts::{FindingFact, Scan, VexFact, VexScope};
use super::package::is_product;

/// A vulnerability in a package, as bad as all reports together say: each part gets worse by one
/// more report or stays, so that none lets anything pass that was held.
#[derive(Debug, Clone)]
pub(super) struct Merged<'f> {
    /// What is told of it, in the order of the reports; at least one. Few vulnerabilities are ever
    /// told to anybody, so that what is to be said is made then.
    parts: SmallVec<[&'f FindingFact; 1]>,
    pub(super) severity: Severity,
    /// The highest score; where a report tells none, the highest that its severity stands for.
    pub(super) score: f64,
    /// Whether a report does not know how bad it is.
    pub(super) is_unknown: bool,
    pub(super) is_fixable: bool,
    pub(super) first_seen: Timestamp,
}

impl<'f> Merged<'f> {
    fn new(finding: &'f FindingFact) -> Self {
        Self {
            parts: SmallVec::from_buf([finding]),
            severity: finding.severity,
            score: score(finding),
            is_unknown: finding.severity == Severity::Unknown,
            is_fixable: finding.fixed_in.is_some(),
            first_seen: finding.first_seen,
        }
    }

    fn add(&mut self, finding: &'f FindingFact) {
        self.parts.push(finding);
        self.severity = self.severity.max(finding.severity);
        self.score = self.score.max(score(finding));
        self.is_unknown |= finding.severity == Severity::Unknown;
        self.is_fixable |= finding.fixed_in.is_some();
        self.first_seen = self.first_seen.min(finding.first_seen);
    }

    /// The name that it is told by: a CVE, where a report tells it by one.
    fn id(&self) -> Option<&'f VulnerabilityId> {
        let mut ids = self.parts.iter().map(|part| &part.id);
        ids.clone().find(|id| id.is_cve()).or_else(|| ids.next())
    }

    /// That name, and the package's.
    pub(super) fn name(&self) -> Option<(&'f str, &'f str)> {
        Some((self.id()?.as_str(), self.parts.first()?.package.as_str()))
    }

    fn names(&self) -> impl Iterator<Item = &'f VulnerabilityId> {
        self.parts.iter().flat_map(|part| names(part))
    }

    /// As one finding: with the names of all of them, and the worst of each.
    pub(super) fn finding(&self) -> Option<FindingFact> {
        let (first, id) = (*self.parts.first()?, self.id()?);
        let scores = self.parts.iter().filter_map(|part| part.cvss);
        let mut told = HashSet::from([id]);
        Some(FindingFact {
            id: id.clone(),
            aliases: self.names().filter(|name| told.insert(name)).cloned().collect(),
            severity: self.severity,
            cvss: scores.reduce(f64::max),
            fixed_in: self.parts.iter().find_map(|part| part.fixed_in.clone()),
            first_seen: self.first_seen,
            ..first.clone()
        })
    }
}

/// Its score, or the highest that its severity may stand for (CVSS v3.1 §5): what nobody scored is
/// not harmless. One of which nothing is known at all is for the setting about these.
pub(super) fn score(finding: &FindingFact) -> f64 {
    let told = finding.cvss.filter(|score| !score.is_nan());
    told.unwrap_or(match finding.severity {
        Severity::Unknown | Severity::Negligible => 0.0,
        Severity::Low => 3.9,
        Severity::Medium => 6.9,
        Severity::High => 8.9,
        Severity::Critical => 10.0,
    })
}

/// All findings that count, each once under all its names; none, if not one of them `matters` by
/// itself. `is_cleared` says of one that it does not count.
pub(super) fn merged<'f>(
    scan: &'f Scan,
    mut is_cleared: impl FnMut(&FindingFact) -> bool,
    matters: impl Fn(&FindingFact) -> bool,
) -> Vec<Merged<'f>> {
    let findings = scan.reports.iter().flat_map(|report| report.findings.iter());
    // What a scanner itself says to be harmless here is as if it had not told it.
    let counting: Vec<&FindingFact> = findings
        .filter(|finding| finding.status != Status::NotAffected)
        .filter(|finding| !is_cleared(finding))
        .collect();
    if !counting.iter().any(|finding| matters(finding)) {
        return Vec::new();
    }
    let mut alike = Alike::of(counting.len());
    for finding in &counting {
        alike.add(names(finding).map(|name| (finding.package.as_str(), name)));
    }
    let mut merged: Vec<Option<Merged<'f>>> = Vec::new();
    for (first, finding) in alike.firsts().zip(counting) {
        let own = match merged.get_mut(first) {
            Some(Some(merged)) => {
                merged.add(finding);
                None
            }
            _ => Some(Merged::new(finding)),
        };
        merged.push(own);
    }
    merged.into_iter().flatten().collect()
}

fn names(finding: &FindingFact) -> impl Iterator<Item = &VulnerabilityId> {
    std::iter::once(&finding.id).chain(&finding.aliases)
}

/// How many vulnerabilities these are, in however many packages each.
pub(super) fn count(found: &[Merged<'_>]) -> usize {
    let mut alike = Alike::of(found.len());
    for merged in found {
        alike.add(merged.names());
    }
    alike.firsts().enumerate().filter(|(own, first)| own == first).count()
}

impl VexFact {
    /// Whether it is about the finding.
    pub(super) fn names(&self, finding: &FindingFact) -> bool {
        names(finding).any(|name| self.ids.contains(name))
            && match &self.scope {
                VexScope::Image => true,
                VexScope::Packages(products) => {
                    products.iter().any(|product| is_product(product, finding))
                }
            }
    }
}
