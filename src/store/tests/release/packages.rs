//! What is found by the package that it is in.

use ::reports::{Finding, Package, Severity};

use super::reports::{finding, report};
use super::*;
use crate::release::KeptReport;
use crate::store::{FindingKey, FindingQuery};

fn packaged(id: &str, name: &str, purl: &str) -> Finding {
    let package = Package {
        name: name.to_owned(),
        purl: Some(purl.to_owned()),
        version: "installed".to_owned(),
        ..Package::default()
    };
    Finding { package, ..finding(id, name, Severity::High) }
}

/// Two versions of a package in one image, a package of that name of another kind in another.
async fn keep(store: &Arc<dyn Store>) {
    let here = [
        packaged("X-1", "zlib1g", "pkg:deb/debian/zlib1g@1%3A1.2?arch=amd64&distro=debian-12"),
        packaged("X-2", "zlib1g", "pkg:deb/debian/zlib1g@1.3?arch=amd64"),
        packaged("X-3", "PyYAML", "pkg:pypi/PyYAML@5.3"),
    ];
    store.keep_report(&report("Trivy", 1, &here)).await.unwrap();
    let there = [packaged("X-4", "zlib1g", "pkg:npm/%40libs/zlib1g@1.3")];
    let there = KeptReport { digest: digest("web"), ..report("Trivy", 2, &there) };
    store.keep_report(&there).await.unwrap();
    let silent = Finding { package: Package::default(), ..finding("X-5", "", Severity::Low) };
    store.keep_report(&report("Grype", 3, &[silent])).await.unwrap();
}

/// The findings in a package, and the reports that tell of them.
async fn found(store: &Arc<dyn Store>, text: &str) -> (Vec<String>, Vec<i64>) {
    let by = FindingKey::package(text);
    let reports = store.reports_with(&by).await.unwrap();
    let mut query = FindingQuery { by, also: None, after: None, limit: 1 };
    let mut names = Vec::new();
    while let [found] = store.find_findings(&query).await.unwrap().as_slice() {
        names.push(found.id.clone());
        query.after = Some(found.place.clone());
    }
    (names, reports)
}

async fn assert_found(store: &Arc<dyn Store>) {
    for (text, names, reports) in [
        ("zlib1g", ["X-1", "X-2", "X-4"].as_slice(), [1, 2].as_slice()),
        ("ZLIB1G", &["X-1", "X-2", "X-4"], &[1, 2]),
        ("pyyaml", &["X-3"], &[1]),
        ("PyYAML", &["X-3"], &[1]),
        ("pkg:pypi/pyyaml", &["X-3"], &[1]),
        ("pkg:deb/debian/zlib1g", &["X-1", "X-2"], &[1]),
        ("pkg:deb/debian/zlib1g?arch=arm64", &["X-1", "X-2"], &[1]),
        ("pkg:deb/debian/zlib1g@1:1.2", &["X-1"], &[1]),
        ("pkg:deb/debian/zlib1g@1.3?arch=amd64", &["X-2"], &[1]),
        ("pkg:deb/debian/zlib1g@1.4", &[], &[]),
        ("pkg:npm/@libs/zlib1g", &["X-4"], &[2]),
        ("pkg:npm/zlib1g", &[], &[]),
        ("zlib", &[], &[]),
    ] {
        let expected = (names.iter().map(|&name| name.to_owned()).collect(), reports.to_vec());
        assert_eq!(found(store, text).await, expected, "{text}");
    }
}

#[tokio::test]
async fn a_package_is_found_by_name_in_any_case_and_by_package_url() {
    each(async |store| {
        keep(&store).await;
        assert_found(&store).await;
        // Both may be asked for.
        for (also, count) in [("zlib1g", 1), ("pkg:deb/debian/zlib1g@1.3", 1), ("pyyaml", 0)] {
            let (by, also) =
                (FindingKey::Vulnerability("X-2".to_owned()), FindingKey::package(also));
            let query = FindingQuery { by, also: Some(also), after: None, limit: 9 };
            assert_eq!(store.find_findings(&query).await.unwrap().len(), count, "{query:?}");
        }
        let by = FindingKey::Vulnerability("x-1".to_owned());
        assert_eq!(store.reports_with(&by).await.unwrap(), [1]);
        // What a report tells no more is not found.
        store.keep_report(&report("Trivy", 9, &[])).await.unwrap();
        assert_eq!(store.reports_with(&by).await.unwrap(), [0_i64; 0]);
    })
    .await;
}

#[tokio::test]
async fn reports_of_a_state_that_is_older_are_found_by_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let server = Postgres::start();
    for settings in [sqlite(&folder), postgres(&server)] {
        let store = open(&settings).await.unwrap();
        keep(&store).await;
        // More than are written at once, and one that nobody can read.
        for number in 0..50 {
            let digest = digest(&number.to_string());
            let report = report("Trivy", 5, &[packaged("X-6", "log4j", "pkg:maven/a/log4j@2")]);
            store.keep_report(&KeptReport { digest, ..report }).await.unwrap();
        }
        drop(store);
        opening::back_to(&settings, &server, 6).await;
        opening::run(&settings, &server, "DELETE FROM finding_keys").await;
        let damage = "UPDATE reports SET findings = scanner WHERE id = 53";
        opening::run(&settings, &server, damage).await;
        let store = open(&settings).await.unwrap();
        assert_found(&store).await;
        assert_eq!(found(&store, "pkg:maven/A/Log4j").await.1, (4..53).collect::<Vec<_>>());
        drop(store);
        // It is done once.
        opening::run(&settings, &server, "DELETE FROM finding_keys").await;
        let store = open(&settings).await.unwrap();
        assert_eq!(found(&store, "zlib1g").await.1, [0_i64; 0]);
    }
}
