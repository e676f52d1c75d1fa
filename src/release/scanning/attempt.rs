//! One try to have an image scanned.

use std::time::Duration;

use jiff::Timestamp;
use oci::{Kind, Manifest, RepositoryName, Tag};
use policy::{Action, Caller};
use reports::Report;

use super::failure::Failure;
use super::{SCANNER, Scanning, record, scanner};
use crate::audit::Record;
use crate::identity::Access;
use crate::inventory::fetch;
use crate::release::{KeptFinding, KeptReport, Scan, is_image};
use crate::scanner::{LONGEST, Metadata, Pull, ScanRequest, scan};
use crate::secret::Secret;
use crate::token::{Grant, Kind as TokenKind, MintError, Order, mint};

/// How much longer a token lives than a scan may take, as clocks differ.
const MARGIN: Duration = Duration::from_secs(10 * 60);

/// What scanners may do in the one repository.
const ACTIONS: [Action; 2] = [Action::Pull, Action::Inspect];

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A report is kept.
    Reported {
        /// Whose.
        scanner: String,
        /// How many there are.
        findings: usize,
    },
    /// It is no image. If it is an index, its children are in the queue instead.
    Nothing,
}

impl Scanning {
    pub(super) async fn attempt(&self, asked: &Scan) -> Result<Outcome, Failure> {
        let (repository, digest) = (&asked.repository, &asked.digest);
        let manifest = fetch(&self.upstream, repository, digest).await?.ok_or(Failure::Gone)?;
        if manifest.kind() == Kind::Index {
            self.ask_for_children(asked, &manifest).await?;
            return Ok(Outcome::Nothing);
        }
        if !is_image(&manifest) {
            return Ok(Outcome::Nothing);
        }
        self.may_pull(repository).await?;
        let metadata = self.adapter.metadata().await?;
        let media_type = manifest.media_type.as_str();
        if !metadata.consumes.iter().any(|known| known == media_type) {
            return Err(Failure::Unscannable(media_type));
        }
        let pull = Pull {
            registry: self.authenticator.issuer().as_str().to_owned(),
            repository: repository.clone(),
            digest: digest.clone(),
            tag: self.inventory.tag_of(repository, digest, self.clock.now()),
            media_type: media_type.to_owned(),
            user: SCANNER.to_owned(),
            token: self.token(repository, self.clock.now())?,
        };
        self.tell_start(asked, pull.tag.as_ref(), &metadata.name);
        let request = ScanRequest::new(&metadata, pull)?;
        let report = scan(&self.adapter, &request, LONGEST).await?;
        hold_against(&report, &manifest)?;
        self.keep(asked, report, &metadata).await
    }

    fn tell_start(&self, asked: &Scan, tag: Option<&Tag>, scanner: &str) {
        let Scan { cause, attempts, .. } = asked;
        self.audit.queue(Record {
            reference: tag.map(ToString::to_string),
            reason: Some(format!("{scanner}, because of {}, try {attempts}", cause.as_str())),
            ..record(asked, "scan.started")
        });
    }

    /// Each child has a scan of its own, unless that was asked for since.
    async fn ask_for_children(&self, asked: &Scan, index: &Manifest) -> Result<(), Failure> {
        let children: Vec<_> = index.children.iter().map(|child| child.digest.clone()).collect();
        let (repository, cause, since) =
            (asked.repository.clone(), asked.cause, asked.requested_at);
        let now = self.clock.now();
        let done = self.state.ask(move |store| async move {
            for child in &children {
                let scans = store.kept_of(child).await?.scans;
                let is_new =
                    |scan: &Scan| scan.repository == repository && scan.requested_at >= since;
                // Indexes that hold one another in many ways are not gone through more than once.
                if !scans.iter().any(is_new) {
                    store.request_scan(&repository, child, cause, now).await?;
                }
            }
            Ok(())
        });
        Ok(done.await?)
    }

    /// Makes sure of what the scanner needs at this gate, before it finds out by itself.
    async fn may_pull(&self, repository: &RepositoryName) -> Result<(), Failure> {
        if self.state.service(SCANNER).is_none()
            && self.state.add_service(SCANNER, self.clock.now()).await?
        {
            let reason = Some(SCANNER.to_owned());
            self.audit.queue(Record { reason, ..Record::new("service.added") });
        }
        if !self.state.is_enabled(SCANNER) {
            return Err(Failure::Disabled);
        }
        let (policy, caller) = ((self.policy)(), Caller::new(scanner(), Vec::new()));
        let may = |action| policy.grants_ever(&caller, action, repository);
        match ACTIONS.into_iter().all(may) {
            true => Ok(()),
            false => Err(Failure::Denied(repository.clone())),
        }
    }

    /// For pulls from this one repository, and nothing else.
    pub(super) fn token(
        &self,
        repository: &RepositoryName,
        now: Timestamp,
    ) -> Result<Secret, MintError> {
        let access = Access::Repository { name: repository.clone(), actions: ACTIONS.to_vec() };
        let order = Order {
            grant: Grant::unlimited(scanner(), TokenKind::Service, now),
            family: None,
            audience: None,
            access: Some(vec![access]),
            lifetime: LONGEST + MARGIN,
            not_after: None,
        };
        let (keys, issuer) = (self.authenticator.keys(), self.authenticator.issuer());
        mint(order, &keys, issuer, now).map(|(token, _)| token)
    }

    async fn keep(
        &self,
        asked: &Scan,
        report: Report,
        metadata: &Metadata,
    ) -> Result<Outcome, Failure> {
        let now = self.clock.now();
        let Report { format, mut scanner, created, about: _, recognized, findings } = report;
        scanner.database = scanner.database.or(metadata.database);
        let named = match &scanner.version {
            Some(version) => format!("{} {version}", scanner.name),
            None => scanner.name.clone(),
        };
        let outcome = Outcome::Reported { scanner: named, findings: findings.len() };
        let kept = |finding| KeptFinding { finding, first_seen: now };
        let report = KeptReport {
            repository: asked.repository.clone(),
            digest: asked.digest.clone(),
            uploader: super::scanner(),
            uploader_groups: Vec::new(),
            format,
            scanner,
            made_at: created.map_or(now, |created| created.min(now)),
            received_at: now,
            recognized,
            findings: findings.into_iter().map(kept).collect(),
        };
        self.state.ask(move |store| async move { store.keep_report(&report).await }).await?;
        Ok(outcome)
    }
}

/// That the report is of this manifest was seen when it came; it may name the image's configuration
/// as well.
fn hold_against(report: &Report, manifest: &Manifest) -> Result<(), Failure> {
    let (Some(found), Some(config)) = (&report.about.config, &manifest.config) else {
        return Ok(());
    };
    if *found == config.digest {
        return Ok(());
    }
    Err(Failure::OtherImage { asked: config.digest.clone(), found: found.clone() })
}
