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

/// As what grants its pusher a right.
fn brought(digest: &Digest, who: &str, time: i64) -> Lesson {
    Lesson::Push { digest: digest.clone(), pusher: who.into(), at: at(time) }
}

/// In `app`.
fn pushed(digest: &Digest, tags: &[&str], time: i64, by: &str) -> Pushed {
    Pushed {
        repository: repository("app"),
        digest: digest.clone(),
        tags: tags.iter().map(|name| tag(name)).collect(),
        at: at(time),
        by: user(by),
    }
}

async fn note(store: &Arc<dyn Store>, pushes: &[Pushed]) {
    store.note_pushes(pushes).await.unwrap();
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
async fn who_pushed_a_manifest_last_is_known() {
    each(async |store| {
        let app = image("config", &["1"]);
        let digest = &app.digest;
        let by = async |of: &Digest| handled(&store, "app", of).await.and_then(|it| it.pushed);
        assert_eq!(by(digest).await, None);
        // It may be noted before anything is known of the repository.
        note(&store, &[pushed(digest, &["v1"], 5, "alice"), pushed(digest, &[], 3, "bob")]).await;
        learn(&store, "app", &[manifest(&app), seen("v1", digest, 5)]).await;
        assert_eq!(by(digest).await, Some((at(5), user("alice"))));
        note(&store, &[pushed(digest, &["v2"], 9, "carol"), pushed(digest, &[], 8, "bob")]).await;
        store.forget_lessons(at(100)).await.unwrap();
        assert_eq!(by(digest).await, Some((at(9), user("carol"))));
        assert_eq!(by(&blob("a")).await, None);
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
        // Noted before and after it is learned, and seen again at once.
        note(&store, &[pushed(&b, &["v1"], 10, "alice")]).await;
        learn(&store, "app", &[seen("v1", &b, 10)]).await;
        learn(&store, "app", &[seen("v1", &a, 31), seen("v1", &c, 20)]).await;
        note(&store, &[pushed(&c, &["v1"], 20, "bob"), pushed(&a, &["v1"], 30, "carol")]).await;
        // What moved nothing is no move, and it was not dave who moved it.
        note(&store, &[pushed(&a, &["v1", "v2"], 35, "dave")]).await;
        learn(&store, "app", &[gone("v1", 40, false)]).await;
        learn(&store, "app", &[gone("v1", 41, true), seen("v1", &a, 36)]).await;
        learn(&store, "app", &[seen("v1", &b, 50)]).await;
        let told = history(&store, "app", "v1").await;
        let all =
            ["50 b ", "40 nothing ", "31 a user:carol", "20 c user:bob", "10 b user:alice", "1 a "];
        assert_eq!(told, all);
        assert_eq!(history(&store, "app", "v2").await, ["35 a user:dave"]);
        assert_eq!(history(&store, "app", "other").await, ["1 b "]);
        assert_eq!(history(&store, "apps", "v1").await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn what_is_learned_late_finds_its_place_in_the_history() {
    each(async |store| {
        let (a, b, c) = (blob("a"), blob("b"), blob("c"));
        note(&store, &[pushed(&a, &["v1"], 10, "alice"), pushed(&c, &["v1"], 30, "carol")]).await;
        let lessons = [seen("v1", &a, 10), seen("v1", &b, 20), seen("v1", &c, 30)];
        learn(&store, "app", &lessons).await;
        let all = ["30 c user:carol", "20 b ", "10 a user:alice"];
        assert_eq!(history(&store, "app", "v1").await, all);
        // Sightings of what was there then tell nothing new, also just before it is known to move.
        for lesson in [seen("v1", &a, 15), seen("v1", &b, 25), seen("v1", &c, 29)] {
            learn(&store, "app", &[lesson]).await;
        }
        assert_eq!(history(&store, "app", "v1").await, all);
        learn(&store, "app", &[gone("v1", 12, false), seen("v1", &c, 5)]).await;
        let told = history(&store, "app", "v1").await;
        assert_eq!(told, [all[0], all[1], "12 nothing ", all[2], "5 c "]);
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
async fn of_flags_that_were_taken_away_the_last_time_of_each_is_known() {
    each(async |store| {
        let (here, a) = (repository("team/app"), blob("a"));
        let removed = |name: &str, time: i64, by: &str| RemovedFlag {
            name: name.to_owned(),
            at: at(time),
            by: user(by),
        };
        let notes = [
            ("tested", 5, "alice"),
            ("tested", 9, "bob"),
            ("tested", 7, "eve"),
            ("qa", 8, "carol"),
        ];
        for (name, time, by) in notes {
            store.note_removed_flag(&here, &a, &removed(name, time, by)).await.unwrap();
        }
        let told = store.removed_flags(&here, &a).await.unwrap();
        assert_eq!(told, [removed("tested", 9, "bob"), removed("qa", 8, "carol")]);
        assert_eq!(store.removed_flags(&repository("team"), &a).await.unwrap(), []);
        assert_eq!(store.removed_flags(&here, &blob("b")).await.unwrap(), []);
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
        ];
        learn(&store, "app", &lessons).await;
        let [one, two] = [&left, &kept].map(|it| pushed(&it.digest, &[], 1, "alice"));
        note(&store, &[one, two, pushed(&blob("b"), &[], 1, "alice")]).await;
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
        assert_eq!(handled(&store, "app", &blob("b")).await, None);
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
            brought(&app.digest, "user:alice", 2),
            brought(&app.digest, "user:bob", 3),
            brought(&app.digest, "user:bob sha256:1", 3),
            brought(&blob("1"), "user:bob", 3),
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
