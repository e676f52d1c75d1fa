//! All that the state keeps of one digest.

use jiff::Timestamp;

use super::{Exception, Flag, KeptReport, KeptStatements, Scan};
use crate::store::Sequence;

/// What is kept of one digest, in all repositories, as of one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Kept {
    /// The number of the last change that is in it, of whatever digest.
    pub sequence: Sequence,
    /// When the gate first learned of the manifest, in whatever repository.
    pub first_seen: Option<Timestamp>,
    /// Its flags.
    pub flags: Vec<Flag>,
    /// The reports of it.
    pub reports: Vec<KeptReport>,
    /// What its makers say.
    pub statements: Vec<KeptStatements>,
    /// Exceptions that name it, also those that are over.
    pub exceptions: Vec<Exception>,
    /// Gates that it has passed.
    pub passed: Vec<PassedGate>,
    /// Its scans, one for each repository where one was asked for.
    pub scans: Vec<Scan>,
}

/// A gate that a digest has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedGate {
    /// The gate.
    pub gate: String,
    /// When it passed it first.
    pub at: Timestamp,
}
