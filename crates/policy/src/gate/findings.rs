//! Findings of all reports, as the vulnerabilities they are.

use std::collections::HashMap;

use jiff::Timestamp;
use reports::{Severity, Status, VulnerabilityId};

use super::facts::{FindingFact, Scan, VexFact, VexScope};
use super::package::is_product;

/// A vulnerability in a package, as bad as all reports together say.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    /// With the names of all of them, and the worst of each.
    pub(super) finding: FindingFact,
    /// Whether a report does not know how bad it is.
    pub(super) is_unknown: bool,
    /// The highest score; where a report tells none, the highest that its severity stands for.
    pub(super) score: f64,
}

impl Merged {
    fn new(finding: &FindingFact) -> Self {
        Self {
            is_unknown: finding.severity == Severity::Unknown,
            score: score(finding),
            finding: finding.clone(),
        }
    }

    /// Takes in what another report says of it. Each part gets worse or stays: so that one report more
    /// lets nothing pass that was held.
    fn add(&mut self, other: Self) {
        let (own, more) = (&mut self.finding, other.finding);
        own.severity = own.severity.max(more.severity);
        own.cvss = match (own.cvss, more.cvss) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
        if own.fixed_in.is_none() {
            own.fixed_in = more.fixed_in;
        }
        own.first_seen = own.first_seen.min(more.first_seen);
        if !own.id.is_cve() && more.id.is_cve() {
            own.aliases.push(std::mem::replace(&mut own.id, more.id));
        } else if own.id != more.id && !own.aliases.contains(&more.id) {
            own.aliases.push(more.id);
        }
        for alias in more.aliases {
            if alias != own.id && !own.aliases.contains(&alias) {
                own.aliases.push(alias);
            }
        }
        self.is_unknown |= other.is_unknown;
        self.score = self.score.max(other.score);
    }

    pub(super) fn first_seen(&self) -> Timestamp {
        self.finding.first_seen
    }
}

/// Its score, or the highest that its severity may stand for (CVSS v3.1 §5): what nobody scored is
/// not harmless. One of which nothing is known at all is for the setting about these.
fn score(finding: &FindingFact) -> f64 {
    let told = finding.cvss.filter(|score| !score.is_nan());
    told.unwrap_or(match finding.severity {
        Severity::Unknown | Severity::Negligible => 0.0,
        Severity::Low => 3.9,
        Severity::Medium => 6.9,
        Severity::High => 8.9,
        Severity::Critical => 10.0,
    })
}

/// All findings that count, each once under all its names; `is_cleared` says of one that it does not.
pub(super) fn merged(scan: &Scan, mut is_cleared: impl FnMut(&FindingFact) -> bool) -> Vec<Merged> {
    let findings = scan.reports.iter().flat_map(|report| report.findings.iter());
    // What a scanner itself says to be harmless here is as if it had not told it.
    let counting = findings
        .filter(|finding| finding.status != Status::NotAffected)
        .filter(|finding| !is_cleared(finding));
    let mut groups = Groups::default();
    for finding in counting {
        groups.add(finding);
    }
    groups.groups.into_iter().flatten().collect()
}

/// Findings by the names that they share.
#[derive(Default)]
struct Groups {
    groups: Vec<Option<Merged>>,
    by_name: HashMap<(String, String), usize>,
}

impl Groups {
    fn add(&mut self, finding: &FindingFact) {
        let names: Vec<_> =
            names(finding).map(|name| (finding.package.clone(), key(name))).collect();
        let mut own = Merged::new(finding);
        let place = self.groups.len();
        // It may be what shows that several are one.
        for name in &names {
            if let Some(&known) = self.by_name.get(name)
                && let Some(mut merged) = self.groups.get_mut(known).and_then(Option::take)
            {
                merged.add(own);
                own = merged;
            }
        }
        let all = names_of(&own.finding).map(|name| (own.finding.package.clone(), name));
        self.by_name.extend(all.map(|name| (name, place)));
        self.groups.push(Some(own));
    }
}

fn names(finding: &FindingFact) -> impl Iterator<Item = &VulnerabilityId> {
    std::iter::once(&finding.id).chain(&finding.aliases)
}

fn names_of(finding: &FindingFact) -> impl Iterator<Item = String> {
    names(finding).map(key)
}

/// Names are compared without regard to case.
fn key(name: &VulnerabilityId) -> String {
    name.as_str().to_ascii_lowercase()
}

/// How many vulnerabilities these are, in however many packages each.
pub(super) fn count(found: &[Merged]) -> usize {
    let mut groups = Groups::default();
    for merged in found {
        let mut finding = merged.finding.clone();
        finding.package = String::new();
        groups.add(&finding);
    }
    groups.groups.into_iter().flatten().count()
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
