//! Trivy's JSON, schema 2.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::finding::{Cvss, CvssVersion, Finding, Package, Status};
use crate::lenient::{digest, filled, links, list, time};
use crate::names::{VulnerabilityId, named};
use crate::read::{Refused, document};
use crate::report::{About, Format, Report, Scanner};
use crate::severity::Severity;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    artifact_type: Option<String>,
    artifact_name: Option<String>,
    created_at: Option<String>,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default, deserialize_with = "list")]
    results: Vec<Results>,
    trivy: Option<Program>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Program {
    version: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    #[serde(rename = "ImageID")]
    image_id: Option<String>,
    #[serde(default, deserialize_with = "list")]
    repo_digests: Vec<String>,
}

/// One target of the scan: the system's packages, or those of one language.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Results {
    class: Option<String>,
    r#type: Option<String>,
    #[serde(default, deserialize_with = "list")]
    vulnerabilities: Vec<Vulnerability>,
    #[serde(default, deserialize_with = "list")]
    experimental_modified_findings: Vec<Modified>,
}

/// A finding that a VEX document or an ignore file took out.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Modified {
    r#type: Option<String>,
    status: Option<String>,
    finding: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Vulnerability {
    #[serde(rename = "VulnerabilityID")]
    id: VulnerabilityId,
    #[serde(default, rename = "VendorIDs", deserialize_with = "list")]
    vendor_ids: Vec<String>,
    pkg_name: String,
    pkg_path: Option<String>,
    #[serde(default)]
    pkg_identifier: Identifier,
    installed_version: Option<String>,
    fixed_version: Option<String>,
    status: Option<String>,
    #[serde(default)]
    layer: Layer,
    severity: Option<String>,
    severity_source: Option<String>,
    #[serde(default, rename = "CVSS")]
    cvss: Option<BTreeMap<String, Scores>>,
    title: Option<String>,
    description: Option<String>,
    #[serde(rename = "PrimaryURL")]
    primary_url: Option<String>,
    #[serde(default, deserialize_with = "list")]
    references: Vec<String>,
    #[serde(default, rename = "CweIDs", deserialize_with = "list")]
    weaknesses: Vec<String>,
    published_date: Option<String>,
}

#[derive(Deserialize, Default)]
struct Identifier {
    #[serde(rename = "PURL")]
    purl: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Layer {
    digest: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Scores {
    v2_score: Option<f64>,
    v2_vector: Option<String>,
    v3_score: Option<f64>,
    v3_vector: Option<String>,
    v40_score: Option<f64>,
    v40_vector: Option<String>,
}

/// The classes of results that vulnerabilities are looked for in.
const JUDGED: [&str; 2] = ["os-pkgs", "lang-pkgs"];

pub(crate) fn read(json: &[u8]) -> Result<Report, Refused> {
    let document: Document = document(Format::Trivy, json)?;
    if document.artifact_type.as_deref() != Some("container_image") {
        let kind = document.artifact_type.as_deref().unwrap_or("something that it does not name");
        let name = document.artifact_name.as_deref().unwrap_or_default();
        return Err(Refused::NotAnImage(format!("{kind} {name}").trim_end().to_owned()));
    }
    let is_judged =
        |results: &Results| results.class.as_deref().is_some_and(|class| JUDGED.contains(&class));
    let recognized = document.results.iter().any(is_judged);
    let mut findings = Vec::new();
    for (place, results) in document.results.into_iter().enumerate() {
        let kind = results.r#type;
        for vulnerability in results.vulnerabilities {
            findings.push(finding(vulnerability, kind.as_deref()));
        }
        for (at, modified) in results.experimental_modified_findings.into_iter().enumerate() {
            let place = format!("Results[{place}].ExperimentalModifiedFindings[{at}].Finding");
            findings.extend(taken_out(modified, kind.as_deref(), &place)?);
        }
    }
    let manifests = document.metadata.repo_digests.iter().filter_map(|name| digest(name));
    Ok(Report {
        format: Format::Trivy,
        scanner: Scanner {
            name: "Trivy".to_owned(),
            version: document.trivy.and_then(|trivy| filled(trivy.version)),
            database: None,
        },
        created: time(document.created_at.as_deref()),
        about: About {
            manifests: manifests.collect(),
            config: document.metadata.image_id.as_deref().and_then(digest),
        },
        recognized,
        findings,
    })
}

fn finding(found: Vulnerability, kind: Option<&str>) -> Finding {
    let fixed_in = versions(found.fixed_version);
    let vendor_ids = found.vendor_ids.iter().filter_map(|id| VulnerabilityId::new(id));
    let (id, aliases) = named(found.id, vendor_ids.filter(VulnerabilityId::names_one));
    let status = found.status.as_deref().map_or(Status::Unknown, Status::of_scanner);
    Finding {
        id,
        aliases,
        package: Package {
            name: found.pkg_name,
            version: found.installed_version.unwrap_or_default(),
            purl: filled(found.pkg_identifier.purl),
            kind: kind.map(str::to_owned),
            path: filled(found.pkg_path),
        },
        layer: found.layer.digest.as_deref().and_then(digest),
        severity: found.severity.as_deref().map_or(Severity::Unknown, Severity::of_scanner),
        severity_source: filled(found.severity_source),
        cvss: found.cvss.unwrap_or_default().into_iter().flat_map(scores).collect(),
        status: status.or_by(&fixed_in),
        fixed_in,
        title: filled(found.title),
        description: filled(found.description),
        links: links(found.primary_url.into_iter().chain(found.references)),
        weaknesses: found.weaknesses,
        published: time(found.published_date.as_deref()),
    }
}

/// What was taken out because it does no harm is told as that. What somebody merely chose to ignore
/// is a finding as any other: exceptions are the gate's to make.
fn taken_out(
    modified: Modified,
    kind: Option<&str>,
    place: &str,
) -> Result<Option<Finding>, Refused> {
    let (Some("vulnerability"), Some(found)) = (modified.r#type.as_deref(), modified.finding)
    else {
        return Ok(None);
    };
    let found: Vulnerability = serde_json::from_value(found).map_err(|error| Refused::Misread {
        format: Format::Trivy.as_str(),
        place: place.to_owned(),
        problem: error.to_string(),
    })?;
    let mut finding = finding(found, kind);
    if matches!(modified.status.as_deref(), Some("not_affected" | "fixed")) {
        finding.status = Status::NotAffected;
    }
    Ok(Some(finding))
}

fn scores((source, scores): (String, Scores)) -> impl Iterator<Item = Cvss> {
    let cvss =
        move |version, score, vector| Cvss::new(version, score, vector, Some(source.clone()));
    [
        cvss(CvssVersion::V4, scores.v40_score, scores.v40_vector),
        cvss(CvssVersion::V3, scores.v3_score, scores.v3_vector),
        cvss(CvssVersion::V2, scores.v2_score, scores.v2_vector),
    ]
    .into_iter()
    .flatten()
}

/// Trivy writes one fixed version for each line of releases, separated by commas.
fn versions(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    text.split(',')
        .map(str::trim)
        .filter(|version| !version.is_empty())
        .map(str::to_owned)
        .collect()
}
