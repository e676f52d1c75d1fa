//! What a scanner found, as it is kept.

use jiff::Timestamp;
use oci::{Digest, RepositoryName};
use policy::Subject;
use reports::{Finding, Format, Scanner};

/// A scanner's report of one digest.
///
/// There is one for each digest, repository, uploader and scanner: a later one replaces it. They are
/// kept apart by uploader, so that a stranger's clean report displaces nobody's.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptReport {
    /// The repository that it was sent for.
    pub repository: RepositoryName,
    /// The manifest that it is about.
    pub digest: Digest,
    /// Who sent it.
    pub uploader: Subject,
    /// The groups that the uploader was in then, with which its rights elsewhere are judged.
    pub uploader_groups: Vec<String>,
    /// How it was written.
    pub format: Format,
    /// What found it.
    pub scanner: Scanner,
    /// When it was made: what it says itself, but not later than when it came.
    pub made_at: Timestamp,
    /// When it came.
    pub received_at: Timestamp,
    /// Whether the scanner recognized anything that it can judge.
    pub recognized: bool,
    /// What it found.
    pub findings: Vec<KeptFinding>,
}

/// A finding, and since when it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptFinding {
    /// As the scanner told it.
    pub finding: Finding,
    /// When a finding of this name in this package of this digest was first reported, by whomever.
    pub first_seen: Timestamp,
}
