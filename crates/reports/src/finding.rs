//! One vulnerability in one package.

use jiff::Timestamp;
use oci::Digest;

use crate::names::VulnerabilityId;
use crate::severity::Severity;

/// One vulnerability in one package of an image, as a scanner tells it.
///
/// All texts are a scanner's, and so a stranger's: whoever shows them must escape them.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Its name; a CVE where it has one.
    pub id: VulnerabilityId,
    /// Other names of the same vulnerability, without `id`.
    pub aliases: Vec<VulnerabilityId>,
    /// Where it is.
    pub package: Package,
    /// The layer that brought the package, as its blob's digest.
    pub layer: Option<Digest>,
    /// How bad it is.
    pub severity: Severity,
    /// Who says so.
    pub severity_source: Option<String>,
    /// Scores, as many as were told.
    pub cvss: Vec<Cvss>,
    /// Versions of the package without it; empty where none is known.
    pub fixed_in: Vec<String>,
    /// What its maintainers say.
    pub status: Status,
    /// One line.
    pub title: Option<String>,
    /// More of it.
    pub description: Option<String>,
    /// Where to read on; `https` and `http` alone.
    pub links: Vec<String>,
    /// Classes of weakness, such as `CWE-79`.
    pub weaknesses: Vec<String>,
    /// When it was made public.
    pub published: Option<Timestamp>,
}

impl Finding {
    /// Whether a version without it is known.
    #[must_use]
    pub fn is_fixable(&self) -> bool {
        !self.fixed_in.is_empty()
    }

    /// The highest base score of any version and source.
    #[must_use]
    pub fn max_cvss(&self) -> Option<f64> {
        self.cvss.iter().map(|cvss| cvss.score).reduce(f64::max)
    }

    /// Whether it goes by this name.
    #[must_use]
    pub fn is_called(&self, name: &VulnerabilityId) -> bool {
        self.id == *name || self.aliases.contains(name)
    }
}

/// What has the vulnerability.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// The version that is there.
    pub version: String,
    /// Its package URL, if the scanner tells one.
    pub purl: Option<String>,
    /// What it was found by, such as `debian`, `npm`, `gomod`.
    pub kind: Option<String>,
    /// The file in the image, where it is in one of its own.
    pub path: Option<String>,
}

/// A score.
#[derive(Debug, Clone, PartialEq)]
pub struct Cvss {
    /// By which version of the standard.
    pub version: CvssVersion,
    /// The base score, 0 to 10.
    pub score: f64,
    /// What it was computed from.
    pub vector: Option<String>,
    /// Who scored.
    pub source: Option<String>,
}

/// A version of the Common Vulnerability Scoring System.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CvssVersion {
    /// 2.0
    V2,
    /// 3.0 and 3.1
    V3,
    /// 4.0
    V4,
}

impl CvssVersion {
    /// By the version as a scanner writes it (`3.1`), or the beginning of a vector (`CVSS:3.1/…`).
    pub(crate) fn of(text: &str) -> Option<Self> {
        match text.strip_prefix("CVSS:").unwrap_or(text).as_bytes().first() {
            Some(b'4') => Some(Self::V4),
            Some(b'3') => Some(Self::V3),
            Some(b'2') => Some(Self::V2),
            _ => None,
        }
    }
}

impl Cvss {
    /// A score; none where it is no score at all.
    pub(crate) fn new(
        version: CvssVersion,
        score: Option<f64>,
        vector: Option<String>,
        source: Option<String>,
    ) -> Option<Self> {
        let score = score.filter(|score| (0.0..=10.0).contains(score))?;
        // Scanners write 0 with an empty vector where there is no score.
        let vector = vector.filter(|vector| !vector.is_empty());
        (score > 0.0 || vector.is_some()).then_some(Self { version, score, vector, source })
    }
}

/// What a package's maintainers say of a vulnerability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It is there, and there is no fix yet.
    Affected,
    /// It is there, and a later version is without it.
    Fixed,
    /// It will stay.
    WillNotFix,
    /// It will be mended some day.
    FixDeferred,
    /// Nobody looks after this version any more.
    EndOfLife,
    /// It is being looked at.
    UnderInvestigation,
    /// It is known to do no harm here.
    NotAffected,
    /// Not told.
    Unknown,
}

impl Status {
    /// As it is written, in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Affected => "affected",
            Self::Fixed => "fixed",
            Self::WillNotFix => "will_not_fix",
            Self::FixDeferred => "fix_deferred",
            Self::EndOfLife => "end_of_life",
            Self::UnderInvestigation => "under_investigation",
            Self::NotAffected => "not_affected",
            Self::Unknown => "unknown",
        }
    }

    /// Read from the words of scanners, which are ours, those of Grype, and those of CycloneDX.
    pub(crate) fn of_scanner(word: &str) -> Self {
        match word {
            "affected" | "not-fixed" | "exploitable" => Self::Affected,
            "fixed" | "resolved" | "resolved_with_pedigree" => Self::Fixed,
            "will_not_fix" | "wont-fix" => Self::WillNotFix,
            "fix_deferred" => Self::FixDeferred,
            "end_of_life" => Self::EndOfLife,
            "under_investigation" | "in_triage" => Self::UnderInvestigation,
            "not_affected" | "false_positive" => Self::NotAffected,
            _ => Self::Unknown,
        }
    }

    /// What is meant where a scanner tells fixed versions and no status.
    pub(crate) fn or_by(self, fixed_in: &[String]) -> Self {
        match self {
            Self::Unknown if !fixed_in.is_empty() => Self::Fixed,
            told => told,
        }
    }
}
