//! The pages of administrators as a browser asks for them.

use http::StatusCode;
use http::header::LOCATION;

use super::Section;
use crate::content::samples::image;
use crate::reloads::{Outcome, Reload, Remark, Remarks, Which};
use crate::service::api::tests::scene::PASSWORD;
use crate::web::tests::{Browser, ESCAPED, HOSTILE};

const POLICY: &str = r#"
administrators: ["user:root"]
groups: {team: ["user:alice"], idp: external}
flags: {tested: {expires_after: 90d}}
rules:
  - {name: reads, subjects: ["group:team"], images: ["prod/**"], allow: [pull]}
  - {name: breaks, subjects: ["user:root"], images: ["prod/**"], allow: [pull, break-glass]}
gates:
  - {name: production, images: ["prod/**"], require: {flags: [tested]}}
  - {name: watch, images: ["prod/**"], require: {signed_by: [release]}, mode: audit}
"#;

/// Signed in as somebody who may do everything here, or as somebody else.
async fn of(name: &str, has_scanner: bool) -> Browser {
    let mut browser = Browser::with(POLICY, has_scanner).await;
    let page = browser.sign_in(name, PASSWORD).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    browser
}

/// The gate has seen an image behind its gates.
async fn seen(browser: &Browser) {
    let amd64 = image("amd64", &["a"]);
    browser.learn("prod/api", "v1", &amd64).await;
}

fn paths() -> Vec<&'static str> {
    let pages = Section::ALL.iter().map(|section| section.page());
    pages.chain(["/ui/admin/policy/file?name=in-force/policy.yaml"]).collect()
}

#[tokio::test]
async fn nobody_but_administrators_sees_a_page_or_the_way_there() {
    let browser = of("alice", true).await;
    for path in paths() {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}: {}", page.text);
        assert!(!page.text.contains("production"), "{path}: {}", page.text);
    }
    for path in [
        "/ui/admin/exceptions",
        "/ui/admin/exceptions/remove",
        "/ui/admin/services",
        "/ui/admin/services/change",
    ] {
        let page = browser.send(path, &[]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}: {}", page.text);
    }
    assert!(!browser.get("/ui/tokens").await.text.contains("/ui/admin"));
    let stranger = Browser::with(POLICY, false).await;
    for path in paths() {
        assert_eq!(stranger.get(path).await.status, StatusCode::SEE_OTHER, "{path}");
    }
}

#[tokio::test]
async fn every_page_is_there_with_one_heading_and_the_menu() {
    for has_scanner in [false, true] {
        let browser = of("root", has_scanner).await;
        seen(&browser).await;
        for path in paths() {
            let page = browser.get(path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
            assert_eq!(page.text.matches("<h1>").count(), 1, "{path}");
            assert!(page.text.contains(r#"aria-current="page""#), "{path}");
            assert!(page.text.contains(r#"aria-label="Administration""#), "{path}");
        }
    }
}

#[tokio::test]
async fn what_was_not_found_out_is_not_called_good() {
    let browser = of("root", true).await;
    let page = browser.get("/ui/admin").await;
    let (_, registry) = page.text.split_once("<strong>registry</strong>").unwrap();
    let (registry, _) = registry.split_once("</li>").unwrap();
    assert!(registry.contains("not known") && registry.contains("look again"), "{registry}");
    // It was asked meanwhile, without anybody waiting for it.
    let found = async || {
        let page = browser.get("/ui/admin").await;
        page.text.contains("it answers")
    };
    for _ in 0..200 {
        if found().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the registry was never asked: {}", browser.get("/ui/admin").await.text);
}

#[tokio::test]
async fn a_refused_change_is_told_with_its_place_and_remedy_and_as_text() {
    let browser = of("root", false).await;
    let remark = Remark {
        file: Some(HOSTILE.to_owned()),
        line: Some(7),
        message: HOSTILE.to_owned(),
        help: Some("write `allow`".to_owned()),
    };
    let reload = |result, sha256: Option<String>, remarks| Reload {
        at: browser.scene.now(),
        of: Which::Policy,
        result,
        how: "after a change".to_owned(),
        sha256,
        remarks,
    };
    let reloads = &browser.scene.api.status.reloads;
    reloads.add(reload(Outcome::Loaded, Some("ab".repeat(32)), Remarks::default()));
    let page = browser.get("/ui/admin/reloads").await;
    assert!(
        page.text.contains(&"ab".repeat(32)) && page.text.contains("in force"),
        "{}",
        page.text
    );
    reloads.add(reload(Outcome::Refused, None, Remarks { remarks: vec![remark], more: 3 }));
    let page = browser.get("/ui/admin/reloads").await;
    for part in ["refused", ":7", "write `allow`", "And 3 more"] {
        let part = part.replace('`', "&#96;");
        assert!(
            page.text.contains(&part) || page.text.contains(&part.replace("&#96;", "`")),
            "{part}: {}",
            page.text
        );
    }
    assert!(page.text.contains(ESCAPED) && !page.text.contains("<img"), "{}", page.text);
    let page = browser.get("/ui/admin").await;
    assert!(page.text.contains("what the folder holds is not in force"), "{}", page.text);
}

#[tokio::test]
async fn a_line_of_a_policy_file_is_where_links_lead() {
    let browser = of("root", false).await;
    let page = browser.get("/ui/admin/policy").await;
    let file = "/ui/admin/policy/file?name=in-force/policy.yaml";
    assert!(page.text.contains(&format!(r#"href="{file}&#38;line=9#L9""#)), "{}", page.text);
    for part in ["user:alice", "identity sources say", "holds for 90 days", "There are none."] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    let page = browser.get(&format!("{file}&line=9")).await;
    assert!(
        page.text.contains(r#"id="L9""#) && page.text.contains("name: production"),
        "{}",
        page.text
    );
    let page = browser.get("/ui/admin/policy/file?name=../in-force/policy.yaml").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND, "{}", page.text);
}

#[tokio::test]
async fn gates_tell_what_they_hold_and_what_those_would_that_only_watch() {
    let browser = of("root", false).await;
    seen(&browser).await;
    let page = browser.get("/ui/admin/gates").await;
    assert!(page.text.contains("over 1 tag that"), "{}", page.text);
    let (_, held) = page.text.split_once("Holds now: 1").unwrap();
    assert!(held.contains("prod/api:v1") && held.contains("it is not flagged tested"), "{held}");
    assert!(page.text.contains("Would hold now: 1"), "{}", page.text);
    let page = browser.get("/ui/admin/scanning").await;
    assert!(page.text.contains("of 1 tag,") && page.text.contains("prod/api:v1"), "{}", page.text);
}

#[tokio::test]
async fn gates_say_how_far_they_were_counted_where_there_are_more_tags_than_are_looked_at() {
    let browser = of("root", false).await;
    let amd64 = image("amd64", &["a"]);
    browser.learn("prod/api", "v1", &amd64).await;
    let tag = |number: usize| {
        (format!("prod/app-{}", number % 7), format!("v{number}"), amd64.digest.clone())
    };
    browser.scene.learn((0..20_000).map(tag)).await;
    let mut page = browser.get("/ui/admin/gates").await;
    for _ in 0..100 {
        if !page.text.contains("It is being counted") {
            break;
        }
        page = browser.get("/ui/admin/gates").await;
    }
    let text = "over 20000 tags that the gate has seen; there are more, which were not looked at";
    assert!(page.text.contains(text), "{}", page.text);
    assert!(page.text.contains("Holds now: 20000</summary>"), "{}", page.text);
    assert!(page.text.contains("And 19980 more."), "{}", page.text);
    assert!(page.text.len() < 100_000, "{} bytes", page.text.len());
    let page = browser.get("/ui/admin/scanning").await;
    assert!(page.text.contains("there are more tags, which were not looked at"), "{}", page.text);
}

#[tokio::test]
async fn the_glass_is_broken_and_mended_on_the_page() {
    let browser = of("root", false).await;
    seen(&browser).await;
    let form = [
        ("gate", "production"),
        ("image", "prod/api:v1"),
        ("reason", HOSTILE),
        ("expires_in", "4h"),
    ];
    let page = browser.send("/ui/admin/exceptions", &form).await;
    assert_eq!(
        (page.status, page.header(LOCATION)),
        (StatusCode::SEE_OTHER, "/ui/admin/exceptions"),
        "{}",
        page.text
    );
    let page = browser.get("/ui/admin/exceptions").await;
    assert!(page.text.contains("Take back"), "{}", page.text);
    assert!(page.text.contains(ESCAPED) && !page.text.contains("<img"), "{}", page.text);
    let gates = browser.get("/ui/admin/gates").await;
    assert!(!gates.text.contains("Holds now: 1"), "{}", gates.text);
    let (_, id) = page.text.split_once(r#"name="id" value=""#).unwrap();
    let id = id.split('"').next().unwrap();
    let removed = browser.send("/ui/admin/exceptions/remove", &[("id", id)]).await;
    assert_eq!(removed.status, StatusCode::SEE_OTHER, "{}", removed.text);
    let page = browser.get("/ui/admin/exceptions").await;
    assert!(page.text.contains("taken back by user:root"), "{}", page.text);
    let gates = browser.get("/ui/admin/gates").await;
    assert!(gates.text.contains("Holds now: 1"), "{}", gates.text);
    let audit = browser.scene.audit().await.join("\n");
    assert!(audit.contains("exception.added") && audit.contains("exception.removed"), "{audit}");
}

#[tokio::test]
async fn services_are_added_disabled_and_enabled_on_the_page() {
    let browser = of("root", false).await;
    let page = browser.send("/ui/admin/services", &[("name", "ci/build")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    for (what, says) in [("disable", "Enable ci/build"), ("enable", "Disable ci/build")] {
        let form = [("name", "ci/build"), ("do", what)];
        let page = browser.send("/ui/admin/services/change", &form).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        let page = browser.get("/ui/admin/services").await;
        assert!(page.text.contains(says), "{}", page.text);
    }
    let page = browser.send("/ui/admin/services", &[("name", "ci/build")]).await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.text);
}

/// Row W5 of the threats: what a form has not, nobody slips in with it.
#[tokio::test]
async fn w5_a_form_with_a_field_that_is_not_on_its_page_changes_nothing() {
    let browser = of("root", false).await;
    seen(&browser).await;
    for (path, form) in [
        ("/ui/admin/services", &[("name", "ci"), ("has_admin_role", "true")][..]),
        ("/ui/admin/services", &[("name", "ci"), ("name", "other")]),
        ("/ui/admin/services/change", &[("name", "ci"), ("do", "disable"), ("made_at", "2020")]),
        ("/ui/admin/exceptions/remove", &[("id", "exc_aaaaaaaaaaaaaaaa"), ("by", "user:bob")]),
        (
            "/ui/admin/exceptions",
            &[
                ("gate", "production"),
                ("image", "prod/api:v1"),
                ("reason", "x"),
                ("expires_in", "4h"),
                ("expires_at", "2999-01-01T00:00:00Z"),
            ],
        ),
    ] {
        let page = browser.send(path, form).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path} {form:?}: {}", page.text);
    }
    assert!(browser.scene.api.issue.state.services().is_empty());
    let page = browser.get("/ui/admin/exceptions").await;
    assert!(page.text.contains("The glass of no gate is broken"), "{}", page.text);
}

#[tokio::test]
async fn a_mistake_is_told_at_the_form_which_keeps_what_was_written() {
    let browser = of("root", false).await;
    seen(&browser).await;
    let form =
        [("gate", "watch"), ("image", "prod/api:v1"), ("reason", HOSTILE), ("expires_in", "100h")];
    let page = browser.send("/ui/admin/exceptions", &form).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.text);
    assert!(page.text.contains("No glass was broken"), "{}", page.text);
    for kept in ["<option selected>watch", r#"value="prod/api:v1""#, r#"value="100h""#, ESCAPED] {
        assert!(page.text.contains(kept), "{kept}: {}", page.text);
    }
    let page = browser.send("/ui/admin/services", &[("name", HOSTILE)]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
    assert!(page.text.contains("No service was added"), "{}", page.text);
    assert!(page.text.contains(ESCAPED) && !page.text.contains("<img"), "{}", page.text);
}
