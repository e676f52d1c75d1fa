//! One vulnerability in one package.

use jiff::Timestamp;
use oci::Digest;
use serde::{Deserialize, Serialize};

use crate::names::VulnerabilityId;
use crate::severity::Severity;

/// One vulnerability in one package of an image, as a scanner tells it.
///
/// All texts are a scanner's, and so a stranger's: whoever shows them must escape them.
///
/// Where it is kept as JSON, a member that is missing says nothing, and one that is not known is
/// passed over: earlier and later versions may have written it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name; a CVE where it has one.
    pub id: VulnerabilityId,
    /// Other names of the same vulnerability, without `id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<VulnerabilityId>,
    /// Where it is.
    pub package: Package,
    /// The layer that brought the package, as its blob's digest.
    #[serde(default, with = "digest_text", skip_serializing_if = "Option::is_none")]
    pub layer: Option<Digest>,
    /// How bad it is.
    pub severity: Severity,
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity_source: Option<String>,
    /// Scores, as many as were told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cvss: Vec<Cvss>,
    /// Versions of the package without it; empty where none is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed_in: Vec<String>,
    /// What its maintainers say.
    #[serde(default)]
    pub status: Status,
    /// One line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// More of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where to read on; `https` and `http` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// Classes of weakness, such as `CWE-79`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weaknesses: Vec<String>,
    /// When it was made public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Timestamp>,
}

/// What a list takes for each entry beside its text.
const ENTRY: usize = size_of::<String>();

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

    /// About how many bytes its texts are, and what holds them.
    pub(crate) fn length(&self) -> usize {
        let Package { name, version, purl, kind, path } = &self.package;
        let texts = [purl, kind, path, &self.severity_source, &self.title, &self.description];
        let texts = texts.into_iter().flatten().map(String::len);
        let lists = [&self.fixed_in, &self.links, &self.weaknesses];
        let lists = lists.into_iter().flatten().map(|text| text.len() + ENTRY);
        let names = self.aliases.iter().map(|name| name.as_str().len() + ENTRY);
        let scores = self.cvss.iter().flat_map(|cvss| [&cvss.vector, &cvss.source]);
        let scores = scores.map(|text| text.as_ref().map_or(0, String::len) + ENTRY);
        let all = texts.chain(lists).chain(names).chain(scores);
        all.fold(ENTRY + name.len() + version.len(), usize::saturating_add)
    }

    /// Whether it goes by this name.
    #[must_use]
    pub fn is_called(&self, name: &VulnerabilityId) -> bool {
        self.id == *name || self.aliases.contains(name)
    }
}

/// What has the vulnerability.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// The version that is there.
    pub version: String,
    /// Its package URL, if the scanner tells one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purl: Option<String>,
    /// What it was found by, such as `debian`, `npm`, `gomod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The file in the image, where it is in one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// A score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cvss {
    /// By which version of the standard.
    pub version: CvssVersion,
    /// The base score, 0 to 10.
    pub score: f64,
    /// What it was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<String>,
    /// Who scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A version of the Common Vulnerability Scoring System.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
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
    #[default]
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

/// A digest as text.
mod digest_text {
    use std::borrow::Cow;

    use oci::Digest;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        digest: &Option<Digest>,
        output: S,
    ) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => output.collect_str(digest),
            None => output.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        input: D,
    ) -> Result<Option<Digest>, D::Error> {
        let text = Option::<Cow<'_, str>>::deserialize(input)?;
        text.map(|text| Digest::new(&text)).transpose().map_err(D::Error::custom)
    }
}
