//! What strangers try with the way to a provider and back.

use super::*;
use crate::sample_provider::Mood;

#[tokio::test]
async fn an_answer_counts_in_the_browser_that_asked_and_nowhere_else() {
    let mut world = World::new().await;
    let back = world.back().await;
    let own = std::mem::take(&mut world.jar);
    // The attacker's answer in a browser that asked nothing.
    let page = world.get(&back).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
    assert_eq!(world.reason(), "sign_in_not_begun");
    // In one that asked something else.
    world.target("corporate").await;
    assert_eq!(world.get(&back).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.reason(), "sign_in_state");
    // Cookies that the gate did not seal.
    for made_up in ["x", "", &own[DEPARTURE][1..]] {
        world.jar.insert(DEPARTURE.to_owned(), made_up.to_owned());
        assert_eq!(world.get(&back).await.status, StatusCode::BAD_REQUEST, "{made_up}");
        assert_eq!(world.reason(), "sign_in_not_begun");
    }
    assert!(world.corporate.exchanged().is_empty(), "a code was tried");
    world.jar = own;
    assert_eq!(world.get(&back).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_answer_counts_once() {
    let mut world = World::new().await;
    let back = world.back().await;
    let kept = world.jar.clone();
    assert_eq!(world.get(&back).await.status, StatusCode::SEE_OTHER);
    // The browser has forgotten what belongs to it.
    world.jar.remove(SESSION);
    assert_eq!(world.get(&back).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.reason(), "sign_in_not_begun");
    // If it has not, the provider has.
    world.jar = kept;
    assert_eq!(world.get(&back).await.status, StatusCode::BAD_GATEWAY);
    assert_eq!(world.reason(), "sign_in_code");
}

#[tokio::test]
async fn an_answer_that_is_not_whole_or_late_forgets_the_sign_in() {
    let mut world = World::new().await;
    let back = world.back().await;
    let (_, query) = back.split_once('?').unwrap();
    let kept = world.jar.clone();
    let state = &pairs(query)["state"];
    for (query, reason) in [
        (String::new(), "sign_in_malformed"),
        (format!("state={state}"), "sign_in_malformed"),
        (format!("{query}&{query}"), "sign_in_malformed"),
        (format!("{query}&error=access_denied"), "sign_in_malformed"),
        (query.replace(state.as_str(), ""), "sign_in_state"),
        (query.replace(state.as_str(), &state[1..]), "sign_in_state"),
    ] {
        world.jar = kept.clone();
        let page = world.get(&format!("/ui/sign-in/callback/corporate?{query}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(world.reason(), reason, "{query}");
        assert!(world.jar.is_empty(), "{query}");
    }
    world.jar = kept;
    world.browser.scene.wait(600);
    assert_eq!(world.get(&back).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.reason(), "sign_in_late");
}

/// One provider must not get the answer of another, nor have its own taken for that of another.
#[tokio::test]
async fn two_providers_are_not_mixed_up() {
    let mut world = World::new().await;
    // Whoever departs to the partner is led on to the other, in its name.
    let mut forwarded = pairs(&world.target("partner").await);
    forwarded.insert("client_id".to_owned(), "portcullis".to_owned());
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&forwarded).finish();
    let led_on = format!("{}/authorize?{query}", world.corporate.issuer());
    let kept = world.jar.clone();
    // To the partner's place for the way back, where the other one names itself ...
    world.corporate.name_itself();
    let back = local(&world.corporate.visit(&led_on));
    assert_eq!(world.get(&back).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.reason(), "sign_in_issuer");
    // ... and to its own, the only one that is registered for it, where it does not.
    world.jar = kept;
    let own = back.replace("callback/partner", "callback/corporate");
    let own = own.split("&iss=").next().unwrap();
    assert_eq!(world.get(own).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.reason(), "sign_in_issuer");
    assert!(world.partner.exchanged().is_empty(), "the code of one was shown to the other");
}

#[tokio::test]
async fn a_provider_that_names_itself_has_to() {
    let mut world = World::new().await;
    world.corporate.name_itself();
    let back = world.back().await;
    assert!(back.contains("&iss="), "{back}");
    let kept = world.jar.clone();
    let without = back.split("&iss=").next().unwrap();
    for back in [without.to_owned(), format!("{without}&iss=https://evil.example")] {
        world.jar = kept.clone();
        assert_eq!(world.get(&back).await.status, StatusCode::BAD_REQUEST, "{back}");
        assert_eq!(world.reason(), "sign_in_issuer");
    }
    world.jar = kept;
    assert_eq!(world.get(&back).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_way_on_leads_to_no_other_site() {
    let mut world = World::new().await;
    for next in ["//evil.example", "https://evil.example", "/\\evil.example", ""] {
        let page = world.depart("corporate", next).await;
        let back = local(&world.corporate.visit(&target(&page)));
        assert_eq!(world.get(&back).await.header(LOCATION), "/", "{next}");
    }
}

#[tokio::test]
async fn another_site_begins_no_sign_in() {
    let world = World::new().await;
    for origin in [None, Some("null"), Some("https://evil.example")] {
        let form = [("provider", "corporate"), ("next", "/")];
        let page = world.browser.post_from(origin, "/ui/sign-in/with", &form).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{origin:?}");
        assert!(page.headers.get(SET_COOKIE).is_none());
    }
    assert!(world.corporate.asked().is_empty());
}

#[tokio::test]
async fn whoever_tries_codes_is_slowed_down() {
    let mut world = World::new().await;
    let target = world.target("corporate").await;
    let state = &pairs(&target)["state"];
    let kept = world.jar.clone();
    let back = format!("/ui/sign-in/callback/corporate?state={state}&code=guess");
    for _ in 0..10 {
        world.jar = kept.clone();
        assert_eq!(world.get(&back).await.status, StatusCode::BAD_GATEWAY);
    }
    world.jar = kept.clone();
    let page = world.get(&back).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS, "{}", page.text);
    assert!(page.headers.contains_key(http::header::RETRY_AFTER));
    assert_eq!(world.corporate.exchanged().len(), 10);
}

/// Threat W7: the gate connects to what the configuration names, and to what the provider that it
/// names leads to. Nothing in a request has it connect anywhere.
#[tokio::test]
async fn w7_no_request_chooses_where_the_gate_connects() {
    let mut world = World::new().await;
    let evil = Provider::start(&[]);
    let back = world.back().await;
    let kept = world.jar.clone();
    let to = evil.issuer();
    for (name, value) in [
        ("iss", to.clone()),
        ("token_endpoint", format!("{to}/token")),
        ("redirect_uri", to.clone()),
        ("provider", to.clone()),
        ("code", format!("{to}/x")),
    ] {
        let pair =
            form_urlencoded::Serializer::new(String::new()).append_pair(name, &value).finish();
        world.jar = kept.clone();
        world.get(&format!("{back}&{pair}")).await;
        world.jar = kept.clone();
        let path = format!("/ui/sign-in/callback/{}?{pair}", to.replace('/', "%2F"));
        world.get(&path).await;
        world.depart(&to, &to).await;
    }
    assert!(evil.asked().is_empty(), "{:?}", evil.asked());
}

/// The same, where the provider's document leads to what is not to be asked, or is not its own.
#[tokio::test]
async fn w7_a_document_that_leads_astray_is_not_followed() {
    let evil = Provider::start(&[]);
    let to = evil.issuer();
    for (key, value) in [
        ("issuer", to.clone()),
        ("token_endpoint", to.replace("https", "http")),
        ("token_endpoint", "file:///etc/passwd".to_owned()),
        ("authorization_endpoint", "javascript:alert(1)".to_owned()),
        ("authorization_endpoint", to.replace("https", "http")),
    ] {
        let mut world = World::new().await;
        let issuer = world.corporate.issuer();
        let mut document = json!({
            "issuer": issuer, "jwks_uri": format!("{issuer}/keys"),
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
        });
        document[key] = json!(value);
        world.corporate.put("/.well-known/openid-configuration", &document.to_string());
        let page = world.depart("corporate", "/").await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{key}: {value}");
        assert!(!page.text.contains(&value) && page.headers.get(SET_COOKIE).is_none(), "{key}");
    }
    assert!(evil.asked().is_empty(), "{:?}", evil.asked());
}

#[tokio::test]
async fn w7_a_redirection_of_a_provider_is_not_followed() {
    let mut world = World::new().await;
    let back = world.back().await;
    world.corporate.be(Mood::Redirects);
    assert_eq!(world.get(&back).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.reason(), "provider_unavailable");
    assert!(!world.corporate.asked().iter().any(|path| path.starts_with("/moved")));
}
