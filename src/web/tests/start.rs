//! How the registry is used from here, for whoever reads it.

use super::*;

#[tokio::test]
async fn whoever_signed_in_with_a_password_logs_in_with_it() {
    let (browser, _) = Browser::of_alice().await;
    let page = browser.get("/ui/start").await;
    assert!(page.text.contains("docker login --username alice gate.example\n"), "{}", page.text);
    let login = "portcullis login https://gate.example --username alice --docker";
    assert!(page.text.contains(login), "{}", page.text);
}

#[tokio::test]
async fn whoever_signed_in_with_a_token_is_told_to_use_it() {
    let (mut browser, _) = Browser::of_alice().await;
    let made = browser.scene.create(As::User("alice"), r#"{"expires": "8h"}"#).await;
    browser.sign_in("token", made["access_token"].as_str().unwrap()).await;
    let page = browser.get("/ui/start").await;
    assert!(page.text.contains("You signed in with a token"), "{}", page.text);
    assert!(page.text.contains("docker login --username token gate.example\n"), "{}", page.text);
    let login = "portcullis login https://gate.example --token-stdin --docker";
    assert!(page.text.contains(login), "{}", page.text);
    assert!(!page.text.contains("--username alice"), "{}", page.text);
}

#[tokio::test]
async fn without_a_provider_jobs_bring_a_token() {
    let (browser, _) = Browser::of_alice().await;
    let page = browser.get("/ui/start").await;
    assert!(page.text.contains("TOKEN: ${{ secrets.PORTCULLIS_TOKEN }}"), "{}", page.text);
    assert!(!page.text.contains("oidc:"), "{}", page.text);
}
