//! The release gate: what is known of an image beside its bytes, and what follows from it.
//!
//! Policy grants; a gate of the policy may still hold back what was not flagged, scanned or signed as
//! it demands. What people and scanners said of a digest is kept in the state, as the records here;
//! [`Release`] gathers that with what the bytes say, and has the gates judge it.

mod bases;
mod brief;
mod contents;
mod describing;
mod description;
mod exception;
mod expiry;
mod facts;
mod flag;
mod grace;
mod kept;
mod passes;
mod records;
mod report;
#[cfg(test)]
mod sample;
mod scan;
mod scanning;
mod signers;
mod statement;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oci::{Digest, Kind, Manifest, RepositoryName};
use policy::Policy;
use policy::gate::{Facts, Form, Gate, Judgement, Needs, Verdict, judge};

use crate::metrics::Metrics;
use crate::state::State;
use crate::store::StoreError;
use crate::upstream;
pub use brief::{Brief, BriefReport};
pub(crate) use contents::Asking;
pub(crate) use contents::Content;
use contents::Contents;
pub use describing::{Describing, DescribingPace};
pub use description::Description;
pub use exception::{Exception, ExceptionId, InvalidExceptionId};
pub use expiry::Expiries;
pub use facts::Unknown;
use facts::{Purpose, Sources};
pub(crate) use facts::{brief_counts, counts, may_report};
pub use flag::Flag;
use grace::Grace;
pub use kept::{Kept, PassedGate};
use passes::Passes;
use records::Records;
pub(crate) use records::{Known, Tally, tally};
pub use report::{KeptFinding, KeptReport};
pub use scan::{Cause, Progress, Scan};
pub use scanning::{Health, KnownHealth, Pace, SCANNER, Scanning, scanner};
pub use signers::Signers;
pub use statement::KeptStatements;

/// How many of the indexes that hold a manifest are looked at for flags and signatures.
const MAX_HOLDERS: usize = 100;

/// Judges images.
pub struct Release {
    state: Arc<State>,
    sources: Sources,
    metrics: Arc<Metrics>,
    grace: Grace,
    /// How long the scan of an image is good for; none where there is no scanner.
    rescan_after: Option<Duration>,
}

impl Release {
    /// Of nothing yet.
    #[must_use]
    pub fn new(state: Arc<State>, signers: Signers, metrics: Arc<Metrics>) -> Self {
        let (contents, records) = (Contents::new(), Records::new(Arc::clone(&state)));
        let passes = Passes::new(Arc::clone(&state));
        let sources = Sources { contents, records, signers, passes };
        Self { state, sources, metrics, grace: Grace::default(), rescan_after: None }
    }

    /// The same where there is a scanner: what is pushed is scanned, unless it was and that is no
    /// longer ago than this.
    #[must_use]
    pub fn scanning(self, rescan_after: Duration) -> Self {
        Self { rescan_after: Some(rescan_after), ..self }
    }

    /// Asks for a scan of what was pushed. The children of an index come by themselves.
    pub(crate) fn pushed(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        manifest: &Manifest,
        now: Timestamp,
    ) {
        let Some(rescan_after) = self.rescan_after.filter(|_| is_image(manifest)) else { return };
        let (repository, digest) = (repository.clone(), digest.clone());
        // The push is done; without a scan, gates that ask for one hold the image.
        self.state.later("ask for the scan of what was pushed", move |store| async move {
            let is_done = |scan: &Scan| {
                let Progress::Done(at) = scan.progress else { return false };
                scan.repository == repository
                    && now.duration_since(at).unsigned_abs() < rescan_after
            };
            if !store.kept_of(&digest).await?.scans.iter().any(is_done) {
                store.request_scan(&repository, &digest, Cause::Push, now).await?;
            }
            Ok(())
        });
    }

    /// What the bytes of a manifest say, so that the upstream need not be asked for them.
    pub(crate) fn learn(&self, digest: &Digest, manifest: Option<&Manifest>) {
        self.sources.contents.learn(digest, manifest);
    }

    /// What these gates say to a manifest; none where it is gone. `holders` are the manifests of the
    /// same repository that name it.
    ///
    /// # Errors
    /// It could not be told.
    pub(crate) async fn judge(
        &self,
        asking: Asking<'_>,
        policy: &Policy,
        gates: &[&Arc<Gate>],
        digest: &Digest,
        holders: &[Digest],
        now: Timestamp,
    ) -> Result<Option<Judgement>, Unknown> {
        let Some(gathered) = self.gather(asking, policy, gates, digest, holders, now).await? else {
            return Ok(None);
        };
        let Gathered { facts, around } = gathered;
        let by_itself = |facts: &Arc<Facts>, above: &[Arc<Facts>]| {
            judge(gates, policy, asking.repository, facts, above, now)
        };
        let judgement = by_itself(&facts, &around);
        self.metrics.gate_verdict(&judgement);
        if let Verdict::Passed(passed) = &judgement.verdict {
            self.grace.note(passed);
            self.sources.passes.note(news(&facts, &around, &judgement, &by_itself), now);
        }
        Ok(Some(judgement))
    }

    /// What these gates look at, to be judged without anybody pulling it: nothing is counted, and it
    /// has not passed by that. None where it is gone.
    ///
    /// # Errors
    /// It could not be told.
    pub(crate) async fn gather(
        &self,
        asking: Asking<'_>,
        policy: &Policy,
        gates: &[&Arc<Gate>],
        digest: &Digest,
        holders: &[Digest],
        now: Timestamp,
    ) -> Result<Option<Gathered>, Unknown> {
        let needs = gates.iter().map(|gate| gate.needs()).fold(Needs::default(), |a, b| a | b);
        let purpose = Purpose { policy, gates, needs, now };
        let Some(facts) = self.sources.facts(asking, purpose, digest).await? else {
            return Ok(None);
        };
        let mut around = Vec::new();
        for holder in holders.iter().take(MAX_HOLDERS) {
            around.push(Arc::new(self.sources.around(asking, purpose, holder).await?));
        }
        Ok(Some(Gathered { facts, around }))
    }

    /// What stands under a digest; none where it is gone.
    ///
    /// # Errors
    /// The upstream could not be asked.
    pub(crate) async fn content(
        &self,
        asking: Asking<'_>,
        digest: &Digest,
    ) -> Result<Option<Arc<Content>>, upstream::Error> {
        self.sources.contents.manifest(asking, digest).await
    }

    /// The names of the trusted keys that signed a digest.
    ///
    /// # Errors
    /// The upstream could not be asked.
    pub(crate) async fn signers(
        &self,
        asking: Asking<'_>,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Vec<Box<str>>, upstream::Error> {
        self.sources.signers.of(asking, digest, now).await
    }

    /// When an image was made, as its configuration says; none where it does not say so, is no image,
    /// or is gone.
    ///
    /// # Errors
    /// The upstream could not be asked.
    pub(crate) async fn created(
        &self,
        asking: Asking<'_>,
        digest: &Digest,
    ) -> Result<Option<Timestamp>, upstream::Error> {
        match self.content(asking, digest).await?.as_deref() {
            Some(Content::Image { config, .. }) => {
                Ok(self.sources.contents.config(asking, config).await?.created)
            }
            _ => Ok(None),
        }
    }

    /// What the state keeps of a digest.
    ///
    /// # Errors
    /// The state does not answer.
    pub(crate) async fn known(&self, digest: &Digest) -> Result<Arc<Known>, StoreError> {
        self.sources.records.of(digest).await
    }

    /// Takes over how many images are in grace. To be called before metrics are shown.
    pub fn observe(&self, now: Timestamp) {
        let counts = self.grace.count(now);
        self.metrics.gate_grace(counts.iter().map(|(gate, &count)| (&**gate, count)));
    }
}

/// Which manifests have passed which gates for the first time: this one, and of an index each child
/// that passes by itself. What passes as the glass is broken has not passed.
fn news(
    facts: &Arc<Facts>,
    above: &[Arc<Facts>],
    judgement: &Judgement,
    judge: &impl Fn(&Arc<Facts>, &[Arc<Facts>]) -> Judgement,
) -> Vec<(Box<str>, Digest)> {
    let Verdict::Passed(passed) = &judgement.verdict else { return Vec::new() };
    let gates = passed.evidence().iter().filter(|it| !it.is_artifact && it.broken_until.is_none());
    let is_known = |gate: &str| facts.passed.iter().any(|(known, _)| **known == *gate);
    let names = gates.map(|evidence| evidence.gate.name()).filter(|gate| !is_known(gate));
    let mut news: Vec<_> = names.map(|gate| (gate.into(), facts.digest.clone())).collect();
    // Whoever pulls the index may never pull all that it holds.
    if let (false, Form::Index { children }) = (news.is_empty(), &facts.form) {
        let above: Vec<_> = above.iter().chain([facts]).cloned().collect();
        for child in children {
            let by_itself = judge(&child.facts, &above);
            news.extend(self::news(&child.facts, &above, &by_itself, judge));
        }
    }
    news
}

/// What is known of an image, to be judged at any time.
pub(crate) struct Gathered {
    facts: Arc<Facts>,
    around: Vec<Arc<Facts>>,
}

impl Gathered {
    /// The same, as if nobody had broken the glass of a gate for it.
    pub(crate) fn with_whole_glass(&self) -> Self {
        let whole =
            |facts: &Arc<Facts>| Arc::new(Facts { broken: Vec::new(), ..Facts::clone(facts) });
        Self { facts: whole(&self.facts), around: self.around.iter().map(whole).collect() }
    }

    /// What gates say to it at that time, by what is known now.
    pub(crate) fn judge(
        &self,
        policy: &Policy,
        repository: &RepositoryName,
        gates: &[&Arc<Gate>],
        at: Timestamp,
    ) -> Judgement {
        judge(gates, policy, repository, &self.facts, &self.around, at)
    }
}

/// Whether it is something that engines run, and that scanners understand.
fn is_image(manifest: &Manifest) -> bool {
    manifest.kind() == Kind::Image
        && manifest.has_image_config()
        && !manifest.is_artifact_by_content()
}
