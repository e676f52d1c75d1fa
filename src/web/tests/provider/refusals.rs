//! Sign-ins that come to nothing.

use super::*;
use crate::sample_provider::Mood;

#[tokio::test]
async fn an_id_token_that_is_not_for_this_sign_in_lets_nobody_in() {
    let mut world = World::new().await;
    let partner = world.partner.issuer();
    let now = START;
    for (changes, reason) in [
        (json!({"nonce": "another"}), "id_token_nonce"),
        (json!({"nonce": 7}), "id_token_nonce"),
        (json!({"aud": "gate.example"}), "id_token_audience"),
        (json!({"aud": "portcullis "}), "id_token_audience"),
        (json!({"aud": []}), "id_token_audience"),
        (json!({"aud": ["portcullis", "other"]}), "id_token_audience"),
        (json!({"aud": ["portcullis", "other"], "azp": "other"}), "id_token_audience"),
        (json!({"azp": "other"}), "id_token_audience"),
        (json!({"iss": partner}), "id_token_issuer"),
        (json!({"iat": now - 600, "exp": now - 300}), "id_token_expired"),
        (json!({"iat": now + 600, "exp": now + 900}), "id_token_early"),
        (json!({"department": "sales"}), "id_token_required_claim"),
        (json!({"preferred_username": "e/ve"}), "id_token_subject"),
    ] {
        world.corporate.knows(world.claims(changes.clone()));
        let page = world.sign_in().await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{changes}: {}", page.text);
        assert!(page.text.contains("knows you, and this gate does not let you in"), "{changes}");
        assert_eq!(world.reason(), reason, "{changes}");
        // More than ten in a row would be too many.
        world.browser.scene.wait(20);
    }
    for changes in [
        json!({"aud": ["portcullis"]}),
        json!({"aud": ["portcullis", "other"], "azp": "portcullis"}),
        json!({"azp": "portcullis"}),
    ] {
        world.corporate.knows(world.claims(changes.clone()));
        assert_eq!(world.sign_in().await.status, StatusCode::SEE_OTHER, "{changes}");
    }
}

#[tokio::test]
async fn a_token_that_another_signed_lets_nobody_in() {
    let mut world = World::new().await;
    world.sign_in().await;
    world.jar.clear();
    // The gate has the keys of a moment ago, and the partner's are of the same name.
    world.corporate.rotate(&[Key::es256("key-1")]);
    assert_eq!(world.sign_in().await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.reason(), "id_token_signature");
}

#[tokio::test]
async fn nobody_becomes_somebody_whom_the_gate_knows_itself_least_of_all_who_is_disabled() {
    let key = Key::es256("key-1");
    let corporate = Provider::start(std::slice::from_ref(&key));
    corporate.register("portcullis", None);
    let folder = tempfile::tempdir().unwrap();
    let sign_in = "{client_id: portcullis}";
    let text = configuration(&entry("corporate", &corporate, "{preferred_username}", sign_in));
    let mut world = World::new().await;
    let scene = Scene::federated(POLICY, federation(folder.path(), &text)).await;
    let router = router(Arc::clone(&scene.api));
    world.browser = Browser { scene, router, cookie: None };
    world.corporate = corporate;
    for name in ["gone", "root", "alice"] {
        world.corporate.knows(world.claims(json!({"preferred_username": name})));
        assert_eq!(world.sign_in().await.status, StatusCode::FORBIDDEN, "{name}");
        assert_eq!(world.reason(), "name_taken", "{name}");
    }
    world.corporate.knows(world.claims(json!({})));
    assert_eq!(world.sign_in().await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn what_a_provider_says_when_it_lets_nobody_in_is_text() {
    let mut world = World::new().await;
    let target = world.target("corporate").await;
    let said = |state: &str| {
        let pairs = [("state", state), ("error", "access_denied"), ("error_description", HOSTILE)];
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("/ui/sign-in/callback/corporate?{query}")
    };
    let page = world.get(&said(&pairs(&target)["state"])).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains(ESCAPED) && !page.text.contains("<img"), "{}", page.text);
    assert_eq!(world.reason(), "sign_in_refused");
    // Whoever can have a browser go somewhere does not choose what stands there.
    for has_departed in [false, true] {
        if has_departed {
            world.target("corporate").await;
        }
        let page = world.get(&said("guessed")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
        assert!(!page.text.contains("onerror"), "{}", page.text);
        world.reason();
    }
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_apart_from_one_that_refuses() {
    let mut world = World::new().await;
    let back = world.back().await;
    world.corporate.be(Mood::Down);
    let page = world.get(&back).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{}", page.text);
    assert_eq!(world.reason(), "provider_unavailable");
    // What it said of itself serves for a day.
    world.browser.scene.wait(24 * 3600);
    let page = world.depart("corporate", "/").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{}", page.text);
    assert!(page.text.contains("Widgets &#38; Sons cannot be asked"), "{}", page.text);
    world.corporate.be(Mood::Well);
    // It is not asked again at once, whoever comes.
    assert_eq!(world.depart("corporate", "/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.browser.scene.wait(10);
    assert_eq!(world.depart("corporate", "/").await.status, StatusCode::OK);

    let mut world = World::with(Some("another"), "{client_id: portcullis}").await;
    let page = world.sign_in().await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY, "{}", page.text);
    assert_eq!(world.reason(), "sign_in_code");
}

#[tokio::test]
async fn an_answer_without_an_id_token_lets_nobody_in() {
    let mut world = World::new().await;
    for (answer, status, reason) in [
        ("<!doctype html>", StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable"),
        ("{}", StatusCode::BAD_GATEWAY, "sign_in_code"),
        (r#"{"access_token": "a.b.c"}"#, StatusCode::BAD_GATEWAY, "sign_in_code"),
        (r#"{"id_token": "a.b.c"}"#, StatusCode::FORBIDDEN, "id_token_form"),
    ] {
        world.corporate.put("/token", answer);
        assert_eq!(world.sign_in().await.status, status, "{answer}");
        assert_eq!(world.reason(), reason, "{answer}");
    }
    for tells in [true, false] {
        let back = world.back().await;
        world.corporate.be(Mood::Endless { tells });
        assert_eq!(world.get(&back).await.status, StatusCode::SERVICE_UNAVAILABLE, "{tells}");
        assert_eq!(world.reason(), "provider_unavailable");
        world.corporate.be(Mood::Well);
    }
}

#[tokio::test]
async fn a_provider_that_nobody_configured_is_no_way_in() {
    let mut world = World::new().await;
    for name in ["", "nobody", "https://evil.example", HOSTILE] {
        let page = world.depart(name, "/").await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{name}");
        assert!(page.headers.get(SET_COOKIE).is_none() && !page.text.contains("<img"), "{name}");
    }
}
