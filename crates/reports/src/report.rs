//! A report as a whole.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use oci::Digest;

use crate::finding::Finding;
use crate::severity::Severity;

/// What a scanner found in one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How it was written.
    pub format: Format,
    /// Who found it.
    pub scanner: Scanner,
    /// When it was made, if it says so.
    pub created: Option<Timestamp>,
    /// What it says it is about.
    pub about: About,
    /// Whether the scanner recognized anything that it can judge: an operating system, or packages of
    /// a language. A report without findings of an image that the scanner did not understand says
    /// nothing.
    pub recognized: bool,
    /// What was found; none is good news only if something was [recognized](Self::recognized).
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many findings there are of each severity, all six of them.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Severity, usize> {
        let mut counts: BTreeMap<_, _> =
            Severity::ALL.into_iter().map(|severity| (severity, 0)).collect();
        for finding in &self.findings {
            *counts.entry(finding.severity).or_default() += 1;
        }
        counts
    }
}

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Trivy's JSON, schema 2.
    Trivy,
    /// Grype's JSON.
    Grype,
    /// CycloneDX 1.4 to 1.7, JSON, with vulnerabilities.
    CycloneDx,
    /// Harbor's scanner report, 1.0 and 1.1.
    Harbor,
    /// OSV-Scanner's JSON.
    OsvScanner,
}

impl Format {
    /// Each of them.
    pub const ALL: [Self; 5] =
        [Self::Trivy, Self::Grype, Self::CycloneDx, Self::Harbor, Self::OsvScanner];

    /// A short name for people and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trivy => "trivy",
            Self::Grype => "grype",
            Self::CycloneDx => "cyclonedx",
            Self::Harbor => "harbor",
            Self::OsvScanner => "osv-scanner",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The program that made the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanner {
    /// Such as `Trivy`.
    pub name: String,
    /// Its version, if the report says so.
    pub version: Option<String>,
    /// Of when the database is that it compared with.
    pub database: Option<Timestamp>,
}

/// What a report says it is about. All that is there must be true of the image that it is sent for;
/// some formats say nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// Manifests under which a registry knows the image: its own, or that of an index that holds it.
    pub manifests: Vec<Digest>,
    /// Its config blob, which engines call the image's id.
    pub config: Option<Digest>,
}

impl About {
    /// Whether the report does not say which image it is about.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.manifests.is_empty() && self.config.is_none()
    }
}
