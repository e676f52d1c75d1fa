//! The identity tokens of `docker login`.

use super::*;
use crate::store::Revocation;
use crate::token::{Ended, Kind};

async fn signed_in(scene: &Scene, known: &Authenticated) -> Secret {
    let token = scene.issue.login(known, "docker", scene.occasion()).await.unwrap();
    token.unwrap().written()
}

/// Somebody with an access token of two days, and the family of that.
async fn with_a_token(scene: &Scene) -> (Authenticated, Made) {
    let maker = scene.maker(alice(scene).await);
    let two_days = NewToken { life: Duration::from_secs(2 * 24 * 3600), ..an_hour() };
    let made = scene.made(&maker, two_days).await;
    (scene.bearer(&made.access_token).await.unwrap(), made)
}

#[tokio::test]
async fn an_identity_token_lasts_while_it_is_used_and_ninety_days_at_most() {
    let scene = scene();
    let token = signed_in(&scene, &alice(&scene).await).await;
    for _ in 0..3 {
        scene.wait(30 * DAY - 1);
        let known = scene.basic("alice", &token).await.unwrap();
        assert_eq!(known.principal.caller.groups, ["backend"]);
    }
    scene.wait(2);
    assert!(scene.basic("alice", &token).await.is_ok());
    scene.wait(1);
    assert_eq!(scene.basic("alice", &token).await.unwrap_err(), AuthError::Expired);
}

#[tokio::test]
async fn an_identity_token_that_nobody_uses_ends() {
    let scene = scene();
    let token = signed_in(&scene, &alice(&scene).await).await;
    scene.wait(DAY);
    assert!(scene.basic("<token>", &token).await.is_ok());
    scene.wait(30 * DAY);
    let idle = Rejection::Ended(Ended::Idle);
    assert_eq!(refused(scene.basic("<token>", &token).await), idle);
    // Being shown in vain is no use.
    assert_eq!(refused(scene.basic("<token>", &token).await), idle);
}

#[tokio::test]
async fn an_identity_token_outlives_no_token_that_it_was_made_with() {
    let scene = scene();
    let (known, made) = with_a_token(&scene).await;
    let token = signed_in(&scene, &known).await;
    scene.wait(2 * DAY - 1);
    let login = scene.basic("alice", &token).await.unwrap();
    assert_eq!(login.expires, Some(made.expires_at));
    assert_eq!(login.grant.auth_time, made.family.grant.auth_time);
    scene.wait(1);
    assert_eq!(scene.basic("alice", &token).await.unwrap_err(), AuthError::Expired);
}

#[tokio::test]
async fn an_identity_token_is_revoked_with_the_token_that_it_was_made_with() {
    let scene = scene();
    let (known, made) = with_a_token(&scene).await;
    let token = signed_in(&scene, &known).await;
    let login = scene.basic("alice", &token).await.unwrap();
    let scopes = Scopes::parse(["repository:team/app:pull"]).unwrap();
    let wanted = Wanted::here(&scopes);
    let access = scene.issue.access(&login, wanted, scene.occasion()).unwrap().token;
    assert!(scene.bearer(&access).await.is_ok());
    let revocation = Revocation::Id { id: made.family.id, until: made.family.ends_at };
    assert_eq!(scene.issue.state.revoke(revocation, scene.now()).await.unwrap(), 2);
    assert_eq!(refused(scene.basic("alice", &token).await), Rejection::Revoked);
    assert_eq!(refused(scene.bearer(&access).await), Rejection::Revoked);
    // Nor does what was made with it before come to life again by signing in once more.
    assert_eq!(refused(scene.bearer(&made.access_token).await), Rejection::Revoked);
    assert!(scene.basic("alice", &password()).await.is_ok());
}

#[tokio::test]
async fn whoever_holds_an_identity_token_is_looked_up_at_each_use() {
    let scene = scene();
    let token = signed_in(&scene, &alice(&scene).await).await;
    assert_eq!(refused(scene.basic("bob", &token).await), Rejection::AnothersToken);
    scene.users.store(Arc::new(users("groups: []")));
    let known = scene.basic("alice", &token).await.unwrap();
    assert!(known.principal.caller.groups.is_empty());
    scene.users.store(Arc::new(users("disabled: true")));
    assert_eq!(refused(scene.basic("alice", &token).await), Rejection::SubjectGone);
}

#[tokio::test]
async fn whom_another_gate_vouches_for_gets_no_identity_token() {
    let scene = scene();
    let mut known = alice(&scene).await;
    known.grant.subject = "peer:eu/user:alice".parse().unwrap();
    known.grant.kind = Kind::Peer;
    let login = scene.issue.login(&known, "docker", scene.occasion()).await.unwrap();
    assert!(login.is_none());
}
