//! Reports, what is found in them, and what makers say.

use ::reports::{Finding, Format, Package, Scanner, Severity, Status, VulnerabilityId, vex};

use super::*;
use crate::release::{Cause, KeptFinding, KeptReport, KeptStatements};
use crate::store::{FindingKey, FindingQuery, Found, ScanEnd, StoreError};

fn id(name: &str) -> VulnerabilityId {
    VulnerabilityId::new(name).unwrap()
}

pub(super) fn finding(name: &str, package: &str, severity: Severity) -> Finding {
    let finding = json_finding(name, package);
    Finding { severity, ..finding }
}

fn json_finding(name: &str, package: &str) -> Finding {
    Finding {
        id: id(name),
        aliases: Vec::new(),
        package: Package {
            name: package.to_owned(),
            version: "1.0".to_owned(),
            ..Package::default()
        },
        layer: Some(digest("layer")),
        severity: Severity::High,
        severity_source: Some("nvd".to_owned()),
        cvss: Vec::new(),
        fixed_in: vec!["1.1".to_owned(), "1.2".to_owned()],
        status: Status::Fixed,
        title: None,
        description: Some("a\0b".to_owned()),
        links: vec!["https://a.example/".to_owned()],
        weaknesses: Vec::new(),
        published: Some("2025-06-19T04:12:38.123456789Z".parse().unwrap()),
    }
}

/// A report that was made and came at a time, by the scanner of a name.
pub(super) fn report(scanner: &str, time: i64, findings: &[Finding]) -> KeptReport {
    let findings = findings.iter().cloned();
    KeptReport {
        repository: repository("prod/api"),
        digest: digest("api"),
        uploader: service("ci/scan"),
        uploader_groups: vec!["scanners".to_owned(), "ü".to_owned()],
        format: Format::Trivy,
        scanner: Scanner {
            name: scanner.to_owned(),
            version: Some("0.60".to_owned()),
            database: Some(at(time - 10)),
        },
        made_at: at(time),
        received_at: at(time),
        recognized: true,
        findings: findings.map(|finding| KeptFinding { finding, first_seen: at(time) }).collect(),
    }
}

fn log4shell() -> Finding {
    Finding {
        aliases: vec![id("GHSA-jfh8-c2jp-5v3q"), id("cve-2021-44228")],
        ..finding("CVE-2021-44228", "log4j", Severity::Critical)
    }
}

async fn find(store: &Arc<dyn Store>, by: FindingKey, limit: u32) -> Vec<Found> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let query = FindingQuery { by: by.clone(), also: None, after, limit };
        let page = store.find_findings(&query).await.unwrap();
        after = page.last().map(|last| last.place.clone());
        if after.is_none() {
            return all;
        }
        all.extend(page);
    }
}

async fn named(store: &Arc<dyn Store>, name: &str) -> Vec<(String, String)> {
    let found = find(store, FindingKey::Vulnerability(name.to_owned()), 100).await;
    found.into_iter().map(|found| (found.id, found.package)).collect()
}

#[tokio::test]
async fn a_report_is_kept_whole_and_a_later_one_of_the_same_scanner_replaces_it() {
    each(async |store| {
        let first = report("Trivy", 10, &[log4shell(), finding("X-1", "zlib", Severity::Low)]);
        let (is_kept, changed) = changed_by(&store, store.keep_report(&first)).await;
        assert_eq!((is_kept.unwrap(), changed), (true, [digest("api")].into()));
        assert_eq!(kept(&store, &digest("api")).await.reports, std::slice::from_ref(&first));

        let later = KeptReport {
            format: Format::Harbor,
            uploader_groups: Vec::new(),
            recognized: false,
            scanner: Scanner { version: None, database: None, ..first.scanner.clone() },
            ..report("Trivy", 20, &[finding("X-2", "zlib", Severity::Low)])
        };
        assert!(store.keep_report(&later).await.unwrap());
        assert_eq!(kept(&store, &digest("api")).await.reports, std::slice::from_ref(&later));
        assert_eq!(named(&store, "X-1").await, []);
        assert_eq!(named(&store, "X-2").await.len(), 1);

        // One that was kept back, or is sent again by whoever wants the past to return.
        let (is_kept, changed) = changed_by(&store, store.keep_report(&first)).await;
        assert_eq!((is_kept.unwrap(), changed), (false, [].into()));
        assert_eq!(kept(&store, &digest("api")).await.reports, std::slice::from_ref(&later));
        assert_eq!(named(&store, "X-1").await, []);

        // Of another scanner, uploader, repository or digest: each stands for itself.
        let mut others = vec![later.clone()];
        others.push(report("Grype", 5, &[]));
        others.push(KeptReport { uploader: alice(), ..report("Trivy", 5, &[]) });
        others.push(KeptReport { repository: repository("dev/api"), ..report("Trivy", 5, &[]) });
        for other in &others[1..] {
            assert!(store.keep_report(other).await.unwrap());
        }
        assert_eq!(kept(&store, &digest("api")).await.reports, others);
        assert_eq!(kept(&store, &digest("other")).await.reports, []);
        store.purge(at(1_000_000)).await.unwrap();
        assert_eq!(kept(&store, &digest("api")).await.reports, others);
    })
    .await;
}

/// The time of the finding in each report of the digest.
async fn times(store: &Arc<dyn Store>) -> Vec<Timestamp> {
    let reports = kept(store, &digest("api")).await.reports;
    reports.into_iter().flat_map(|report| report.findings).map(|found| found.first_seen).collect()
}

#[tokio::test]
async fn a_finding_is_known_since_it_was_told_of_first_whatever_became_of_that_report() {
    each(async |store| {
        store.keep_report(&report("Trivy", 10, &[log4shell()])).await.unwrap();
        store.keep_report(&report("Trivy", 20, &[])).await.unwrap();
        assert_eq!(times(&store).await, []);
        let again = Finding { id: id("cve-2021-44228"), ..log4shell() };
        store.keep_report(&report("Trivy", 30, &[again])).await.unwrap();
        assert_eq!(times(&store).await, [at(10)]);
        store.keep_report(&report("Grype", 40, &[log4shell()])).await.unwrap();
        assert_eq!(times(&store).await, [at(10); 2]);
        // An earlier time is everybody's, also once nobody tells of it.
        let early = KeptReport { uploader: alice(), ..report("Trivy", 5, &[log4shell()]) };
        store.keep_report(&early).await.unwrap();
        assert_eq!(times(&store).await, [at(5); 3]);
        // In another package, or another image, it is another finding.
        let elsewhere = finding("CVE-2021-44228", "log4j-api", Severity::Critical);
        store.keep_report(&report("Grype", 50, &[elsewhere])).await.unwrap();
        assert_eq!(times(&store).await, [at(5), at(50), at(5)]);
        let other = KeptReport { digest: digest("web"), ..report("Trivy", 60, &[log4shell()]) };
        store.keep_report(&other).await.unwrap();
        let web = kept(&store, &digest("web")).await;
        assert_eq!(web.reports[0].findings[0].first_seen, at(60));
    })
    .await;
}

#[tokio::test]
async fn findings_are_found_by_any_name_and_by_package_the_worst_first() {
    each(async |store| {
        let long = "x".repeat(10_000);
        let low = Finding {
            aliases: vec![id("CVE-2021-44228")],
            ..finding("GO-2021-1", "log4j\0", Severity::Unknown)
        };
        let in_long = finding("CVE-2021-44228", &long, Severity::High);
        store.keep_report(&report("Trivy", 1, &[low, log4shell(), in_long])).await.unwrap();
        let web = KeptReport {
            digest: digest("web"),
            repository: repository("web"),
            ..report("Grype", 2, &[finding("X-1", "log4j", Severity::Medium), log4shell()])
        };
        store.keep_report(&web).await.unwrap();
        for name in ["CVE-2021-44228", " cve-2021-44228 "] {
            let packages = ["log4j", "log4j", &long, "log4j\u{fffd}"];
            let found = named(&store, name).await;
            assert_eq!(found.iter().map(|(_, package)| package).collect::<Vec<_>>(), packages);
        }
        assert_eq!(named(&store, "ghsa-JFH8-c2jp-5v3q").await.len(), 2);
        assert_eq!(named(&store, "CVE-2021-4422").await, []);
        assert_eq!(named(&store, "log4j").await, [], "that is a package");
        let all = find(&store, FindingKey::Vulnerability("CVE-2021-44228".to_owned()), 100).await;
        for limit in 1..4 {
            let by = FindingKey::Vulnerability("CVE-2021-44228".to_owned());
            assert_eq!(find(&store, by, limit).await, all);
        }
        let of_package = find(&store, FindingKey::Package("log4j".to_owned()), 1).await;
        let names: Vec<_> = of_package.iter().map(|found| found.id.as_str()).collect();
        assert_eq!(names, ["CVE-2021-44228", "CVE-2021-44228", "X-1"]);
        let last = Found {
            place: of_package[2].place.clone(),
            repository: repository("web"),
            digest: digest("web"),
            id: "X-1".to_owned(),
            package: "log4j".to_owned(),
            version: "1.0".to_owned(),
            fixed_in: Some("1.1".to_owned()),
            scanner: "Grype".to_owned(),
            made_at: at(2),
        };
        assert_eq!(of_package[2], last);
        assert_eq!(find(&store, FindingKey::Package(long), 9).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_other_versions_wrote_is_read_and_damage_is_told() {
    let server = Postgres::start();
    let store = open(&postgres(&server)).await.unwrap();
    let whole = report("Trivy", 10, &[log4shell()]);
    store.keep_report(&whole).await.unwrap();
    let set = |json: &str| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, json.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        let hex: String = packed.iter().map(|byte| format!("{byte:02x}")).collect();
        server.psql(&format!("UPDATE reports SET findings = '\\x{hex}'"));
    };
    set(r#"[{"finding": {"id": "X-1", "package": {"name": "zlib", "later": 1},
        "severity": "low", "reachable": {"by": []}}, "first_seen": 5, "last_seen": 6}]"#);
    let found = kept(&store, &digest("api")).await.reports.remove(0).findings.remove(0);
    assert_eq!(found.first_seen, Timestamp::from_millisecond(5).unwrap());
    assert_eq!(found.finding.package.name, "zlib");
    assert_eq!((found.finding.status, found.finding.links), (Status::Unknown, Vec::new()));
    for damage in ["", "[", r#"[{"first_seen": 5}]"#, "[]]"] {
        set(damage);
        let error = store.kept_of(&digest("api")).await.unwrap_err();
        assert!(matches!(&error, StoreError::Damaged(told) if told.contains("`findings`")));
    }
    server.psql("UPDATE reports SET findings = 'none'");
    let error = store.kept_of(&digest("api")).await.unwrap_err();
    assert!(matches!(&error, StoreError::Damaged(told) if told.contains("`findings`")));
}

#[tokio::test]
async fn a_report_that_cannot_be_kept_whole_changes_nothing() {
    let server = Postgres::start();
    let store = open(&postgres(&server)).await.unwrap();
    let first = report("Trivy", 10, &[finding("X-1", "zlib", Severity::Low)]);
    store.keep_report(&first).await.unwrap();
    let before = last(&store).await;
    // It fails in the middle: what comes before that is not kept either.
    server.psql("ALTER TABLE finding_keys ADD CHECK (badness > 0)");
    let error = store.keep_report(&report("Trivy", 20, &[log4shell()])).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }));
    assert_eq!(kept(&store, &digest("api")).await.reports, [first]);
    assert_eq!(named(&store, "X-1").await.len(), 1);
    assert_eq!(last(&store).await, before);
}

#[tokio::test]
async fn what_makers_say_replaces_what_the_same_document_said() {
    each(async |store| {
        let document = |name: &str, impact: &str| vex::Document {
            id: name.to_owned(),
            author: "maker".to_owned(),
            timestamp: Some(at(1)),
            statements: vec![vex::Statement {
                names: vec![id("CVE-2021-44228")],
                products: vec![vex::Product {
                    names: vec!["pkg:oci/api".to_owned()],
                    parts: vec!["pkg:maven/log4j".to_owned()],
                }],
                status: Status::NotAffected,
                justification: None,
                impact: Some(impact.to_owned()),
                timestamp: None,
            }],
        };
        let said = |document, time| KeptStatements {
            repository: repository("prod/api"),
            digest: digest("api"),
            by: alice(),
            at: at(time),
            document,
        };
        let first = said(document("https://maker.example/1", "not\0 reached"), 1);
        let (done, changed) = changed_by(&store, store.keep_statements(&first)).await;
        done.unwrap();
        assert_eq!(changed, [digest("api")].into());
        let other = said(document(&"x".repeat(10_000), "other"), 2);
        let later = said(document("https://maker.example/1", "removed"), 3);
        let elses = KeptStatements { by: service("ci"), at: at(4), ..first.clone() };
        for statements in [&other, &later, &elses] {
            store.keep_statements(statements).await.unwrap();
        }
        assert_eq!(kept(&store, &digest("api")).await.statements, [other, later, elses]);
        assert_eq!(kept(&store, &digest("web")).await.statements, []);
    })
    .await;
}

#[tokio::test]
async fn old_reports_are_those_of_images_that_are_there_and_nobody_is_at() {
    each(async |store| {
        let (one, two, three) = (image("1", &[]), image("2", &[]), image("3", &[]));
        for sample in [&one, &two, &three] {
            learn(&store, "prod/api", sample, 0).await;
        }
        let keep = async |digest: &Digest, scanner: &str, time| {
            let report = KeptReport { digest: digest.clone(), ..report(scanner, time, &[]) };
            assert!(store.keep_report(&report).await.unwrap());
        };
        keep(&one.digest, "Trivy", 30).await;
        keep(&two.digest, "Trivy", 20).await;
        keep(&two.digest, "Grype", 25).await;
        keep(&three.digest, "Trivy", 5).await;
        keep(&three.digest, "Grype", 100).await;
        keep(&digest("deleted"), "Trivy", 1).await;
        let old = async |before, limit| {
            let old = store.old_reports(&service("ci/scan"), at(before), limit).await.unwrap();
            old.into_iter().map(|(_, digest)| digest).collect::<Vec<_>>()
        };
        assert_eq!(old(100, 9).await, [two.digest.clone(), one.digest.clone()]);
        assert_eq!(old(100, 1).await, std::slice::from_ref(&two.digest));
        assert_eq!(old(30, 9).await, std::slice::from_ref(&two.digest));
        assert_eq!(old(25, 9).await, []);
        assert_eq!(store.old_reports(&alice(), at(100), 9).await.unwrap(), []);
        let api = repository("prod/api");
        store.request_scan(&api, &two.digest, Cause::Age, at(90)).await.unwrap();
        assert_eq!(old(100, 9).await, std::slice::from_ref(&one.digest));
        store.take_scan("one", at(90), at(95)).await.unwrap().unwrap();
        let end = ScanEnd::Failed { at: at(101), reason: "no".to_owned() };
        assert!(store.end_scan("one", &api, &two.digest, &end).await.unwrap());
        assert_eq!(old(100, 9).await, std::slice::from_ref(&one.digest));
        // So long after it was given up, it is tried again.
        assert_eq!(old(102, 1).await, std::slice::from_ref(&two.digest));
    })
    .await;
}
