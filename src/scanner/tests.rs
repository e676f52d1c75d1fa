use std::fs;
use std::time::Duration;

use oci::{Digest, RepositoryName};
use reports::Limits;
use serde_json::json;

use super::poll::{Pace, scan_at};
use super::*;
use crate::log::Causes;
use crate::sample_scanner::{Mood, Scanner, Step};
use crate::secret::Secret;

const PACE: Pace = Pace { first: Duration::from_millis(1), most: Duration::from_millis(5) };
/// Much longer than any of these take, except where the end is waited for.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);
/// `gate:CANARY`.
const BASIC: &str = "Basic Z2F0ZTpDQU5BUlk=";

fn adapter(scanner: &Scanner, deadline: Duration) -> Adapter {
    let url = AdapterUrl::new(&scanner.url()).unwrap();
    Adapter::within(deadline, &Settings { url, authorization_file: None, ca: None }).unwrap()
}

fn digest() -> Digest {
    Digest::Sha256([7; 32])
}

fn pull() -> Pull {
    Pull {
        registry: "https://registry.example".to_owned(),
        repository: RepositoryName::new("team/api").unwrap(),
        digest: digest(),
        tag: None,
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        user: "gate".to_owned(),
        token: Secret::new("CANARY".to_owned()),
    }
}

async fn scanned(adapter: &Adapter, deadline: Duration) -> Result<reports::Report, Error> {
    let metadata = adapter.metadata().await?;
    let request = ScanRequest::new(&metadata, pull())?;
    assert!(!format!("{request:?}").contains("CANARY"));
    scan_at(PACE, adapter, &request, deadline, Limits { bytes: 1 << 20, findings: 10 }).await
}

/// What comes of a scanner that misbehaves at a step, and has so much time for an answer.
async fn told(step: Step, mood: Mood, answer: Duration, deadline: Duration) -> String {
    let scanner = Scanner::start("Basic", BASIC);
    scanner.be(step, mood);
    let error = scanned(&adapter(&scanner, answer), deadline).await.unwrap_err();
    let told = Causes(&error).to_string();
    let host = scanner.url().replace("http://", "");
    assert!(told.contains(&format!("the scanner at {host} ")), "{told}");
    assert!(!told.contains("CANARY") && !told.contains(char::is_control), "{told}");
    told.replace(&host, "HOST")
}

#[tokio::test]
async fn a_report_is_waited_for_and_read_with_either_credential() {
    for (kind, header) in [("Basic", BASIC), ("", BASIC), ("Bearer", "Bearer CANARY")] {
        let scanner = Scanner::start(kind, header);
        let report = scanned(&adapter(&scanner, LONG), LONG).await.unwrap();
        assert_eq!(report.about.manifests, [digest()]);
        assert_eq!(report.findings[0].id.as_str(), "CVE-2021-44228");
        let poll = "GET /api/v1/scan/scan%2F0/report";
        let expected = ["GET /api/v1/metadata", "POST /api/v1/scan", poll, poll, poll];
        assert_eq!(scanner.asked(), expected);
    }
    let scanner = Scanner::start("Bearer", BASIC);
    let told = scanned(&adapter(&scanner, LONG), LONG).await.unwrap_err().to_string();
    assert!(told.contains("422 Unprocessable Entity (the registry would not let me in)"), "{told}");
}

#[tokio::test]
async fn the_credential_of_the_gate_is_read_anew_each_time_and_never_told() {
    let scanner = Scanner::start("Basic", BASIC);
    let file = tempfile::NamedTempFile::new().unwrap();
    let url = AdapterUrl::new(&format!("{}/", scanner.url())).unwrap();
    let authorization_file = Some(file.path().to_owned());
    let adapter = Adapter::new(&Settings { url, authorization_file, ca: None }).unwrap();
    scanner.wants("Bearer CANARY");
    for (content, expected) in [
        ("Bearer CANARY\n", None),
        (
            "Bearer OLD-CANARY",
            Some(
                "answers 401 Unauthorized (who is there?) when asked what it can do; look at `scanner.authorization_file`",
            ),
        ),
        ("", Some("cannot be used as `scanner.authorization_file`")),
        ("Bearer CANARY\nBearer CANARY", Some("cannot be used as `scanner.authorization_file`")),
        ("Bearer CANARY", None),
    ] {
        fs::write(file.path(), content).unwrap();
        let told = adapter.metadata().await.err().map(|error| format!("{error} {error:?}"));
        assert_eq!(told.is_none(), expected.is_none(), "{told:?}");
        if let (Some(told), Some(expected)) = (told, expected) {
            assert!(told.contains(expected) && !told.contains("CANARY"), "{told}");
        }
    }
    drop(file);
    assert!(matches!(adapter.metadata().await, Err(Error::Authorization { source: Some(_), .. })));
}

#[tokio::test]
async fn whoever_is_never_ready_is_left_at_the_deadline() {
    let told = told(Step::Report, Mood::NeverReady, LONG, SHORT).await;
    assert!(told.contains("had no report after 0 s; "), "{told}");
}

#[tokio::test]
async fn a_redirect_is_followed_nowhere() {
    let elsewhere = Scanner::start("Basic", BASIC);
    for step in [Step::Metadata, Step::Scan, Step::Report] {
        for status in [301, 302, 303, 307, 308] {
            let mood = Mood::Redirects(status, format!("{}/api/v1/metadata", elsewhere.url()));
            let told = told(step, mood, LONG, SHORT).await;
            let is_not_ready = step == Step::Report && status == 302;
            let expected =
                if is_not_ready { "had no report" } else { "redirects, which is not followed" };
            assert!(told.contains(expected), "{told}");
        }
    }
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn a_body_without_an_end_is_left_at_the_bound() {
    for step in [Step::Metadata, Step::Scan, Step::Report] {
        for tells in [true, false] {
            let told = told(step, Mood::Endless { tells }, LONG, LONG).await;
            assert!(told.contains("sends more than 1048576 bytes when asked "), "{told}");
        }
    }
}

#[tokio::test]
async fn what_is_not_of_the_specification_is_refused() {
    for step in [Step::Metadata, Step::Scan] {
        let told = told(step, Mood::Garbage, LONG, LONG).await;
        assert!(told.contains("answers what cannot be understood when asked "), "{told}");
    }
    let garbage = told(Step::Report, Mood::Garbage, LONG, LONG).await;
    assert!(garbage.starts_with("the report of the scanner at HOST cannot be used: "), "{garbage}");
    for wrong in ["application/json", "application/vnd.scanner.adapter.vuln.report.raw"] {
        let told = told(Step::Report, Mood::Named(wrong.to_owned()), LONG, LONG).await;
        let expected =
            format!("when asked for a report: the report is of the media type `{wrong}`");
        assert!(told.contains(&expected), "{told}");
    }
    for id in [json!({"id": ""}), json!({"id": ".."}), json!({"id": "a\nb"}), json!({})] {
        let told = told(Step::Scan, Mood::Says(id), LONG, LONG).await;
        assert!(told.contains("answers what cannot be understood when asked for a scan"), "{told}");
    }
}

#[tokio::test]
async fn a_failure_is_told_in_the_words_of_the_scanner_on_one_line() {
    let failed = told(Step::Report, Mood::Fails(500), LONG, LONG).await;
    assert_eq!(failed, "the scanner at HOST failed: out of  memory");
    let gone = told(Step::Report, Mood::Fails(404), LONG, LONG).await;
    assert_eq!(gone, "the scanner at HOST failed: it knows nothing of the scan any more");
    let busy = told(Step::Report, Mood::Fails(503), LONG, LONG).await;
    assert!(
        busy.contains("answers 503 Service Unavailable (out of  memory) when asked for a report")
    );
    let refused = told(Step::Scan, Mood::Fails(500), LONG, LONG).await;
    assert!(
        refused
            .contains("answers 500 Internal Server Error (out of  memory) when asked for a scan; ")
    );
}

#[tokio::test]
async fn whoever_hangs_or_breaks_off_is_asked_a_few_times_and_then_left() {
    for step in [Step::Metadata, Step::Scan, Step::Report] {
        let hangs = told(step, Mood::Hangs, SHORT, LONG).await;
        assert!(hangs.contains("gave no whole answer within 0 s"), "{hangs}");
        let breaks = told(step, Mood::Breaks, LONG, LONG).await;
        assert!(breaks.contains("cannot be reached, or broke off"), "{breaks}");
    }
}

#[tokio::test]
async fn a_report_of_another_image_is_not_taken() {
    let told = told(Step::Report, Mood::OtherImage, LONG, LONG).await;
    assert!(told.contains("reports on sha256:0000"), "{told}");
}

#[tokio::test]
async fn a_scanner_that_cannot_do_what_is_needed_is_told_before_it_is_asked() {
    let told = async |change: fn(&mut serde_json::Value)| {
        let scanner = Scanner::start("Basic", BASIC);
        scanner.tells(change);
        adapter(&scanner, LONG).metadata().await.map_err(|error| error.to_string())
    };
    let sbom = told(|metadata| metadata["capabilities"][1]["type"] = "sbom".into()).await;
    assert!(sbom.unwrap_err().contains("does not scan images for vulnerabilities; "));
    let raw = told(|metadata| metadata["capabilities"][1]["produces_mime_types"] = json!(["raw"]));
    assert!(raw.await.unwrap_err().contains("writes reports neither as `application/"));
    let other = told(|metadata| {
        metadata["properties"]["harbor.scanner-adapter/registry-authorization-type"] =
            "Digest".into();
    });
    assert!(other.await.unwrap_err().contains("\"Digest\", not by Basic or Bearer"));
    let old = told(|metadata| {
        metadata["capabilities"] = json!([{
            "consumes_mime_types": ["application/vnd.docker.distribution.manifest.v2+json"],
            "produces_mime_types":
                ["application/vnd.scanner.adapter.vuln.report.harbor+json;version=1.0"],
        }]);
    });
    let old = old.await.unwrap();
    assert_eq!((old.report, old.is_typed), (ReportType::Harbor, false));
    assert_eq!(old.database, "2026-01-02T03:04:05Z".parse().ok());
    let colon = Pull { user: "a:b".to_owned(), ..pull() };
    assert!(matches!(ScanRequest::new(&old, colon), Err(Error::UserName(_))));
}

#[test]
fn an_address_is_that_of_an_adapter_and_nothing_else() {
    for wrong in ["", "scanner", "ftp://a", "http://a:b@c", "http://a/?b", "http://a/#b"] {
        assert!(AdapterUrl::new(wrong).is_err(), "{wrong}");
    }
    assert_eq!(
        AdapterUrl::new("http://scanner.example:8080/a").unwrap().host(),
        "scanner.example:8080"
    );
}
