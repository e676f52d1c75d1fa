//! How much a report may come to.
//!
//! Most formats say everything of each finding. Where one vulnerability may be told of many packages, a
//! document of some megabytes may stand for terabytes of findings.

use crate::finding::Finding;
use crate::read::{Limits, Refused};

/// Findings, as long as there is room for them: no more than may be, and together no longer than a
/// report may be.
#[derive(Debug)]
pub(crate) struct Room {
    limits: Limits,
    left: usize,
    findings: Vec<Finding>,
}

impl Room {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, left: limits.bytes, findings: Vec::new() }
    }

    /// Takes room for so many bytes that are looked at or copied.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Refused> {
        let left = self.left.checked_sub(bytes).ok_or(Refused::TooLong(self.limits.bytes))?;
        self.left = left;
        Ok(())
    }

    /// Adds a finding. It alone is no longer than the document.
    pub(crate) fn push(&mut self, finding: Finding) -> Result<(), Refused> {
        if self.findings.len() == self.limits.findings {
            return Err(Refused::TooMany(self.limits.findings));
        }
        self.take(finding.length())?;
        self.findings.push(finding);
        Ok(())
    }

    pub(crate) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }
}
