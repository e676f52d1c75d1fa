//! Numbers of changes, and when an image was seen first.

use super::*;

#[tokio::test]
async fn whoever_follows_hears_of_each_digest_once_and_by_pieces() {
    each(async |store| {
        assert_eq!(last(&store).await, Sequence(0));
        let names = ["a", "b", "c", "d", "e"];
        for name in names {
            store.set_flag(&flag("dev/api", &digest(name), "tested")).await.unwrap();
        }
        store.set_flag(&flag("dev/api", &digest("b"), "qa-passed")).await.unwrap();
        let all = ["a", "c", "d", "e", "b"].map(digest);
        let (mut since, mut told) = (Sequence(0), Vec::new());
        loop {
            let released = store.released_since(since, 2).await.unwrap();
            assert!(released.digests.len() <= 2 && !released.is_all);
            told.extend(released.digests);
            since = released.sequence;
            if !released.goes_on {
                break;
            }
        }
        assert_eq!((told.as_slice(), since), (all.as_slice(), last(&store).await));
        assert_eq!(changed_since(&store, since).await, [].into());
        let released = store.released_since(Sequence(since.0 + 1), 2).await.unwrap();
        assert!(released.is_all && !released.goes_on && released.digests.is_empty());
        assert_eq!(released.sequence, since);
        // What is revoked, and what the upstream holds, are other matters.
        let changes = store.changes(Sequence(0)).await.unwrap();
        assert_eq!((changes.sequence, changes.last_lesson), (Sequence(0), Sequence(0)));
        assert_eq!(kept(&store, &digest("a")).await.sequence, since);
    })
    .await;
}

#[tokio::test]
async fn a_digest_among_many_that_change_together_is_not_lost_between_two_pieces() {
    each(async |store| {
        let digests: Vec<_> = (0..100).map(|number| digest(&number.to_string())).collect();
        store.add_exception(&exception(1, 0, &digests)).await.unwrap();
        let (mut since, mut told) = (Sequence(0), BTreeSet::new());
        loop {
            let released = store.released_since(since, 7).await.unwrap();
            told.extend(released.digests);
            since = released.sequence;
            if !released.goes_on {
                break;
            }
        }
        assert_eq!(told, digests.into_iter().collect());
    })
    .await;
}

#[tokio::test]
async fn an_image_was_seen_first_when_the_first_repository_was_known_to_have_it() {
    each(async |store| {
        let app = image("config", &["1"]);
        store.set_flag(&flag("dev/api", &app.digest, "tested")).await.unwrap();
        assert_eq!(kept(&store, &app.digest).await.first_seen, None);
        let ((), changed) = changed_by(&store, learn(&store, "dev/api", &app, 5)).await;
        assert_eq!(changed, [app.digest.clone()].into());
        assert_eq!(kept(&store, &app.digest).await.first_seen, Some(at(5)));
        for (name, time) in [("prod/api", 7), ("dev/api", 8), ("other", 3)] {
            let ((), changed) = changed_by(&store, learn(&store, name, &app, time)).await;
            assert_eq!(changed, [].into());
        }
        assert_eq!(kept(&store, &app.digest).await.first_seen, Some(at(5)));
        // Nothing leads to it, so the inventory forgets it; the time stays.
        let push = Lesson::Push { digest: app.digest.clone(), pusher: "".into(), at: at(9) };
        store.learn(&[(repository("dev/api"), push)], at(9)).await.unwrap();
        assert!(store.forget_lessons(at(1000)).await.unwrap() >= 2);
        assert_eq!(store.lessons_of(&repository("dev/api")).await.unwrap().lessons, []);
        learn(&store, "dev/api", &app, 2000).await;
        assert_eq!(kept(&store, &app.digest).await.first_seen, Some(at(5)));
    })
    .await;
}

#[tokio::test]
async fn an_image_that_was_seen_before_the_inventory_told_of_it_is_of_that_time() {
    each(async |store| {
        let app = image("config", &["1"]);
        let seen = |time| store.note_seen(&app.digest, at(time));
        let (result, changed) = changed_by(&store, seen(5)).await;
        result.unwrap();
        assert_eq!(changed, [app.digest.clone()].into());
        for result in [seen(3).await, seen(7).await] {
            result.unwrap();
        }
        learn(&store, "dev/api", &app, 8).await;
        assert_eq!(kept(&store, &app.digest).await.first_seen, Some(at(5)));
    })
    .await;
}

#[tokio::test]
async fn a_state_from_before_tells_when_an_image_was_there_for_certain() {
    let folder = tempfile::tempdir().unwrap();
    let server = Postgres::start();
    for settings in [sqlite(&folder), postgres(&server)] {
        let store = open(&settings).await.unwrap();
        let (tagged, untagged) = (image("tagged", &[]), image("untagged", &[]));
        for sample in [&tagged, &untagged] {
            learn(&store, "dev/api", sample, 1).await;
        }
        let tag = |name: &str, time| Lesson::Tag {
            tag: oci::Tag::new(name).unwrap(),
            digest: tagged.digest.clone(),
            at: at(time),
        };
        let tags = [tag("v1", 30), tag("latest", 20)].map(|tag| (repository("dev/api"), tag));
        store.learn(&tags, at(40)).await.unwrap();
        store.set_latest_time(at(50)).await.unwrap();
        drop(store);
        opening::back_to(&settings, &server, 3).await;
        let store = open(&settings).await.unwrap();
        assert_eq!(kept(&store, &tagged.digest).await.first_seen, Some(at(20)));
        assert_eq!(kept(&store, &untagged.digest).await.first_seen, Some(at(50)));
        assert_eq!(kept(&store, &digest("other")).await, Kept::default());
        learn(&store, "prod/api", &tagged, 60).await;
        assert_eq!(kept(&store, &tagged.digest).await.first_seen, Some(at(20)));
    }
}
