//! The audit trail and single requests, as a browser sees them.

use super::*;
use crate::audit::{Decision, Record};

const ID: &str = "00c0ffee00c0ffee-1";
const ABSENT: &str = "00c0ffee00c0ffee-9";

fn hostile() -> Record {
    Record {
        request_id: Some(ID.to_owned()),
        subject: Some("user:alice".to_owned()),
        user_agent: Some(format!("{HOSTILE}\u{202e}\u{7}")),
        operation: Some("manifest_read"),
        repository: Some("prod/api".to_owned()),
        reference: Some("v1".to_owned()),
        decision: Some(Decision::Deny),
        rule: Some("reads".to_owned()),
        reason: Some(format!("=cmd|' /C calc'!A0 {HOSTILE}")),
        status: Some(403),
        ..Record::new("request")
    }
}

async fn browser() -> Browser {
    let (browser, _) = Browser::of_alice().await;
    browser.scene.api.audit.flush(hostile()).await.unwrap();
    browser
}

#[tokio::test]
async fn somebody_pastes_a_message_and_reads_why() {
    let browser = browser().await;
    let front = browser.get("/").await;
    assert!(front.text.contains(r#"action="/ui/denial""#), "{}", front.text);
    let pasted = format!("/ui/denial?id=denied:+x+(request+{ID});+see+https://gate.example");
    let page = browser.get(&pasted).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    for words in [
        "denied</span>",
        "<strong>reads</strong> <span class=\"mono\">policy.yaml:5</span>",
        r#"href="/ui/image?ref=prod/api:v1""#,
        r#"href="/ui/access?ref=prod/api:v1&#38;as=user:alice&#38;action=pull""#,
    ] {
        assert!(page.text.contains(words), "{words} in {}", page.text);
    }
    assert!(!page.text.contains("/ui/admin/audit"), "alice is no administrator");
    let wrong = browser.get("/ui/denial?id=what").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{}", wrong.text);
}

#[tokio::test]
async fn w1_what_a_client_calls_itself_is_text_on_the_pages_and_in_files() {
    let mut browser = browser().await;
    let mine = browser.get(&format!("/ui/denial?id={ID}")).await;
    browser.sign_in("root", PASSWORD).await;
    let theirs = browser.get(&format!("/ui/denial?id={ID}")).await;
    assert!(theirs.text.contains("/ui/admin/audit?subject=user:alice"), "{}", theirs.text);
    let all = browser.get("/ui/admin/audit?subject=user:alice").await;
    for page in [&mine, &theirs, &all] {
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        assert!(page.text.contains(ESCAPED) && !page.text.contains("<img"), "{}", page.text);
        assert!(page.text.contains(r"\u{202e}\u{7}"), "{}", page.text);
        assert!(!page.text.contains(['\u{202e}', '\u{7}']), "{}", page.text);
    }
    let export = "/ui/admin/audit/export?event=request&format";
    let csv = browser.get(&format!("{export}=csv")).await;
    assert_eq!(csv.header(CONTENT_DISPOSITION), r#"attachment; filename="audit.csv""#);
    let row = csv.text.lines().nth(1).unwrap();
    assert!(row.contains(r#","'=cmd|' /C calc'!A0 <img src=x onerror=""alert(1)"">'","#), "{row}");
    assert!(!csv.text.contains(['\u{202e}', '\u{7}']), "{}", csv.text);
    let lines = browser.get(&format!("{export}=jsonl")).await;
    assert_eq!(lines.header(CONTENT_TYPE), "application/jsonl");
    let record: Value = serde_json::from_str(lines.text.trim()).unwrap();
    assert_eq!(record["user_agent"], format!("{HOSTILE}\u{202e}\u{7}"));
    assert!(!lines.text.contains(['\u{202e}', '\u{7}']), "{}", lines.text);
}

#[tokio::test]
async fn w4_another_persons_request_looks_as_one_that_never_was() {
    let mut browser = browser().await;
    browser.sign_in("bob", PASSWORD).await;
    let theirs = browser.get(&format!("/ui/denial?id={ID}")).await;
    let absent = browser.get(&format!("/ui/denial?id={ABSENT}")).await;
    assert_eq!(theirs.status, StatusCode::NOT_FOUND, "{}", theirs.text);
    assert_eq!(theirs.text.replace(ID, ABSENT), absent.text);
    assert_eq!(theirs.headers, absent.headers);
    for page in ["/ui/admin/audit", "/ui/admin/audit/export?format=csv"] {
        let page = browser.get(page).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.text);
    }
}

#[tokio::test]
async fn administrators_go_through_the_trail_page_by_page() {
    let (mut browser, _) = Browser::of_alice().await;
    for number in 0..150 {
        let record = Record {
            request_id: Some(format!("00c0ffee00c0ffee-{number}")),
            subject: Some("user:bob".to_owned()),
            repository: Some("prod/api".to_owned()),
            operation: Some("blob_read"),
            decision: Some(Decision::Allow),
            ..Record::new("request")
        };
        browser.scene.api.audit.queue(record);
    }
    browser.sign_in("root", PASSWORD).await;
    let page = browser.get("/ui/admin/audit?subject=user:bob&decision=").await;
    let ids = |page: &Page| {
        let times = page.text.matches("<tr>\n").count();
        let first = page.text.split("/ui/denial?id=").nth(1).unwrap().split('"').next().unwrap();
        (times, first.to_owned())
    };
    assert_eq!(ids(&page), (100, "00c0ffee00c0ffee-149".to_owned()));
    let (_, next) = page.text.split_once(r#"class="button" href=""#).unwrap();
    let next = next.split('"').next().unwrap().replace("&#38;", "&");
    let page = browser.get(&next).await;
    assert_eq!(ids(&page), (50, "00c0ffee00c0ffee-49".to_owned()));
    assert!(page.text.contains("Older records"), "{}", page.text);
    let empty = browser.get("/ui/admin/audit?subject=user:nobody").await;
    assert!(empty.text.contains("That is all that is kept"), "{}", empty.text);
    let wrong = browser.get("/ui/admin/audit?address=here").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{}", wrong.text);
}
