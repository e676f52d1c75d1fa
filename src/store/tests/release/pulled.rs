//! Findings in what a group pulled.

use ::reports::Severity;
use oci::Tag;

use super::reports::{finding, report};
use super::*;
use crate::release::KeptReport;
use crate::store::{FindingKey, Found, GroupPull};

#[tokio::test]
async fn what_a_group_pulled_last_is_found_first() {
    each(async |store| {
        let found = [
            finding("X-1", "log4j", Severity::Critical),
            finding("X-2", "zlib", Severity::Low),
            finding("X-1", "log4j-core", Severity::High),
        ];
        for (name, group, time) in
            [("a", "dev", 20), ("b", "dev", 40), ("c", "dev", 30), ("d", "ops", 50)]
        {
            let tag = Tag::new(name).unwrap();
            let seen = Lesson::Tag { tag, digest: digest(name), at: at(1) };
            let lessons = ["prod/api", "dev/api"].map(|name| (repository(name), seen.clone()));
            store.learn(&lessons, at(1)).await.unwrap();
            let about = KeptReport { digest: digest(name), ..report("Trivy", 10, &found) };
            assert!(store.keep_report(&about).await.unwrap());
            let (group, at) = (group.to_owned(), at(time));
            let pull = |name: &str, digest| GroupPull {
                repository: repository(name),
                digest,
                group: group.clone(),
                at,
            };
            // A report of it was sent for the other repository alone.
            let pulls = [pull("prod/api", digest(name)), pull("dev/api", digest(name))];
            store.note_pulls(&[], &pulls).await.unwrap();
        }
        let of = async |key: &FindingKey, group: &str, limit| {
            let found = store.find_pulled_findings(key, group, limit).await.unwrap();
            let told = |found: Found| (found.digest, found.package, found.place.severity);
            found.into_iter().map(told).collect::<Vec<_>>()
        };
        let vulnerability = FindingKey::Vulnerability("x-1".to_owned());
        let both = |name: &str| {
            [
                (digest(name), "log4j".to_owned(), Severity::Critical),
                (digest(name), "log4j-core".to_owned(), Severity::High),
            ]
        };
        let all = [both("b"), both("c"), both("a")].concat();
        assert_eq!(of(&vulnerability, "dev", 9).await, all);
        assert_eq!(of(&vulnerability, "dev", 3).await, all[..3]);
        assert_eq!(of(&vulnerability, "ops", 9).await, both("d"));
        assert_eq!(of(&vulnerability, "qa", 9).await, []);
        let package = FindingKey::Package("zlib".to_owned());
        let zlib = ["b", "c", "a"].map(|name| (digest(name), "zlib".to_owned(), Severity::Low));
        assert_eq!(of(&package, "dev", 9).await, zlib);
        assert_eq!(of(&FindingKey::Package("zli".to_owned()), "dev", 9).await, []);
    })
    .await;
}
