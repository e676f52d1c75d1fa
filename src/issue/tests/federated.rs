//! Tokens of somebody whom an identity provider vouches for.

use policy::Subject;

use super::*;
use crate::identity::{Ceiling, GrantType, Principal};
use crate::token::{Grant, Kind};

const SESSION: i64 = 8 * HOUR;

/// Somebody who showed an ID token a moment ago.
pub(super) fn eve(scene: &Scene) -> Authenticated {
    let now = scene.now();
    let grant = Grant {
        via: Some("corporate".to_owned()),
        asserted: vec!["release".to_owned()],
        ..Grant::unlimited(Subject::User("eve".to_owned()), Kind::Federated, now)
    };
    let groups = scene.issue.authenticator.stands(&grant, &[], now).unwrap();
    Authenticated {
        principal: Principal {
            caller: grant.caller(groups),
            ceiling: Ceiling::Unlimited,
            token_id: None,
        },
        grant,
        family: None,
        by: GrantType::Federation,
        expires: Some(now + Duration::from_secs(SESSION.unsigned_abs())),
    }
}

#[tokio::test]
async fn nothing_that_comes_of_a_session_outlives_it() {
    let scene = scene();
    let known = eve(&scene);
    let login = scene.issue.login(&known, "docker", scene.occasion()).await.unwrap().unwrap();
    let maker = scene.maker(known.clone());
    let made = scene.made(&maker, refreshable(an_hour())).await;
    let mut refresh = made.refresh_token.unwrap();
    for _ in 1..8 {
        scene.wait(HOUR);
        refresh = scene.renewed(&refresh).await.unwrap().1;
        assert!(scene.basic("eve", &login.written()).await.is_ok());
    }
    let (access, refresh) = scene.renewed(&refresh).await.unwrap();
    let holder = scene.bearer(&access).await.unwrap();
    assert_eq!(
        (holder.expires, &holder.principal.caller.groups),
        (known.expires, &known.grant.asserted)
    );
    scene.wait(HOUR);
    assert_eq!(scene.renewed(&refresh).await.unwrap_err(), AuthError::Expired);
    let ended = scene.basic("eve", &login.written()).await;
    assert_eq!(ended.unwrap_err(), AuthError::Expired);
    // Not even for the moment that clocks may differ by.
    assert_eq!(refused(scene.bearer(&access).await), Rejection::Federation("session_over"));
}

#[tokio::test]
async fn a_user_of_ones_own_ends_what_a_provider_says_of_the_name() {
    let scene = scene();
    let made = scene.made(&scene.maker(eve(&scene)), refreshable(an_hour())).await;
    assert!(scene.bearer(&made.access_token).await.is_ok());
    let text = "users: {eve: {password: '$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}}";
    let known = Users::parse(Path::new("users.yaml"), text).unwrap();
    scene.users.store(Arc::new(known));
    assert_eq!(refused(scene.bearer(&made.access_token).await), Rejection::NameTaken);
    let refresh = made.refresh_token.unwrap();
    assert_eq!(refused(scene.renewed(&refresh).await), Rejection::NameTaken);
}
