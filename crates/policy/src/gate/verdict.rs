//! What gates say to an image.

use std::sync::Arc;

use jiff::Timestamp;
use oci::Digest;
use reports::VulnerabilityId;

use super::compiled::Gate;
use super::reason::{Reason, summary};

/// What gates say to an image, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Whether it may pass.
    pub verdict: Verdict,
    /// What gates that only watch would have held.
    pub audited: Vec<Held>,
    /// The earliest time at which this may change by the time alone; none: it does not.
    pub valid_until: Option<Timestamp>,
}

/// Passed or held: there is nothing else.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It passes every gate.
    Passed(Passed),
    /// A gate holds it; the first by name, which knows of the others.
    Held(Held),
}

/// A manifest that passes. Made by [`judge`](super::judge) alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Passed {
    digest: Digest,
    evidence: Vec<Evidence>,
}

impl Passed {
    pub(super) fn new(digest: Digest, evidence: Vec<Evidence>) -> Self {
        Self { digest, evidence }
    }

    /// The manifest.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// What was found at each gate that is enforced, in the order of their names.
    #[must_use]
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }
}

/// What made a gate let it pass, beside that everything is as it has to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The gate.
    pub gate: Arc<Gate>,
    /// It is an artifact, and those are exempt.
    pub is_artifact: bool,
    /// The glass was broken, until then.
    pub broken_until: Option<Timestamp>,
    /// What would hold it, were it not for the grace that it has.
    pub in_grace: Vec<InGrace>,
    /// What is missing by a setting that only warns.
    pub warnings: Vec<Reason>,
    /// Findings that do not count.
    pub cleared: Vec<Cleared>,
}

/// A reason that holds only later.
#[derive(Debug, Clone, PartialEq)]
pub struct InGrace {
    /// What.
    pub reason: Reason,
    /// From when on.
    pub until: Timestamp,
}

/// A finding that does not count.
#[derive(Debug, Clone, PartialEq)]
pub struct Cleared {
    /// The vulnerability.
    pub vulnerability: VulnerabilityId,
    /// The name of the package.
    pub package: String,
    /// By what.
    pub by: Clearance,
}

/// What clears a finding.
#[derive(Debug, Clone, PartialEq)]
pub enum Clearance {
    /// An exception of the policy.
    Exception {
        /// Who answers for it.
        by: Box<str>,
        /// Why.
        reason: Box<str>,
        /// Until when.
        expires: Timestamp,
    },
    /// The word of a maker.
    Vex {
        /// Who.
        by: String,
        /// `not_affected` or `fixed`.
        status: &'static str,
    },
}

/// A manifest that a gate holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The gate.
    pub gate: Arc<Gate>,
    /// The manifest.
    pub digest: Digest,
    /// Why; at least one.
    pub reasons: Vec<Reason>,
    /// The other gates that hold it too.
    pub others: Vec<Held>,
}

impl Held {
    /// Why this gate holds it, in one line: "CVE-2024-1234 (high) in zlib 1.2.11, fixed in 1.2.12".
    #[must_use]
    pub fn summary(&self) -> String {
        summary(&self.reasons)
    }
}
