//! What gates say to an image.

use std::sync::Arc;

use oci::{RepositoryName, Tag};
use policy::Policy;
use policy::gate::{Child, Facts, Form, ReportFacts, Scan, ScanState, Shape, Verdict};
use policy::gate::{VexFact, VexScope, VexStatus};
use reports::{Severity, Status, VulnerabilityId};

use super::known::{
    day, digest, done, facts, finding, flag, image, image_for, index, judged, platform, report,
    scanned, told, told_with,
};
use crate::support::policy;

fn gate(require: &str) -> Policy {
    gate_with(require, "")
}

fn gate_with(require: &str, more: &str) -> Policy {
    policy(&format!(
        "flags:\n  tested: {{carries: ['dev/**', 'prod/**']}}\n  reviewed: {{expires_after: 10d}}\n\
         rules:\n  - {{name: qa, subjects: [user:qa], images: ['**'], allow: ['flag:*']}}\n\
         gates:\n  - name: production\n    images: ['prod/**']\n    require: {require}\n{more}"
    ))
}

fn id(text: &str) -> VulnerabilityId {
    VulnerabilityId::new(text).unwrap()
}

fn with_flag(mut facts: Facts, name: &str, place: &str) -> Facts {
    facts.flags.push(flag(name, place, day(0)));
    facts
}

#[test]
fn a_flag_counts_where_it_was_set_and_where_it_is_carried() {
    let policy = gate("{flags: [tested, reviewed]}");
    let held = |facts: &Facts| told(&policy, facts, day(1));
    assert_eq!(held(&image(1)), "it is not flagged tested and reviewed");
    let tested = with_flag(image(1), "tested", "dev/api");
    assert_eq!(held(&tested), "it is not flagged reviewed");
    let elsewhere = with_flag(tested.clone(), "reviewed", "dev/api");
    assert_eq!(held(&elsewhere), "it is not flagged reviewed");
    assert_eq!(held(&with_flag(tested.clone(), "reviewed", "prod/api")), "passed");
    let stranger = with_flag(with_flag(image(1), "tested", "lab/x"), "reviewed", "prod/api");
    assert_eq!(held(&stranger), "it is not flagged tested");
}

#[test]
fn a_flag_expires_by_its_declaration_and_by_its_setter_whichever_is_sooner() {
    let policy = gate_with("{flags: [reviewed]}", "    grace: {flag_expired: 3d}\n");
    let mut image = with_flag(image(1), "reviewed", "prod/api");
    let expired = "its flag reviewed expired at 2026-03-11T00:00:00Z";
    assert_eq!(told(&policy, &image, day(9)), "passed");
    assert_eq!(judged(&policy, &image, &[], day(9)).valid_until, Some(day(10)));
    assert_eq!(told(&policy, &image, day(10)), expired);
    image.passed.push(("production".into(), day(1)));
    assert_eq!(told(&policy, &image, day(12)), "passed");
    let Verdict::Passed(passed) = judged(&policy, &image, &[], day(12)).verdict else { panic!() };
    assert_eq!(passed.evidence()[0].in_grace[0].until, day(13));
    assert_eq!(told(&policy, &image, day(13)), expired);
    image.flags[0].expires_at = Some(day(2));
    assert_eq!(told(&policy, &image, day(5)), "its flag reviewed expired at 2026-03-03T00:00:00Z");
}

#[test]
fn an_index_is_flagged_if_it_is_or_all_that_runs_in_it_and_a_child_by_its_index() {
    let policy = gate("{flags: [tested]}");
    let flagged = |number| with_flag(image(number), "tested", "prod/api");
    let attestation = || facts(9, Form::NotRunnable);
    assert_eq!(
        told(&policy, &index(1, vec![flagged(2), flagged(3), attestation()]), day(0)),
        "passed"
    );
    let partly = index(1, vec![flagged(2), image(3)]);
    assert_eq!(told(&policy, &partly, day(0)), "it is not flagged tested");
    let whole = with_flag(index(1, vec![image(2), image(3)]), "tested", "prod/api");
    assert_eq!(told(&policy, &whole, day(0)), "passed");
    assert_eq!(told_with(&policy, &image(2), &[Arc::new(whole)], day(0)), "passed");
    assert_eq!(
        told_with(&policy, &image(3), &[Arc::new(partly)], day(0)),
        "it is not flagged tested"
    );
}

#[test]
fn each_key_has_to_have_signed_the_image_or_an_index_that_holds_it() {
    let policy = gate("{signed_by: [release-key, qa-key]}");
    let mut image = image(1);
    image.signers = vec!["qa-key".into(), "other".into()];
    assert_eq!(told(&policy, &image, day(0)), "it is not signed by release-key");
    let mut holder = index(2, vec![image.clone()]);
    holder.signers = vec!["release-key".into()];
    assert_eq!(told(&policy, &holder, day(0)), "it is not signed by qa-key");
    assert_eq!(told_with(&policy, &image, &[Arc::new(holder)], day(0)), "passed");
}

#[test]
fn labels_are_held_against_patterns_for_each_platform() {
    let policy = gate("{labels: {source: 'https://git.example.com/**'}}");
    let labelled = |number, on: &str, source: Option<&str>| {
        let mut facts = image_for(number, on, Scan::default());
        if let Form::Image { labels: Some(labels), .. } = &mut facts.form {
            labels.extend(source.map(|value| ("source".to_owned(), value.to_owned())));
        }
        facts
    };
    let ours = "https://git.example.com/team/app";
    assert_eq!(told(&policy, &labelled(1, "linux/amd64", Some(ours)), day(0)), "passed");
    let other = index(
        1,
        vec![
            labelled(2, "linux/amd64", Some(ours)),
            labelled(3, "linux/arm64", Some("https://git.example.com.evil/x")),
        ],
    );
    assert_eq!(
        told(&policy, &other, day(0)),
        "its label source is \"https://git.example.com.evil/x\" and has to be https://git.example.com/** (linux/arm64)"
    );
    let mut unknown = image(1);
    if let Form::Image { labels, .. } = &mut unknown.form {
        *labels = None;
    }
    assert_eq!(told(&policy, &unknown, day(0)), "its labels could not be read");
    assert_eq!(told(&policy, &facts(1, Form::NotRunnable), day(0)), "its labels could not be read");
}

#[test]
fn what_is_too_old_or_of_no_known_age_is_held() {
    let policy = gate("{max_age: 30d}");
    let mut image = image(1);
    assert_eq!(told(&policy, &image, day(0)), "it is not known how old it is");
    image.first_seen = Some(day(0));
    assert_eq!(told(&policy, &image, day(29)), "passed");
    assert_eq!(judged(&policy, &image, &[], day(29)).valid_until, Some(day(30)));
    assert_eq!(
        told(&policy, &image, day(30)),
        "it is too old: it was first seen at 2026-03-01T00:00:00Z"
    );
}

#[test]
fn a_push_is_judged_by_what_the_manifest_shows() {
    let policy = gate("{max_size: 1MiB, media_types: ['application/vnd.oci.image.layer.*']}");
    let shown = |size, media_type: &str| {
        let mut facts = image(1);
        if let Form::Image { shape, .. } = &mut facts.form {
            let media_types = Some(vec![media_type.into()]);
            *shape = Shape { size: Some(size), media_types, ..Shape::default() };
        }
        facts
    };
    let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
    assert_eq!(told(&policy, &shown(1 << 20, layer), day(0)), "passed");
    assert_eq!(
        told(&policy, &shown((1 << 20) + 1, "text/plain"), day(0)),
        "it has 1048577 bytes, and 1048576 are the most that may be; it has a layer of the type text/plain"
    );
    assert_eq!(told(&policy, &image(1), day(0)), "it is not known what its layers are");
}

#[test]
fn an_image_has_to_be_built_on_one_of_the_images_that_are_named() {
    let policy =
        gate("{base_images: ['base/debian:12*', {repository: base/go, tag: {semver: '>=1.20'}}]}");
    let built_on = |number, on: &str, base: Option<(&str, &str)>| {
        let mut facts = image_for(number, on, Scan::default());
        if let Form::Image { shape, .. } = &mut facts.form {
            let base = base.map(|(repository, tag)| {
                (RepositoryName::new(repository).unwrap(), Tag::new(tag).unwrap())
            });
            shape.bases = base.into_iter().collect();
        }
        facts
    };
    let by_itself = |base| told(&policy, &built_on(1, "linux/amd64", base), day(0));
    for good in [("base/debian", "12"), ("base/debian", "12.5"), ("base/go", "1.21.0")] {
        assert_eq!(by_itself(Some(good)), "passed", "{good:?}");
    }
    let held = "its first layers are not those of base/debian:12* or base/go:{semver: \">=1.20\"}, as far as is known";
    let others = [
        ("base/debian", "11"),
        ("other/debian", "12"),
        ("base/go", "1.19.0"),
        ("base/go", "latest"),
    ];
    for other in others.map(Some).into_iter().chain([None]) {
        assert_eq!(by_itself(other), held, "{other:?}");
    }
    assert_eq!(told(&policy, &facts(1, Form::NotRunnable), day(0)), held);
    let mixed = index(
        1,
        vec![
            built_on(2, "linux/amd64", Some(("base/debian", "12"))),
            built_on(3, "linux/arm64", None),
        ],
    );
    assert_eq!(told(&policy, &mixed, day(0)), format!("{held} (linux/arm64)"));
}

#[test]
fn findings_above_the_bounds_hold_and_are_told_shortly() {
    let policy = gate("{vulnerabilities: {max_severity: medium, max_cvss: 8.9}}");
    let held = |findings| told(&policy, &scanned(1, done(vec![report(findings)])), day(0));
    assert_eq!(held(vec![finding("CVE-1", "zlib", Severity::Medium)]), "passed");
    let mut high = finding("CVE-2", "zlib", Severity::High);
    high.fixed_in = Some("1.2.12".to_owned());
    assert_eq!(held(vec![high.clone()]), "CVE-2 (high) in zlib 1.0, fixed in 1.2.12");
    let mut scored = finding("CVE-3", "curl", Severity::Low);
    scored.cvss = Some(9.0);
    let critical = finding("CVE-4", "curl", Severity::Critical);
    assert_eq!(
        held(vec![high, scored, critical]),
        "3 vulnerabilities of severity high or above, or scored above 8.9 (CVE-4 (critical) in curl 1.0, +2)"
    );
    let unknown = finding("CVE-5", "curl", Severity::Unknown);
    assert_eq!(held(vec![unknown]), "CVE-5 (unknown) in curl 1.0");
    let mut harmless = finding("CVE-6", "curl", Severity::Critical);
    harmless.status = Status::NotAffected;
    assert_eq!(held(vec![harmless]), "passed");
}

#[test]
fn a_finding_without_a_score_is_scored_by_its_severity() {
    let policy = gate("{vulnerabilities: {max_cvss: 8.0}}");
    let held = |severity| {
        told(
            &policy,
            &scanned(1, done(vec![report(vec![finding("CVE-1", "a", severity)])])),
            day(0),
        )
    };
    assert_eq!(held(Severity::High), "CVE-1 (high) in a 1.0");
    assert_eq!(held(Severity::Medium), "passed");
}

#[test]
fn several_reports_are_one_and_aliases_are_one_finding() {
    let policy = gate("{vulnerabilities: {max_severity: low, only_fixable: true}}");
    let mut one = finding("GHSA-1", "a", Severity::High);
    one.aliases = vec![id("CVE-1")];
    let mut other = finding("CVE-1", "a", Severity::Low);
    other.fixed_in = Some("2.0".to_owned());
    let alone = |it: &policy::gate::FindingFact| {
        told(&policy, &scanned(1, done(vec![report(vec![it.clone()])])), day(0))
    };
    assert_eq!((alone(&one), alone(&other)), ("passed".to_owned(), "passed".to_owned()));
    let both = done(vec![report(vec![one]), report(vec![other])]);
    assert_eq!(told(&policy, &scanned(1, both), day(0)), "CVE-1 (high) in a 1.0, fixed in 2.0");
}

#[test]
fn of_what_several_reports_say_of_one_vulnerability_the_worst_counts() {
    let grace = "    grace: {new_finding: 5d}\n";
    let policy = gate_with("{vulnerabilities: {max_severity: medium, max_cvss: 8.0}}", grace);
    let named = |first: &str, alias: &str| {
        let mut named = finding(first, "a", Severity::Low);
        named.aliases = vec![id(alias)];
        named
    };
    let held = |one: &policy::gate::FindingFact, other: &policy::gate::FindingFact, at| {
        // In whatever order they come.
        let [first, second] = [[one, other], [other, one]].map(|pair| {
            let reports = pair.map(|it| report(vec![it.clone()])).into();
            let mut image = scanned(1, done(reports));
            image.passed.push(("production".into(), day(0)));
            told(&policy, &image, day(at))
        });
        assert_eq!(first == "passed", second == "passed");
        first != "passed"
    };
    let (mut one, mut other) = (named("CVE-1", "GHSA-1"), named("GHSA-1", "OSV-1"));
    assert!(!held(&one, &other, 9));
    other.cvss = Some(9.0);
    assert!(held(&one, &other, 9));
    other.cvss = None;
    other.severity = Severity::Unknown;
    assert!(held(&one, &other, 9));
    other.severity = Severity::High;
    // It is as old as the first who saw it says.
    assert!(!held(&one, &other, 4) && held(&one, &other, 5));
    one.first_seen = day(3);
    assert!(!held(&one, &other, 4) && held(&one, &other, 5));
    other.first_seen = day(2);
    assert!(!held(&one, &other, 6) && held(&one, &other, 7));
}

#[test]
fn an_exception_clears_a_vulnerability_by_any_of_its_names_until_it_expires() {
    let policy = gate_with(
        "{vulnerabilities: {max_severity: low}}",
        "exceptions:\n  - {cve: CVE-1, package: 'pkg:deb/debian/zlib*', images: [prod/api], reason: not reachable, by: 'user:alice', expires: 2026-03-10}\n",
    );
    let mut known = finding("GHSA-1", "zlib1g", Severity::High);
    known.aliases = vec![id("cve-1")];
    let image = scanned(1, done(vec![report(vec![known.clone()])]));
    let Verdict::Passed(passed) = judged(&policy, &image, &[], day(8)).verdict else { panic!() };
    insta::assert_debug_snapshot!(passed.evidence()[0].cleared, @r#"
    [
        Cleared {
            vulnerability: VulnerabilityId(
                "GHSA-1",
            ),
            package: "zlib1g",
            by: Exception {
                by: "user:alice",
                reason: "not reachable",
                expires: 2026-03-10T00:00:00Z,
            },
        },
    ]
    "#);
    assert_eq!(judged(&policy, &image, &[], day(8)).valid_until, Some(day(9)));
    assert_eq!(told(&policy, &image, day(9)), "GHSA-1 (high) in zlib1g 1.0");
    known.purl = None;
    let elsewhere = scanned(1, done(vec![report(vec![known])]));
    assert_eq!(told(&policy, &elsewhere, day(8)), "GHSA-1 (high) in zlib1g 1.0");
}

#[test]
fn an_exception_for_a_digest_is_for_the_children_of_that_index_too() {
    let exception = format!(
        "exceptions:\n  - {{cve: CVE-1, images: ['prod/api@{}'], reason: r, by: 'user:a', expires: 2027-01-01}}\n",
        digest(1)
    );
    let policy = gate_with("{vulnerabilities: {max_severity: low}}", &exception);
    let bad =
        |number| scanned(number, done(vec![report(vec![finding("CVE-1", "a", Severity::High)])]));
    let holder = index(1, vec![bad(2)]);
    assert_eq!(told(&policy, &holder, day(0)), "passed");
    assert_eq!(told_with(&policy, &bad(2), &[Arc::new(holder)], day(0)), "passed");
    assert_eq!(told(&policy, &bad(2), day(0)), "CVE-1 (high) in a 1.0");
}

#[test]
fn a_makers_word_clears_what_it_names() {
    let policy = gate("{vulnerabilities: {max_severity: low}}");
    let said = |scope| {
        let vex = VexFact {
            ids: vec![id("CVE-1")],
            scope,
            status: VexStatus::NotAffected,
            by: "maker".into(),
        };
        let scan = done(vec![report(vec![finding("CVE-1", "zlib", Severity::High)])]);
        told(&policy, &scanned(1, Scan { vex: vec![Arc::new(vex)], ..scan }), day(0))
    };
    let packages = |text: &str| VexScope::Packages(vec![text.to_owned()]);
    assert_eq!(said(VexScope::Image), "passed");
    assert_eq!(said(packages("pkg:deb/debian/zlib")), "passed");
    assert_eq!(said(packages("pkg:deb/debian/zlib@1.0")), "passed");
    for other in
        ["pkg:deb/debian/zlib@1.1", "pkg:deb/debian/*", "pkg:deb/debian/zlib@1.0?arch=arm64", "*"]
    {
        assert_eq!(said(packages(other)), "CVE-1 (high) in zlib 1.0", "{other}");
    }
}

#[test]
fn each_gap_of_scanning_holds_unless_its_setting_says_otherwise() {
    let failed = ScanState::Failed { since: day(0), reason: "no\u{7} disk".into() };
    let unknowing = Arc::new(ReportFacts { recognized: false, ..(*report(Vec::new())).clone() });
    let gaps = [
        ("unscanned", Scan::default(), "it was never scanned"),
        (
            "scan_pending",
            Scan { state: ScanState::Pending, ..Scan::default() },
            "it is being scanned",
        ),
        (
            "scan_failed",
            Scan { state: failed.clone(), ..Scan::default() },
            "it could not be scanned since 2026-03-01T00:00:00Z: no\\u{7} disk",
        ),
        ("scan_incomplete", done(vec![unknowing]), "no scanner recognized what is in it"),
    ];
    for (key, scan, why) in gaps {
        let strict = gate("{vulnerabilities: {max_severity: critical}}");
        assert_eq!(told(&strict, &scanned(1, scan.clone()), day(1)), why);
        let warning =
            gate(&format!("{{vulnerabilities: {{max_severity: critical, {key}: warn}}}}"));
        let image = scanned(1, scan);
        let Verdict::Passed(passed) = judged(&warning, &image, &[], day(1)).verdict else {
            panic!("{key}")
        };
        assert_eq!(passed.evidence()[0].warnings[0].why.word(), key);
    }
    // A report counts until it is too old, also if a later scan failed.
    let policy = gate("{vulnerabilities: {max_severity: critical, max_report_age: 7d}}");
    let older = Scan { state: failed, ..done(vec![report(Vec::new())]) };
    assert_eq!(told(&policy, &scanned(1, older.clone()), day(6)), "passed");
    assert_eq!(
        told(&policy, &scanned(1, older), day(7)),
        "its newest report is of 2026-03-01T00:00:00Z, which is too old"
    );
}

#[test]
fn grace_is_for_what_has_passed_before() {
    let policy = gate_with(
        "{vulnerabilities: {max_severity: low, max_report_age: 7d}}",
        "    grace: {new_finding: 14d, report_too_old: 30d, scan_failed: 7d}\n",
    );
    let mut image = scanned(1, done(vec![report(vec![finding("CVE-1", "a", Severity::High)])]));
    assert_eq!(told(&policy, &image, day(1)), "CVE-1 (high) in a 1.0");
    image.passed = vec![("another".into(), day(0))];
    assert_eq!(told(&policy, &image, day(1)), "CVE-1 (high) in a 1.0");
    image.passed.push(("production".into(), day(0)));
    assert_eq!(told(&policy, &image, day(13)), "passed");
    assert_eq!(judged(&policy, &image, &[], day(13)).valid_until, Some(day(14)));
    assert_eq!(told(&policy, &image, day(14)), "CVE-1 (high) in a 1.0");
}

#[test]
fn an_index_is_its_worst_judged_platform_and_a_child_stands_for_itself() {
    let policy =
        gate("{platforms: [linux/amd64, linux/arm], vulnerabilities: {max_severity: low}}");
    let good = || done(vec![report(Vec::new())]);
    let bad = || done(vec![report(vec![finding("CVE-1", "a", Severity::High)])]);
    let of = |amd64, s390x| {
        index(
            1,
            vec![
                image_for(2, "linux/amd64", amd64),
                image_for(3, "linux/s390x", s390x),
                image_for(4, "linux/arm/v7", good()),
            ],
        )
    };
    assert_eq!(told(&policy, &of(good(), bad()), day(0)), "passed");
    assert_eq!(told(&policy, &of(bad(), good()), day(0)), "CVE-1 (high) in a 1.0 (linux/amd64)");
    assert_eq!(told(&policy, &image_for(3, "linux/s390x", bad()), day(0)), "CVE-1 (high) in a 1.0");
    // What the index says to be for another platform is judged by what it is.
    let disguised = facts(
        1,
        Form::Index {
            children: vec![Child {
                platform: Some(platform("windows/amd64")),
                facts: Arc::new(image_for(2, "linux/amd64", bad())),
            }],
        },
    );
    assert_eq!(told(&policy, &disguised, day(0)), "CVE-1 (high) in a 1.0 (windows/amd64)");
    let none = "it holds no image for a platform that is judged";
    assert_eq!(told(&policy, &index(1, vec![image_for(3, "linux/s390x", good())]), day(0)), none);
    assert_eq!(told(&policy, &index(1, vec![facts(2, Form::NotRunnable)]), day(0)), none);
    assert_eq!(told(&policy, &index(1, Vec::new()), day(0)), none);
}

#[test]
fn artifacts_are_exempt_and_what_could_not_be_read_is_held() {
    let policy = gate("{flags: [tested], signed_by: [k], max_age: 1d, vulnerabilities: {}}");
    let artifact = || facts(2, Form::Artifact);
    assert_eq!(told(&policy, &artifact(), day(0)), "passed");
    assert_eq!(
        told(&policy, &index(1, vec![artifact(), facts(3, Form::Artifact)]), day(0)),
        "passed"
    );
    assert_ne!(told(&policy, &index(1, vec![artifact(), image(3)]), day(0)), "passed");
    let unreadable = gate("{vulnerabilities: {}}");
    assert_eq!(
        told(&unreadable, &facts(1, Form::Unreadable("too large".into())), day(0)),
        "it could not be read: too large"
    );
}

#[test]
fn broken_glass_passes_that_gate_for_that_digest_until_it_is_over() {
    let policy = gate("{vulnerabilities: {}}");
    let mut image = image(1);
    image.broken = vec![("other".into(), day(9)), ("production".into(), day(1))];
    let judgement = judged(&policy, &image, &[], day(0));
    let Verdict::Passed(passed) = judgement.verdict else { panic!() };
    assert_eq!(passed.evidence()[0].broken_until, Some(day(1)));
    assert_eq!(judgement.valid_until, Some(day(1)));
    assert_eq!(told(&policy, &image, day(1)), "it was never scanned");
    let mut holder = index(2, Vec::new());
    holder.broken = vec![("production".into(), day(2))];
    assert_eq!(told_with(&policy, &image, &[Arc::new(holder)], day(1)), "passed");
}

#[test]
fn a_gate_that_only_watches_holds_nothing_and_tells() {
    let policy = gate_with("{vulnerabilities: {}}", "    mode: audit\n");
    let judgement = judged(&policy, &image(1), &[], day(0));
    assert!(matches!(judgement.verdict, Verdict::Passed(_)));
    assert_eq!(judgement.audited[0].summary(), "it was never scanned");
}

#[test]
fn several_gates_are_told_by_the_first_of_their_names() {
    let policy = gate_with(
        "{vulnerabilities: {}}",
        "  - {name: age, images: ['**'], require: {max_age: 1d}}\n",
    );
    let Verdict::Held(held) = judged(&policy, &image(1), &[], day(0)).verdict else { panic!() };
    assert_eq!((held.gate.name(), held.others[0].gate.name()), ("age", "production"));
}

#[test]
fn indexes_that_hold_each_others_children_end() {
    let policy = gate("{flags: [tested], vulnerabilities: {}}");
    let mut inner = Arc::new(image(0));
    for number in 1..60 {
        let child = || Child { platform: None, facts: Arc::clone(&inner) };
        inner =
            Arc::new(facts(number, Form::Index { children: (0..100).map(|_| child()).collect() }));
    }
    assert_ne!(told(&policy, &inner, day(0)), "passed");
}
