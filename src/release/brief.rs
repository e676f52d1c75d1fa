//! What lists tell of an image.

use std::collections::BTreeMap;

use jiff::Timestamp;
use oci::RepositoryName;
use policy::Subject;
use reports::Severity;

use super::{Description, Flag};

/// What was said of one digest, in all repositories, in short: so little that a thousand of them are
/// read at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Brief {
    /// Its flags.
    pub flags: Vec<Flag>,
    /// The reports of it.
    pub reports: Vec<BriefReport>,
    /// When the gate learned of it.
    pub first_seen: Option<Timestamp>,
    /// What it says of itself; none where it was not looked into yet.
    pub description: Option<Description>,
}

/// A [`KeptReport`](super::KeptReport) without what it found, but for how much that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BriefReport {
    /// By which number the state knows it.
    pub id: i64,
    /// The repository that it was sent for.
    pub repository: RepositoryName,
    /// Who sent it.
    pub uploader: Subject,
    /// The groups that the uploader was in then.
    pub uploader_groups: Vec<String>,
    /// When it was made.
    pub made_at: Timestamp,
    /// Whether the scanner recognized anything that it can judge.
    pub recognized: bool,
    /// How many findings it has of each severity of which there are any.
    pub counts: BTreeMap<Severity, usize>,
}
