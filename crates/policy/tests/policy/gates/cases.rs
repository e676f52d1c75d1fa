//! Test cases that say what is known of an image.

use insta::assert_snapshot;
use policy::Policy;
use policy::cases::Cases;

use crate::support::{policy, sources};

const POLICY: &str = r#"flags: {tested: {}}
rules:
  - {name: all, subjects: [anyone], images: ["**"], allow: [pull, push]}
  - {name: qa, subjects: [user:qa], images: ["**"], allow: [inspect, "flag:tested"]}
gates:
  - name: production
    images: ["prod/**"]
    require: {flags: [tested], labels: {team: "*"}, max_age: 90d, vulnerabilities: {max_severity: low, max_report_age: 7d}}
    grace: {new_finding: 7d}
  - name: signed
    images: ["prod/**"]
    on: [pull, push]
    require: {signed_by: [release-key]}
exceptions:
  - {cve: CVE-7, package: "pkg:deb/debian/zlib*", images: [prod/api], reason: r, by: "user:a", expires: 2026-07-01}
"#;

const KNOWN: &str =
    "flags: [tested], labels: {team: a}, first_seen: 2026-05-01, signed_by: [release-key]";

fn run(policy: &Policy, cases: &str) -> (String, Vec<String>) {
    let files = sources(&[("tests/a.yaml", &format!("cases:\n{cases}"))]);
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    let read = Cases::read(files, policy, now).unwrap_or_else(|errors| panic!("{errors}"));
    let results = read.cases.run(policy);
    let uncovered = results.uncovered_gates.iter().map(|gate| gate.name.to_owned()).collect();
    let messages: Vec<_> = results.diagnostics().iter().map(|it| it.message.clone()).collect();
    (messages.join("\n"), uncovered)
}

/// What is said to a pull of `prod/api:v1` by alice that is expected to be allowed.
fn pull(facts: &str) -> String {
    let case = format!(
        "  - {{as: user:alice, do: pull, image: 'prod/api:v1', facts: {{{facts}}}, expect: allow}}"
    );
    run(&policy(POLICY), &case).0
}

#[test]
fn a_case_with_facts_is_judged_by_the_gates() {
    assert_snapshot!(pull(""), @"gate `production` holds it: it is not flagged tested; it is not known how old it is; its label team is missing, which has to be *; it was never scanned");
    assert_snapshot!(pull(KNOWN), @"gate `production` holds it: it was never scanned");
    assert_snapshot!(pull(&format!("{KNOWN}, scan: failed")), @"gate `production` holds it: it could not be scanned since 2026-06-01T00:00:00Z: the case says so");
    assert_snapshot!(pull(&format!("{KNOWN}, scan: incomplete")), @"gate `production` holds it: no scanner recognized what is in it");
    assert_snapshot!(pull(&format!("{KNOWN}, report_age: 8d")), @"gate `production` holds it: its newest report is of 2026-05-24T00:00:00Z, which is too old");
    assert_eq!(pull(&format!("{KNOWN}, scan: done")), "");
    let found = |finding: &str| pull(&format!("{KNOWN}, vulnerabilities: [{{{finding}}}]"));
    assert_snapshot!(found("id: CVE-1, severity: high, package: zlib, fixed_in: 1.2"), @"gate `production` holds it: CVE-1 (high) in zlib, fixed in 1.2");
    assert_eq!(found("id: CVE-1, severity: low"), "");
    assert_eq!(
        found("id: GHSA-1, aliases: [CVE-7], severity: high, package: 'pkg:deb/debian/zlib1g@1.1'"),
        ""
    );
    let before = format!("{KNOWN}, passed_before: true");
    assert_eq!(pull(&format!("{before}, vulnerabilities: [{{id: CVE-1, severity: high}}]")), "");
    let old = "vulnerabilities: [{id: CVE-1, severity: high, package: a, first_seen: 2026-05-20}]";
    assert_snapshot!(pull(&format!("{before}, {old}")), @"gate `production` holds it: CVE-1 (high) in a");
}

#[test]
fn a_gate_may_be_what_decides() {
    let policy = policy(POLICY);
    let said = |case: &str| run(&policy, &format!("  - {{as: user:alice, {case}}}")).0;
    assert_eq!(said("do: pull, image: 'prod/api:v1', facts: {}, expect: deny, by: production"), "");
    assert_eq!(said("do: push, image: 'prod/api:v1', facts: {}, expect: deny, by: signed"), "");
    assert_snapshot!(said("do: push, image: 'prod/api:v1', facts: {}, expect: deny, by: production"), @"gate `signed` holds it: it is not signed by release-key");
    assert_eq!(
        said(
            "do: push, image: 'prod/api:v1', facts: {signed_by: [release-key]}, expect: allow, by: signed"
        ),
        ""
    );
    assert_eq!(said("do: pull, image: 'dev/api:v1', facts: {}, expect: allow, by: all"), "");
}

#[test]
fn without_facts_the_rules_alone_decide_and_whoever_may_inspect_passes() {
    let policy = policy(POLICY);
    let (said, uncovered) = run(
        &policy,
        "  - {as: user:alice, do: pull, image: 'prod/api:v1', expect: allow}\n  - {as: user:qa, do: pull, image: 'prod/api:v1', facts: {}, expect: allow}",
    );
    assert_eq!(
        (said.as_str(), uncovered),
        ("", vec!["production".to_owned(), "signed".to_owned()])
    );
    let (_, uncovered) = run(
        &policy,
        "  - {as: user:alice, do: push, image: 'prod/api:v1', facts: {}, expect: deny}",
    );
    assert_eq!(uncovered, ["production"]);
}

#[test]
fn facts_that_are_not_understood() {
    let policy = policy(POLICY);
    let said = |facts: &str| {
        let case =
            format!("cases: [{{as: user:a, do: pull, image: a, expect: allow, facts: {facts}}}]");
        let files = sources(&[("tests/a.yaml", &case)]);
        let mistakes = Cases::read(files, &policy, jiff::Timestamp::UNIX_EPOCH).unwrap_err();
        let told = mistakes
            .iter()
            .map(|it| format!("{} [{}]", it.message, it.help.as_deref().unwrap_or_default()));
        told.collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(said("{flags: [testet], signed: [k], scan: perhaps, size: 1, report_age: 1w}"), @r#"
    unknown flag `testet` [did you mean `tested`?]
    unknown key `signed` in `facts` [keys of `facts` are `flags`, `signed_by`, `labels`, `first_seen`, `size`, `media_types`, `base_image`, `scan`, `report_age`, `vulnerabilities`, `passed_before`]
    unknown state of a scan `perhaps` [write one of `never`, `pending`, `failed`, `incomplete`, `done`]
    `1` is no size [write a whole number and a unit (kB, MB, GB, KiB, MiB, GiB), such as `500MiB`]
    `1w` is no duration [write a whole number and s, m, h or d, such as `14d`]
    "#);
    assert_snapshot!(said("{vulnerabilities: [{severity: bad}, {id: 'C V', cvss: 11}]}"), @r#"
    a vulnerability without a name [add `id: CVE-…`]
    `bad` is no severity: use unknown, negligible, low, medium, high or critical []
    `C V` names no vulnerability []
    `11` is no score [write a number from 0 to 10, such as `8.9`]
    "#);
    assert_snapshot!(said("{scan: never, report_age: 1d}"), @"an image that was not scanned has no report [remove `scan`, or `report_age` and `vulnerabilities`]");
}
