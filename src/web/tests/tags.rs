//! The tags of a repository, by what is known of their images.

use super::searching::taught;
use super::*;
use crate::content::samples::image_with;
use crate::content::{self};

/// The tags in the order in which they are shown.
async fn tags(browser: &Browser, query: &str) -> Vec<String> {
    let text = browser.text(&format!("/ui/repository?name=prod/api{query}")).await;
    let links = text.split(r#"<td class="tagname"><a href="/ui/image?ref=prod/api:"#).skip(1);
    links.map(|link| link.split('"').next().unwrap().to_owned()).collect()
}

/// Of `b` no report is known, and its configuration does not say when it was made.
async fn of_four_tags() -> Browser {
    let browser = Browser::of_alice().await.0;
    // With how many layers and when it was made.
    let images = [
        ("a", 2, "2024-03-01T00:00:00Z", vec![("LOW", 3)]),
        ("b", 4, "", vec![]),
        ("C", 1, "2024-02-01T00:00:00Z", vec![("HIGH", 1), ("LOW", 1)]),
        ("d", 3, "2024-01-01T00:00:00Z", vec![("HIGH", 2)]),
    ];
    for (tag, layers, created, severities) in images {
        let config = json!({"created": created, "os": tag}).to_string();
        let digest = content::digest(oci::Algorithm::Sha256, config.as_bytes());
        let layers: Vec<_> = ["1", "2", "3", "4"].into_iter().take(layers).collect();
        let sample = image_with(&digest, &layers);
        browser.shelve(|shelf| shelf.blob("prod/api", &digest, config.as_bytes()));
        taught(&browser, &[("prod/api", tag, &sample)]).await;
        // It is looked into only by those whom no gate keeps from it.
        let flag = json!({"flag": "tested"}).to_string();
        let path = format!("/image/flags?ref=prod/api:{tag}");
        let sent = browser.scene.ask(As::User("alice"), Method::PUT, &path, &flag).await;
        assert!(sent.status.is_success(), "{}", sent.text);
        let found = severities.iter().flat_map(|(severity, count)| {
            (0..*count).map(move |number| {
                json!({"VulnerabilityID": format!("CVE-2025-{number}{severity}"), "PkgName": "zlib",
                    "InstalledVersion": "1", "Severity": severity})
            })
        });
        if !severities.is_empty() {
            let found: Vec<_> = found.collect();
            browser
                .report(&format!("prod/api:{tag}"), &sample, "2023-01-01T00:00:00Z", &found)
                .await;
        }
    }
    browser
}

#[tokio::test]
async fn tags_are_sorted_by_size_creation_and_findings_both_ways() {
    let browser = of_four_tags().await;
    for (sort, ascending, descending) in [
        ("tag", ["C", "a", "b", "d"], ["d", "b", "a", "C"]),
        ("size", ["C", "a", "d", "b"], ["b", "d", "a", "C"]),
        // What is not known comes last either way.
        ("created", ["d", "C", "a", "b"], ["a", "C", "d", "b"]),
        ("severity", ["a", "C", "d", "b"], ["d", "C", "a", "b"]),
    ] {
        for (order, expected) in [("asc", ascending), ("desc", descending)] {
            let found = tags(&browser, &format!("&sort={sort}&order={order}")).await;
            assert_eq!(found, expected, "{sort} {order}");
        }
    }
}

#[tokio::test]
async fn tags_are_filtered_by_any_spelling_and_by_their_worst_finding() {
    let browser = of_four_tags().await;
    assert_eq!(tags(&browser, "&tag=c").await, ["C"]);
    assert_eq!(tags(&browser, "&tag=D").await, ["d"]);
    assert_eq!(tags(&browser, "&severity=high").await, ["C", "d"]);
    assert_eq!(tags(&browser, "&severity=low").await, ["a"]);
    assert_eq!(tags(&browser, "&severity=no+report").await, ["b"]);
    assert_eq!(tags(&browser, "&severity=none").await, [""; 0]);
    assert_eq!(tags(&browser, "&severity=high&tag=c&verdict=passed&flag=tested").await, ["C"]);
    assert_eq!(tags(&browser, "&severity=high&verdict=held").await, [""; 0]);
    let text = browser.text("/ui/repository?name=prod/api&severity=high").await;
    assert!(text.contains("<option selected>high</option>"), "{text}");
    let sorted = r#"href="/ui/repository?name=prod/api&#38;severity=high&#38;sort=size""#;
    assert!(text.contains(sorted), "the filter stays: {text}");
}
