//! Tokens that are refreshed.

use policy::Subject;
use tokio::task::JoinSet;

use super::*;
use crate::store::OVERLAP;
use crate::token::Ended;

const OVERLAPPING: i64 = OVERLAP.as_secs().cast_signed();

async fn ci(scene: &Scene) -> Made {
    scene.issue.state.add_service("ci/build", scene.now()).await.unwrap();
    scene.made(&Maker::local(0), of_service()).await
}

#[tokio::test]
async fn a_job_gets_through_the_day_with_one_token_and_not_past_its_service() {
    let scene = scene();
    let made = ci(&scene).await;
    let (mut access, mut refresh) = (made.access_token, made.refresh_token.unwrap());
    for hour in 1..=24 {
        let known = scene.bearer(&access).await.unwrap();
        assert_eq!(known.principal.caller.subject, Subject::Service("ci/build".to_owned()));
        scene.wait(HOUR + crate::token::LEEWAY);
        assert_eq!(scene.bearer(&access).await.unwrap_err(), AuthError::Expired, "hour {hour}");
        let before = refresh.hash();
        (access, refresh) = scene.renewed(&refresh).await.unwrap();
        assert_ne!(refresh.hash(), before);
    }
    assert_eq!(scene.bearer(&access).await.unwrap().family, Some(made.family.id));
    let issued = scene.events().iter().filter(|event| event.starts_with("Issued")).count();
    assert_eq!(issued, 24);
    scene.issue.state.set_service_disabled("ci/build", true).await.unwrap();
    assert_eq!(refused(scene.bearer(&access).await), Rejection::SubjectGone);
    assert_eq!(refused(scene.renewed(&refresh).await), Rejection::SubjectGone);
    // Not for good: nothing was revoked.
    scene.issue.state.set_service_disabled("ci/build", false).await.unwrap();
    assert!(scene.bearer(&access).await.is_ok());
    assert!(scene.renewed(&refresh).await.is_ok());
}

#[tokio::test]
async fn a_family_ends_however_often_it_is_refreshed() {
    let scene = scene();
    let made = ci(&scene).await;
    let mut refresh = made.refresh_token.unwrap();
    for _ in 0..89 {
        scene.wait(DAY);
        refresh = scene.renewed(&refresh).await.unwrap().1;
    }
    // Half an hour before the end there is half an hour to be had.
    scene.wait(DAY - HOUR / 2);
    let (access, refresh) = scene.renewed(&refresh).await.unwrap();
    let known = scene.bearer(&access).await.unwrap();
    assert_eq!(known.expires, Some(made.family.ends_at));
    scene.wait(HOUR / 2);
    assert_eq!(scene.renewed(&refresh).await.unwrap_err(), AuthError::Expired);
}

#[tokio::test]
async fn whoever_lost_the_answer_gets_it_again() {
    let scene = scene();
    let first = ci(&scene).await.refresh_token.unwrap();
    let (_, second) = scene.renewed(&first).await.unwrap();
    // As long as nobody came with the successor, nobody has it.
    scene.wait(DAY);
    assert_eq!(scene.renewed(&first).await.unwrap().1.hash(), second.hash());
    let (_, third) = scene.renewed(&second).await.unwrap();
    scene.wait(OVERLAPPING - 1);
    assert_eq!(scene.renewed(&first).await.unwrap().1.hash(), second.hash());
    assert!(scene.renewed(&third).await.is_ok());
    assert!(scene.events().iter().all(|event| event.starts_with("Issued")));
}

#[tokio::test]
async fn a_token_that_comes_back_late_ends_its_family_and_is_told_once() {
    let scene = scene();
    let made = ci(&scene).await;
    let first = made.refresh_token.unwrap();
    let (_, second) = scene.renewed(&first).await.unwrap();
    let (access, third) = scene.renewed(&second).await.unwrap();
    scene.events();
    scene.wait(OVERLAPPING + 1);
    assert_eq!(refused(scene.renewed(&first).await), Rejection::Reused);
    // In force at once, for the thief and for the one who was robbed.
    assert_eq!(refused(scene.bearer(&access).await), Rejection::Revoked);
    let ended = Rejection::Ended(Ended::Revoked);
    for token in [&first, &second, &third] {
        assert_eq!(refused(scene.renewed(token).await), ended);
    }
    let events = scene.events();
    let told = |reason: &str| events.iter().filter(|event| event.contains(reason)).count();
    let counts = ["Reused {", "reason: \"reused\"", "reason: \"revoked\""].map(told);
    assert_eq!((events.len(), counts), (5, [1, 1, 3]), "{events:?}");
    assert!(events[0].starts_with("Reused"), "{events:?}");
    assert!(events[0].contains(made.family.id.as_str()), "{events:?}");
    assert_eq!(scene.family(&made.family.id).await.revoked_at, Some(scene.now()));
}

#[tokio::test]
async fn refreshes_at_once_have_one_successor() {
    let scene = Arc::new(scene());
    let first = ci(&scene).await.refresh_token.unwrap();
    let mut refreshes = JoinSet::new();
    for _ in 0..16 {
        let (scene, first) = (Arc::clone(&scene), first.clone());
        refreshes.spawn(async move { scene.renewed(&first).await.unwrap() });
    }
    let all = refreshes.join_all().await;
    let next = &all[0].1;
    assert!(all.iter().all(|(_, token)| token.hash() == next.hash()));
    for (access, _) in &all {
        assert!(scene.bearer(access).await.is_ok());
    }
    assert!(scene.renewed(next).await.is_ok());
}

#[tokio::test]
async fn a_refresh_carries_what_its_holder_is_now() {
    let scene = scene();
    let maker = scene.maker(alice(&scene).await);
    let first = scene.made(&maker, refreshable(an_hour())).await.refresh_token.unwrap();
    let refreshed = scene.issue.refresh(&first, scene.occasion()).await.unwrap();
    let may = granted(&scene, &refreshed.known, "team/app");
    assert_eq!(may, [Action::Pull, Action::Create, Action::Overwrite]);
    scene.users.store(Arc::new(users("groups: []")));
    let refreshed = scene.issue.refresh(&refreshed.next, scene.occasion()).await.unwrap();
    assert_eq!(granted(&scene, &refreshed.known, "team/app"), [Action::Pull]);
    scene.users.store(Arc::new(users("disabled: true")));
    let gone = scene.issue.refresh(&refreshed.next, scene.occasion()).await;
    assert_eq!(refused(gone), Rejection::SubjectGone);
}

#[tokio::test]
async fn a_token_that_nobody_gave_out_refreshes_nothing() {
    let unknown = RefreshToken::random().unwrap();
    assert_eq!(refused(scene().renewed(&unknown).await), Rejection::UnknownToken);
}

#[tokio::test]
async fn a_refresh_at_the_token_endpoint_lives_no_longer_than_the_first_token() {
    let scene = scene();
    let maker = scene.maker(alice(&scene).await);
    let short = NewToken { life: Duration::from_secs(300), ..refreshable(an_hour()) };
    let first = scene.made(&maker, short).await.refresh_token.unwrap();
    let refreshed = scene.issue.refresh(&first, scene.occasion()).await.unwrap();
    let scopes = Scopes::parse(["repository:team/app:pull"]).unwrap();
    let lifetime = Some(refreshed.family.access_ttl);
    let wanted = Wanted { lifetime, ..Wanted::here(&scopes) };
    let issued = scene.issue.access(&refreshed.known, wanted, scene.occasion()).unwrap();
    assert_eq!(issued.claims.exp - issued.claims.iat, 300);
}
