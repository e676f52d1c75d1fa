use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use oci::{Digest, RepositoryName, Tag};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::task::block_in_place;

use super::*;
use crate::content::samples::{Sample, blob, image, index, signature};
use crate::inventory::{Facts, Lesson};

fn repository(name: &str) -> RepositoryName {
    RepositoryName::new(name).unwrap()
}

fn tag(name: &str, digest: &Digest, seen: i64) -> Lesson {
    Lesson::Tag { tag: Tag::new(name).unwrap(), digest: digest.clone(), at: at(seen) }
}

fn no_tag(name: &str, deleted: bool, gone: i64) -> Lesson {
    Lesson::NoTag { tag: Tag::new(name).unwrap(), at: at(gone), deleted }
}

fn no_manifest(digest: &Digest, gone: i64) -> Lesson {
    Lesson::NoManifest { digest: digest.clone(), at: at(gone) }
}

fn manifest(sample: &Sample) -> Lesson {
    Lesson::Manifest {
        digest: sample.digest.clone(),
        facts: Arc::new(Facts::from(&sample.manifest)),
    }
}

fn push(digest: &Digest, pusher: &str, pushed: i64) -> Lesson {
    Lesson::Push { digest: digest.clone(), pusher: pusher.into(), at: at(pushed) }
}

async fn learn(store: &Arc<dyn Store>, name: &str, lessons: &[Lesson]) -> Learned {
    let of = |lesson: &Lesson| (repository(name), lesson.clone());
    store.learn(&lessons.iter().map(of).collect::<Vec<_>>(), at(0)).await.unwrap()
}

/// What is known of a repository, in an order of its own.
async fn known(store: &Arc<dyn Store>, name: &str) -> Vec<Lesson> {
    sorted(store.lessons_of(&repository(name)).await.unwrap().lessons)
}

fn sorted(mut lessons: Vec<Lesson>) -> Vec<Lesson> {
    lessons.sort_by_key(|lesson| format!("{lesson:?}"));
    lessons
}

#[tokio::test]
async fn what_was_learned_is_told_of_its_repository_and_in_order() {
    each(async |store| {
        let app = image("config", &["1", "2"]);
        let long = Digest::Sha512(Box::new([7; 64]));
        let note = signature("signed", Some(&long));
        let lessons = [
            tag("v1", &app.digest, 1),
            tag("v1", &long, 2),
            no_tag("old", true, 3),
            no_tag("old", false, 4),
            no_manifest(&blob("gone"), 5),
            manifest(&app),
            manifest(&note),
            push(&blob("1"), "user:alice", 6),
            push(&blob("1"), "user:alice {\"images\": [\"ü\"]}", 7),
        ];
        assert_eq!(known(&store, "team/app").await, []);
        let learned = learn(&store, "team/app", &lessons).await;
        assert_eq!(learned, Learned { before: Sequence(0), last: Sequence(9) });
        assert_eq!(known(&store, "team/app").await, sorted(lessons.to_vec()));
        assert_eq!(known(&store, "team/other").await, []);
        learn(&store, "team/other", &lessons[..2]).await;
        let news = store.lessons_since(Sequence(0), 100).await.unwrap();
        let all = lessons.iter().map(|lesson| (repository("team/app"), lesson.clone()));
        let others = lessons[..2].iter().map(|lesson| (repository("team/other"), lesson.clone()));
        let expected: Vec<_> = all.chain(others).collect();
        assert_eq!((news.sequence, news.goes_on), (Sequence(11), false));
        assert_eq!(news.lessons, expected);

        // By pieces, each from where the one before ended.
        let (mut since, mut told) = (Sequence(0), Vec::new());
        loop {
            let news = store.lessons_since(since, 2).await.unwrap();
            assert!(news.lessons.len() <= 2);
            told.extend(news.lessons);
            since = news.sequence;
            if !news.goes_on {
                break;
            }
        }
        assert_eq!((told, since), (expected.clone(), Sequence(11)));
        // A state that was restored from a backup: its numbers begin earlier.
        let news = store.lessons_since(Sequence(12), 100).await.unwrap();
        assert_eq!(news.lessons, expected);
        // Whoever follows hears that there is something, and what is revoked is another matter.
        let changes = store.changes(Sequence(0)).await.unwrap();
        assert_eq!((changes.sequence, changes.last_lesson), (Sequence(0), Sequence(11)));
    })
    .await;
}

#[tokio::test]
async fn what_is_seen_again_is_told_once_more_only_if_it_is_news() {
    each(async |store| {
        let app = image("config", &[]);
        learn(&store, "a", &[tag("v1", &app.digest, 5), manifest(&app)]).await;
        let after = learn(&store, "a", &[tag("v1", &app.digest, 4), manifest(&app)]).await.before;
        let news = store.lessons_since(after, 10).await.unwrap();
        assert_eq!((news.lessons.len(), news.sequence), (0, Sequence(4)));
        learn(&store, "a", &[tag("v1", &app.digest, 6)]).await;
        let news = store.lessons_since(after, 10).await.unwrap();
        assert_eq!(news.lessons, [(repository("a"), tag("v1", &app.digest, 6))]);
        assert_eq!(learn(&store, "a", &[]).await.last, Sequence(5));
    })
    .await;
}

/// What comes of lessons by the documentation of [`Lessons::learn`].
fn reference(lessons: &[Lesson]) -> Vec<Lesson> {
    let mut latest: BTreeMap<String, Lesson> = BTreeMap::new();
    let mut see = |thing: String, at: Timestamp, lesson: &Lesson| {
        let kept = latest.entry(thing).or_insert_with(|| lesson.clone());
        if time(kept) < at {
            *kept = lesson.clone();
        }
    };
    for lesson in lessons {
        let thing = match lesson {
            Lesson::Tag { tag, digest, .. } => format!("{tag}@{digest}"),
            Lesson::NoTag { tag, deleted, .. } => format!("no {tag} {deleted}"),
            Lesson::NoManifest { digest, .. } => format!("no {digest}"),
            Lesson::Manifest { digest, .. } => format!("{digest}"),
            Lesson::Push { digest, pusher, .. } => format!("{digest} {pusher}"),
        };
        see(thing, time(lesson), lesson);
    }
    let covers = |deletion: &Lesson, tag: &Tag, digest: &Digest, seen: Timestamp| match deletion {
        Lesson::NoTag { tag: gone, at, deleted: true } => gone == tag && *at >= seen,
        Lesson::NoManifest { digest: gone, at } => gone == digest && *at >= seen,
        _ => false,
    };
    let stands = |lesson: &&Lesson| match lesson {
        Lesson::Tag { tag, digest, at } => {
            !latest.values().any(|deletion| covers(deletion, tag, digest, *at))
        }
        _ => true,
    };
    sorted(latest.values().filter(stands).cloned().collect())
}

fn time(lesson: &Lesson) -> Timestamp {
    match lesson {
        Lesson::Manifest { .. } => at(0),
        Lesson::Tag { at, .. }
        | Lesson::NoTag { at, .. }
        | Lesson::NoManifest { at, .. }
        | Lesson::Push { at, .. } => *at,
    }
}

fn lesson() -> impl Strategy<Value = Lesson> {
    let samples = [image("1", &["x"]), image("2", &["x"])];
    let sample = prop::sample::select(samples.to_vec());
    let (name, seen) = (prop::sample::select(vec!["a", "b"]), 1..8_i64);
    prop_oneof![
        4 => (name.clone(), sample.clone(), seen.clone())
            .prop_map(|(name, sample, seen)| tag(name, &sample.digest, seen)),
        1 => (name, any::<bool>(), seen.clone())
            .prop_map(|(name, deleted, gone)| no_tag(name, deleted, gone)),
        1 => (sample.clone(), seen.clone())
            .prop_map(|(sample, gone)| no_manifest(&sample.digest, gone)),
        1 => sample.clone().prop_map(|sample| manifest(&sample)),
        1 => (sample, prop::sample::select(vec!["alice", "bob"]), seen)
            .prop_map(|(sample, pusher, pushed)| push(&sample.digest, pusher, pushed)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_in_which_lessons_come_does_not_matter() {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    each(async |store| {
        let histories = prop::collection::vec(prop::collection::vec(lesson(), 0..6), 1..5);
        let orders = histories.prop_flat_map(|history| {
            let all: Vec<_> = history.iter().flatten().cloned().collect();
            (Just(history), Just(all).prop_shuffle())
        });
        let mut runner = TestRunner::new(Config::with_cases(60));
        let run = runner.run(&orders, |(history, shuffled)| {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let (one, other) = (format!("one/{number}"), format!("other/{number}"));
            let expected = reference(&shuffled);
            let work = async {
                for batch in &history {
                    learn(&store, &one, batch).await;
                }
                for lesson in &shuffled {
                    learn(&store, &other, std::slice::from_ref(lesson)).await;
                }
                (known(&store, &one).await, known(&store, &other).await)
            };
            let (in_batches, one_by_one) =
                block_in_place(|| tokio::runtime::Handle::current().block_on(work));
            prop_assert_eq!(&in_batches, &expected);
            prop_assert_eq!(&one_by_one, &expected);
            Ok(())
        });
        run.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_a_tag_points_at_now_stays_and_what_it_pointed_at_is_forgotten() {
    each(async |store| {
        let [one, two, three] = ["1", "2", "3"].map(blob);
        learn(
            &store,
            "a",
            &[
                // Moved long ago, and moved lately.
                tag("old", &one, 1),
                tag("old", &two, 2),
                tag("new", &one, 3),
                tag("new", &two, 20),
                // Found missing, deleted, and there again.
                tag("missing", &one, 4),
                no_tag("missing", false, 5),
                tag("deleted", &one, 4),
                no_tag("deleted", true, 5),
                tag("again", &one, 4),
                no_tag("again", true, 5),
                tag("again", &three, 6),
                push(&one, "alice", 7),
                push(&two, "alice", 20),
                no_manifest(&three, 5),
            ],
        )
        .await;
        assert_eq!(store.forget_lessons(at(10)).await.unwrap(), 8);
        let left = [
            tag("old", &two, 2),
            tag("new", &two, 20),
            tag("again", &three, 6),
            push(&two, "alice", 20),
        ];
        assert_eq!(known(&store, "a").await, sorted(left.to_vec()));
        assert_eq!(store.forget_lessons(at(10)).await.unwrap(), 0);
        let expected = Extent { repositories: 1, tags: 3, manifests: 0 };
        assert_eq!(store.extent().await.unwrap(), expected);
        // An older sighting that is told of late is a former one, and a later one the current.
        learn(&store, "a", &[tag("new", &one, 19), tag("old", &one, 30)]).await;
        assert_eq!(store.forget_lessons(at(25)).await.unwrap(), 3);
        let left = [tag("old", &one, 30), tag("new", &two, 20), tag("again", &three, 6)];
        assert_eq!(known(&store, "a").await, sorted(left.to_vec()));
    })
    .await;
}

#[tokio::test]
async fn manifests_stay_as_long_as_something_leads_to_them() {
    each(async |store| {
        let (child, pushed, former) = (image("child", &[]), image("pushed", &[]), image("f", &[]));
        let list = index(&[&child]);
        let note = signature("note", Some(&child.digest));
        let about_note = signature("about", Some(&note.digest));
        let below_former = signature("of former", Some(&former.digest));
        let needed = [&list, &child, &note, &about_note, &pushed];
        for sample in needed.into_iter().chain([&former, &below_former]) {
            learn(&store, "a", &[manifest(sample)]).await;
            learn(&store, "untouched", &[manifest(sample)]).await;
        }
        let pointers = [tag("v1", &former.digest, 1), tag("v1", &list.digest, 2)];
        learn(&store, "a", &pointers).await;
        learn(&store, "a", &[push(&pushed.digest, "alice", 20)]).await;
        assert_eq!(store.forget_lessons(at(10)).await.unwrap(), 3);
        let mut left: Vec<_> = needed.map(manifest).into();
        left.extend([tag("v1", &list.digest, 2), push(&pushed.digest, "alice", 20)]);
        assert_eq!(known(&store, "a").await, sorted(left));
        assert_eq!(known(&store, "untouched").await.len(), 7);

        // With the last tag all of it goes, and the repository too.
        learn(&store, "a", &[no_tag("v1", true, 21)]).await;
        assert_eq!(store.forget_lessons(at(30)).await.unwrap(), 7);
        assert_eq!(known(&store, "a").await, []);
        assert_eq!(store.extent().await.unwrap().repositories, 1);
    })
    .await;
}

#[tokio::test]
async fn the_repository_that_was_crawled_the_longest_ago_is_next() {
    each(async |store| {
        assert_eq!(store.next_to_crawl(at(100)).await.unwrap(), None);
        let names = ["c", "a", "b"].map(repository);
        store.add_repositories(&names).await.unwrap();
        store.add_repositories(&names).await.unwrap();
        learn(&store, "d", &[tag("v1", &blob("1"), 1)]).await;
        let mut order = Vec::new();
        while let Some(next) = store.next_to_crawl(at(100)).await.unwrap() {
            let crawled = at(100 + i64::try_from(order.len()).unwrap());
            store.crawled(&next, crawled).await.unwrap();
            // Never back.
            store.crawled(&next, at(5)).await.unwrap();
            order.push(next.to_string());
            assert!(order.len() < 10);
        }
        assert_eq!(order, ["a", "b", "c", "d"]);
        assert_eq!(store.next_to_crawl(at(102)).await.unwrap(), Some(repository("a")));
        assert_eq!(store.extent().await.unwrap().repositories, 4);

        assert_eq!(store.crawl_progress().await.unwrap(), CrawlProgress::default());
        let progress = CrawlProgress { listed_at: Some(at(1)), passed_at: None };
        store.set_crawl_progress(progress).await.unwrap();
        assert_eq!(store.crawl_progress().await.unwrap(), progress);
    })
    .await;
}

#[tokio::test]
async fn a_lease_has_one_holder_until_it_ends() {
    each(async |store| {
        let lease = async |holder, now, until| {
            store.lease("crawl", holder, at(now), at(until)).await.unwrap()
        };
        assert!(lease("one", 0, 10).await);
        assert!(!lease("two", 9, 20).await);
        assert!(lease("one", 9, 15).await);
        assert!(!lease("two", 14, 20).await);
        assert!(lease("two", 15, 20).await);
        assert!(!lease("one", 16, 30).await);
        assert!(store.lease("other", "one", at(16), at(30)).await.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_misses_no_lesson() {
    each(async |store| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    for round in 0..30 {
                        let digest = blob(&format!("{writer} {round}"));
                        let lessons = [tag("v1", &digest, round), push(&digest, "alice", round)];
                        learn(&store, &format!("team/{writer}"), &lessons).await;
                    }
                })
            })
            .collect();
        let (mut seen, mut since) = (Vec::new(), Sequence(0));
        let mut poll = async || {
            loop {
                let news = store.lessons_since(since, 7).await.unwrap();
                assert!(news.sequence >= since);
                since = news.sequence;
                seen.extend(news.lessons);
                if !news.goes_on {
                    break;
                }
            }
        };
        while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
            poll().await;
        }
        poll().await;
        assert_eq!(since, Sequence(240));
        for writer in 0..4 {
            let name = repository(&format!("team/{writer}"));
            let of = seen.iter().filter(|(of, _)| *of == name).map(|(_, lesson)| lesson.clone());
            assert_eq!(sorted(of.collect()), known(&store, name.as_str()).await);
        }
        assert_eq!(seen.len(), 240);
    })
    .await;
}

#[tokio::test]
async fn facts_that_are_damaged_are_told_and_not_taken_for_none() {
    let server = Postgres::start();
    let store = open(&postgres(&server)).await.unwrap();
    let app = image("config", &[]);
    learn(&store, "a", &[manifest(&app), tag("v1", &app.digest, 1)]).await;
    for (table, column, value, expected) in [
        ("manifests", "facts", "'\\x0104'", "`facts`: what a manifest says is damaged at byte 2"),
        ("pointers", "digest", "'\\x01'", "`digest`: it is neither 32 nor 64 bytes long"),
        ("pointers", "tag", "'a/b'", "`tag`: "),
    ] {
        server.psql(&format!("UPDATE {table} SET {column} = {value}"));
        for error in [
            store.lessons_of(&repository("a")).await.unwrap_err(),
            store.lessons_since(Sequence(0), 10).await.unwrap_err(),
        ] {
            assert!(error.to_string().contains(expected), "{error}");
        }
        server.psql(&format!("DELETE FROM {table}"));
        learn(&store, "a", &[manifest(&app), tag("v1", &app.digest, 1)]).await;
    }
}

#[tokio::test]
async fn a_thousand_lessons_are_learned_at_once() {
    each(async |store| {
        let lessons: Vec<_> =
            (0..1000).map(|number| tag(&format!("v{number}"), &blob("1"), number)).collect();
        learn(&store, "a", &lessons).await;
        assert_eq!(known(&store, "a").await, sorted(lessons));
        learn(&store, "a", &[no_manifest(&blob("1"), 899)]).await;
        assert_eq!(known(&store, "a").await.len(), 101);
    })
    .await;
}
