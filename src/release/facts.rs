//! What is known of one image, gathered for its gates.

use std::sync::Arc;

use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};
use policy::gate::{
    Child, Facts, FlagFact, Form, Gate, Needs, ReportFacts, Scan, ScanState, Shape,
};
use policy::{Action, Caller, Image, Policy};

use super::bases::base_of;
use super::contents::{Asking, Content, Contents};
use super::passes::Passes;
use super::records::{Known, Records};
use super::signers::Signers;
use super::{BriefReport, KeptReport, Progress};
use crate::inventory::Undecided;
use crate::store::StoreError;
use crate::upstream;

/// How deep indexes may hold indexes. A deeper one is held.
const MAX_DEPTH: usize = 4;

/// Why it could not be told what is known of an image.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// The upstream did not answer as it should, or may not be asked any more.
    #[error("the registry could not be asked about the image")]
    Upstream(#[from] upstream::Error),
    /// The state does not answer.
    #[error("the state could not be asked about the image")]
    State(#[from] StoreError),
    /// It was not found out what it is built on.
    #[error("it could not be told what the image is built on")]
    Base(#[from] Undecided),
}

/// Where facts come from.
pub(crate) struct Sources {
    pub(crate) contents: Contents,
    pub(crate) records: Records,
    pub(crate) signers: Signers,
    pub(super) passes: Passes,
}

/// For which decision they are gathered.
#[derive(Clone, Copy)]
pub(crate) struct Purpose<'a> {
    /// Says whose reports count.
    pub(crate) policy: &'a Policy,
    /// For these.
    pub(crate) gates: &'a [&'a Arc<Gate>],
    /// What they look at.
    pub(crate) needs: Needs,
    /// When.
    pub(crate) now: Timestamp,
}

impl Sources {
    /// What is known of a manifest; none where it is gone.
    ///
    /// # Errors
    /// It could not be told.
    pub(crate) async fn facts(
        &self,
        asking: Asking<'_>,
        purpose: Purpose<'_>,
        digest: &Digest,
    ) -> Result<Option<Arc<Facts>>, Unknown> {
        match self.at_depth(asking, purpose, digest, 0).await? {
            Some(facts) if purpose.needs.first_seen => Ok(Some(self.dated(purpose, facts).await?)),
            facts => Ok(facts),
        }
    }

    /// What was pushed a moment ago is not written down yet, and what came by another way is not even
    /// known: it is seen now for the first time.
    async fn dated(
        &self,
        purpose: Purpose<'_>,
        facts: Arc<Facts>,
    ) -> Result<Arc<Facts>, StoreError> {
        if facts.first_seen.is_some() {
            return Ok(facts);
        }
        self.records.note_seen(&facts.digest, purpose.now).await?;
        Ok(Arc::new(Facts { first_seen: Some(purpose.now), ..Arc::unwrap_or_clone(facts) }))
    }

    /// What counts of a manifest that holds another one.
    ///
    /// # Errors
    /// It could not be told.
    pub(crate) async fn around(
        &self,
        asking: Asking<'_>,
        purpose: Purpose<'_>,
        holder: &Digest,
    ) -> Result<Facts, Unknown> {
        let known = self.records.of(holder).await?;
        let signers = self.signers(asking, purpose, holder).await?;
        Ok(Facts { signers, ..self.said(asking, purpose, holder, &known) })
    }

    async fn signers(
        &self,
        asking: Asking<'_>,
        purpose: Purpose<'_>,
        digest: &Digest,
    ) -> Result<Vec<Box<str>>, Unknown> {
        match purpose.needs.signatures {
            true => Ok(self.signers.of(asking, digest, purpose.now).await?),
            false => Ok(Vec::new()),
        }
    }

    /// Of what each gate lets images be built on, one that the image of these layers is built on.
    async fn bases(
        &self,
        asking: Asking<'_>,
        purpose: Purpose<'_>,
        image: (&Digest, &[Digest]),
    ) -> Result<Vec<(RepositoryName, Tag)>, Unknown> {
        let mut found = Vec::new();
        for gate in purpose.gates {
            let bases = gate.base_images();
            found.extend(base_of(&self.contents, asking, bases, image, purpose.now).await?);
        }
        Ok(found)
    }

    /// What was said of a digest; what it is, and who signed it, is left out.
    fn said(
        &self,
        asking: Asking<'_>,
        purpose: Purpose<'_>,
        digest: &Digest,
        known: &Known,
    ) -> Facts {
        Facts {
            first_seen: known.kept.first_seen,
            flags: flags(known),
            passed: self.passed(purpose, digest, known),
            broken: broken(known, asking.repository),
            ..gone(digest)
        }
    }

    fn passed(
        &self,
        purpose: Purpose<'_>,
        digest: &Digest,
        known: &Known,
    ) -> Vec<(Box<str>, Timestamp)> {
        let written = known.kept.passed.iter().map(|it| (it.gate.as_str().into(), it.at));
        let mut passed: Vec<(Box<str>, Timestamp)> = written.collect();
        let gates = purpose.gates.iter().map(|gate| gate.name());
        let unwritten: Vec<_> =
            gates.filter(|gate| !passed.iter().any(|(known, _)| **known == **gate)).collect();
        passed.extend(self.passes.of(digest, unwritten, purpose.now));
        passed
    }

    async fn at_depth(
        &self,
        asking: Asking<'_>,
        purpose: Purpose<'_>,
        digest: &Digest,
        depth: usize,
    ) -> Result<Option<Arc<Facts>>, Unknown> {
        let Some(content) = self.contents.manifest(asking, digest).await? else { return Ok(None) };
        let known = self.records.of(digest).await?;
        let form = match &*content {
            Content::Image { config, size, media_types, layers } => {
                let config = match purpose.needs.labels {
                    true => Some(self.contents.config(asking, config).await?),
                    false => None,
                };
                Form::Image {
                    platform: config.as_ref().and_then(|config| config.platform.clone()),
                    labels: config.and_then(|config| config.labels.clone()),
                    shape: Shape {
                        size: Some(*size),
                        media_types: Some(media_types.clone()),
                        bases: self.bases(asking, purpose, (digest, layers)).await?,
                    },
                    scan: scan(&known, asking.repository, purpose),
                }
            }
            Content::Index(_) if depth == MAX_DEPTH => {
                Form::Unreadable("indexes are nested too deep".to_owned())
            }
            Content::Index(named) => {
                let mut children = Vec::with_capacity(named.len());
                for (platform, child) in named {
                    let found = Box::pin(self.at_depth(asking, purpose, child, depth + 1)).await?;
                    let facts = found.unwrap_or_else(|| Arc::new(gone(child)));
                    children.push(Child { platform: platform.clone(), facts });
                }
                Form::Index { children }
            }
            Content::Artifact => Form::Artifact,
            Content::NotRunnable => Form::NotRunnable,
            Content::Unreadable(why) => Form::Unreadable(why.clone()),
        };
        let signers = self.signers(asking, purpose, digest).await?;
        Ok(Some(Arc::new(Facts { form, signers, ..self.said(asking, purpose, digest, &known) })))
    }
}

/// An index may name what was deleted, or never pushed. Nobody can run that; and if it comes one day,
/// it is judged from then on.
fn gone(digest: &Digest) -> Facts {
    Facts {
        digest: digest.clone(),
        form: Form::NotRunnable,
        first_seen: None,
        flags: Vec::new(),
        signers: Vec::new(),
        passed: Vec::new(),
        broken: Vec::new(),
    }
}

fn flags(known: &Known) -> Vec<FlagFact> {
    let flags = known.kept.flags.iter();
    let fact = |flag: &super::Flag| {
        Some(FlagFact {
            name: flag.name.parse().ok()?,
            repository: flag.repository.clone(),
            set_at: flag.at,
            expires_at: flag.expires_at,
        })
    };
    flags.filter_map(fact).collect()
}

/// Glass is broken in one repository: elsewhere the same digest stays held.
fn broken(known: &Known, repository: &RepositoryName) -> Vec<(Box<str>, Timestamp)> {
    let exceptions = known.kept.exceptions.iter();
    let here = exceptions.filter(|it| it.repository == *repository && it.removed.is_none());
    here.map(|exception| (exception.gate.as_str().into(), exception.expires_at)).collect()
}

fn scan(known: &Known, repository: &RepositoryName, purpose: Purpose<'_>) -> Scan {
    if !purpose.needs.vulnerabilities {
        return Scan::default();
    }
    let counting = known.kept.reports.iter().zip(&known.reports);
    let counting = counting.filter(|(report, _)| counts(report, repository, purpose.policy));
    let mut newest: Vec<(&KeptReport, &Arc<ReportFacts>)> = Vec::new();
    for (report, facts) in counting {
        // One that was sent for several repositories is the same word several times.
        let same = |(other, _): &(&KeptReport, _)| {
            other.uploader == report.uploader && other.scanner.name == report.scanner.name
        };
        match newest.iter_mut().find(|known| same(known)) {
            Some(known) if known.0.made_at < report.made_at => *known = (report, facts),
            Some(_) => {}
            None => newest.push((report, facts)),
        }
    }
    let statements = known.kept.statements.iter().zip(&known.statements);
    let here = statements.filter(|(kept, _)| kept.repository == *repository);
    Scan {
        state: state(known, repository),
        reports: newest.into_iter().map(|(_, facts)| Arc::clone(facts)).collect(),
        vex: here.flat_map(|(_, facts)| facts.iter().cloned()).collect(),
    }
}

/// A report counts where it was sent, as its uploader might do that then; and wherever else the
/// uploader might send it, with the groups of then and the policy of now.
pub(crate) fn counts(report: &KeptReport, repository: &RepositoryName, policy: &Policy) -> bool {
    let KeptReport { uploader, uploader_groups, .. } = report;
    let uploader = || Caller::new(uploader.clone(), uploader_groups.clone());
    report.repository == *repository || may_report(&uploader(), repository, policy)
}

/// The same by what lists tell of it.
pub(crate) fn brief_counts(
    report: &BriefReport,
    repository: &RepositoryName,
    policy: &Policy,
) -> bool {
    let BriefReport { uploader, uploader_groups, .. } = report;
    let uploader = || Caller::new(uploader.clone(), uploader_groups.clone());
    report.repository == *repository || may_report(&uploader(), repository, policy)
}

/// Whether somebody, with the groups of then, might send a report there by the policy of now.
pub(crate) fn may_report(uploader: &Caller, repository: &RepositoryName, policy: &Policy) -> bool {
    policy.decide(uploader, Action::Report, Image { repository, tag: None }).is_allowed()
}

/// The scan in this repository says most; one elsewhere was of the same bytes.
fn state(known: &Known, repository: &RepositoryName) -> ScanState {
    let scans = &known.kept.scans;
    let here = scans.iter().find(|scan| scan.repository == *repository);
    let Some(scan) = here.or(scans.first()) else { return ScanState::Never };
    match &scan.progress {
        Progress::Done(_) => ScanState::Done,
        Progress::Waiting { failing: None, .. } | Progress::Running { failing: None, .. } => {
            ScanState::Pending
        }
        Progress::Waiting { failing: Some((since, reason)), .. }
        | Progress::Running { failing: Some((since, reason)), .. }
        | Progress::Failed { since, reason } => {
            ScanState::Failed { since: *since, reason: reason.clone() }
        }
    }
}
