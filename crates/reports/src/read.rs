//! From bytes to a report: unpacked, recognized, read.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::report::{Format, Report};
use crate::{cyclonedx, grype, harbor, osv_scanner, trivy};

/// What a report may take at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes, unpacked.
    pub bytes: usize,
    /// Findings.
    pub findings: usize,
}

impl Default for Limits {
    /// 64 MiB and 100,000: twenty times what the largest images have.
    fn default() -> Self {
        Self { bytes: 64 << 20, findings: 100_000 }
    }
}

/// Why a document is not taken for a report. Nothing of it is used then.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It could not be unpacked.
    #[error("the report is compressed, and its gzip data are damaged; send it again")]
    Gzip(#[source] std::io::Error),
    /// It is too long.
    #[error("the report is longer than {0} bytes, unpacked")]
    TooLong(usize),
    /// It has too many findings.
    #[error("the report has more than {0} findings")]
    TooMany(usize),
    /// It is no JSON.
    #[error("the report is no JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    /// It is something else, or of another version.
    #[error("this is {found}; {remedy}")]
    Unsupported {
        /// What it looks like.
        found: String,
        /// What to send instead.
        remedy: &'static str,
    },
    /// It is about something else than an image.
    #[error(
        "the report is about {0}, not about an image; scan the image itself, by its name in this \
         registry"
    )]
    NotAnImage(String),
    /// A part that a decision depends on cannot be understood.
    #[error("{format}: `{place}` cannot be understood: {problem}")]
    Misread {
        /// What it was taken for.
        format: &'static str,
        /// The path of the member in the document.
        place: String,
        /// What is wrong there.
        problem: String,
    },
}

/// Which formats there are, for who sent another.
const FORMATS: &str = "send one of: Trivy JSON (schema 2), Grype JSON, CycloneDX 1.4 to 1.7 with \
                       vulnerabilities (JSON), Harbor's scanner report, OSV-Scanner JSON";

/// The members by which formats are told apart, whatever else is there.
#[derive(Deserialize)]
struct Marks {
    #[serde(rename = "SchemaVersion")]
    trivy_schema: Option<serde_json::Value>,
    #[serde(rename = "bomFormat")]
    bom_format: Option<String>,
    #[serde(rename = "specVersion")]
    spec_version: Option<String>,
    matches: Option<IgnoredAny>,
    descriptor: Option<IgnoredAny>,
    results: Option<IgnoredAny>,
    scanner: Option<IgnoredAny>,
    generated_at: Option<IgnoredAny>,
    #[serde(rename = "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0")]
    harbor_1_0: Option<IgnoredAny>,
    #[serde(rename = "application/vnd.security.vulnerability.report; version=1.1")]
    harbor_1_1: Option<IgnoredAny>,
    // From here on: what is known and not supported.
    runs: Option<IgnoredAny>,
    #[serde(rename = "spdxVersion")]
    spdx: Option<IgnoredAny>,
    #[serde(rename = "@context")]
    context: Option<IgnoredAny>,
    #[serde(rename = "payloadType")]
    payload_type: Option<IgnoredAny>,
    #[serde(rename = "apiVersion")]
    api_version: Option<IgnoredAny>,
}

/// Reads a report, unpacking it if it is compressed by gzip. What it is, its content says.
///
/// # Errors
/// Says what it is instead, or which part of it cannot be understood, and what to do.
pub fn read(bytes: &[u8], limits: Limits) -> Result<Report, Refused> {
    let unpacked = unpack(bytes, limits.bytes)?;
    let json = unpacked.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&unpacked);
    let report = match recognize(json)? {
        Format::Trivy => trivy::read(json),
        Format::Grype => grype::read(json),
        Format::CycloneDx => cyclonedx::read(json, limits),
        Format::Harbor => harbor::read(json),
        Format::OsvScanner => osv_scanner::read(json, limits),
    }?;
    if report.findings.len() > limits.findings {
        return Err(Refused::TooMany(limits.findings));
    }
    Ok(report)
}

/// Unpacks what begins as gzip does (RFC 1952 §2.3.1); anything else is left as it is.
pub(crate) fn unpack(bytes: &[u8], most: usize) -> Result<Cow<'_, [u8]>, Refused> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return if bytes.len() > most { Err(Refused::TooLong(most)) } else { Ok(bytes.into()) };
    }
    let mut unpacked = Vec::new();
    let mut reader = MultiGzDecoder::new(bytes).take(most as u64 + 1);
    reader.read_to_end(&mut unpacked).map_err(Refused::Gzip)?;
    if unpacked.len() > most { Err(Refused::TooLong(most)) } else { Ok(unpacked.into()) }
}

fn recognize(json: &[u8]) -> Result<Format, Refused> {
    let unsupported =
        |found: &str| Err(Refused::Unsupported { found: found.to_owned(), remedy: FORMATS });
    match json.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => return unsupported("a list, as Trivy wrote before schema 2"),
        Some(b'<') => return unsupported("XML"),
        _ => {}
    }
    let marks: Marks = match serde_json::from_slice(json) {
        Ok(marks) => marks,
        Err(error) if error.is_data() => {
            return unsupported("JSON of a form that is not known here");
        }
        Err(error) => return Err(Refused::NotJson(error)),
    };
    if let Some(schema) = &marks.trivy_schema {
        return match schema.as_u64() {
            Some(2) => Ok(Format::Trivy),
            _ => unsupported(&format!("Trivy's JSON with schema {schema}")),
        };
    }
    if marks.bom_format.as_deref() == Some("CycloneDX") {
        let version = marks.spec_version.unwrap_or_default();
        return match version.as_str() {
            "1.4" | "1.5" | "1.6" | "1.7" => Ok(Format::CycloneDx),
            _ => unsupported(&format!("CycloneDX {version}")),
        };
    }
    match marks {
        Marks { harbor_1_0: Some(_), .. } | Marks { harbor_1_1: Some(_), .. } => Ok(Format::Harbor),
        Marks { matches: Some(_), descriptor: Some(_), .. } => Ok(Format::Grype),
        Marks { scanner: Some(_), generated_at: Some(_), .. } => Ok(Format::Harbor),
        Marks { results: Some(_), .. } => Ok(Format::OsvScanner),
        Marks { runs: Some(_), .. } => {
            unsupported("SARIF, which does not tell all that a gate needs")
        }
        Marks { spdx: Some(_), .. } => {
            unsupported("an SPDX document, which has no vulnerabilities")
        }
        Marks { context: Some(_), .. } => unsupported("a VEX document, not a report"),
        Marks { payload_type: Some(_), .. } => {
            unsupported("a signed envelope, not a report itself")
        }
        Marks { api_version: Some(_), .. } => unsupported("a Kubernetes object"),
        _ => unsupported("JSON of a form that is not known here"),
    }
}

/// Reads the document, and says where it cannot.
pub(crate) fn document<T: DeserializeOwned>(format: Format, json: &[u8]) -> Result<T, Refused> {
    plain_document(format.as_str(), json)
}

/// The same for what is no report.
pub(crate) fn plain_document<T: DeserializeOwned>(
    format: &'static str,
    json: &[u8],
) -> Result<T, Refused> {
    let mut input = serde_json::Deserializer::from_slice(json);
    serde_path_to_error::deserialize(&mut input).map_err(|error| Refused::Misread {
        format,
        place: error.path().to_string(),
        problem: error.into_inner().to_string(),
    })
}

#[cfg(test)]
mod tests;
