//! What pages say of what they cannot do.

use super::*;
use crate::audit::{Decision, Record};

/// What only the menu of somebody who signed in has.
const MENU: &str = r#"<nav aria-label="Pages">"#;

async fn of_root() -> Browser {
    let (mut browser, _) = Browser::of_alice().await;
    let page = browser.sign_in("root", PASSWORD).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    browser
}

#[tokio::test]
async fn an_address_that_no_page_leads_to_is_answered_with_a_page() {
    let browser = of_root().await;
    for path in [
        "/?from=abc",
        "/?q=a&q=b",
        "/ui/image",
        "/ui/image?ref=prod/api:v1&ref=prod/api:v2",
        "/ui/image?ref=prod/api:v1&sort=worst",
        "/ui/image/raw",
        "/ui/image/delete",
        "/ui/image/vulnerabilities?ref=prod/api:v1&format=xml",
        "/ui/repository",
        "/ui/repository?name=prod/api&page=-1",
        "/ui/repository?name=prod/api&page=99999999999999999999",
        "/ui/vulnerability",
        "/ui/tokens?everybody=1&everybody=2",
        "/ui/access?ref=a:1&ref=b:1",
        "/ui/denial?id=a&id=b",
        "/ui/admin/audit?q=a&q=b",
        "/ui/admin/audit/export?format=xml",
        "/ui/admin/policy/file?name=a&line=b",
        "/ui/admin/shadow?cursor=a&cursor=b",
        "/ui/sign-in?next=a&next=b",
    ] {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path}: {}", page.text);
        assert!(page.header(CONTENT_TYPE).starts_with("text/html"), "{path}: {}", page.text);
        assert!(page.text.contains("no page leads to this address"), "{path}: {}", page.text);
        assert!(page.text.contains(MENU), "{path}: {}", page.text);
    }
}

#[tokio::test]
async fn what_went_wrong_is_told_within_the_menu_of_whoever_reads_it() {
    let (browser, _) = Browser::of_alice().await;
    for (path, status) in [
        ("/ui/image?ref=absent/app:v1", StatusCode::NOT_FOUND),
        ("/ui/image?ref=", StatusCode::BAD_REQUEST),
        ("/no/such/page", StatusCode::NOT_FOUND),
        ("/ui/admin", StatusCode::FORBIDDEN),
        ("/ui/sign-out", StatusCode::METHOD_NOT_ALLOWED),
        ("/ui/tokens/revoke", StatusCode::METHOD_NOT_ALLOWED),
        ("/ui/admin/services/change", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let page = browser.get(path).await;
        assert_eq!(page.status, status, "{path}: {}", page.text);
        assert!(page.text.contains(MENU) && page.text.contains("user:alice"), "{}", page.text);
        let length = page.header(http::header::CONTENT_LENGTH);
        assert!(length.is_empty() || length == page.text.len().to_string(), "{path}: {length}");
    }
    let denied = browser.get("/ui/admin").await;
    assert!(denied.text.contains("name this request"), "{}", denied.text);
    let stranger = Browser::new().await;
    let page = stranger.get("/no/such/page").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(!page.text.contains(MENU), "{}", page.text);
}

#[tokio::test]
async fn a_form_of_a_page_that_is_too_old_is_to_be_loaded_anew() {
    let (browser, _) = Browser::of_alice().await;
    let page = browser.post("/ui/tokens", &[("expires", "1h"), ("form_token", "old")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("Load the page anew"), "{}", page.text);
    assert!(!page.text.contains("policies of this gate"), "{}", page.text);
}

#[tokio::test]
async fn w5_a_form_with_a_field_that_its_page_has_not_is_refused() {
    let browser = of_root().await;
    let made = browser.scene.create(As::User("root"), r#"{"expires": "1h"}"#).await;
    let id = made["id"].as_str().unwrap();
    let flag = [("ref", "prod/api:v1"), ("flag", "tested"), ("do", "set")];
    for (path, form) in [
        ("/ui/tokens", &[("expires", "1h")][..]),
        ("/ui/tokens/revoke", &[("id", id)]),
        ("/ui/image/flags", &flag),
        ("/ui/image/delete", &[("ref", "prod/api:v1")]),
        ("/ui/sign-in", &[("username", "alice"), ("password", PASSWORD)]),
        ("/ui/sign-in/with", &[("provider", "corporate")]),
        ("/ui/sign-out", &[]),
    ] {
        let with = |more: (&'static str, &'static str)| {
            form.iter().copied().chain([more]).collect::<Vec<_>>()
        };
        let mut wrong = vec![with(("has_admin_role", "true"))];
        if let Some((name, _)) = form.first() {
            wrong.push(with((name, "other")));
        }
        for form in wrong {
            let page = match path.starts_with("/ui/sign-in") {
                true => browser.post(path, &form).await,
                false => browser.send(path, &form).await,
            };
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path} {form:?}: {}", page.text);
            assert!(page.text.contains("the form has no field"), "{path}: {}", page.text);
        }
    }
    assert!(browser.scene.holds(&made["access_token"]).await, "it was revoked");
}

#[tokio::test]
async fn a_mistake_is_told_at_the_form_which_keeps_what_was_written() {
    let (browser, _) = Browser::of_alice().await;
    let form = [
        ("comment", HOSTILE),
        ("expires", "forever"),
        ("images", "prod/**"),
        ("actions", "pull"),
        ("groups", "staff"),
        ("refreshable", "yes"),
    ];
    let page = browser.send("/ui/tokens", &form).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
    assert!(page.text.contains(r#"role="alert""#) && page.text.contains("not a duration"));
    for (name, value) in &form[1..5] {
        let kept = format!(r#"name="{name}" value="{value}""#);
        assert!(page.text.contains(&kept), "{kept}: {}", page.text);
    }
    assert!(page.text.contains(r#"value="yes" checked"#), "{}", page.text);
    assert!(page.text.contains(ESCAPED) && !page.text.contains("<img"), "{}", page.text);
    let form = [
        ("ref", "prod/api:v1"),
        ("flag", "tested"),
        ("reason", "run 311"),
        ("link", "https://ci.example/311"),
        ("expires_in", "soon"),
        ("do", "set"),
    ];
    let page = browser.send("/ui/image/flags", &form).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
    assert!(page.text.contains("No flag was set") && page.text.contains("not a duration"));
    for (name, value) in &form[2..5] {
        let kept = format!(r#"value="{value}""#);
        assert!(page.text.contains(&kept), "{name}: {}", page.text);
    }
}

#[tokio::test]
async fn what_turns_text_around_is_written_so_that_it_is_seen() {
    let (browser, _) = Browser::of_alice().await;
    let form = [("comment", "invoice\u{202e}gpj.exe"), ("expires", "1h")];
    let made = browser.send("/ui/tokens", &form).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    assert!(made.text.contains(r"invoice\u{202e}gpj.exe"), "{}", made.text);
    assert!(!made.text.contains('\u{202e}'), "{}", made.text);
}

fn denied(repository: &str, id: &str) -> Record {
    Record {
        request_id: Some(id.to_owned()),
        subject: Some("user:alice".to_owned()),
        operation: Some("manifest_read"),
        repository: Some(repository.to_owned()),
        reference: Some("v1".to_owned()),
        decision: Some(Decision::Deny),
        reason: Some("no rule allows it".to_owned()),
        status: Some(403),
        ..Record::new("request")
    }
}

#[tokio::test]
async fn a_denial_leads_to_no_image_that_its_reader_may_not_see() {
    let (browser, _) = Browser::of_alice().await;
    for (repository, id, is_seen) in
        [("prod/api", "00c0ffee00c0ffee-1", true), ("secret/app", "00c0ffee00c0ffee-2", false)]
    {
        browser.scene.api.audit.flush(denied(repository, id)).await.unwrap();
        let page = browser.get(&format!("/ui/denial?id={id}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        assert!(page.text.contains(repository), "{}", page.text);
        let way = format!(r#"href="/ui/image?ref={repository}:v1""#);
        assert_eq!(page.text.contains(&way), is_seen, "{repository}: {}", page.text);
    }
}

#[tokio::test]
async fn the_box_for_denials_stays_where_nothing_was_found() {
    let (browser, _) = Browser::of_alice().await;
    for (id, status) in [
        ("", StatusCode::BAD_REQUEST),
        ("what", StatusCode::BAD_REQUEST),
        ("00c0ffee00c0ffee-9", StatusCode::NOT_FOUND),
    ] {
        let page = browser.get(&format!("/ui/denial?id={id}")).await;
        assert_eq!(page.status, status, "{id}: {}", page.text);
        assert!(page.text.contains(r#"<input id="request""#), "{id}: {}", page.text);
    }
}

#[tokio::test]
async fn a_search_of_the_trail_that_is_mistaken_keeps_what_was_filled_in() {
    let browser = of_root().await;
    let page = browser.get("/ui/admin/audit?subject=user:alice&address=nowhere").await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
    assert!(page.text.contains("has to be an IP address"), "{}", page.text);
    for kept in [r#"value="user:alice""#, r#"value="nowhere""#] {
        assert!(page.text.contains(kept), "{kept}: {}", page.text);
    }
}
