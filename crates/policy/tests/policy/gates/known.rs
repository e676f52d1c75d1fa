//! Short ways to write what is known of an image.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use oci::{Digest, Platform, RepositoryName};
use policy::gate::{
    Child, Facts, FindingFact, FlagFact, Form, Gate, Judgement, Occasion, ReportFacts, Scan,
    ScanState, Shape, Verdict, judge,
};
use policy::{FlagName, Policy};
use reports::{Severity, Status, VulnerabilityId};

use crate::support::caller;

/// The first of March 2026, and so many days later.
pub(crate) fn day(days: i64) -> Timestamp {
    let first: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    first + SignedDuration::from_hours(24 * days)
}

pub(crate) fn digest(number: u8) -> Digest {
    Digest::new(&format!("sha256:{}", format!("{number:02x}").repeat(32))).unwrap()
}

pub(crate) fn repository(name: &str) -> RepositoryName {
    RepositoryName::new(name).unwrap()
}

pub(crate) fn platform(text: &str) -> Platform {
    let mut parts = text.split('/').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    Platform { os: next(), architecture: next(), variant: next() }
}

pub(crate) fn facts(number: u8, form: Form) -> Facts {
    Facts {
        digest: digest(number),
        form,
        first_seen: None,
        flags: Vec::new(),
        signers: Vec::new(),
        passed: Vec::new(),
        broken: Vec::new(),
    }
}

/// An image for linux/amd64 of which nothing is known but that.
pub(crate) fn image(number: u8) -> Facts {
    scanned(number, Scan::default())
}

pub(crate) fn scanned(number: u8, scan: Scan) -> Facts {
    image_for(number, "linux/amd64", scan)
}

pub(crate) fn image_for(number: u8, on: &str, scan: Scan) -> Facts {
    let form = Form::Image {
        platform: Some(platform(on)),
        labels: Some(BTreeMap::new()),
        shape: Shape::default(),
        scan,
    };
    facts(number, form)
}

pub(crate) fn index(number: u8, children: Vec<Facts>) -> Facts {
    let child = |facts| Child { platform: None, facts: Arc::new(facts) };
    facts(number, Form::Index { children: children.into_iter().map(child).collect() })
}

pub(crate) fn flag(name: &str, place: &str, set_at: Timestamp) -> FlagFact {
    let name = FlagName::new(name).unwrap();
    FlagFact { name, repository: repository(place), set_at, expires_at: None }
}

pub(crate) fn finding(id: &str, package: &str, severity: Severity) -> FindingFact {
    FindingFact {
        id: VulnerabilityId::new(id).unwrap(),
        aliases: Vec::new(),
        package: package.to_owned(),
        version: "1.0".to_owned(),
        purl: Some(format!("pkg:deb/debian/{package}@1.0?arch=amd64")),
        severity,
        cvss: None,
        fixed_in: None,
        status: Status::Affected,
        first_seen: day(0),
    }
}

pub(crate) fn report(findings: Vec<FindingFact>) -> Arc<ReportFacts> {
    Arc::new(ReportFacts {
        scanner: "Trivy".to_owned(),
        made_at: day(0),
        recognized: true,
        findings: findings.into(),
    })
}

pub(crate) fn done(reports: Vec<Arc<ReportFacts>>) -> Scan {
    Scan { state: ScanState::Done, reports, vex: Vec::new() }
}

/// All gates of the policy over the image, in `prod/api`.
pub(crate) fn judged(
    policy: &Policy,
    facts: &Facts,
    holders: &[Arc<Facts>],
    at: Timestamp,
) -> Judgement {
    let gates: Vec<&Arc<Gate>> = policy.gates().collect();
    judge(&gates, policy, &repository("prod/api"), facts, holders, at)
}

/// "passed", or why it is held.
pub(crate) fn told(policy: &Policy, facts: &Facts, at: Timestamp) -> String {
    told_with(policy, facts, &[], at)
}

pub(crate) fn told_with(
    policy: &Policy,
    facts: &Facts,
    holders: &[Arc<Facts>],
    at: Timestamp,
) -> String {
    match judged(policy, facts, holders, at).verdict {
        Verdict::Passed(_) => "passed".to_owned(),
        Verdict::Held(held) => held.summary(),
    }
}

/// The names of the gates before an image.
pub(crate) fn names(policy: &Policy, subject: &str, groups: &[&str], image: &str) -> String {
    let (repository, tag) = crate::support::image(image);
    let caller = caller(subject, groups);
    let gates = policy.gates_for(&caller, Occasion::Pull, &repository, tag.as_ref());
    gates.iter().map(|gate| gate.name()).collect::<Vec<_>>().join(" ")
}
