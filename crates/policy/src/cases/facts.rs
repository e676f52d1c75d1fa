//! What a case says of an image, for release gates.

use std::collections::BTreeMap;
use std::sync::Arc;

use document::{Mistake, Node, Problems, did_you_mean};
use jiff::{SignedDuration, Timestamp};
use oci::{Digest, RepositoryName, Tag};
use reports::{Severity, Status, VulnerabilityId};

use crate::flag_name::FlagName;
use crate::gate::{Facts, FindingFact, FlagFact, Form, ReportFacts, Scan, ScanState, Shape};
use crate::lower;
use crate::policy::Policy;
use crate::question;

/// What a case says of the image that it is about: one manifest for one platform. What it does not
/// say is not known.
#[derive(Debug, Clone, Default)]
pub struct CaseFacts {
    flags: Vec<FlagName>,
    signed_by: Vec<Box<str>>,
    labels: BTreeMap<String, String>,
    first_seen: Option<Timestamp>,
    shape: Shape,
    scan: ScanWord,
    report_age: SignedDuration,
    vulnerabilities: Vec<FindingFact>,
    passed_before: bool,
}

/// How far scanning is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ScanWord {
    #[default]
    Never,
    Pending,
    Failed,
    Incomplete,
    Done,
}

const SCANS: [(&str, ScanWord); 5] = [
    ("never", ScanWord::Never),
    ("pending", ScanWord::Pending),
    ("failed", ScanWord::Failed),
    ("incomplete", ScanWord::Incomplete),
    ("done", ScanWord::Done),
];

/// Reads the facts of a case that asks `at` this time.
pub(super) fn read(
    node: &Node,
    policy: &Policy,
    at: Timestamp,
    problems: &mut Problems,
) -> Option<CaseFacts> {
    let mut section = node.section("`facts`", problems)?;
    let flags = section.take("flags", problems);
    let flags = flags.map(|node| texts(node, "`flags`", problems, |text| flag(text, policy)));
    let signed_by = section.take("signed_by", problems);
    let keys = |text: &str| Ok(text.into());
    let signed_by = signed_by.map(|node| texts(node, "`signed_by`", problems, keys));
    let labels = section.take("labels", problems).map(|node| labels(node, problems));
    let first_seen = section.read("first_seen", problems, question::time);
    let size = section.read("size", problems, lower::size);
    let types = section.take("media_types", problems);
    let types = types.map(|node| texts(node, "`media_types`", problems, keys));
    let base = section.read("base_image", problems, tagged);
    let scan = section.read("scan", problems, |text| lower::word(text, &SCANS, "state of a scan"));
    let age = section.read("report_age", problems, lower::duration);
    let findings = section.take("vulnerabilities", problems);
    let is_reported = age.is_some() || findings.is_some();
    let findings = findings.map(|node| findings_of(node, at, problems)).unwrap_or_default();
    let passed = section.read("passed_before", problems, |text| {
        lower::word(text, &[("true", true), ("false", false)], "setting")
    });
    section.finish(problems);
    let implied = if is_reported { ScanWord::Done } else { ScanWord::Never };
    if let Some(scan) = &scan
        && is_reported
        && !matches!(scan.value, ScanWord::Done | ScanWord::Incomplete)
    {
        let mistake = Mistake::new("an image that was not scanned has no report")
            .help("remove `scan`, or `report_age` and `vulnerabilities`");
        problems.at(scan.place, mistake);
    }
    Some(CaseFacts {
        flags: flags.unwrap_or_default(),
        signed_by: signed_by.unwrap_or_default(),
        labels: labels.unwrap_or_default(),
        first_seen: first_seen.map(|it| it.value),
        shape: Shape {
            size: size.map(|it| it.value),
            media_types: types,
            bases: base.map(|it| it.value).into_iter().collect(),
        },
        scan: scan.map_or(implied, |it| it.value),
        report_age: age.map(|it| it.value).unwrap_or_default(),
        vulnerabilities: findings,
        passed_before: passed.is_some_and(|it| it.value),
    })
}

fn texts<T>(
    node: &Node,
    what: &str,
    problems: &mut Problems,
    read: impl Fn(&str) -> Result<T, Mistake>,
) -> Vec<T> {
    let nodes = node.list(what, problems).unwrap_or_default();
    let read = nodes.iter().filter_map(|node| node.read(what, problems, &read));
    read.map(|read| read.value).collect()
}

fn flag(text: &str, policy: &Policy) -> Result<FlagName, Mistake> {
    if let Some(flag) = policy.flag(text) {
        return Ok(flag.name());
    }
    let names: Vec<_> = policy.flags().map(|flag| flag.name().to_string()).collect();
    Err(Mistake::new(format!("unknown flag `{}`", text.escape_debug()))
        .label("not in any policy file")
        .maybe_help(did_you_mean(text, names.iter().map(String::as_str))))
}

/// An image by its tag.
fn tagged(text: &str) -> Result<(RepositoryName, Tag), Mistake> {
    let read = text.split_once(':').and_then(|(repository, tag)| {
        Some((RepositoryName::new(repository).ok()?, Tag::new(tag).ok()?))
    });
    read.ok_or_else(|| {
        Mistake::new(format!("`{}` is no tagged image", text.escape_debug()))
            .help("write `REPOSITORY:TAG`, such as `base/debian:12`")
    })
}

fn labels(node: &Node, problems: &mut Problems) -> BTreeMap<String, String> {
    let entries = node.map("`labels`", problems).unwrap_or_default();
    let read = entries.iter().filter_map(|entry| {
        let value = entry.value.text("a label", problems)?;
        Some((entry.key.clone(), value.to_owned()))
    });
    read.collect()
}

fn findings_of(node: &Node, at: Timestamp, problems: &mut Problems) -> Vec<FindingFact> {
    let nodes = node.list("`vulnerabilities`", problems).unwrap_or_default();
    nodes.iter().filter_map(|node| finding(node, at, problems)).collect()
}

fn finding(node: &Node, at: Timestamp, problems: &mut Problems) -> Option<FindingFact> {
    let mut section = node.section("a vulnerability", problems)?;
    let id = section.read("id", problems, vulnerability);
    let aliases = section.take("aliases", problems);
    let aliases = aliases.map(|node| texts(node, "`aliases`", problems, vulnerability));
    let severity = section.read("severity", problems, |text| {
        text.parse::<Severity>().map_err(|error| Mistake::of(&error))
    });
    let package = section.read("package", problems, |text| Ok(text.to_owned()));
    let cvss = section.read("cvss", problems, lower::score);
    let fixed_in = section.read("fixed_in", problems, |text| Ok(text.to_owned()));
    let first_seen = section.read("first_seen", problems, question::time);
    let lacks_id = section.lacks("id");
    if section.finish(problems).is_empty() && lacks_id {
        let mistake = Mistake::new("a vulnerability without a name").help("add `id: CVE-…`");
        problems.at(node.place, mistake);
    }
    let (name, version, purl) = package_of(package.map(|it| it.value).unwrap_or_default());
    Some(FindingFact {
        id: id?.value,
        aliases: aliases.unwrap_or_default(),
        package: name,
        version,
        purl,
        severity: severity.map_or(Severity::Unknown, |it| it.value),
        cvss: cvss.map(|it| it.value),
        fixed_in: fixed_in.map(|it| it.value),
        status: Status::Affected,
        first_seen: first_seen.map_or(at, |it| it.value),
    })
}

/// The name, the version and the URL of a package, as far as what is written says them.
fn package_of(written: String) -> (String, String, Option<String>) {
    if !written.starts_with("pkg:") {
        return (written, String::new(), None);
    }
    let plain = written.split(['?', '#']).next().unwrap_or_default();
    let (path, version) = plain.rsplit_once('@').unwrap_or((plain, ""));
    let name = path.rsplit('/').next().unwrap_or_default();
    (name.to_owned(), version.to_owned(), Some(written))
}

fn vulnerability(text: &str) -> Result<VulnerabilityId, Mistake> {
    VulnerabilityId::new(text)
        .ok_or_else(|| Mistake::new(format!("`{}` names no vulnerability", text.escape_debug())))
}

impl CaseFacts {
    /// As what is known `at` this time of an image in the repository.
    pub(super) fn of(&self, policy: &Policy, repository: &RepositoryName, at: Timestamp) -> Facts {
        let flag = |&name: &FlagName| {
            let repository = repository.clone();
            FlagFact { name, repository, set_at: at, expires_at: None }
        };
        let passed = policy.gates().filter(|_| self.passed_before);
        Facts {
            digest: anything(),
            form: Form::Image {
                platform: None,
                labels: Some(self.labels.clone()),
                shape: self.shape.clone(),
                scan: self.scan_at(at),
            },
            first_seen: self.first_seen,
            flags: self.flags.iter().map(flag).collect(),
            signers: self.signed_by.clone(),
            passed: passed.map(|gate| (gate.name().into(), at)).collect(),
            broken: Vec::new(),
        }
    }

    fn scan_at(&self, at: Timestamp) -> Scan {
        let report = |recognized| {
            vec![Arc::new(ReportFacts {
                scanner: "a case".to_owned(),
                made_at: at.checked_sub(self.report_age).unwrap_or(Timestamp::MIN),
                recognized,
                findings: self.vulnerabilities.as_slice().into(),
            })]
        };
        let failed = || ScanState::Failed { since: at, reason: "the case says so".to_owned() };
        let (state, reports) = match self.scan {
            ScanWord::Never => (ScanState::Never, Vec::new()),
            ScanWord::Pending => (ScanState::Pending, Vec::new()),
            ScanWord::Failed => (failed(), Vec::new()),
            ScanWord::Incomplete => (ScanState::Done, report(false)),
            ScanWord::Done => (ScanState::Done, report(true)),
        };
        Scan { state, reports, vex: Vec::new() }
    }
}

/// No exception names it: a case is about a tag, whatever that holds.
#[expect(clippy::expect_used, reason = "it is a digest, and a test reads it")]
fn anything() -> Digest {
    Digest::new("sha256:0000000000000000000000000000000000000000000000000000000000000000")
        .expect("a digest")
}
