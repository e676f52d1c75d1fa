//! Grype's JSON.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

use crate::finding::{Cvss, CvssVersion, Finding, Package, Status};
use crate::lenient::{digest, filled, links, list, time};
use crate::names::{VulnerabilityId, named};
use crate::read::{Refused, document};
use crate::report::{About, Format, Report, Scanner};
use crate::severity::Severity;

#[derive(Deserialize)]
struct Document {
    #[serde(deserialize_with = "list")]
    matches: Vec<Match>,
    source: Option<Source>,
    descriptor: Descriptor,
}

#[derive(Deserialize)]
struct Source {
    r#type: String,
    target: Value,
}

/// The target of a scan of an image; of anything else it is a text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    #[serde(rename = "imageID")]
    image_id: Option<String>,
    manifest_digest: Option<String>,
    #[serde(default, deserialize_with = "list")]
    repo_digests: Vec<String>,
}

#[derive(Deserialize)]
struct Descriptor {
    name: Option<String>,
    version: Option<String>,
    timestamp: Option<String>,
    db: Option<Database>,
}

/// Where the time of the database stands has moved with Grype's versions.
#[derive(Deserialize)]
struct Database {
    built: Option<String>,
    status: Option<DatabaseStatus>,
}

#[derive(Deserialize)]
struct DatabaseStatus {
    built: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Match {
    vulnerability: Vulnerability,
    #[serde(default, deserialize_with = "list")]
    related_vulnerabilities: Vec<Vulnerability>,
    artifact: Artifact,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vulnerability {
    id: VulnerabilityId,
    namespace: Option<String>,
    data_source: Option<String>,
    severity: Option<String>,
    #[serde(default, deserialize_with = "list")]
    urls: Vec<String>,
    description: Option<String>,
    #[serde(default, deserialize_with = "list")]
    cvss: Vec<Score>,
    fix: Option<Fix>,
    #[serde(default, deserialize_with = "list")]
    cwes: Vec<Weakness>,
}

#[derive(Deserialize)]
struct Weakness {
    cwe: Option<String>,
}

#[derive(Deserialize)]
struct Score {
    source: Option<String>,
    version: Option<String>,
    vector: Option<String>,
    metrics: Option<Metrics>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    base_score: Option<f64>,
}

#[derive(Deserialize)]
struct Fix {
    #[serde(default, deserialize_with = "list")]
    versions: Vec<String>,
    state: Option<String>,
}

#[derive(Deserialize)]
struct Artifact {
    name: String,
    version: Option<String>,
    r#type: Option<String>,
    purl: Option<String>,
    #[serde(default, deserialize_with = "list")]
    locations: Vec<Location>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    path: Option<String>,
    #[serde(rename = "layerID")]
    layer_id: Option<String>,
}

pub(crate) fn read(json: &[u8]) -> Result<Report, Refused> {
    let document: Document = document(Format::Grype, json)?;
    let image = image(document.source)?;
    let manifests = image.manifest_digest.iter().chain(&image.repo_digests);
    let database = document.descriptor.db.as_ref().and_then(|db| {
        let status = db.status.as_ref().and_then(|status| status.built.as_deref());
        time(status.or(db.built.as_deref()))
    });
    Ok(Report {
        format: Format::Grype,
        scanner: Scanner {
            name: filled(document.descriptor.name).unwrap_or_else(|| "grype".to_owned()),
            version: filled(document.descriptor.version),
            database,
        },
        created: time(document.descriptor.timestamp.as_deref()),
        about: About {
            manifests: manifests.filter_map(|name| digest(name)).collect(),
            config: image.image_id.as_deref().and_then(digest),
        },
        // Grype tells nothing of what it did not recognize; an image without a known system has its
        // languages' packages at least.
        recognized: true,
        findings: document.matches.into_iter().map(finding).collect(),
    })
}

fn image(source: Option<Source>) -> Result<Image, Refused> {
    let Some(source) = source else {
        return Err(Refused::NotAnImage("something that it does not name".to_owned()));
    };
    if source.r#type != "image" {
        let target = source.target.as_str().unwrap_or_default();
        return Err(Refused::NotAnImage(
            format!("{} {target}", source.r#type).trim_end().to_owned(),
        ));
    }
    serde_json::from_value(source.target).map_err(|error| Refused::Misread {
        format: Format::Grype.as_str(),
        place: "source.target".to_owned(),
        problem: error.to_string(),
    })
}

fn finding(found: Match) -> Finding {
    let Match { vulnerability, related_vulnerabilities: related, artifact } = found;
    // What an advisory of a distributor is related to is several vulnerabilities, unless it is one.
    let same = vulnerability.id.names_one() || related.len() == 1;
    let aliases = related.iter().filter(|_| same).map(|related| related.id.clone());
    let (id, aliases) = named(vulnerability.id.clone(), aliases);
    let fix = vulnerability.fix;
    let state = fix.as_ref().and_then(|fix| fix.state.as_deref());
    let status = state.map_or(Status::Unknown, Status::of_scanner);
    let fixed_in = fix.map(|fix| fix.versions).unwrap_or_default();
    let related_cvss = related.into_iter().filter(|_| same).flat_map(|related| related.cvss);
    let scores = vulnerability.cvss.into_iter().chain(related_cvss).filter_map(score);
    let mut seen = HashSet::new();
    let is_new = |cvss: &Cvss| {
        let Cvss { version, score, vector, source } = cvss;
        seen.insert((*version, score.to_bits(), vector.clone(), source.clone()))
    };
    let cvss: Vec<Cvss> = scores.filter(is_new).collect();
    let place = artifact.locations.into_iter().next();
    let layer = place.as_ref().and_then(|place| place.layer_id.as_deref()).and_then(digest);
    Finding {
        id,
        aliases,
        package: Package {
            name: artifact.name,
            version: artifact.version.unwrap_or_default(),
            purl: filled(artifact.purl),
            kind: filled(artifact.r#type),
            path: place.and_then(|place| filled(place.path)),
        },
        layer,
        severity: vulnerability.severity.as_deref().map_or(Severity::Unknown, Severity::of_scanner),
        severity_source: filled(vulnerability.namespace),
        cvss,
        status: status.or_by(&fixed_in),
        fixed_in,
        title: None,
        description: filled(vulnerability.description),
        links: links(vulnerability.data_source.into_iter().chain(vulnerability.urls)),
        weaknesses: vulnerability.cwes.into_iter().filter_map(|weakness| weakness.cwe).collect(),
        published: None,
    }
}

fn score(score: Score) -> Option<Cvss> {
    let version = score.version.as_deref().or(score.vector.as_deref());
    let version = version.and_then(CvssVersion::of)?;
    let base = score.metrics.and_then(|metrics| metrics.base_score);
    Cvss::new(version, base, score.vector, filled(score.source))
}
