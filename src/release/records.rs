//! What the state keeps of images, in memory and never older than the state's own word.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use oci::Digest;
use policy::gate::{FindingFact, ReportFacts, VexFact, VexScope, VexStatus};
use reports::{Severity, Status, vex};
use tokio::sync::{Mutex, watch};

use super::{Kept, KeptFinding, KeptReport, KeptStatements};
use crate::recent::Recent;
use crate::state::State;
use crate::store::{Sequence, StoreError};

/// How many digests are remembered, and as many again that were used less.
const REMEMBERED: usize = 20_000;

/// How many changed digests are told at once.
const AT_ONCE: u32 = 1000;

/// What is kept of one digest, with its reports in the form that gates judge.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) kept: Kept,
    /// One for each of `kept.reports`.
    pub(crate) reports: Vec<Arc<ReportFacts>>,
    /// For each of them, how many findings it has of each severity, each once.
    pub(crate) tallies: Vec<Tally>,
    /// One list for each of `kept.statements`.
    pub(crate) statements: Vec<Vec<Arc<VexFact>>>,
}

/// What is kept, remembered by digest.
pub(crate) struct Records {
    state: Arc<State>,
    known: Recent<Digest, Arc<Known>>,
    /// The number of the last change that the state has, as it grows.
    latest: watch::Receiver<Sequence>,
    /// Up to which change `known` was rid of what changed.
    applied: AtomicI64,
    catching_up: Mutex<()>,
}

impl Records {
    pub(crate) fn new(state: Arc<State>) -> Self {
        let latest = state.last_release();
        // Nothing is remembered yet, so nothing of it is out of date.
        let applied = AtomicI64::new(latest.borrow().0);
        let catching_up = Mutex::default();
        Self { state, known: Recent::new(REMEMBERED), latest, applied, catching_up }
    }

    /// What is kept of a digest now.
    ///
    /// # Errors
    /// The state does not answer, and what is remembered may be out of date or is not there.
    pub(crate) async fn of(&self, digest: &Digest) -> Result<Arc<Known>, StoreError> {
        self.catch_up().await?;
        if let Some(known) = self.known.get(digest) {
            return Ok(known);
        }
        let asked = digest.clone();
        let kept = self.state.ask(move |store| async move { store.kept_of(&asked).await }).await?;
        let sequence = kept.sequence.0;
        let known = Arc::new(Known::from(kept));
        self.known.insert(digest.clone(), Arc::clone(&known));
        // What was read before a change that was made known meanwhile must not stay.
        if sequence < self.applied.load(Ordering::SeqCst) {
            self.known.remove(digest);
        }
        Ok(known)
    }

    /// Writes down that a digest was seen, which the state does not know yet.
    ///
    /// # Errors
    /// The state does not answer; it is not written down.
    pub(crate) async fn note_seen(&self, digest: &Digest, at: Timestamp) -> Result<(), StoreError> {
        let seen = digest.clone();
        self.state.ask(move |store| async move { store.note_seen(&seen, at).await }).await?;
        self.known.remove(digest);
        Ok(())
    }

    /// Forgets what has changed since it was read.
    async fn catch_up(&self) -> Result<(), StoreError> {
        let is_behind = || self.applied.load(Ordering::SeqCst) != self.latest.borrow().0;
        if !is_behind() {
            return Ok(());
        }
        let _catching_up = self.catching_up.lock().await;
        while is_behind() {
            let since = Sequence(self.applied.load(Ordering::SeqCst));
            let changed = self
                .state
                .ask(move |store| async move { store.released_since(since, AT_ONCE).await })
                .await?;
            self.applied.store(changed.sequence.0, Ordering::SeqCst);
            if changed.is_all {
                self.known.clear();
            }
            for digest in &changed.digests {
                self.known.remove(digest);
            }
            // The state may have gone on since it said which change was its last.
            if !changed.goes_on && changed.sequence.0 >= self.latest.borrow().0 {
                break;
            }
            if changed.sequence == since && !changed.is_all {
                break;
            }
        }
        Ok(())
    }
}

impl From<Kept> for Known {
    fn from(kept: Kept) -> Self {
        let tallies = kept.reports.iter().map(|report| tally([report])).collect();
        let reports = kept.reports.iter().map(|report| Arc::new(facts(report))).collect();
        let statements = kept.statements.iter().map(cleared).collect();
        Self { kept, reports, tallies, statements }
    }
}

/// How many findings there are of each severity.
pub(crate) type Tally = BTreeMap<Severity, usize>;

/// How many findings reports tell of. What several of them tell of is one, and as bad as the worst of
/// them says.
pub(crate) fn tally<'a>(reports: impl IntoIterator<Item = &'a KeptReport>) -> Tally {
    let mut worst: HashMap<_, Severity> = HashMap::new();
    for KeptFinding { finding, .. } in reports.into_iter().flat_map(|report| &report.findings) {
        let package = (finding.package.name.as_str(), finding.package.version.as_str());
        let severity = worst.entry((finding.id.as_str(), package)).or_insert(finding.severity);
        *severity = finding.severity.max(*severity);
    }
    let mut tally = Tally::new();
    for severity in worst.into_values() {
        *tally.entry(severity).or_default() += 1;
    }
    tally
}

fn facts(report: &KeptReport) -> ReportFacts {
    let findings = report.findings.iter().map(|kept| {
        let finding = &kept.finding;
        FindingFact {
            id: finding.id.clone(),
            aliases: finding.aliases.clone(),
            package: finding.package.name.clone(),
            version: finding.package.version.clone(),
            purl: finding.package.purl.clone(),
            severity: finding.severity,
            cvss: finding.max_cvss(),
            fixed_in: finding.fixed_in.first().cloned(),
            status: finding.status,
            first_seen: kept.first_seen,
        }
    });
    ReportFacts {
        scanner: report.scanner.name.clone(),
        made_at: report.made_at,
        recognized: report.recognized,
        findings: findings.collect(),
    }
}

/// What of a document clears findings of the image that it was sent for.
fn cleared(kept: &KeptStatements) -> Vec<Arc<VexFact>> {
    let statements = kept.document.statements.iter();
    let cleared = statements.filter_map(|said| {
        let status = match said.status {
            Status::NotAffected => VexStatus::NotAffected,
            Status::Fixed => VexStatus::Fixed,
            _ => return None,
        };
        let scope = scope(&said.products, &kept.digest)?;
        let by = format!("{} ({})", kept.document.author, kept.by);
        Some(Arc::new(VexFact { ids: said.names.clone(), scope, status, by }))
    });
    cleared.collect()
}

/// What of the image a statement is about; none where it is about something else. A product is this
/// image, with the parts that are named, or a package in it.
fn scope(products: &[vex::Product], digest: &Digest) -> Option<VexScope> {
    let mut packages = Vec::new();
    for product in products {
        let mut images = product.names.iter().filter(|name| name.starts_with(IMAGE)).peekable();
        let is_image = images.peek().is_some();
        if images.any(|image| is_another(image, digest)) {
            continue;
        }
        if !product.parts.is_empty() {
            packages.extend(product.parts.iter().cloned());
        } else if is_image {
            return Some(VexScope::Image);
        } else {
            packages.extend(product.names.iter().cloned());
        }
    }
    (!packages.is_empty()).then_some(VexScope::Packages(packages))
}

/// How the package URL of an image begins (purl specification, type `oci`).
const IMAGE: &str = "pkg:oci/";

/// Whether the package URL names another digest as its version.
fn is_another(image: &str, digest: &Digest) -> bool {
    let Some((_, version)) = image.split_once('@') else { return false };
    let version = version.split(['?', '#']).next().unwrap_or_default();
    let version = version.replace("%3A", ":").replace("%3a", ":");
    version.contains(':') && version != digest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(names: &[&str], parts: &[&str]) -> vex::Product {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        vex::Product { names: owned(names), parts: owned(parts) }
    }

    #[test]
    fn a_statement_is_about_the_image_its_parts_or_packages_in_it() {
        let digest = Digest::new(&format!("sha256:{}", "1".repeat(64))).unwrap();
        let this = format!("pkg:oci/app@sha256%3A{}?repository_url=x", "1".repeat(64));
        let other = format!("pkg:oci/app@sha256%3A{}", "2".repeat(64));
        let packages =
            |of: &[&str]| Some(VexScope::Packages(of.iter().map(|&it| it.into()).collect()));
        for (products, expected) in [
            (vec![product(&[&this], &[])], Some(VexScope::Image)),
            (vec![product(&["pkg:oci/app"], &[])], Some(VexScope::Image)),
            (
                vec![product(&[&this], &["pkg:deb/debian/zlib1g"])],
                packages(&["pkg:deb/debian/zlib1g"]),
            ),
            (
                vec![product(&["pkg:npm/left-pad@1.3.0"], &[])],
                packages(&["pkg:npm/left-pad@1.3.0"]),
            ),
            (vec![product(&[&other], &[])], None),
            (vec![product(&[&other], &["pkg:deb/debian/zlib1g"])], None),
            (vec![product(&[&other], &[]), product(&["zlib"], &[])], packages(&["zlib"])),
            (vec![], None),
        ] {
            assert_eq!(scope(&products, &digest), expected, "{products:?}");
        }
    }
}
