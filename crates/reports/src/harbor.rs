//! Harbor's scanner report, 1.0 and 1.1 (pluggable scanner specification, "HarborVulnerabilityReport"),
//! alone as an adapter answers, or under its media type as Harbor's API gives it out.

use oci::Digest;
use serde::Deserialize;

use crate::finding::{Cvss, CvssVersion, Finding, Package, Status};
use crate::lenient::{filled, links, list, time};
use crate::names::VulnerabilityId;
use crate::read::{Refused, document};
use crate::report::{About, Format, Report, Scanner};
use crate::severity::Severity;

#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Under {
        #[serde(
            rename = "application/vnd.security.vulnerability.report; version=1.1",
            alias = "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0"
        )]
        report: serde_json::Value,
    },
    Alone(serde_json::Value),
}

#[derive(Deserialize)]
struct Body {
    generated_at: Option<String>,
    artifact: Option<Artifact>,
    scanner: Option<Program>,
    #[serde(default, deserialize_with = "list")]
    vulnerabilities: Vec<Item>,
}

#[derive(Deserialize)]
struct Artifact {
    digest: Option<String>,
}

#[derive(Deserialize)]
struct Program {
    name: Option<String>,
    version: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    id: VulnerabilityId,
    package: String,
    version: Option<String>,
    fix_version: Option<String>,
    severity: Option<String>,
    description: Option<String>,
    #[serde(default, deserialize_with = "list")]
    links: Vec<String>,
    preferred_cvss: Option<Scores>,
    #[serde(default, deserialize_with = "list")]
    cwe_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Scores {
    score_v2: Option<f64>,
    score_v3: Option<f64>,
    vector_v2: Option<String>,
    vector_v3: Option<String>,
}

pub(crate) fn read(json: &[u8]) -> Result<Report, Refused> {
    let (Document::Under { report } | Document::Alone(report)) = document(Format::Harbor, json)?;
    let body: Body =
        serde_path_to_error::deserialize(report).map_err(|error| Refused::Misread {
            format: Format::Harbor.as_str(),
            place: error.path().to_string(),
            problem: error.into_inner().to_string(),
        })?;
    let digest = body.artifact.and_then(|artifact| artifact.digest);
    let scanner = body.scanner;
    let name = scanner.as_ref().and_then(|scanner| filled(scanner.name.clone()));
    Ok(Report {
        format: Format::Harbor,
        scanner: Scanner {
            name: name.unwrap_or_else(|| "unknown".to_owned()),
            version: scanner.and_then(|scanner| filled(scanner.version)),
            database: None,
        },
        created: time(body.generated_at.as_deref()),
        about: About {
            manifests: digest.iter().filter_map(|digest| Digest::new(digest).ok()).collect(),
            config: None,
        },
        // An adapter that does not recognize an image fails instead of reporting.
        recognized: true,
        findings: body.vulnerabilities.into_iter().map(finding).collect(),
    })
}

fn finding(item: Item) -> Finding {
    let fixed_in: Vec<String> = filled(item.fix_version).into_iter().collect();
    let cvss = item.preferred_cvss.into_iter().flat_map(|scores| {
        let v3 = Cvss::new(CvssVersion::V3, scores.score_v3, scores.vector_v3, None);
        v3.into_iter().chain(Cvss::new(CvssVersion::V2, scores.score_v2, scores.vector_v2, None))
    });
    Finding {
        id: item.id,
        aliases: Vec::new(),
        package: Package {
            name: item.package,
            version: item.version.unwrap_or_default(),
            ..Package::default()
        },
        layer: None,
        severity: item.severity.as_deref().map_or(Severity::Unknown, Severity::of_scanner),
        severity_source: None,
        cvss: cvss.collect(),
        status: Status::Unknown.or_by(&fixed_in),
        fixed_in,
        title: None,
        description: filled(item.description),
        links: links(item.links),
        weaknesses: item.cwe_ids,
        published: None,
    }
}
