//! CycloneDX 1.4 to 1.7, JSON, with vulnerabilities.
//!
//! A vulnerability points at the components that it affects, which may be nested; each of these is a
//! finding. The component in `metadata` is what the document is about.

use std::collections::HashMap;

use serde::Deserialize;

use crate::finding::{Cvss, CvssVersion, Finding, Package, Status};
use crate::lenient::{digest, filled, links, list, once, time};
use crate::names::{VulnerabilityId, named};
use crate::read::{Limits, Refused, document};
use crate::report::{About, Format, Report, Scanner};
use crate::room::Room;
use crate::severity::Severity;

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default, deserialize_with = "list")]
    components: Vec<Component>,
    vulnerabilities: Option<Vec<Vulnerability>>,
}

#[derive(Deserialize, Default)]
struct Metadata {
    timestamp: Option<String>,
    tools: Option<Tools>,
    component: Option<Component>,
}

/// Version 1.5 made an object of the list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tools {
    List(Vec<Tool>),
    Object {
        #[serde(default, deserialize_with = "list")]
        components: Vec<Tool>,
    },
}

#[derive(Deserialize)]
struct Tool {
    name: Option<String>,
    version: Option<String>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(rename = "bom-ref")]
    reference: Option<String>,
    r#type: Option<String>,
    group: Option<String>,
    #[serde(default)]
    name: String,
    version: Option<String>,
    purl: Option<String>,
    #[serde(default, deserialize_with = "list")]
    properties: Vec<Property>,
    #[serde(default, deserialize_with = "list")]
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Property {
    name: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct Vulnerability {
    id: VulnerabilityId,
    source: Option<Source>,
    #[serde(default, deserialize_with = "list")]
    references: Vec<Reference>,
    #[serde(default, deserialize_with = "list")]
    ratings: Vec<Rating>,
    #[serde(default, deserialize_with = "list")]
    cwes: Vec<u32>,
    description: Option<String>,
    recommendation: Option<String>,
    #[serde(default, deserialize_with = "list")]
    advisories: Vec<Advisory>,
    published: Option<String>,
    analysis: Option<Analysis>,
    #[serde(default, deserialize_with = "list")]
    affects: Vec<Affected>,
}

#[derive(Deserialize)]
struct Source {
    name: Option<String>,
    url: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Rating {
    source: Option<Source>,
    score: Option<f64>,
    severity: Option<String>,
    method: Option<String>,
    vector: Option<String>,
}

#[derive(Deserialize)]
struct Advisory {
    url: Option<String>,
}

#[derive(Deserialize)]
struct Analysis {
    state: Option<String>,
}

#[derive(Deserialize)]
struct Affected {
    r#ref: String,
    #[serde(default, deserialize_with = "list")]
    versions: Vec<AffectedVersion>,
}

#[derive(Deserialize)]
struct AffectedVersion {
    version: Option<String>,
    status: Option<String>,
}

pub(crate) fn read(json: &[u8], limits: Limits) -> Result<Report, Refused> {
    let document: Document = document(Format::CycloneDx, json)?;
    let Some(vulnerabilities) = document.vulnerabilities else {
        return Err(Refused::Unsupported {
            found: "a CycloneDX document without `vulnerabilities`".to_owned(),
            remedy: "a list of components alone says nothing of them; have it scanned first",
        });
    };
    let about = about(document.metadata.component.as_ref())?;
    let mut components = HashMap::new();
    let top = document.metadata.component.iter().chain(&document.components);
    top.for_each(|component| index(component, &mut components));
    let mut room = Room::new(limits);
    for (place, vulnerability) in vulnerabilities.iter().enumerate() {
        findings(vulnerability, &components, place, &mut room)?;
    }
    let tool = match document.metadata.tools {
        Some(Tools::List(tools) | Tools::Object { components: tools }) => tools.into_iter().next(),
        None => None,
    };
    let (name, version) = tool.map_or((None, None), |tool| (tool.name, tool.version));
    Ok(Report {
        format: Format::CycloneDx,
        scanner: Scanner {
            name: filled(name).unwrap_or_else(|| "unknown".to_owned()),
            version: filled(version),
            database: None,
        },
        created: time(document.metadata.timestamp.as_deref()),
        about,
        recognized: !document.components.is_empty(),
        findings: room.into_findings(),
    })
}

/// The image: by its package URL, or by what Trivy and Syft add.
fn about(component: Option<&Component>) -> Result<About, Refused> {
    let Some(component) = component else {
        return Err(Refused::NotAnImage("something that it does not name".to_owned()));
    };
    let kind = component.r#type.as_deref().unwrap_or_default();
    if kind != "container" {
        return Err(Refused::NotAnImage(format!("{kind} {}", component.name).trim().to_owned()));
    }
    let of_purl = component.purl.as_deref().and_then(digest_of_purl);
    let of_version = component.version.as_deref().and_then(digest);
    let named = component.all("aquasecurity:trivy:RepoDigest").filter_map(digest);
    let manifests = once(of_purl.into_iter().chain(of_version).chain(named));
    let config = component.all("aquasecurity:trivy:ImageID").find_map(digest);
    Ok(About { manifests, config })
}

/// The version of `pkg:oci/name@sha256%3A…?…` (package URL specification, type `oci`).
fn digest_of_purl(purl: &str) -> Option<oci::Digest> {
    let purl = purl.strip_prefix("pkg:oci/")?;
    let path = purl.split(['?', '#']).next()?;
    let (_, version) = path.rsplit_once('@')?;
    digest(&version.replace("%3A", ":").replace("%3a", ":"))
}

fn index<'d>(component: &'d Component, components: &mut HashMap<&'d str, &'d Component>) {
    if let Some(reference) = &component.reference {
        components.insert(reference, component);
    }
    component.components.iter().for_each(|inner| index(inner, components));
}

impl Component {
    fn all<'c>(&'c self, name: &'c str) -> impl Iterator<Item = &'c str> {
        let named = |property: &&Property| property.name.as_deref() == Some(name);
        self.properties.iter().filter(named).filter_map(|property| property.value.as_deref())
    }

    fn first(&self, names: [&str; 2]) -> Option<&str> {
        let named = |property: &&Property| {
            property.name.as_deref().is_some_and(|name| names.contains(&name))
        };
        self.properties.iter().find(named).and_then(|property| property.value.as_deref())
    }
}

fn findings(
    vulnerability: &Vulnerability,
    components: &HashMap<&str, &Component>,
    place: usize,
    room: &mut Room,
) -> Result<(), Refused> {
    let misread = |inner: &str, problem: &str| Refused::Misread {
        format: Format::CycloneDx.as_str(),
        place: format!("vulnerabilities[{place}].{inner}"),
        problem: problem.to_owned(),
    };
    if vulnerability.affects.is_empty() {
        return Err(misread("affects", "it does not say which component has the vulnerability"));
    }
    let told = told(vulnerability);
    for (at, affected) in vulnerability.affects.iter().enumerate() {
        // A BOM-Link names the document first: `urn:cdx:serial/version#reference`.
        let reference = affected.r#ref.as_str();
        let inner = reference.split_once('#').map(|(_, inner)| inner);
        let component = components.get(reference).or_else(|| components.get(inner?));
        let Some(component) = component else {
            let inner = format!("affects[{at}].ref");
            return Err(misread(&inner, "no component of the document has this `bom-ref`"));
        };
        // What is looked through for each.
        let looked = vulnerability.recommendation.as_ref().map_or(0, String::len);
        room.take(looked + component.properties.len())?;
        room.push(finding(told.clone(), vulnerability, component, &affected.versions))?;
    }
    Ok(())
}

/// What it tells of each component.
fn told(vulnerability: &Vulnerability) -> Finding {
    let others = vulnerability.references.iter().filter_map(|reference| reference.id.as_deref());
    let others = others.filter_map(VulnerabilityId::new).filter(VulnerabilityId::names_one);
    let (id, aliases) = named(vulnerability.id.clone(), others);
    let (severity, severity_source) = severity(vulnerability);
    let url = vulnerability.source.as_ref().and_then(|source| source.url.clone());
    let urls = vulnerability.advisories.iter().filter_map(|advisory| advisory.url.clone());
    Finding {
        id,
        aliases,
        package: Package::default(),
        layer: None,
        severity,
        severity_source,
        cvss: vulnerability.ratings.iter().filter_map(cvss).collect(),
        status: Status::Unknown,
        fixed_in: Vec::new(),
        title: None,
        description: filled(vulnerability.description.clone()),
        links: links(urls.chain(url)),
        weaknesses: vulnerability.cwes.iter().map(|cwe| format!("CWE-{cwe}")).collect(),
        published: time(vulnerability.published.as_deref()),
    }
}

fn finding(
    told: Finding,
    vulnerability: &Vulnerability,
    component: &Component,
    versions: &[AffectedVersion],
) -> Finding {
    let unaffected =
        versions.iter().filter(|version| version.status.as_deref() == Some("unaffected"));
    let mut fixed_in: Vec<String> =
        unaffected.filter_map(|version| filled(version.version.clone())).collect();
    if fixed_in.is_empty() {
        fixed_in = recommended(vulnerability.recommendation.as_deref(), &component.name);
    }
    let state = vulnerability.analysis.as_ref().and_then(|analysis| analysis.state.as_deref());
    let layer = component.first(["aquasecurity:trivy:LayerDigest", "syft:location:0:layerID"]);
    let path = component.first(["aquasecurity:trivy:FilePath", "syft:location:0:path"]);
    let kind = component.first(["aquasecurity:trivy:PkgType", "syft:package:type"]);
    let name = match filled(component.group.clone()) {
        Some(group) => format!("{group}/{}", component.name),
        None => component.name.clone(),
    };
    Finding {
        package: Package {
            name,
            version: component.version.clone().unwrap_or_default(),
            purl: filled(component.purl.clone()),
            kind: kind.map(str::to_owned),
            path: path.map(str::to_owned),
        },
        layer: layer.and_then(digest),
        status: state.map_or(Status::Unknown, Status::of_scanner).or_by(&fixed_in),
        fixed_in,
        ..told
    }
}

/// What the source of the vulnerability says of it; else the worst that anybody says. Version 2 of
/// CVSS has no "critical", so it is asked only where nobody else says anything.
fn severity(vulnerability: &Vulnerability) -> (Severity, Option<String>) {
    let of = |rating: &Rating| {
        let said = rating.severity.as_deref().map(Severity::of_scanner);
        said.or_else(|| rating.score.map(Severity::of_score)).unwrap_or(Severity::Unknown)
    };
    let named = |source: Option<&Source>| source.and_then(|source| source.name.clone());
    let own = named(vulnerability.source.as_ref());
    let is_own = |rating: &&Rating| own.is_some() && named(rating.source.as_ref()) == own;
    let is_current = |rating: &&Rating| rating.method.as_deref() != Some("CVSSv2");
    let ratings = || vulnerability.ratings.iter();
    let worst =
        |found: Option<&Rating>| found.map(|rating| (of(rating), named(rating.source.as_ref())));
    let known = |found: &(Severity, Option<String>)| found.0 != Severity::Unknown;
    worst(ratings().filter(is_own).filter(is_current).max_by_key(|rating| of(rating)))
        .filter(known)
        .or_else(|| worst(ratings().filter(is_current).max_by_key(|rating| of(rating))))
        .filter(known)
        .or_else(|| worst(ratings().max_by_key(|rating| of(rating))))
        .unwrap_or((Severity::Unknown, None))
}

fn cvss(rating: &Rating) -> Option<Cvss> {
    let method = rating.method.as_deref()?.strip_prefix("CVSSv")?;
    let source = rating.source.as_ref().and_then(|source| filled(source.name.clone()));
    Cvss::new(CvssVersion::of(method)?, rating.score, rating.vector.clone(), source)
}

/// Trivy has no other place for fixed versions than the sentence `Upgrade NAME to version A, B`; where
/// several packages are affected there are several such sentences.
fn recommended(text: Option<&str>, name: &str) -> Vec<String> {
    let sentences = text.unwrap_or_default().split("; ");
    let of_this = sentences.filter_map(|sentence| {
        let (package, versions) =
            sentence.trim().strip_prefix("Upgrade ")?.split_once(" to version ")?;
        let last = package.rsplit([':', '/']).next();
        (package == name || last == Some(name)).then_some(versions)
    });
    let versions = of_this.flat_map(|versions| versions.split(", "));
    versions
        .map(|version| version.trim().to_owned())
        .filter(|version| is_version(version))
        .collect()
}

/// Not the rest of a sentence that a person wrote.
fn is_version(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit()) && !text.contains(char::is_whitespace)
}
