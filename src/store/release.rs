//! What people and scanners said of images, as the state keeps it.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use oci::{Digest, RepositoryName};
use policy::Subject;
use reports::PackageUrl;

use super::{Sequence, StoreError};
use crate::inventory::Facts;
use crate::release::{
    Brief, Cause, Description, Exception, ExceptionId, Flag, Kept, KeptReport, KeptStatements, Scan,
};

/// The operations of the release gate on the state. What changes has numbers of its own, apart from
/// those of [`Store::changes`](super::Store::changes), in the order in which it is committed.
#[async_trait]
pub trait Releases: Send + Sync + 'static {
    /// Everything that is kept of a digest.
    async fn kept_of(&self, digest: &Digest) -> Result<Kept, StoreError>;

    /// What is said of these digests, in short. Those of which nothing is known are left out.
    async fn briefs_of(&self, digests: &[Digest]) -> Result<HashMap<Digest, Brief>, StoreError>;

    /// Keeps what images say of themselves. It never changes, as their digests do not.
    async fn describe(&self, descriptions: &[(Digest, Description)]) -> Result<(), StoreError>;

    /// Manifests that the inventory knows and for which [`Releases::describe`] was never called, at
    /// most so many.
    async fn undescribed(&self, limit: u32) -> Result<Vec<Undescribed>, StoreError>;

    /// Of which digests something changed after `since`, each once, at most so many. A number that
    /// is not reached yet is of another state (a backup was restored): `is_all` says that everything
    /// may have changed.
    async fn released_since(&self, since: Sequence, limit: u32) -> Result<Released, StoreError>;

    /// Sets a flag, in the place of one of the same name on that digest in that repository.
    async fn set_flag(&self, flag: &Flag) -> Result<(), StoreError>;

    /// Takes a flag away, and tells what it was; none: it was not set.
    async fn remove_flag(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        name: &str,
    ) -> Result<Option<Flag>, StoreError>;

    /// Keeps a report in the place of the one before of the same digest, repository, uploader and
    /// scanner. False: the one that is kept was made later, and stays. The `first_seen` of each
    /// finding is the earlier of what it says and what was ever kept for a finding of that name and
    /// package in that digest, also where the report that told of it is gone.
    async fn keep_report(&self, report: &KeptReport) -> Result<bool, StoreError>;

    /// Keeps what the makers of an image say, in the place of what the same document said before.
    async fn keep_statements(&self, statements: &KeptStatements) -> Result<(), StoreError>;

    /// Findings by the name of the vulnerability (any of its names) or by the package, worst first,
    /// then in the order of [`Place`]: by report, and as they stand in it.
    async fn find_findings(&self, query: &FindingQuery) -> Result<Vec<Found>, StoreError>;

    /// The reports with such a finding, by the numbers that [`Releases::briefs_of`] tells as well, from
    /// the least, each once: all of them, as that is quickly done.
    async fn reports_with(&self, key: &FindingKey) -> Result<Vec<i64>, StoreError>;

    /// Findings in what members of a group pulled, at most so many: first in what they pulled last.
    async fn find_pulled_findings(
        &self,
        by: &FindingKey,
        group: &str,
        limit: u32,
    ) -> Result<Vec<Found>, StoreError>;

    /// Adds an exception.
    async fn add_exception(&self, exception: &Exception) -> Result<(), StoreError>;

    /// Takes an exception back. None: there is none of that name; one that was taken back before stays
    /// as it is.
    async fn remove_exception(
        &self,
        id: &ExceptionId,
        at: Timestamp,
        by: &Subject,
    ) -> Result<Option<Exception>, StoreError>;

    /// The exceptions, the latest first; only those that hold at a time, if one is given.
    async fn exceptions(&self, holding_at: Option<Timestamp>)
    -> Result<Vec<Exception>, StoreError>;

    /// Notes that a manifest was seen at that time. The first time stays.
    async fn note_seen(&self, digest: &Digest, at: Timestamp) -> Result<(), StoreError>;

    /// Notes that digests passed gates. The earliest time of each stays.
    async fn note_passed(&self, passed: &[(String, Digest, Timestamp)]) -> Result<(), StoreError>;

    /// The digests that have passed a gate, those that did so last first, at most so many.
    async fn passed_gate(&self, gate: &str, limit: u32) -> Result<Vec<Digest>, StoreError>;

    /// Asks for a scan. One that waits or runs stays as it is, but a demand hastens one that waits
    /// for its next try. Tells how it stands then.
    async fn request_scan(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        cause: Cause,
        now: Timestamp,
    ) -> Result<Scan, StoreError>;

    /// Takes the scan that has waited longest, of those whose time has come and whose lease, if
    /// there is one, is over; demands first. It is `holder`'s until then, which must be a name that
    /// nobody else has at the time.
    async fn take_scan(
        &self,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Scan>, StoreError>;

    /// Puts the end of the lease of a scan that `holder` has taken; a time that is over lets it go.
    /// False: it is not the holder's any more.
    async fn hold_scan(
        &self,
        holder: &str,
        repository: &RepositoryName,
        digest: &Digest,
        until: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Says what became of a scan that `holder` had taken, also where its lease is over and nobody
    /// else has taken it. False: it is not the holder's any more.
    async fn end_scan(
        &self,
        holder: &str,
        repository: &RepositoryName,
        digest: &Digest,
        end: &ScanEnd,
    ) -> Result<bool, StoreError>;

    /// How many scans wait, run, and were given up.
    async fn scan_counts(&self) -> Result<ScanCounts, StoreError>;

    /// Scans in a place of the queue, at most so many.
    async fn scans_in(&self, place: ScanPlace, limit: u32) -> Result<Vec<Scan>, StoreError>;

    /// The images whose newest report by this uploader was made before `before`, the oldest first, at
    /// most so many: those to be scanned again. Of images that the inventory does not know any more,
    /// and of those with a scan that has not ended, or ended at `before` or later, none is told:
    /// they would come first for ever.
    async fn old_reports(
        &self,
        uploader: &Subject,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<(RepositoryName, Digest)>, StoreError>;
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Released {
    /// The number up to which it is told.
    pub sequence: Sequence,
    /// There is more after that.
    pub goes_on: bool,
    /// Everything may have changed.
    pub is_all: bool,
    /// Of these, in order.
    pub digests: Vec<Digest>,
}

/// A manifest that nobody has looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undescribed {
    /// Where.
    pub repository: RepositoryName,
    /// Which.
    pub digest: Digest,
    /// What it is made of.
    pub facts: Facts,
}

/// Which findings are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingQuery {
    /// By what.
    pub by: FindingKey,
    /// Only those that are found by this as well.
    pub also: Option<FindingKey>,
    /// Only those that come after this one, which was the last of the page before.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: u32,
}

/// What findings are found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FindingKey {
    /// Any name of a vulnerability, in any case, whole.
    Vulnerability(String),
    /// The name of a package, in any case, whole.
    Package(String),
    /// A package by its URL, of any version unless that is in it.
    Purl(PackageUrl),
}

impl FindingKey {
    /// What somebody names a package by: its package URL, or its name.
    #[must_use]
    pub fn package(text: &str) -> Self {
        match PackageUrl::new(text) {
            Some(purl) => Self::Purl(purl),
            None => Self::Package(text.to_owned()),
        }
    }
}

/// Where a finding stands in the order of [`Releases::find_findings`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Of the finding.
    pub severity: reports::Severity,
    /// Of which report, as the state numbers them.
    pub report: i64,
    /// Which one of that report, from 0.
    pub index: u32,
}

/// A finding, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it stands.
    pub place: Place,
    /// The repository that the report was sent for.
    pub repository: RepositoryName,
    /// The manifest.
    pub digest: Digest,
    /// The name of the vulnerability.
    pub id: String,
    /// The package.
    pub package: String,
    /// The version that is there.
    pub version: String,
    /// The first version without it, if one is known.
    pub fixed_in: Option<String>,
    /// What found it.
    pub scanner: String,
    /// When the report was made.
    pub made_at: Timestamp,
}

/// What became of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanEnd {
    /// It is done.
    Done {
        /// When.
        at: Timestamp,
    },
    /// It failed, and is tried again.
    Retry {
        /// When it failed.
        at: Timestamp,
        /// When it is tried again.
        next_at: Timestamp,
        /// Why it failed.
        reason: String,
    },
    /// It failed, and is given up.
    Failed {
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
}

/// Where in the queue scans are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanPlace {
    /// Those that wait or run, in the order in which they get their turn.
    Ahead,
    /// Those that were given up, the latest first.
    GivenUp,
}

/// How many scans there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScanCounts {
    /// That wait for their turn or their next try.
    pub waiting: u64,
    /// That a scanner works on.
    pub running: u64,
    /// That were given up.
    pub failed: u64,
}
