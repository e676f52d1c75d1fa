//! Who may do what, and deleting.

use super::*;

/// The routes that take forms of somebody who signed in.
const FORMS: [&str; 9] = [
    "/ui/sign-out",
    "/ui/tokens",
    "/ui/tokens/revoke",
    "/ui/image/flags",
    "/ui/image/delete",
    "/ui/admin/exceptions",
    "/ui/admin/exceptions/remove",
    "/ui/admin/services",
    "/ui/admin/services/change",
];

/// Those that take forms of anybody.
const OPEN_FORMS: [&str; 2] = ["/ui/sign-in", "/ui/sign-in/with"];

/// How often the sources of the pages have a route for forms.
fn forms_in(folder: &std::path::Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_test {
            count += forms_in(&path);
        } else if path.extension().is_some_and(|it| it == "rs") && !is_test {
            let text = std::fs::read_to_string(&path).unwrap();
            let routes = text.match_indices("post(").filter(|(at, _)| {
                !text[..*at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_')
            });
            count += routes.count();
        }
    }
    count
}

#[tokio::test]
async fn w2_a_form_of_any_route_that_another_site_sends_is_refused() {
    let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    let listed = FORMS.len() + OPEN_FORMS.len();
    assert_eq!(forms_in(&pages), listed, "each route that takes a form is listed here");
    let (browser, _) = Browser::of_alice().await;
    let token = browser.get("/ui/start").await.form_token();
    let form = [("ref", "prod/api:v1"), ("form_token", token.as_str())];
    for path in FORMS.into_iter().chain(OPEN_FORMS) {
        for origin in
            [None, Some("null"), Some("https://evil.example"), Some("http://gate.example")]
        {
            let page = browser.post_from(origin, path, &form).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} {origin:?}: {}", page.text);
        }
    }
    for path in FORMS {
        for wrong in ["", "x", &token[1..]] {
            let page = browser.post(path, &[("ref", "prod/api:v1"), ("form_token", wrong)]).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} {wrong}: {}", page.text);
        }
        // Nobody in particular sends no form.
        let nobody = Browser::new().await;
        let page = nobody.post(path, &form).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}: {}", page.text);
    }
    assert_eq!(browser.get("/ui/start").await.status, StatusCode::OK, "the session goes on");
}

#[tokio::test]
async fn w4_a_hidden_image_and_one_that_is_not_there_have_the_same_page() {
    let (browser, amd64) = Browser::of_alice().await;
    let digest = amd64.digest.to_string();
    for page in [
        "/ui/image?ref=",
        "/ui/image/delete?ref=",
        "/ui/access?ref=",
        "/ui/access?action=pull&ref=",
        "/ui/image/raw?ref=",
        "/ui/image/vulnerabilities?format=csv&ref=",
    ] {
        let mut told = Vec::new();
        for name in ["secret/app:v1", "secret/app:no", "secret/none:v1"] {
            let shown = browser.get(&format!("{page}{name}")).await;
            assert_eq!(shown.status, StatusCode::NOT_FOUND, "{page}{name}: {}", shown.text);
            told.push(shown.text.replace(name, "NAME"));
        }
        told.dedup();
        assert_eq!(told.len(), 1, "{page}: {told:#?}");
        if !page.starts_with("/ui/access") {
            let shown = browser.get(&format!("{page}secret/app@{digest}")).await;
            assert_eq!(shown.status, StatusCode::NOT_FOUND, "{page}: {}", shown.text);
        }
    }
}

#[tokio::test]
async fn people_see_what_they_may_do_and_administrators_whoever_may() {
    let (mut browser, _) = Browser::of_alice().await;
    let page = browser.get("/ui/image?ref=prod/api:v1").await;
    assert!(page.text.contains("/ui/access?ref=prod/api:v1"), "{}", page.text);
    assert!(!page.text.contains("Delete…"), "{}", page.text);
    let own = browser.get("/ui/access?ref=prod/api:v1").await;
    assert_eq!(own.status, StatusCode::OK, "{}", own.text);
    assert!(own.text.contains("What user:alice may do"), "{}", own.text);
    assert!(own.text.contains("rule `reads` (policy.yaml:5) allows pull"), "{}", own.text);
    assert!(!own.text.contains("bob") && !own.text.contains("/ui/admin/"), "{}", own.text);
    browser.sign_in("root", PASSWORD).await;
    let all = browser.get("/ui/access?ref=prod/api:v1").await;
    for text in [
        "user:bob",
        "/ui/admin/policy/file?name=policy.yaml&#38;line=6#L6",
        "/ui/access?ref=prod/api:v1&#38;as=user:bob#what-if",
        "anyone",
    ] {
        assert!(all.text.contains(text), "{text}: {}", all.text);
    }
}

#[tokio::test]
async fn the_box_asks_what_the_api_answers() {
    let (mut browser, _) = Browser::of_alice().await;
    let page = browser.get("/ui/access?ref=prod/api:v1&action=pull").await;
    assert!(page.text.contains("rule `reads` (policy.yaml:5) allows pull"), "{}", page.text);
    assert!(page.text.contains("A pull now: <span class=\"chip held\">held"), "{}", page.text);
    assert!(page.text.contains("it is not flagged tested"), "{}", page.text);
    let page = browser.get("/ui/access?ref=prod/api:v1&action=push").await;
    assert!(page.text.contains("no rule allows user:alice to create prod/api:v1"), "{}", page.text);
    // Who else may do what is for administrators to ask, and the attempt is recorded.
    let page = browser.get("/ui/access?ref=prod/api:v1&action=pull&as=user:bob").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.text);
    let page = browser.get("/ui/access?ref=prod/api:v1&action=pull&group=admins").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.text);
    for (field, escaped) in [("ref", true), ("as", true), ("group", true), ("action", true)] {
        let mut query = vec![("ref", "prod/api:v1"), ("action", "pull")];
        query.retain(|(name, _)| *name != field);
        query.push((field, HOSTILE));
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let page = browser.get(&format!("/ui/access?{query}")).await;
        assert!(!page.text.contains("<img"), "{field}: {}", page.text);
        assert!(page.status.is_client_error() || escaped, "{field}");
    }
    browser.sign_in("root", PASSWORD).await;
    let page = browser.get("/ui/access?ref=prod/new:v1&action=pull&as=user:bob").await;
    assert!(page.text.contains("rule `reports` (policy.yaml:6) allows pull"), "{}", page.text);
    assert!(page.text.contains("there is no image prod/new:v1"), "{}", page.text);
    let records = browser.scene.audit().await;
    assert_eq!(records.iter().filter(|line| line.contains("api.denied")).count(), 2);
}

#[tokio::test]
async fn what_may_not_be_deleted_has_a_page_that_says_why_and_no_button() {
    let (browser, _) = Browser::of_alice().await;
    let page = browser.get("/ui/image/delete?ref=prod/api:v1").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("delete of prod/api:v1 is denied: no rule"), "{}", page.text);
    assert!(!page.text.contains("<button class=\"danger\""), "{}", page.text);
}

const TIMED: &str = r#"
rules:
  - {name: reads, subjects: ["user:alice"], images: ["prod/**"], allow: [pull]}
  - name: tidies
    subjects: ["user:alice"]
    images: ["prod/**"]
    allow: [delete]
    starts: 2027-03-01
    networks: [192.0.2.0/24]
"#;

#[tokio::test]
async fn the_box_asks_for_another_time_and_another_address() {
    let mut browser = Browser::with(TIMED, false).await;
    browser.learn("prod/api", "v1", &image("amd64", &["a"])).await;
    browser.sign_in("alice", PASSWORD).await;
    let ask = async |more: &str| {
        let page = browser.get(&format!("/ui/access?ref=prod/api:v1&action=delete{more}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        page.text
    };
    let allows = r#"<span class="chip passed">allow</span>"#;
    let denies = r#"<span class="chip held">deny</span>"#;
    for (more, answer) in [
        ("", denies),
        ("&at=2027-03-02T10:00", allows),
        ("&at=2027-03-02T10:00:00Z", allows),
        ("&at=2027-03-02T10:00&address=192.0.2.200", allows),
        ("&at=2027-03-02T10:00&address=198.51.100.7", denies),
        ("&at=2027-02-28T23:59&address=192.0.2.200", denies),
    ] {
        let text = ask(more).await;
        assert!(text.contains(answer), "{more}: {text}");
    }
    let text = ask("&at=2027-03-02T10:00&address=192.0.2.200").await;
    assert!(text.contains(r#"name="at" value="2027-03-02T10:00""#), "it is kept: {text}");
    assert!(text.contains(r#"name="address" value="192.0.2.200""#), "it is kept: {text}");
    for (more, mistake) in [
        ("&at=tomorrow", "the time is none: write it such as"),
        ("&address=192.0.2.0/24", "the address is none: write one alone"),
        ("&address=gate.example", "the address is none: write one alone"),
    ] {
        let text = ask(more).await;
        assert!(text.contains(mistake), "{more}: {text}");
        assert!(!text.contains(allows) && !text.contains(denies), "{more}: {text}");
    }
}
