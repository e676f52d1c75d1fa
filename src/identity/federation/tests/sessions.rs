//! What comes of a login afterwards, and logins that do not name their provider.

use policy::Subject;

use super::*;
use crate::token::{Grant, Kind};

async fn grant(scene: &Scene) -> Grant {
    scene.login(&claims()).await.unwrap().grant
}

#[tokio::test]
async fn a_session_ends_when_its_time_is_over() {
    let scene = Scene::new();
    let (federation, grant) = (scene.federation(), grant(&scene).await);
    assert_eq!(federation.standing(&grant, at(0)).unwrap(), ["release", "staff"]);
    assert!(federation.standing(&grant, at(8 * 3600 - 1)).is_ok());
    let error = federation.standing(&grant, at(8 * 3600)).unwrap_err();
    assert_eq!(error.label(), "session_over");
}

#[tokio::test]
async fn a_session_that_is_made_shorter_ends_sooner() {
    let mut scene = Scene::new();
    let grant = grant(&scene).await;
    scene.settings.session = std::time::Duration::from_secs(3600);
    let error = scene.federation().standing(&grant, at(3600)).unwrap_err();
    assert_eq!(error.label(), "session_over");
}

#[tokio::test]
async fn a_group_that_is_no_longer_mapped_is_gone_at_the_next_use() {
    let mut scene = Scene::new();
    let mut grant = grant(&scene).await;
    scene.settings.groups.retain(|(name, _)| name == "staff");
    assert_eq!(scene.federation().standing(&grant, at(1)).unwrap(), ["staff"]);
    // Nor does a token say more than was mapped when it was made.
    grant.asserted = vec!["administrators".to_owned()];
    assert!(scene.federation().standing(&grant, at(1)).unwrap().is_empty());
}

#[tokio::test]
async fn what_a_provider_vouched_for_ends_with_the_provider() {
    let mut scene = Scene::new();
    let grant = grant(&scene).await;
    scene.settings.name = "another".to_owned();
    let error = scene.federation().standing(&grant, at(1)).unwrap_err();
    assert_eq!(error.label(), "unknown_provider");
    let nobodys = Grant::unlimited(Subject::User("eve".to_owned()), Kind::User, at(0));
    assert_eq!(
        scene.federation().standing(&nobodys, at(1)).unwrap_err().label(),
        "unknown_provider"
    );
}

#[tokio::test]
async fn a_provider_of_services_vouches_for_no_person() {
    let mut scene = Scene::new();
    let grant = grant(&scene).await;
    scene.settings.subject = Template::new("{sub}", SubjectKind::Service).unwrap();
    let error = scene.federation().standing(&grant, at(1)).unwrap_err();
    assert_eq!(error.label(), "id_token_subject");
}

#[tokio::test]
async fn a_token_finds_its_provider_by_the_issuer() {
    let scene = Scene::new();
    let another = Scene::new();
    let other = Settings { name: "other".to_owned(), ..another.settings.clone() };
    let mut elsewhere = other.clone();
    elsewhere.issuer = HttpsUrl::new("https://elsewhere.example").unwrap();
    // `other` has the same issuer and other keys.
    let all = vec![elsewhere, other, scene.settings.clone()];
    let federation = Federation::new(all).unwrap();
    let token = Secret::new(scene.key.sign(&claims()));
    let login = federation.login_any(&token, at(0)).await.unwrap();
    assert_eq!(login.grant.via.as_deref(), Some("corporate"));
    let none = Federation::default().login_any(&token, at(0)).await.unwrap_err();
    assert_eq!(none.label(), "id_token_issuer");
    let stale = Secret::new(scene.key.sign(&with(json!({"department": "sales"}))));
    let error = federation.login_any(&stale, at(0)).await.unwrap_err();
    assert_eq!(error.label(), "id_token_required_claim");
}
