//! What a scanner says that it can do.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

/// A form of report that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportType {
    /// Of version 1.1 of the specification, which tells scores and weaknesses.
    Generic,
    /// Harbor's first.
    Harbor,
}

impl ReportType {
    /// The better one first.
    pub(super) const ALL: [Self; 2] = [Self::Generic, Self::Harbor];

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Generic => "application/vnd.security.vulnerability.report; version=1.1",
            Self::Harbor => "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0",
        }
    }

    /// The one that is meant by a media type, however it is spaced.
    pub(super) fn of(media_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| tight(known.media_type()) == tight(media_type))
    }
}

fn tight(media_type: &str) -> String {
    media_type.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase()
}

/// How the adapter shows the registry the credential that it is handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryAuthorization {
    /// A name and a password, with which it may ask for a token.
    Basic,
    /// A token as it is.
    Bearer,
}

/// What a scanner is, and can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Such as `Trivy`.
    pub name: String,
    /// Its version, if it says so.
    pub version: Option<String>,
    /// The report that is asked for.
    pub report: ReportType,
    /// The media types of manifests that it scans.
    pub consumes: Vec<String>,
    /// How it authorizes itself at the registry.
    pub registry_authorization: RegistryAuthorization,
    /// Of when its database is, if it says so.
    pub database: Option<Timestamp>,
    /// It tells kinds of capabilities, as since version 1.2, and may be asked for one alone.
    pub(super) is_typed: bool,
}

#[derive(Deserialize)]
pub(super) struct Written {
    scanner: WrittenScanner,
    capabilities: Vec<WrittenCapability>,
    #[serde(default)]
    properties: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct WrittenScanner {
    name: Option<String>,
    version: Option<String>,
}

#[derive(Deserialize)]
struct WrittenCapability {
    #[serde(rename = "type")]
    kind: Option<String>,
    consumes_mime_types: Vec<String>,
    produces_mime_types: Vec<String>,
}

const IMAGES: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

const AUTHORIZATION: &str = "harbor.scanner-adapter/registry-authorization-type";
const DATABASE: &str = "harbor.scanner-adapter/vulnerability-database-updated-at";

impl Metadata {
    /// What was written, if it is enough. The error says what is missing.
    pub(super) fn of(written: Written) -> Result<Self, String> {
        let is_typed = written.capabilities.iter().any(|capability| capability.kind.is_some());
        // One without a kind is of the time when there was but this kind.
        let is_meant = |capability: &&WrittenCapability| {
            capability.kind.as_deref().is_none_or(|kind| kind == "vulnerability")
                && capability.consumes_mime_types.iter().any(|kind| IMAGES.contains(&kind.as_str()))
        };
        let meant = written.capabilities.iter().find(is_meant);
        let meant = meant.ok_or("does not scan images for vulnerabilities")?;
        let produces = |report: &ReportType| {
            meant.produces_mime_types.iter().any(|kind| ReportType::of(kind) == Some(*report))
        };
        let report = ReportType::ALL.into_iter().find(produces);
        let report = report.ok_or_else(|| {
            let known = ReportType::ALL.map(ReportType::media_type).join("` nor `");
            format!("writes reports neither as `{known}`")
        })?;
        let property = |name: &str| written.properties.get(name).and_then(|value| value.as_str());
        let registry_authorization = match property(AUTHORIZATION) {
            None | Some("" | "Basic") => RegistryAuthorization::Basic,
            Some("Bearer") => RegistryAuthorization::Bearer,
            Some(other) => {
                return Err(format!(
                    "wants to authorize itself at the registry by {other:?}, not by Basic or Bearer"
                ));
            }
        };
        Ok(Self {
            name: written.scanner.name.unwrap_or_else(|| "unknown".to_owned()),
            version: written.scanner.version.filter(|version| !version.is_empty()),
            report,
            consumes: meant.consumes_mime_types.clone(),
            registry_authorization,
            database: property(DATABASE).and_then(|text| text.parse().ok()),
            is_typed,
        })
    }
}
