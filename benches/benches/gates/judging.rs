//! What a gate says to an image in which scanners found a hundred vulnerabilities.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use jiff::Timestamp;
use oci::{Digest, RepositoryName};
use policy::Policy;
use policy::gate::{
    Facts, FindingFact, Form, Gate, ReportFacts, Scan, ScanState, Shape, Verdict, judge,
};
use reports::{Severity, Status, VulnerabilityId};

use crate::{Figure, compile, median};

const FINDINGS: usize = 100;
/// Of these so many are worse than the gate lets pass.
const BAD: usize = 20;
/// Of the policy, for other images.
const EXCEPTIONS: usize = 1_000;

/// The contract: of one verdict, in nanoseconds.
const AIM: f64 = 50_000.0;

fn policy(max_severity: &str) -> Policy {
    let mut exceptions = String::from("exceptions:\n");
    for number in 0..EXCEPTIONS {
        let _ = writeln!(
            exceptions,
            "  - {{cve: CVE-2025-{number}, images: ['team-{number}/**'], reason: it is not \
             reachable, by: 'user:alice', expires: 2030-01-01}}"
        );
    }
    let gate = format!(
        "gates:\n  - {{name: production, images: ['prod/**'], require: {{vulnerabilities: \
         {{max_severity: {max_severity}, max_report_age: 30d}}}}, grace: {{new_finding: 30d}}}}\n"
    );
    compile(vec![exceptions, gate])
}

fn report(scanner: &str, prefix: &str, now: Timestamp) -> Option<Arc<ReportFacts>> {
    let finding = |number: usize| {
        Some(FindingFact {
            id: VulnerabilityId::new(&format!("{prefix}-2026-{number}"))?,
            aliases: VulnerabilityId::new(&format!("GHSA-aaaa-bbbb-{number:04}"))
                .into_iter()
                .collect(),
            package: format!("package-{}", number / 3),
            version: "1.2.3-4+deb12u1".to_owned(),
            purl: Some(format!("pkg:deb/debian/package-{}@1.2.3-4?arch=amd64", number / 3)),
            severity: if number < BAD { Severity::High } else { Severity::Low },
            cvss: Some(if number < BAD { 8.1 } else { 3.1 }),
            fixed_in: Some("1.2.4".to_owned()),
            status: Status::Affected,
            first_seen: now,
        })
    };
    let findings: Option<Vec<_>> = (0..FINDINGS).map(finding).collect();
    let findings = findings?.into();
    let scanner = scanner.to_owned();
    Some(Arc::new(ReportFacts { scanner, made_at: now, recognized: true, findings }))
}

fn image(reports: Vec<Arc<ReportFacts>>, passed: Option<Timestamp>) -> Facts {
    let scan = Scan { state: ScanState::Done, reports, vex: Vec::new() };
    let form = Form::Image { platform: None, labels: None, shape: Shape::default(), scan };
    Facts {
        digest: Digest::Sha256([7; 32]),
        form,
        first_seen: None,
        flags: Vec::new(),
        signers: Vec::new(),
        passed: passed.into_iter().map(|at| ("production".into(), at)).collect(),
        broken: Vec::new(),
    }
}

pub(crate) fn measure() -> Vec<Figure> {
    let now = Timestamp::UNIX_EPOCH;
    let Ok(repository) = RepositoryName::new("prod/api") else { return Vec::new() };
    let (strict, lax) = (policy("medium"), policy("high"));
    let one: Vec<_> = report("Trivy", "CVE", now).into_iter().collect();
    let two: Vec<_> = one.iter().cloned().chain(report("Grype", "OSV", now)).collect();
    let time = |policy: &Policy, facts: &Facts, passes: bool| {
        let gates: Vec<&Arc<Gate>> = policy.gates().collect();
        median(|_| {
            let judgement = judge(&gates, policy, &repository, black_box(facts), &[], now);
            assert_eq!(matches!(black_box(judgement).verdict, Verdict::Passed(_)), passes);
        })
    };
    let figure = |what, nanoseconds| Figure { what, nanoseconds, aim: AIM };
    let fresh = |reports: &[Arc<ReportFacts>]| image(reports.to_vec(), None);
    let known = |reports: &[Arc<ReportFacts>]| image(reports.to_vec(), Some(now));
    vec![
        figure("100 findings, all let pass", time(&lax, &fresh(&one), true)),
        figure("100 findings, 20 held", time(&strict, &fresh(&one), false)),
        figure("100 findings, 20 in grace", time(&strict, &known(&one), true)),
        figure("100 findings of each of two scanners, 20 held", time(&strict, &fresh(&two), false)),
    ]
}
