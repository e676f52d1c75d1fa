//! What is known of one manifest, for judging it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use oci::{Digest, Platform, RepositoryName, Tag};
use reports::{Severity, Status, VulnerabilityId};

use crate::flag_name::FlagName;

/// What is known of one manifest. A fact that is not known is not made up: each gap has a form of
/// its own, and holds the image where a gate asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Of the manifest.
    pub digest: Digest,
    /// What it is.
    pub form: Form,
    /// When the gate saw it first; none where that is not known.
    pub first_seen: Option<Timestamp>,
    /// The flags on this digest, in whatever repository, also those that have expired.
    pub flags: Vec<FlagFact>,
    /// The names of the trusted keys that signed this digest.
    pub signers: Vec<Box<str>>,
    /// The gates that it passed before, each with the first time.
    pub passed: Vec<(Box<str>, Timestamp)>,
    /// The gates that the glass was broken of for it in this repository, each with the first moment
    /// at which that is over.
    pub broken: Vec<(Box<str>, Timestamp)>,
}

/// What a manifest is, and what is known of it by that.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "most are images, and each is made once and shared")]
pub enum Form {
    /// An image for one platform.
    Image {
        /// As its config says; none if it could not be read.
        platform: Option<Platform>,
        /// As its config says; none if it could not be read.
        labels: Option<BTreeMap<String, String>>,
        /// What the manifest itself shows.
        shape: Shape,
        /// What scanners say.
        scan: Scan,
    },
    /// Images for several platforms.
    Index {
        /// In the order of the index.
        children: Vec<Child>,
    },
    /// Nothing that runs: an attestation of buildx, or a config that is no image's. Not judged as
    /// part of an index. By itself it has no labels and no scan.
    NotRunnable,
    /// A signature, an SBOM or another artifact by its content: passes every gate. So does an index
    /// of which each child is one.
    Artifact,
    /// It could not be read, and why. Held.
    Unreadable(String),
}

/// A manifest that an index names.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    /// As the index says, if it does.
    pub platform: Option<Platform>,
    /// What is known of it.
    pub facts: Arc<Facts>,
}

/// What a manifest shows before anything else is known. By default nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape {
    /// The bytes of its config and layers together, as it says.
    pub size: Option<u64>,
    /// The media types of its layers, each once.
    pub media_types: Option<Vec<Box<str>>>,
    /// Tagged images whose layers are its first layers: of those that its gates let it be built on,
    /// one for each gate. What is not known to be there is not here.
    pub bases: Vec<(RepositoryName, Tag)>,
}

/// A flag that somebody set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagFact {
    /// Which.
    pub name: FlagName,
    /// Where it was set.
    pub repository: RepositoryName,
    /// When.
    pub set_at: Timestamp,
    /// When it ends by the word of whoever set it, exclusive. It may end sooner by its declaration.
    pub expires_at: Option<Timestamp>,
}

/// What scanners say of an image.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scan {
    /// How far the latest scan is.
    pub state: ScanState,
    /// Those that count in this repository: the newest of each uploader and scanner.
    pub reports: Vec<Arc<ReportFacts>>,
    /// What makers say of vulnerabilities in it.
    pub vex: Vec<Arc<VexFact>>,
}

/// How far the latest scan of an image is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ScanState {
    /// None was asked for.
    #[default]
    Never,
    /// It was asked for, and is not done.
    Pending,
    /// It could not be done.
    Failed {
        /// The first failure after the latest success.
        since: Timestamp,
        /// Why.
        reason: String,
    },
    /// Its report is among the reports.
    Done,
}

/// A report, as far as gates look at it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportFacts {
    /// Who made it.
    pub scanner: String,
    /// When; not after it was handed in.
    pub made_at: Timestamp,
    /// Whether the scanner knew anything of what is in the image.
    pub recognized: bool,
    /// What it found.
    pub findings: Arc<[FindingFact]>,
}

/// One vulnerability in one package, as one scanner tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingFact {
    /// Its name.
    pub id: VulnerabilityId,
    /// Other names of it.
    pub aliases: Vec<VulnerabilityId>,
    /// The name of the package.
    pub package: String,
    /// The version that is there.
    pub version: String,
    /// The package's URL.
    pub purl: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// The highest base score.
    pub cvss: Option<f64>,
    /// A version without it.
    pub fixed_in: Option<String>,
    /// What the package's maintainers say.
    pub status: Status,
    /// When the gate saw it first in this image.
    pub first_seen: Timestamp,
}

/// What a maker says of a vulnerability (OpenVEX).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VexFact {
    /// All names of the vulnerability.
    pub ids: Vec<VulnerabilityId>,
    /// In what.
    pub scope: VexScope,
    /// What is said.
    pub status: VexStatus,
    /// Who says so.
    pub by: String,
}

/// What such a word is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VexScope {
    /// The whole image.
    Image,
    /// These packages in it, by package URL or plain name, without wildcards.
    Packages(Vec<String>),
}

/// What clears a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VexStatus {
    /// It does no harm here.
    NotAffected,
    /// It was mended in this very package.
    Fixed,
}

impl VexStatus {
    /// As OpenVEX writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAffected => "not_affected",
            Self::Fixed => "fixed",
        }
    }
}
