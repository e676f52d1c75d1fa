//! What becomes of a scan, on the page of the image.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::release::Cause;
use crate::store::ScanEnd;

const SCANNED: &str = r#"
administrators: ["user:root"]
rules:
  - {name: reads, subjects: ["user:alice", "user:bob"], images: ["prod/**"], allow: [pull]}
  - {name: scans, subjects: ["user:bob"], images: ["prod/**"], allow: [scan]}
  - {name: reports, subjects: ["user:alice"], images: ["prod/**"], allow: [report]}
"#;

const PAGE: &str = "/ui/image?ref=prod/api:v1";

/// Signed in as alice, before an image that nobody has looked at.
async fn before(has_scanner: bool) -> (Browser, Sample) {
    let mut browser = Browser::with(SCANNED, has_scanner).await;
    let sample = image("amd64", &["a"]);
    browser.shelve(|shelf| shelf.tagged("prod/api", "v1", &sample));
    browser.sign_in("alice", PASSWORD).await;
    (browser, sample)
}

/// Somebody takes the scan that waits, and tells what became of it.
async fn end(browser: &Browser, at: Timestamp, end: Option<ScanEnd>) {
    let until = at + SignedDuration::from_hours(1);
    let work = move |store: Arc<dyn crate::store::Store>| async move {
        let scan = store.take_scan("here", at, until).await?.unwrap();
        if let Some(end) = end {
            assert!(store.end_scan("here", &scan.repository, &scan.digest, &end).await?);
        }
        Ok(())
    };
    let state = &browser.scene.issue.state;
    state.ask(work).await.unwrap();
    state.look().await.unwrap();
}

async fn request(browser: &Browser, sample: &Sample) {
    let (digest, now) = (sample.digest.clone(), browser.scene.now());
    let here = "prod/api".parse().unwrap();
    let state = &browser.scene.issue.state;
    let work = move |store: Arc<dyn crate::store::Store>| async move {
        store.request_scan(&here, &digest, Cause::Push, now).await
    };
    state.ask(work).await.unwrap();
    state.look().await.unwrap();
}

#[tokio::test]
async fn an_image_without_a_report_says_how_one_is_made_and_who_may() {
    let (mut browser, _) = before(true).await;
    let text = browser.text(PAGE).await;
    assert!(text.contains(r#"<span class="chip warned">no report</span>"#), "{text}");
    assert!(text.contains("Whoever has <code>scan</code> in the policy may ask for a scan: <code>portcullis image scan prod/api:v1</code>"), "{text}");
    assert!(text.contains("You may send the report of another scanner: <code>portcullis image report prod/api:v1 FILE</code>"), "{text}");
    browser.sign_in("bob", PASSWORD).await;
    let text = browser.text(PAGE).await;
    assert!(text.contains("You may ask for a scan: <code>portcullis image scan"), "{text}");
    assert!(text.contains("Whoever has <code>report</code> in the policy may send"), "{text}");
    let (browser, _) = before(false).await;
    let text = browser.text(PAGE).await;
    assert!(!text.contains("image scan") && text.contains("image report"), "{text}");
}

#[tokio::test]
async fn a_scan_tells_that_it_waits_runs_and_fails() {
    let (browser, sample) = before(true).await;
    request(&browser, &sample).await;
    let now = browser.scene.now();
    let shown = |at: Timestamp| shown::Moment::of(at).to_string();
    let text = browser.text(PAGE).await;
    assert!(
        text.contains(&format!("a scan waits for its turn since {} UTC", shown(now))),
        "{text}"
    );
    // It is on its way, and nobody has to ask for it.
    assert!(!text.contains("image scan") && text.contains(">no report<"), "{text}");

    let hour = SignedDuration::from_hours(1);
    let (again, reason) = (now + hour, HOSTILE.to_owned());
    end(&browser, now, Some(ScanEnd::Retry { at: now, next_at: again, reason })).await;
    let text = browser.text(PAGE).await;
    let waits = format!(
        "a scan waits to be tried again at {} UTC; it fails since {} UTC: ",
        shown(again),
        shown(now)
    );
    assert!(text.contains(&format!("{waits}{ESCAPED}")) && !text.contains("<img"), "{text}");
    assert!(!text.contains("image scan"), "{text}");

    browser.scene.wait(3600);
    let text = browser.text(PAGE).await;
    assert!(text.contains("a scan waits to be tried again; it fails since"), "{text}");
    end(&browser, again, None).await;
    let text = browser.text(PAGE).await;
    let runs = format!("a scan is running, asked for at {} UTC; it fails since", shown(now));
    assert!(text.contains(&runs), "{text}");

    let later = again + hour;
    browser.scene.wait(3600);
    end(&browser, later, Some(ScanEnd::Failed { at: later, reason: "no memory".to_owned() })).await;
    let text = browser.text(PAGE).await;
    assert!(text.contains("the scan was given up after 3 tries; it failed since"), "{text}");
    assert!(text.contains("UTC: no memory") && text.contains("image scan"), "{text}");

    // Of one that was done, only what is missing is told.
    request(&browser, &sample).await;
    let now = browser.scene.now();
    end(&browser, now, Some(ScanEnd::Done { at: now })).await;
    let text = browser.text(PAGE).await;
    assert!(
        text.contains("but no report of it counts here") && text.contains("image scan"),
        "{text}"
    );
    browser.report("prod/api:v1", &sample, "2023-01-01T00:00:00Z", &[]).await;
    let text = browser.text(PAGE).await;
    assert!(text.contains(">nothing found<") && !text.contains("a scan"), "{text}");
}
