//! OSV-Scanner's JSON, of a scan of an image.
//!
//! It tells whole OSV records and, beside them, which are the same vulnerability: each such group is
//! one finding.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::finding::{Cvss, CvssVersion, Finding, Package, Status};
use crate::lenient::{filled, links, list, once, time};
use crate::names::{VulnerabilityId, named};
use crate::read::{Limits, Refused, document};
use crate::report::{About, Format, Report, Scanner};
use crate::room::Room;
use crate::severity::Severity;

#[derive(Deserialize)]
struct Document {
    #[serde(default, deserialize_with = "list")]
    results: Vec<Results>,
    image_metadata: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Results {
    source: Option<Source>,
    #[serde(default, deserialize_with = "list")]
    packages: Vec<Found>,
}

#[derive(Deserialize)]
struct Source {
    path: Option<String>,
    r#type: Option<String>,
}

#[derive(Deserialize)]
struct Found {
    package: Named,
    #[serde(default, deserialize_with = "list")]
    vulnerabilities: Vec<Record>,
    #[serde(default, deserialize_with = "list")]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    version: Option<String>,
    ecosystem: Option<String>,
    purl: Option<String>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default, deserialize_with = "list")]
    ids: Vec<VulnerabilityId>,
    #[serde(default, deserialize_with = "list")]
    aliases: Vec<String>,
    max_severity: Option<String>,
}

/// An advisory (OSV schema).
#[derive(Deserialize)]
struct Record {
    id: VulnerabilityId,
    #[serde(default, deserialize_with = "list")]
    aliases: Vec<String>,
    summary: Option<String>,
    details: Option<String>,
    published: Option<String>,
    #[serde(default, deserialize_with = "list")]
    severity: Vec<Rating>,
    #[serde(default, deserialize_with = "list")]
    affected: Vec<Affected>,
    #[serde(default, deserialize_with = "list")]
    references: Vec<Reference>,
    database_specific: Option<DatabaseSpecific>,
}

#[derive(Deserialize)]
struct Rating {
    r#type: Option<String>,
    score: Option<String>,
}

#[derive(Deserialize)]
struct Affected {
    package: Option<Named>,
    #[serde(default, deserialize_with = "list")]
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
struct Range {
    r#type: Option<String>,
    #[serde(default, deserialize_with = "list")]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    fixed: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    url: Option<String>,
}

/// What databases add; only what GitHub's adds is read, and only where it is as expected.
#[derive(Deserialize)]
struct DatabaseSpecific {
    severity: Option<serde_json::Value>,
    cwe_ids: Option<serde_json::Value>,
}

pub(crate) fn read(json: &[u8], limits: Limits) -> Result<Report, Refused> {
    let document: Document = document(Format::OsvScanner, json)?;
    let of_image = |results: &Results| {
        let kind = results.source.as_ref().and_then(|source| source.r#type.as_deref());
        matches!(kind, Some("docker" | "os"))
    };
    // The first version says `docker`; the second describes the image.
    if document.image_metadata.is_none() && !document.results.iter().any(of_image) {
        let first = document.results.into_iter().find_map(|results| results.source?.path);
        let name = first.map_or_else(|| "files".to_owned(), |path| format!("the file {path}"));
        return Err(Refused::NotAnImage(name));
    }
    let mut room = Room::new(limits);
    let mut recognized = false;
    for (place, results) in document.results.into_iter().enumerate() {
        let path = results.source.and_then(|source| filled(source.path));
        for (at, found) in results.packages.into_iter().enumerate() {
            recognized = true;
            let place = format!("results[{place}].packages[{at}]");
            findings_in(&found, path.as_deref(), &place, &mut room)?;
        }
    }
    Ok(Report {
        format: Format::OsvScanner,
        scanner: Scanner { name: "OSV-Scanner".to_owned(), version: None, database: None },
        created: None,
        about: About::default(),
        recognized,
        findings: room.into_findings(),
    })
}

fn findings_in(
    found: &Found,
    path: Option<&str>,
    place: &str,
    room: &mut Room,
) -> Result<(), Refused> {
    let mut by_id: HashMap<&VulnerabilityId, Vec<usize>> = HashMap::new();
    for (at, record) in found.vulnerabilities.iter().enumerate() {
        by_id.entry(&record.id).or_default().push(at);
    }
    let mut grouped = HashSet::new();
    for (at, group) in found.groups.iter().enumerate() {
        let places = group.ids.iter().filter_map(|id| by_id.get(id)).flatten().copied();
        // As they stand in the document.
        let places: BTreeSet<usize> = places.collect();
        let records: Vec<&Record> =
            places.iter().filter_map(|&place| found.vulnerabilities.get(place)).collect();
        let Some(first) = records.first() else {
            return Err(Refused::Misread {
                format: Format::OsvScanner.as_str(),
                place: format!("{place}.groups[{at}].ids"),
                problem: "the package has no vulnerability of that name".to_owned(),
            });
        };
        let score = group.max_severity.as_deref().and_then(|score| score.parse().ok());
        room.take(records.iter().map(|record| record.entries()).sum())?;
        room.push(finding(found, first, &records, &group.aliases, score, path))?;
        grouped.extend(&group.ids);
    }
    // What is in no group is a finding of its own, so that none is lost.
    for record in found.vulnerabilities.iter().filter(|record| !grouped.contains(&record.id)) {
        room.push(finding(found, record, &[record], &[], None, path))?;
    }
    Ok(())
}

impl Record {
    /// How much of it is looked at for each group that it is in.
    fn entries(&self) -> usize {
        let ranges = self.affected.iter().flat_map(|affected| &affected.ranges);
        let events = ranges.map(|range| 1 + range.events.len()).sum::<usize>();
        self.aliases.len()
            + self.severity.len()
            + self.references.len()
            + self.affected.len()
            + events
    }
}

fn finding(
    found: &Found,
    first: &Record,
    records: &[&Record],
    aliases: &[String],
    score: Option<f64>,
    path: Option<&str>,
) -> Finding {
    let told = records.iter().flat_map(|record| &record.aliases).chain(aliases);
    let told = told.filter_map(|name| VulnerabilityId::new(name));
    let (id, aliases) = named(first.id.clone(), records.iter().map(|r| r.id.clone()).chain(told));
    let fixed_in = fixed_in(found, records);
    let specific = records.iter().filter_map(|record| record.database_specific.as_ref());
    let weaknesses = specific.filter_map(|specific| specific.cwe_ids.as_ref()?.as_array());
    let weaknesses = weaknesses.flatten().filter_map(|cwe| cwe.as_str()).map(str::to_owned);
    let urls = records.iter().flat_map(|record| &record.references);
    Finding {
        severity: severity(records, score),
        severity_source: None,
        cvss: cvss(records, score).into_iter().collect(),
        id,
        aliases,
        package: Package {
            name: found.package.name.clone(),
            version: found.package.version.clone().unwrap_or_default(),
            purl: filled(found.package.purl.clone()),
            kind: filled(found.package.ecosystem.clone()),
            path: path.map(str::to_owned),
        },
        layer: None,
        status: Status::Unknown.or_by(&fixed_in),
        fixed_in,
        title: filled(first.summary.clone()),
        description: filled(first.details.clone()),
        links: links(urls.filter_map(|reference| reference.url.clone())),
        weaknesses: weaknesses.collect(),
        published: time(first.published.as_deref()),
    }
}

/// The score decides; where there is none, the word of the database. A package that was made to do
/// harm has neither, and is as bad as can be.
fn severity(records: &[&Record], score: Option<f64>) -> Severity {
    let is_malware = |record: &Record| record.id.as_str().starts_with("MAL-");
    if records.iter().any(|record| is_malware(record)) {
        return Severity::Critical;
    }
    let words = records.iter().filter_map(|record| {
        record.database_specific.as_ref()?.severity.as_ref()?.as_str().map(Severity::of_scanner)
    });
    score.map_or_else(|| words.max().unwrap_or(Severity::Unknown), Severity::of_score)
}

/// The score of the group is of one of its vectors; which one is not told, unless there is only one.
fn cvss(records: &[&Record], score: Option<f64>) -> Option<Cvss> {
    let ratings = records.iter().flat_map(|record| &record.severity);
    let mut rated: Vec<(CvssVersion, &str)> = ratings
        .filter_map(|rating| {
            let version = rating.r#type.as_deref()?.strip_prefix("CVSS_V")?;
            Some((CvssVersion::of(version)?, rating.score.as_deref()?))
        })
        .collect();
    rated.sort_unstable();
    rated.dedup();
    let (version, vector) = *rated.last()?;
    let vector = (rated.len() == 1).then(|| vector.to_owned());
    Cvss::new(version, score, vector, None)
}

/// The versions that mend it in this package. Commits are no versions.
fn fixed_in(found: &Found, records: &[&Record]) -> Vec<String> {
    let Named { name, ecosystem, .. } = &found.package;
    // `Debian` in one place is `Debian:12` in the other.
    let family = |ecosystem: &Option<String>| {
        ecosystem.as_deref().and_then(|text| text.split(':').next()).map(str::to_owned)
    };
    let is_this = |affected: &&Affected| {
        affected.package.as_ref().is_some_and(|package| {
            package.name == *name && family(&package.ecosystem) == family(ecosystem)
        })
    };
    let affected = records.iter().flat_map(|record| &record.affected).filter(is_this);
    let ranges = affected.flat_map(|affected| &affected.ranges);
    let ranges = ranges.filter(|range| range.r#type.as_deref() != Some("GIT"));
    let events = ranges.flat_map(|range| &range.events);
    once(events.filter_map(|event| event.fixed.clone()))
}
