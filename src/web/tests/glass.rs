//! An image that passes because somebody broke the glass.

use super::*;

const BREAKABLE: &str = r#"
administrators: ["user:root"]
flags: {tested: {}}
rules:
  - {name: all, subjects: ["user:alice"], images: ["prod/**"], allow: [pull, break-glass, "flag:tested"]}
gates:
  - {name: production, images: ["prod/**"], require: {flags: [tested]}}
"#;

#[tokio::test]
async fn while_the_glass_is_broken_the_page_says_what_it_would_be_held_for() {
    let mut browser = Browser::with(BREAKABLE, false).await;
    let sample = image("amd64", &["a"]);
    browser.shelve(|shelf| shelf.tagged("prod/api", "v1", &sample));
    browser.sign_in("alice", PASSWORD).await;
    let page = "/ui/image?ref=prod/api:v1";
    let breaking =
        json!({"gate": "production", "image": "prod/api:v1", "reason": "fire", "expires_in": "4h"});
    let who = As::User("alice");
    let made = browser.scene.post(who, "/exceptions", &breaking.to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let text = browser.text(page).await;
    assert!(
        text.contains(r#"<strong>production</strong> <span class="chip passed">passed</span>"#),
        "{text}"
    );
    assert!(text.contains("because somebody broke the glass"), "{text}");
    let would = r#"<span class="chip warned">would be held</span> it is not flagged tested"#;
    assert!(text.contains(would), "{text}");
    // What nothing would hold is not said to be.
    let form = [("ref", "prod/api:v1"), ("flag", "tested"), ("do", "set")];
    assert_eq!(browser.send("/ui/image/flags", &form).await.status, StatusCode::SEE_OTHER);
    let text = browser.text(page).await;
    assert!(text.contains("because somebody broke the glass"), "{text}");
    assert!(text.contains("Nothing would hold it otherwise") && !text.contains(would), "{text}");
    // A gate that is whole says nothing of glass.
    browser.scene.wait(4 * 3600 + 1);
    let text = browser.text(page).await;
    assert!(!text.contains("broke the glass") && !text.contains("otherwise"), "{text}");
}
