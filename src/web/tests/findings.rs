//! The vulnerabilities of an image, and the page of one of them.

use super::searching::taught;
use super::*;
use crate::content::samples::{index_for, signature};
use crate::state::Pulled;

/// How Trivy tells of a finding.
fn found(id: &str, severity: &str, package: &str, more: &Value) -> Value {
    let mut found = json!({
        "VulnerabilityID": id, "PkgName": package, "InstalledVersion": "1", "Severity": severity,
    });
    found.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    found
}

fn scored(score: f64) -> Value {
    json!({"CVSS": {"nvd": {"V3Score": score}}})
}

/// What the rows of a page tell of that are shown, or of those that are not.
fn rows(page: &str, is_shown: bool) -> Vec<&str> {
    let rows = page.split("<tr data-severity=").skip(1);
    let of_kind = rows.filter(|row| row.split_once('>').unwrap().0.ends_with("hidden") != is_shown);
    of_kind
        .map(|row| row.split_once("/ui/vulnerability?id=").unwrap().1.split('"').next().unwrap())
        .collect()
}

/// Three findings that differ in all that is shown of them; `CVE-2025-100` is the newest.
async fn of_three_findings() -> Browser {
    let (browser, image) = Browser::of_alice().await;
    let first = [
        found(
            "CVE-2025-10",
            "HIGH",
            "zlib",
            &json!({"InstalledVersion": "1.10", "FixedVersion": "1.11", "Status": "fixed",
                "CVSS": {"nvd": {"V3Score": 10.0}}, "Layer": {"Digest": "sha256:b".to_owned() + &"0".repeat(63)}}),
        ),
        found(
            "CVE-2025-9",
            "HIGH",
            "openssl",
            &json!({"InstalledVersion": "1.9", "Status": "will_not_fix",
                "CVSS": {"nvd": {"V3Score": 9.8}}, "Layer": {"Digest": "sha256:a".to_owned() + &"0".repeat(63)}}),
        ),
    ];
    browser.report("prod/api:v1", &image, "2023-01-01T00:00:00Z", &first).await;
    browser.scene.wait(10 * 3600);
    let more = found(
        "CVE-2025-100",
        "LOW",
        "bash",
        &json!({"InstalledVersion": "5", "FixedVersion": "5.1", "Status": "affected"}),
    );
    let all: Vec<_> = first.into_iter().chain([more]).collect();
    browser.report("prod/api:v1", &image, "2023-01-02T00:00:00Z", &all).await;
    browser
}

const PAGE: &str = "/ui/image?ref=prod/api:v1";

#[tokio::test]
async fn findings_are_sorted_by_each_column_both_ways() {
    let browser = of_three_findings().await;
    for (sort, ascending, descending) in [
        ("id", [9, 10, 100], [100, 10, 9]),
        ("severity", [100, 10, 9], [10, 9, 100]),
        // What is not known comes last either way.
        ("cvss", [9, 10, 100], [10, 9, 100]),
        ("package", [100, 9, 10], [10, 9, 100]),
        ("installed", [9, 10, 100], [100, 10, 9]),
        ("fixed", [10, 100, 9], [100, 10, 9]),
        ("layer", [9, 10, 100], [10, 9, 100]),
        ("status", [100, 10, 9], [9, 10, 100]),
        ("seen", [10, 9, 100], [100, 10, 9]),
    ] {
        for (order, expected) in [("asc", ascending), ("desc", descending)] {
            let text = browser.text(&format!("{PAGE}&sort={sort}&order={order}")).await;
            let expected = expected.map(|number| format!("CVE-2025-{number}"));
            assert_eq!(rows(&text, true), expected, "{sort} {order}");
            let word = if order == "asc" { "ascending" } else { "descending" };
            assert_eq!(text.matches(&format!(r#"aria-sort="{word}""#)).count(), 1, "{sort}");
        }
    }
    // The worst first, unless somebody asks for another order; a column leads to its other way round.
    let text = browser.text(PAGE).await;
    assert_eq!(rows(&text, true), ["CVE-2025-10", "CVE-2025-9", "CVE-2025-100"]);
    let here = r#"<th aria-sort="descending"><a href="/ui/image?ref=prod/api:v1&#38;order=asc#vulnerabilities""#;
    assert!(text.contains(here), "{text}");
    let other = r#"<th aria-sort="none"><a href="/ui/image?ref=prod/api:v1&#38;sort=fixed#vulnerabilities""#;
    assert!(text.contains(other), "{text}");
}

#[tokio::test]
async fn findings_are_filtered_without_a_script_and_so_are_files_of_them() {
    let browser = of_three_findings().await;
    let text = browser.text(PAGE).await;
    assert!(text.contains("3 in all") && rows(&text, false).is_empty(), "{text}");
    for (asked, expected) in [
        ("filter=ZLib", vec!["CVE-2025-10"]),
        ("filter=+will_not+openssl+", vec!["CVE-2025-9"]),
        ("filter=1.1", vec!["CVE-2025-10"]),
        ("filter=nothing", vec![]),
        ("severity=high", vec!["CVE-2025-10", "CVE-2025-9"]),
        ("severity=high&filter=9.8", vec!["CVE-2025-9"]),
        ("severity=low&filter=zlib", vec![]),
        ("severity=no&filter=", vec![]),
    ] {
        let text = browser.text(&format!("{PAGE}&{asked}")).await;
        assert_eq!(rows(&text, true), expected, "{asked}");
        // The script may show the others again.
        assert_eq!(rows(&text, false).len(), 3 - expected.len(), "{asked}");
        assert!(text.contains(&format!(">{} of 3<", expected.len())), "{asked} {text}");
        let export = format!("/ui/image/vulnerabilities?ref=prod/api:v1&{asked}&format=");
        let csv = browser.text(&format!("{export}csv")).await;
        assert_eq!(csv.lines().count(), 1 + expected.len(), "{asked} {csv}");
        let json: Value =
            serde_json::from_str(&browser.text(&format!("{export}json")).await).unwrap();
        let ids: Vec<_> =
            json.as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{asked}");
    }
    // What is asked for stays in the form, and goes with the links.
    let text =
        browser.text(&format!("{PAGE}&filter=%3Cb%3E&severity=high&sort=id&order=desc")).await;
    assert!(text.contains(r#"name="filter" value="&#60;b&#62;""#), "{text}");
    assert!(text.contains("<option selected>high</option>"), "{text}");
    assert!(text.contains(r#"<input type="hidden" name="sort" value="id">"#), "{text}");
    assert!(text.contains(r#"<input type="hidden" name="order" value="desc">"#), "{text}");
    let asked = "filter=%3Cb%3E&#38;severity=high&#38;";
    for link in [
        format!(
            "/ui/image/vulnerabilities?ref=prod/api:v1&#38;format=csv&#38;{asked}sort=id&#38;order=desc"
        ),
        format!("/ui/image?ref=prod/api:v1&#38;{asked}sort=id#vulnerabilities"),
        "/ui/image?ref=prod/api:v1&#38;sort=id&#38;order=desc#vulnerabilities".to_owned(),
    ] {
        assert!(text.contains(&format!(r#"href="{link}""#)), "{link} {text}");
    }
    let csv = "/ui/image/vulnerabilities?ref=prod/api:v1&format=csv&sort=installed&order=desc";
    let csv = browser.text(csv).await;
    let ids: Vec<_> = csv.lines().skip(1).map(|row| row.split(',').nth(1).unwrap()).collect();
    assert_eq!(ids, [r#""CVE-2025-100""#, r#""CVE-2025-10""#, r#""CVE-2025-9""#]);
}

#[tokio::test]
async fn nothing_found_is_said_only_where_every_platform_was_looked_at() {
    let browser = Browser::of_alice().await.0;
    let (amd64, arm64) = (image("amd64", &["a"]), image("arm64", &["b"]));
    let index = index_for(&[("linux/amd64", &amd64), ("linux/arm64", &arm64)]);
    browser.shelve(|shelf| {
        let shelf = shelf.tagged("prod/api", "v2", &index);
        shelf.untagged("prod/api", &amd64).untagged("prod/api", &arm64)
    });
    let page = async || browser.text("/ui/image?ref=prod/api:v2").await;
    let lacks = |platform: &str, sample: &Sample, what: &str| {
        let link = format!("/ui/image?ref=prod/api@{}", sample.digest);
        format!(r#"<a href="{link}">{platform}</a>: <span class="chip warned">{what}</span>"#)
    };
    let text = page().await;
    for (platform, sample) in [("linux/amd64", &amd64), ("linux/arm64", &arm64)] {
        assert!(text.contains(&lacks(platform, sample, "no report")), "{text}");
    }
    assert!(text.contains("is not known") && !text.contains(">nothing found<"), "{text}");

    let clean = json!([{"Target": "debian", "Class": "os-pkgs", "Type": "debian"}]);
    browser.report_of("prod/api:v2", &amd64, "2023-01-01T00:00:00Z", &clean).await;
    let text = page().await;
    assert!(text.contains(&lacks("linux/arm64", &arm64, "no report")), "{text}");
    assert!(!text.contains(&lacks("linux/amd64", &amd64, "no report")), "{text}");
    assert!(text.contains("<li>linux/amd64: Trivy, report of"), "{text}");
    assert!(text.contains("is not known") && !text.contains(">nothing found<"), "{text}");

    browser.report_of("prod/api:v2", &arm64, "2023-01-01T00:00:00Z", &json!([])).await;
    let text = page().await;
    assert!(text.contains(&lacks("linux/arm64", &arm64, "nothing recognized")), "{text}");
    assert!(text.contains("is not known") && !text.contains(">nothing found<"), "{text}");

    browser.report_of("prod/api:v2", &arm64, "2023-01-02T00:00:00Z", &clean).await;
    let text = page().await;
    assert!(text.contains(">nothing found<") && !text.contains("is not known"), "{text}");
    assert!(!text.contains("no report") && !text.contains("portcullis image report"), "{text}");

    // Where something was found as well, what is missing is told all the same.
    let some = [found("CVE-2025-9", "HIGH", "openssl", &json!({}))];
    browser.report("prod/api:v1", &image("amd64", &["a"]), "2023-01-03T00:00:00Z", &some).await;
    let text = page().await;
    assert!(text.contains("1 high") && text.contains("<td data-label=\"Platform\""), "{text}");
    assert!(text.contains(r#"sort=platform#vulnerabilities""#), "{text}");
}

#[tokio::test]
async fn an_image_that_no_engine_runs_is_not_said_to_be_clean() {
    let browser = Browser::of_alice().await.0;
    let artifact = signature("s", None);
    browser.shelve(|shelf| shelf.tagged("prod/api", "sig", &artifact));
    let text = browser.text("/ui/image?ref=prod/api:sig").await;
    assert!(text.contains("nothing in it that scanners look at"), "{text}");
    assert!(!text.contains(">nothing found<") && !text.contains("image report"), "{text}");
}

#[tokio::test]
async fn what_scanners_found_is_text_on_the_page_and_in_a_spreadsheet() {
    let (browser, amd64) = Browser::of_alice().await;
    let report = json!({
        "SchemaVersion": 2,
        "CreatedAt": "2025-11-01T00:00:00Z",
        "ArtifactName": "api",
        "ArtifactType": "container_image",
        "Metadata": {"ImageID": amd64.manifest.config.as_ref().unwrap().digest.to_string()},
        "Results": [{"Target": "debian", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": [{
            "VulnerabilityID": "CVE-2025-0001", "PkgName": "=cmd|' /C calc'!A0",
            "InstalledVersion": HOSTILE, "Severity": "HIGH", "Title": HOSTILE,
        }]}],
    });
    let path = "/image/report?ref=prod/api:v1";
    let sent = browser.scene.ask(As::User("alice"), Method::PUT, path, &report.to_string()).await;
    assert_eq!(sent.status, StatusCode::OK, "{}", sent.text);
    let page = browser.get("/ui/image?ref=prod/api:v1").await;
    assert!(page.text.contains("1 high") && page.text.contains("CVE-2025-0001"), "{}", page.text);
    assert!(page.text.contains(ESCAPED) && !page.text.contains("<img"), "{}", page.text);
    assert!(page.text.contains("Trivy, report of"), "it names no version: {}", page.text);
    assert!(page.text.contains(r#"<th aria-sort="descending">"#), "{}", page.text);
    let by_id = browser.get("/ui/image?ref=prod/api:v1&sort=id").await;
    assert!(by_id.text.contains(r#"<th aria-sort="ascending">"#), "{}", by_id.text);
    // Told twice, it is one.
    let later = report.to_string().replace("2025-11-01", "2025-11-02").replace("HIGH", "CRITICAL");
    let sent = browser.scene.ask(As::User("bob"), Method::PUT, path, &later).await;
    assert_eq!(sent.status, StatusCode::OK, "{}", sent.text);
    let place = ("prod/api".parse().unwrap(), oci::Tag::new("v1").unwrap());
    let api = &browser.scene.api;
    let policy = api.policy();
    let mut summaries = summary::Summaries::new(api, &policy);
    let listed = summaries.of((&place.0, &place.1, &amd64.digest)).await;
    assert_eq!(listed.unwrap().findings_text(), "1 critical");
    let csv = browser.get("/ui/image/vulnerabilities?ref=prod/api:v1&format=csv").await;
    assert_eq!(csv.header(CONTENT_TYPE), "text/csv; charset=utf-8; header=present");
    assert_eq!(csv.header(CONTENT_DISPOSITION), r#"attachment; filename="vulnerabilities.csv""#);
    let row = csv.text.lines().nth(1).unwrap();
    assert!(row.contains(r#""CVE-2025-0001","critical""#), "{row}");
    assert!(row.contains(r#","'=cmd|' /C calc'!A0","#), "{row}");
    let listed = browser.get("/ui/image/vulnerabilities?ref=prod/api:v1&format=json").await;
    let listed: Value = serde_json::from_str(&listed.text).unwrap();
    assert_eq!(listed[0]["id"], "CVE-2025-0001");
    let page = browser.get("/ui/vulnerability?id=CVE-2025-0001").await;
    assert!(page.text.contains("prod/api"), "{}", page.text);
    assert!(page.text.contains(ESCAPED) && !page.text.contains("<img"), "{}", page.text);
}

#[tokio::test]
async fn the_worst_score_of_a_vulnerability_is_the_highest_number() {
    let (browser, sample) = Browser::of_alice().await;
    let scores = [9.8, 10.0, 7.5]
        .map(|score| found("CVE-2025-1", "HIGH", &format!("package-{score}"), &scored(score)));
    browser.report("prod/api:v1", &sample, "2023-01-01T00:00:00Z", &scores).await;
    let text = browser.text("/ui/vulnerability?id=CVE-2025-1").await;
    assert!(text.contains("CVSS 10.0"), "{text}");
}

#[tokio::test]
async fn what_a_group_pulled_comes_first_however_much_is_worse() {
    let (browser, many) = Browser::of_alice().await;
    let one = image("one", &["b"]);
    taught(&browser, &[("prod/api", "v1", &many), ("prod/api", "v2", &one)]).await;
    // More than are put in order.
    let worse = (0..1001)
        .map(|number| found("CVE-2025-1", "CRITICAL", &format!("package-{number}"), &json!({})));
    browser.report("prod/api:v1", &many, "2023-01-01T00:00:00Z", &worse.collect::<Vec<_>>()).await;
    let least = [found("CVE-2025-1", "LOW", "zlib", &json!({}))];
    browser.report("prod/api:v2", &one, "2023-01-01T00:00:00Z", &least).await;
    let state = &browser.scene.issue.state;
    state.note_pull(Pulled {
        repository: &"prod/api".parse().unwrap(),
        digest: &one.digest,
        tag: None,
        by: &"user:carol".parse().unwrap(),
        groups: &["ops".to_owned()],
        at: browser.scene.now(),
    });
    state.write_pulls(true).await.unwrap();
    let text = browser.text("/ui/vulnerability?id=CVE-2025-1&group=ops").await;
    let place = |sample: &Sample| text.find(&format!("prod/api@{}", sample.digest));
    assert!(place(&one).is_some() && place(&one) < place(&many), "{text}");
    assert_eq!(text.matches(&format!("prod/api@{}", one.digest)).count(), 1, "it is there once");
    assert!(text.contains("There are more images"), "{text}");
}
