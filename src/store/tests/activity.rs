//! What was done with images.

use std::collections::HashMap;

use oci::{Digest, RepositoryName, Tag};

use super::opening::back_to;
use super::postgres_server::Postgres;
use super::*;
use crate::content::samples::{Sample, blob, image};
use crate::inventory::{Facts, Lesson};

fn repository(name: &str) -> RepositoryName {
    RepositoryName::new(name).unwrap()
}

fn tag(name: &str) -> Tag {
    Tag::new(name).unwrap()
}

fn user(name: &str) -> Subject {
    Subject::User(name.to_owned())
}

fn seen(name: &str, digest: &Digest, time: i64) -> Lesson {
    Lesson::Tag { tag: tag(name), digest: digest.clone(), at: at(time) }
}

fn gone(name: &str, time: i64, deleted: bool) -> Lesson {
    Lesson::NoTag { tag: tag(name), at: at(time), deleted }
}

fn pushed(digest: &Digest, who: &str, time: i64) -> Lesson {
    Lesson::Push { digest: digest.clone(), pusher: who.into(), at: at(time) }
}

fn manifest(sample: &Sample) -> Lesson {
    let facts = Arc::new(Facts::from(&sample.manifest));
    Lesson::Manifest { digest: sample.digest.clone(), facts }
}

async fn learn(store: &Arc<dyn Store>, name: &str, lessons: &[Lesson]) {
    let of = |lesson: &Lesson| (repository(name), lesson.clone());
    store.learn(&lessons.iter().map(of).collect::<Vec<_>>(), at(0)).await.unwrap();
}

/// As `SECOND DIGEST WHO`, the latest first.
async fn history(store: &Arc<dyn Store>, name: &str, of: &str) -> Vec<String> {
    let moves = store.history_of(&repository(name), &tag(of)).await.unwrap();
    let named = |digest: Option<Digest>| match digest {
        None => "nothing".to_owned(),
        Some(digest) => {
            let names = ["a", "b", "c"].into_iter().find(|name| blob(name) == digest);
            names.unwrap_or("another").to_owned()
        }
    };
    let told = moves.into_iter().map(|Move { at: when, digest, by }| {
        let by = by.map(|by| by.to_string()).unwrap_or_default();
        format!("{} {} {by}", when.as_second() - at(0).as_second(), named(digest))
    });
    told.collect()
}

fn pull(
    name: &str,
    digest: &Digest,
    of: Option<&str>,
    (first, last): (i64, i64),
    by: &str,
) -> Pull {
    Pull {
        repository: repository(name),
        digest: digest.clone(),
        tag: of.map(tag),
        first_at: at(first),
        last_at: at(last),
        by: user(by),
    }
}

fn group_pull(name: &str, digest: &Digest, group: &str, time: i64) -> GroupPull {
    GroupPull {
        repository: repository(name),
        digest: digest.clone(),
        group: group.to_owned(),
        at: at(time),
    }
}

async fn handled(store: &Arc<dyn Store>, name: &str, digest: &Digest) -> Option<Handled> {
    let image = (repository(name), digest.clone());
    store.handled(std::slice::from_ref(&image)).await.unwrap().remove(&image)
}

#[tokio::test]
async fn of_pulls_the_first_and_the_last_stand_in_whatever_order_they_come() {
    each(async |store| {
        let (a, b) = (blob("a"), blob("b"));
        learn(&store, "team/app", &[seen("v1", &a, 1), seen("v2", &b, 1)]).await;
        assert_eq!(handled(&store, "team/app", &a).await, None);
        let pulls = [
            pull("team/app", &a, Some("v1"), (10, 20), "alice"),
            pull("team/app", &a, None, (5, 30), "bob"),
            pull("no/such", &a, None, (5, 30), "bob"),
        ];
        store.note_pulls(&pulls, &[]).await.unwrap();
        // A replica that is late, and a batch that tells of the same twice.
        let late = [
            pull("team/app", &a, None, (2, 25), "carol"),
            pull("team/app", &a, None, (26, 27), "dave"),
            pull("team/app", &b, Some("v2"), (7, 7), "dave"),
        ];
        store.note_pulls(&late, &[]).await.unwrap();
        let told = handled(&store, "team/app", &a).await.unwrap();
        assert_eq!(told.first_pulled_at, Some(at(2)));
        assert_eq!(told.last_pulled, Some((at(30), user("bob"))));
        store.note_pulls(&[pull("team/app", &a, Some("v1"), (40, 40), "eve")], &[]).await.unwrap();
        let told = handled(&store, "team/app", &a).await.unwrap();
        assert_eq!(told.last_pulled, Some((at(40), user("eve"))));
        assert_eq!(handled(&store, "no/such", &a).await, None);
    })
    .await;
}

#[tokio::test]
async fn of_each_group_the_last_pull_stands() {
    each(async |store| {
        let (a, b) = (blob("a"), blob("b"));
        learn(&store, "team/app", &[seen("v1", &a, 1), seen("v2", &b, 1)]).await;
        let first = [
            group_pull("team/app", &a, "dev", 10),
            group_pull("team/app", &a, "dev", 12),
            group_pull("team/app", &b, "dev", 20),
            group_pull("team/app", &a, "ops", 30),
            group_pull("no/such", &a, "ghosts", 30),
        ];
        store.note_pulls(&[], &first).await.unwrap();
        store.note_pulls(&[], &[group_pull("team/app", &a, "dev", 11)]).await.unwrap();
        let (here, there) = ((repository("team/app"), a), (repository("team/app"), b));
        let images = [here.clone(), there.clone()];
        let dev = store.pulled_by("dev", &images).await.unwrap();
        assert_eq!(dev, HashMap::from([(here.clone(), at(12)), (there, at(20))]));
        let ops = store.pulled_by("ops", &images).await.unwrap();
        assert_eq!(ops, HashMap::from([(here, at(30))]));
        assert_eq!(store.pulled_by("qa", &images).await.unwrap(), HashMap::new());
        assert_eq!(store.pulling_groups(10).await.unwrap(), ["dev", "ops"]);
        assert_eq!(store.pulling_groups(1).await.unwrap(), ["dev"]);
    })
    .await;
}

#[tokio::test]
async fn who_pushed_a_manifest_is_known_when_the_right_that_came_of_it_has_ended() {
    each(async |store| {
        let app = image("config", &["1"]);
        let digest = &app.digest;
        let bound = "user:bob sha256:1111";
        // What was pushed may be learned before what it is.
        learn(
            &store,
            "app",
            &[pushed(digest, "user:alice", 1), pushed(&blob("1"), "user:alice", 1)],
        )
        .await;
        assert_eq!(handled(&store, "app", digest).await, None);
        learn(&store, "app", &[manifest(&app), seen("v1", digest, 1)]).await;
        let by = |told: Option<Handled>| told.and_then(|told| told.pushed);
        assert_eq!(by(handled(&store, "app", digest).await), Some((at(1), user("alice"))));
        assert_eq!(by(handled(&store, "app", &blob("1")).await), None, "no manifest");
        learn(&store, "app", &[pushed(digest, "user:bob", 5), pushed(digest, bound, 5)]).await;
        learn(&store, "app", &[pushed(digest, "user:alice", 4)]).await;
        store.forget_lessons(at(100)).await.unwrap();
        assert!(store.lessons_of(&repository("app")).await.unwrap().lessons.len() == 2);
        assert_eq!(by(handled(&store, "app", digest).await), Some((at(5), user("bob"))));
    })
    .await;
}

#[tokio::test]
async fn the_history_of_a_tag_tells_where_it_pointed_and_who_moved_it() {
    each(async |store| {
        let (a, b, c) = (blob("a"), blob("b"), blob("c"));
        learn(&store, "app", &[seen("v1", &a, 1)]).await;
        learn(&store, "app", &[seen("v1", &a, 2), seen("other", &b, 1)]).await;
        assert_eq!(history(&store, "app", "v1").await, ["1 a "]);
        learn(&store, "app", &[seen("v1", &b, 10), pushed(&b, "user:alice", 10)]).await;
        // Several at once, out of order, and the push told with a tag that followed.
        let lessons = [
            seen("v1", &a, 30),
            seen("v1", &c, 20),
            pushed(&c, "user:bob", 21),
            pushed(&a, "user:carol", 25),
        ];
        learn(&store, "app", &lessons).await;
        // Who pushed it may be learned later.
        learn(&store, "app", &[pushed(&a, "user:dave sha256:1", 30)]).await;
        learn(&store, "app", &[pushed(&a, "user:dave", 30)]).await;
        learn(&store, "app", &[gone("v1", 40, false)]).await;
        learn(&store, "app", &[gone("v1", 41, true), seen("v1", &a, 35)]).await;
        learn(&store, "app", &[seen("v1", &b, 50)]).await;
        let told = history(&store, "app", "v1").await;
        let all =
            ["50 b ", "40 nothing ", "30 a user:dave", "20 c user:bob", "10 b user:alice", "1 a "];
        assert_eq!(told, all);
        assert_eq!(history(&store, "app", "other").await, ["1 b "]);
        assert_eq!(history(&store, "apps", "v1").await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_manifest_that_is_deleted_takes_its_tags_along_in_their_history() {
    each(async |store| {
        let (a, b) = (blob("a"), blob("b"));
        learn(&store, "app", &[seen("v1", &a, 1), seen("v2", &a, 1), seen("v2", &b, 2)]).await;
        learn(&store, "app", &[Lesson::NoManifest { digest: a.clone(), at: at(5) }]).await;
        assert_eq!(history(&store, "app", "v1").await, ["5 nothing ", "1 a "]);
        assert_eq!(history(&store, "app", "v2").await, ["2 b ", "1 a "]);
        let both = [seen("v3", &b, 6), Lesson::NoManifest { digest: b.clone(), at: at(7) }];
        learn(&store, "app", &both).await;
        assert_eq!(history(&store, "app", "v3").await, ["7 nothing ", "6 b "]);
    })
    .await;
}

#[tokio::test]
async fn of_a_tag_that_moves_for_ever_the_last_fifty_moves_are_kept() {
    each(async |store| {
        for second in 1..=120 {
            let digest = blob(if second % 2 == 0 { "a" } else { "b" });
            learn(&store, "app", &[seen("latest", &digest, second)]).await;
        }
        let told = history(&store, "app", "latest").await;
        assert_eq!(told.len(), 50);
        assert_eq!((told[0].as_str(), told[49].as_str()), ("120 a ", "71 b "));
    })
    .await;
}

#[tokio::test]
async fn what_was_done_with_what_is_gone_is_forgotten() {
    each(async |store| {
        let (kept, left) = (image("kept", &["1"]), image("left", &["2"]));
        let lessons = [
            manifest(&kept),
            manifest(&left),
            seen("v1", &kept.digest, 1),
            seen("v2", &left.digest, 1),
            pushed(&left.digest, "user:alice", 1),
            pushed(&kept.digest, "user:alice", 1),
        ];
        learn(&store, "app", &lessons).await;
        learn(&store, "whole", &[manifest(&left), seen("v1", &left.digest, 1)]).await;
        let pulls = [
            pull("app", &kept.digest, Some("v1"), (2, 2), "bob"),
            pull("app", &left.digest, Some("v2"), (2, 2), "bob"),
            pull("whole", &left.digest, None, (2, 2), "bob"),
            // Served, and not understood.
            pull("app", &blob("c"), None, (2, 2), "bob"),
        ];
        let groups = [
            group_pull("app", &kept.digest, "dev", 2),
            group_pull("app", &left.digest, "dev", 2),
            group_pull("whole", &left.digest, "all", 2),
        ];
        store.note_pulls(&pulls, &groups).await.unwrap();
        learn(&store, "app", &[gone("v2", 5, true)]).await;
        learn(&store, "whole", &[gone("v1", 5, true)]).await;
        store.forget_lessons(at(100)).await.unwrap();
        assert_eq!(handled(&store, "app", &left.digest).await, None);
        assert_eq!(handled(&store, "app", &blob("c")).await, None);
        assert_eq!(handled(&store, "whole", &left.digest).await, None);
        assert_eq!(store.pulling_groups(10).await.unwrap(), ["dev"]);
        let told = handled(&store, "app", &kept.digest).await.unwrap();
        assert_eq!(told.pushed, Some((at(1), user("alice"))));
        assert_eq!(told.last_pulled, Some((at(2), user("bob"))));
        assert_eq!(history(&store, "app", "v2").await, [""; 0]);
        assert_eq!(history(&store, "app", "v1").await.len(), 1);
        // The number of a repository that is forgotten may become that of another.
        learn(&store, "new", &[manifest(&left), seen("v1", &left.digest, 200)]).await;
        assert_eq!(handled(&store, "new", &left.digest).await, None);
        assert_eq!(history(&store, "new", "v1").await, ["200 another "]);
    })
    .await;
}

#[tokio::test]
async fn a_state_of_before_knows_what_tags_point_at_and_who_pushed_lately() {
    let folder = tempfile::tempdir().unwrap();
    let server = Postgres::start();
    for settings in [sqlite(&folder), postgres(&server)] {
        let store = open(&settings).await.unwrap();
        let app = image("config", &["1"]);
        let lessons = [
            manifest(&app),
            seen("v1", &blob("a"), 1),
            seen("v1", &app.digest, 2),
            // At the same moment at two.
            seen("both", &blob("a"), 3),
            seen("both", &blob("b"), 3),
            pushed(&app.digest, "user:alice", 2),
            pushed(&app.digest, "user:bob", 3),
            pushed(&app.digest, "user:bob sha256:1", 3),
            pushed(&blob("1"), "user:bob", 3),
        ];
        learn(&store, "app", &lessons).await;
        drop(store);
        back_to(&settings, &server, 4).await;
        let store = open(&settings).await.unwrap();
        assert_eq!(history(&store, "app", "v1").await, ["2 another "]);
        assert_eq!(history(&store, "app", "both").await.len(), 1);
        let told = handled(&store, "app", &app.digest).await.unwrap();
        assert_eq!(told.pushed, Some((at(3), user("bob"))));
        assert_eq!(handled(&store, "app", &blob("1")).await, None);
    }
}
