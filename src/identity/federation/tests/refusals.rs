//! What is no ID token that holds here, each with its own reason.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::*;
use crate::sample_provider::Mood;

async fn label(scene: &Scene, changes: Value) -> &'static str {
    match scene.login(&with(changes)).await {
        Ok(_) => "ok",
        Err(error) => error.label(),
    }
}

#[tokio::test]
async fn whom_a_token_is_of_and_for_must_be_exact() {
    let scene = Scene::new();
    for (changes, expected) in [
        (json!({}), "ok"),
        (json!({"iss": "https://idp.example/realms/all/"}), "id_token_issuer"),
        (json!({"iss": "https://IDP.example/realms/all"}), "id_token_issuer"),
        (json!({"iss": "https://idp.example/realms"}), "id_token_issuer"),
        (json!({"iss": "https://evil.example"}), "id_token_issuer"),
        (json!({"aud": "gate.example.evil.example"}), "id_token_audience"),
        (json!({"aud": "GATE.example"}), "id_token_audience"),
        (json!({"aud": ""}), "id_token_audience"),
        (json!({"aud": []}), "id_token_audience"),
        (json!({"aud": ["gate.example"]}), "ok"),
        // Alone, we may be shown a token that somebody else had made for us.
        (json!({"aud": ["gate.example"], "azp": "app.example"}), "ok"),
        (json!({"aud": "gate.example", "azp": "app.example"}), "ok"),
        (json!({"aud": ["app.example", "gate.example"], "azp": null}), "ok"),
        (json!({"aud": ["app.example", "gate.example"]}), "ok"),
        (
            json!({"aud": ["app.example", "gate.example"], "azp": "app.example"}),
            "id_token_audience",
        ),
        (json!({"aud": ["app.example", "other.example"]}), "id_token_audience"),
        (json!({"aud": ["app.example", "gate.example"], "azp": 7}), "id_token_claims"),
        (json!({"aud": null}), "id_token_claims"),
        (json!({"aud": 7}), "id_token_claims"),
        (json!({"aud": ["gate.example", 7]}), "id_token_claims"),
        (json!({"aud": {"gate.example": true}}), "id_token_claims"),
    ] {
        assert_eq!(label(&scene, changes.clone()).await, expected, "{changes}");
    }
}

#[tokio::test]
async fn a_token_holds_in_its_time_give_or_take_half_a_minute() {
    let scene = Scene::new();
    for (changes, expected) in [
        (json!({"exp": NOW - 29, "iat": NOW - 300}), "ok"),
        (json!({"exp": NOW - 30, "iat": NOW - 300}), "id_token_expired"),
        (json!({"iat": NOW + 30}), "ok"),
        (json!({"iat": NOW + 31}), "id_token_early"),
        (json!({"nbf": NOW + 30}), "ok"),
        (json!({"nbf": NOW + 31}), "id_token_early"),
        (json!({"iat": NOW, "exp": NOW + 86_400}), "ok"),
        (json!({"iat": NOW, "exp": NOW + 86_401}), "id_token_lifetime"),
        (json!({"iat": i64::MIN, "exp": i64::MAX}), "id_token_lifetime"),
        (json!({"iat": NOW, "exp": NOW}), "id_token_claims"),
        (json!({"exp": null}), "id_token_claims"),
        (json!({"iat": null}), "id_token_claims"),
        (json!({"exp": (NOW + 300).to_string()}), "id_token_claims"),
        (json!({"nbf": "9"}), "id_token_claims"),
        (json!({"nbf": []}), "id_token_claims"),
        (json!({"iat": 1e300}), "id_token_claims"),
        (json!({"exp": NOW as f64 + 0.5}), "id_token_claims"),
        (json!({"exp": true}), "id_token_claims"),
        (json!({"exp": u64::MAX}), "id_token_claims"),
    ] {
        assert_eq!(label(&scene, changes.clone()).await, expected, "{changes}");
    }
}

#[tokio::test]
async fn what_is_required_must_be_there_and_be_it() {
    let scene = Scene::new();
    for (changes, expected) in [
        (json!({"department": "test"}), "ok"),
        (json!({"email_verified": "true"}), "ok"),
        (json!({"department": "sales"}), "id_token_required_claim"),
        (json!({"department": "Build"}), "id_token_required_claim"),
        (json!({"department": "*"}), "id_token_required_claim"),
        (json!({"department": null}), "id_token_required_claim"),
        (json!({"department": {"build": true}}), "id_token_required_claim"),
        (json!({"email_verified": false}), "id_token_required_claim"),
        (json!({"email_verified": 1}), "id_token_required_claim"),
    ] {
        assert_eq!(label(&scene, changes.clone()).await, expected, "{changes}");
    }
    let error = scene.login(&with(json!({"department": "sales"}))).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the ID token's claim `department` is not what `require` asks for"
    );
}

#[tokio::test]
async fn the_name_of_a_caller_is_a_plain_one() {
    let scene = Scene::new();
    for value in [
        json!(null),
        json!(""),
        json!("eve/admin"),
        json!("a:b"),
        json!("e\u{200f}ve"),
        json!(["eve"]),
        json!("a".repeat(129)),
    ] {
        let changes = json!({"preferred_username": value});
        assert_eq!(label(&scene, changes.clone()).await, "id_token_subject", "{changes}");
    }
}

#[tokio::test]
async fn only_the_providers_keys_sign_and_each_with_its_own_algorithm() {
    let scene = Scene::new();
    let show = async |token: String| match scene.show(&token).await {
        Ok(_) => "ok",
        Err(error) => error.label(),
    };
    let sign = |header: Value| scene.key.sign_as(&header, &claims());
    assert_eq!(show(sign(json!({"alg": "ES256", "kid": "key-1"}))).await, "ok");
    let stranger = Key::es256("key-1");
    assert_eq!(show(stranger.sign(&claims())).await, "id_token_signature");
    assert_eq!(show(Key::es256("key-2").sign(&claims())).await, "id_token_key");
    for kid in ["../key-1", "", "https://evil.example/keys", "/dev/null"] {
        let token = sign(json!({"alg": "ES256", "kid": kid}));
        assert_eq!(show(token).await, "id_token_key", "{kid}");
    }
    for header in [
        json!({"alg": "none", "kid": "key-1"}),
        json!({"alg": "nOnE", "kid": "key-1"}),
        json!({"alg": "HS256", "kid": "key-1"}),
        json!({"alg": "RS256", "kid": "key-1"}),
        json!({"alg": "es256", "kid": "key-1"}),
        json!({"alg": "ES256", "kid": "key-1", "typ": "at+jwt"}),
        json!({"alg": "ES256", "kid": "key-1", "jwk": stranger.jwk}),
        json!({"alg": "ES256", "kid": "key-1", "jku": "https://evil.example/keys"}),
        json!({"alg": "ES256", "kid": "key-1", "x5c": ["MII="]}),
        json!({"alg": "ES256", "kid": "key-1", "crit": ["exp"]}),
    ] {
        assert_eq!(show(sign(header.clone())).await, "id_token_algorithm", "{header}");
    }
    for header in [json!({"alg": "ES256"}), json!({"alg": "ES256", "kid": 1}), json!([])] {
        assert_eq!(show(sign(header.clone())).await, "id_token_form", "{header}");
    }
    let token = scene.key.sign(&claims());
    let (signed, _) = token.rsplit_once('.').unwrap();
    let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let others = BASE64_URL_SAFE_NO_PAD.encode(with(json!({"level": 4})).to_string());
    assert_eq!(show(format!("{header}.{others}.{signature}")).await, "id_token_signature");
    assert_eq!(show(format!("{signed}.")).await, "id_token_signature");
    for text in ["", "..", "a.b", "a.b.c", "hunter2", &format!("{token}.x"), &format!(" {token}")] {
        assert_eq!(show(text.to_owned()).await, "id_token_form", "{text}");
    }
    assert_eq!(show("a".repeat(9000)).await, "id_token_too_long");
    assert_eq!(
        show(scene.key.sign(&with(json!({"more": "x".repeat(8192)})))).await,
        "id_token_too_long"
    );
}

/// Who asks to be checked by somebody else's keys makes the gate ask nobody.
#[tokio::test]
async fn the_issuer_in_a_token_decides_about_no_request() {
    let scene = Scene::new();
    let evil = Provider::start(std::slice::from_ref(&scene.key));
    for issuer in [evil.issuer(), "http://169.254.169.254".to_owned(), "file:///etc".to_owned()] {
        let token = scene.key.sign(&with(json!({"iss": issuer, "jwks_uri": evil.jwks_url()})));
        let token = Secret::new(token);
        let federation = scene.federation();
        let named = federation.login("corporate", &token, at(0)).await.unwrap_err();
        let unnamed = federation.login_any(&token, at(0)).await.unwrap_err();
        assert_eq!((named.label(), unnamed.label()), ("id_token_issuer", "id_token_issuer"));
    }
    assert!(evil.asked().is_empty());
    assert!(scene.server.asked().is_empty());
}

#[tokio::test]
async fn nobody_logs_in_while_there_are_no_keys() {
    let scene = Scene::new();
    for mood in [
        Mood::Down,
        Mood::Html,
        Mood::Redirects,
        Mood::Endless { tells: true },
        Mood::Endless { tells: false },
    ] {
        scene.server.be(mood.clone());
        let error = scene.login(&claims()).await.unwrap_err();
        assert_eq!(error.label(), "provider_keys_unavailable", "{mood:?}");
    }
    scene.server.be(Mood::NoKeys);
    assert_eq!(scene.login(&claims()).await.unwrap_err().label(), "id_token_key");
}

#[tokio::test]
async fn a_key_that_was_taken_out_signs_nothing_more() {
    let scene = Scene::new();
    let federation = scene.federation();
    let long = with(json!({"exp": NOW + 3600}));
    let old = Secret::new(scene.key.sign(&long));
    federation.login("corporate", &old, at(0)).await.unwrap();
    let new = Key::es256("key-2");
    scene.server.rotate(std::slice::from_ref(&new));
    let renewed = Secret::new(new.sign(&long));
    federation.login("corporate", &renewed, at(20)).await.unwrap();
    let error = federation.login("corporate", &old, at(21)).await.unwrap_err();
    assert_eq!(error.label(), "id_token_key");
}

#[tokio::test]
async fn a_provider_that_is_not_configured_is_none() {
    let scene = Scene::new();
    let token = Secret::new(scene.key.sign(&claims()));
    for name in ["", "Corporate", "corporate ", "github"] {
        let error = scene.federation().login(name, &token, at(0)).await.unwrap_err();
        assert_eq!(error.label(), "unknown_provider", "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever a claim is, the rest of the token does not make up for it.
    #[test]
    fn no_value_of_a_claim_lets_another_in(
        name in prop::sample::select(vec!["iss", "aud", "exp", "department", "preferred_username"]),
        value in "\\PC{0,12}|[a-z.]{0,12}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut changes = Value::Null;
        changes[name] = Value::from(value.clone());
        let expected = match name {
            "department" => ["build", "test"].contains(&value.as_str()),
            "preferred_username" => value.parse::<crate::identity::users::Name>().is_ok(),
            _ => false,
        };
        runtime.block_on(async {
            let scene = Scene::new();
            let login = scene.login(&with(changes)).await;
            prop_assert_eq!(login.is_ok(), expected);
            Ok(())
        })?;
    }
}
