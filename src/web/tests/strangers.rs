//! What strangers write into images, wherever it is shown.

use super::searching::{flagged, labelled, taught};
use super::*;
use crate::content::samples::{annotated, index_for};
use crate::content::{self};

const SCRIPT: &str = "javascript:alert(1)";

/// What a stranger writes in this place.
fn hostile(place: &str) -> String {
    format!("{place}{HOSTILE}")
}

/// Nothing in the page is more than text, and what was written in all these places is there.
fn is_text(page: &str, places: &[&str]) {
    assert!(!page.contains("<img"), "{page}");
    for quote in ["\"", "'", ""] {
        assert!(!page.contains(&format!("href={quote}javascript:")), "{page}");
    }
    for place in places {
        assert!(page.contains(&format!("{place}&#60;img src=x onerror=")), "{place}: {page}");
    }
}

/// An image that says something hostile wherever it can.
fn of_a_stranger() -> (Sample, oci::Digest, String) {
    let config = json!({
        "created": hostile("created"), "author": hostile("author"),
        "architecture": hostile("architecture"), "os": hostile("os"),
        "config": {
            "User": hostile("user"), "WorkingDir": hostile("folder"),
            "Entrypoint": [hostile("entrypoint"), SCRIPT], "Cmd": [hostile("command")],
            "Env": [hostile("variable"), format!("HOME={SCRIPT}")],
            "ExposedPorts": {hostile("port"): {}}, "Volumes": {hostile("volume"): {}},
            "Labels": {
                hostile("label-key"): hostile("label-value"),
                "org.opencontainers.image.url": SCRIPT,
            },
        },
        "history": [
            {"created_by": format!("/bin/sh -c {}", hostile("step"))},
            {"comment": hostile("comment"), "empty_layer": true},
        ],
    })
    .to_string();
    let digest = content::digest(oci::Algorithm::Sha256, config.as_bytes());
    let annotations = json!({
        hostile("annotation-key"): hostile("annotation-value"),
        "org.opencontainers.image.source": SCRIPT, "org.opencontainers.image.documentation": SCRIPT,
    });
    (annotated(&digest, &["a"], &annotations), digest, config)
}

#[tokio::test]
async fn what_an_image_says_of_itself_is_text() {
    let browser = Browser::of_alice().await.0;
    let (image, config, content) = of_a_stranger();
    browser.shelve(|shelf| {
        let referrers = json!([
            {"mediaType": "m", "digest": format!("sha256:{:064x}", 1), "size": 1,
             "artifactType": hostile("type"),
             "annotations": {"org.opencontainers.image.created": hostile("made")}},
            {"mediaType": "m", "digest": format!("sha256:{:064x}", 2), "size": 1, "artifactType": "a",
             "annotations": {"dev.sigstore.bundle.predicateType": hostile("predicate")}},
            {"mediaType": hostile("media-type"), "digest": format!("sha256:{:064x}", 3), "size": 1},
            {"mediaType": "m", "digest": format!("sha256:{:064x}", 4), "size": 1,
             "artifactType": SCRIPT, "annotations": {"org.opencontainers.image.created": SCRIPT}},
            {"mediaType": "m", "digest": SCRIPT, "size": 1, "artifactType": hostile("no digest")},
        ]);
        let shelf = shelf.tagged("prod/api", "v2", &image);
        shelf.blob("prod/api", &config, content.as_bytes()).referred("prod/api", &image.digest, &referrers)
    });
    flagged(&browser, &image).await;
    let page = browser.text("/ui/image?ref=prod/api:v2").await;
    let places = [
        "created",
        "author",
        "architecture",
        "os",
        "user",
        "folder",
        "entrypoint",
        "command",
        "variable",
        "port",
        "volume",
        "label-key",
        "label-value",
        "step",
        "comment",
        "annotation-key",
        "annotation-value",
        "type",
        "made",
        "predicate",
        "media-type",
    ];
    is_text(&page, &places);
    assert!(page.contains(ESCAPED) && page.matches(SCRIPT).count() >= 6, "{page}");
    assert!(!page.contains("no digest"), "{page}");
    // As it is, it is a file and no page.
    for file in ["", "&of=config"] {
        let raw = browser.get(&format!("/ui/image/raw?ref=prod/api:v2{file}")).await;
        assert_eq!(raw.status, StatusCode::OK, "{}", raw.text);
        assert!(!raw.header(CONTENT_TYPE).contains("html"), "{}", raw.header(CONTENT_TYPE));
    }
}

#[tokio::test]
async fn what_an_index_says_that_images_run_on_is_text() {
    let browser = Browser::of_alice().await.0;
    let (one, config, content) = of_a_stranger();
    let two = image("two", &["b"]);
    let index = index_for(&[
        (&hostile("index-os/index-architecture"), &one),
        (&format!("{SCRIPT}/x"), &two),
    ]);
    browser.shelve(|shelf| {
        let shelf = shelf.untagged("prod/api", &one).untagged("prod/api", &two);
        shelf.blob("prod/api", &config, content.as_bytes())
    });
    taught(&browser, &[("prod/api", "v2", &index)]).await;
    flagged(&browser, &index).await;
    let found = [json!({"VulnerabilityID": "CVE-2025-1", "PkgName": hostile("package"),
        "InstalledVersion": hostile("version"), "FixedVersion": hostile("fix"), "Severity": "HIGH"})];
    browser.report("prod/api:v2", &two, "2023-01-01T00:00:00Z", &found).await;
    let os = "index-os/index-architecture";
    for (path, places) in [
        ("/ui/image?ref=prod/api:v2", [os, "package", "version", "fix"].as_slice()),
        ("/ui/repository?name=prod/api", &[os]),
        ("/?q=api", &[os]),
        ("/ui/vulnerability?id=CVE-2025-1", &["package", "version", "fix"]),
    ] {
        is_text(&browser.text(path).await, places);
    }
}

#[tokio::test]
async fn the_label_by_which_an_image_was_found_is_text() {
    let (browser, image) = Browser::of_alice().await;
    taught(&browser, &[("prod/api", "v1", &image)]).await;
    labelled(&browser, &image, &hostile("team"), &format!("payments {HOSTILE} {SCRIPT}")).await;
    flagged(&browser, &image).await;
    let page = browser.text("/?q=label:payments").await;
    assert!(page.contains("label team&#60;img"), "{page}");
    is_text(&page, &["team", "payments "]);
}
