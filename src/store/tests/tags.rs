//! The tags that are there.

use oci::{Digest, RepositoryName, Tag};

use super::*;
use crate::content::samples::blob;
use crate::inventory::Lesson;

fn repository(name: &str) -> RepositoryName {
    RepositoryName::new(name).unwrap()
}

fn tag(name: &str) -> Tag {
    Tag::new(name).unwrap()
}

fn seen(name: &str, digest: &Digest, time: i64) -> Lesson {
    Lesson::Tag { tag: tag(name), digest: digest.clone(), at: at(time) }
}

async fn learn(store: &Arc<dyn Store>, name: &str, lessons: &[Lesson]) {
    let of = |lesson: &Lesson| (repository(name), lesson.clone());
    store.learn(&lessons.iter().map(of).collect::<Vec<_>>(), at(0)).await.unwrap();
}

/// As `REPOSITORY:TAG`.
async fn after(store: &Arc<dyn Store>, place: Option<(&str, &str)>, limit: u32) -> Vec<String> {
    let place = place.map(|(name, tag)| (repository(name), tag.to_owned()));
    let tags = store.tags_after(place.as_ref(), limit).await.unwrap();
    tags.into_iter().map(|tagged| format!("{}:{}", tagged.repository, tagged.tag)).collect()
}

/// The digests: `new` is where `moved` and `v2` are now.
async fn scene(store: &Arc<dyn Store>) -> (Digest, Digest) {
    let (old, new) = (blob("old"), blob("new"));
    // Neither in the order of their names.
    learn(store, "b/app", &[seen("v1", &old, 1), seen("V1", &old, 1), seen("1", &new, 1)]).await;
    let gone = Lesson::NoTag { tag: tag("gone"), at: at(5), deleted: true };
    learn(store, "a", &[seen("moved", &old, 1), seen("gone", &old, 1), seen("v1", &old, 1)]).await;
    learn(store, "a", &[seen("moved", &new, 2), gone, seen("v2", &new, 3)]).await;
    learn(store, "b", &[seen("v1", &old, 1)]).await;
    (old, new)
}

#[tokio::test]
async fn tags_are_told_in_order_and_by_pieces() {
    each(async |store| {
        assert_eq!(after(&store, None, 10).await, [""; 0]);
        let (old, new) = scene(&store).await;
        let all = ["a:moved", "a:v1", "a:v2", "b:v1", "b/app:1", "b/app:V1", "b/app:v1"];
        assert_eq!(after(&store, None, 10).await, all);
        for size in 1..=7 {
            let (mut told, mut place) = (Vec::new(), None);
            loop {
                let page = store.tags_after(place.as_ref(), size).await.unwrap();
                assert!(page.len() <= size as usize);
                let Some(last) = page.last() else { break };
                place = Some((last.repository.clone(), last.tag.to_string()));
                told.extend(page.iter().map(|it| format!("{}:{}", it.repository, it.tag)));
            }
            assert_eq!(told, all, "{size}");
        }
        // From a place where nothing is, and from before all tags of a repository.
        assert_eq!(after(&store, Some(("a", "v1.5")), 2).await, all[2..4]);
        assert_eq!(after(&store, Some(("aa", "")), 9).await, all[3..]);
        assert_eq!(after(&store, Some(("b", "")), 1).await, all[3..4]);
        assert_eq!(after(&store, Some(("b/app", "v1")), 9).await, [""; 0]);
        let tagged = store.tags_after(None, 2).await.unwrap();
        assert_eq!([&tagged[0].digest, &tagged[1].digest], [&new, &old]);
    })
    .await;
}

#[tokio::test]
async fn the_tags_of_a_digest_are_those_that_point_at_it_now() {
    each(async |store| {
        let (old, new) = scene(&store).await;
        let of = async |name: &str, digest: &Digest, limit| {
            let tags = store.tags_of(&repository(name), digest, limit).await.unwrap();
            tags.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of("a", &new, 9).await, ["moved", "v2"]);
        assert_eq!(of("a", &new, 1).await, ["moved"]);
        assert_eq!(of("a", &old, 9).await, ["v1"]);
        assert_eq!(of("b/app", &old, 9).await, ["V1", "v1"]);
        assert_eq!(of("b/app", &blob("other"), 9).await, [""; 0]);
        assert_eq!(of("c", &old, 9).await, [""; 0]);
    })
    .await;
}
