//! Tokens for other gates.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use super::scene::{Answer, As, Scene};
use crate::identity::Credentials;
use crate::issue::Occasion;
use crate::secret::Secret;
use crate::token::{Claims, Scopes, made_here};

async fn refresh(scene: &Scene, refresh_token: &Value) -> Value {
    let body = json!({ "refresh_token": refresh_token }).to_string();
    let answer: Answer = scene.post(As::Nobody, "/refresh", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

fn claims(scene: &Scene, token: &Value) -> Claims {
    let authenticator = &scene.issue.authenticator;
    let value = token["access_token"].as_str().unwrap();
    made_here(value, &authenticator.keys(), authenticator.issuer()).unwrap()
}

/// A token for another gate tells its groups, so that a refresh has to look at them again.
#[tokio::test]
async fn a_refresh_carries_the_groups_that_are_left() {
    let scene = Scene::new().await;
    let body = r#"{"expires": "1h", "refreshable": true, "audience": "other.example"}"#;
    let token = scene.create(As::User("chief"), body).await;
    let admins = Some(vec!["admins".to_owned()]);
    assert_eq!(claims(&scene, &token).groups, admins);
    let next = refresh(&scene, &token["refresh_token"]).await;
    assert_eq!(claims(&scene, &next).groups, admins);
    scene.demote();
    let next = refresh(&scene, &next["refresh_token"]).await;
    assert_eq!(claims(&scene, &next).groups, Some(Vec::new()));
}

/// Else it would be told of as revoked, and the other gate would not take it.
#[tokio::test]
async fn a_service_has_the_groups_that_it_was_put_into() {
    let scene = Scene::new().await;
    scene.post(As::Local, "/services", r#"{"name": "ci/build"}"#).await;
    let body = r#"{"for": "service:ci/build", "groups": ["admins"], "expires": "1h",
        "refreshable": true, "audience": "other.example"}"#;
    let token = scene.create(As::Local, body).await;
    let id = token["id"].as_str().unwrap().parse().unwrap();
    let family = scene.issue.state.ask(async move |store| store.family(&id).await).await;
    let grant = family.unwrap().unwrap().grant;
    let groups = scene.issue.authenticator.stands(&grant, &[], scene.now());
    assert_eq!(groups.unwrap(), ["admins"]);
    let next = refresh(&scene, &token["refresh_token"]).await;
    for token in [&token, &next] {
        let Claims { groups, asserted, .. } = claims(&scene, token);
        assert_eq!(groups, Some(vec!["admins".to_owned()]));
        assert!(asserted.is_empty(), "who asserts them is no business of others");
    }
}

/// As above, where a token is exchanged.
#[tokio::test]
async fn what_an_exchange_keeps_knows_who_asserts_its_groups() {
    let scene = Scene::new().await;
    scene.post(As::Local, "/services", r#"{"name": "ci/build"}"#).await;
    let body = r#"{"for": "service:ci/build", "groups": ["admins"], "expires": "1h"}"#;
    let token = scene.create(As::Local, body).await;
    let (authenticator, now) = (&scene.issue.authenticator, scene.now());
    let value = Secret::new(token["access_token"].as_str().unwrap().to_owned());
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let known = authenticator.check(&Credentials::Bearer(value), address, now).await.unwrap();
    let (occasion, scopes) = (Occasion { address, now }, Scopes::default());
    let issued = scene.issue.elsewhere(&known, &scopes, "other.example", occasion).await;
    let id = issued.unwrap().claims.family;
    let family = scene.issue.state.ask(async move |store| store.family(&id).await).await;
    let grant = family.unwrap().unwrap().grant;
    assert_eq!(grant.groups, Some(vec!["admins".to_owned()]));
    assert_eq!(authenticator.stands(&grant, &[], now).unwrap(), ["admins"]);
}
