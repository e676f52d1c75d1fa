//! What all gates together hold, counted over thousands of tags.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use tokio::task::yield_now;

use super::super::gate::survey::{Counted, Survey};
use super::scene::{As, Scene};
use crate::content::samples::{Sample, image};

const POLICY: &str = r#"
administrators: ["user:root"]
flags: {tested: {}}
rules:
  - {name: tests, subjects: ["user:bob"], images: ["prod/**"], allow: [pull, "flag:tested"]}
gates:
  - {name: production, images: ["prod/**"], require: {flags: [tested]}}
"#;

/// As many as the default of `inventory.max_requests`.
const BUDGET: usize = 2000;

/// Half of these are behind a gate, and every one is another image.
const TAGS: usize = 3000;

/// What was counted, however long that took.
async fn look(survey: &Survey, scene: &Scene, enough: impl Fn(&Counted) -> bool) -> Arc<Counted> {
    for _ in 0..100 {
        if let Some(counted) = survey.look(&scene.api).await.filter(|it| enough(it)) {
            return counted;
        }
    }
    panic!("the count does not end");
}

async fn scene() -> Scene {
    let scene = Scene::with(POLICY, false).await;
    let sample = |number: usize| -> (String, String, Sample) {
        let half = if number < TAGS / 2 { "dev" } else { "prod" };
        let sample = image(&format!("config {number}"), &["a"]);
        (format!("{half}/app-{}", number % 20), format!("v{number}"), sample)
    };
    let samples: Vec<_> = (0..TAGS).map(sample).collect();
    {
        let mut shelf = scene.shelf.lock().unwrap();
        for (repository, tag, sample) in &samples {
            *shelf = std::mem::take(&mut *shelf).tagged(repository, tag, sample);
        }
    }
    let tags = samples.into_iter().map(|(repository, tag, it)| (repository, tag, it.digest));
    scene.learn(tags).await;
    scene
}

#[tokio::test]
async fn a_count_of_thousands_is_bounded_says_what_it_does_not_know_and_knows_it_in_the_end() {
    let scene = scene().await;
    for number in TAGS - 3..TAGS {
        let path = format!("/image/flags?ref=prod/app-{}:v{number}", number % 20);
        let flag = r#"{"flag": "tested", "reason": "run 7"}"#;
        let set = scene.ask(As::User("bob"), Method::PUT, &path, flag).await;
        assert_eq!(set.status, 200, "{}", set.text);
    }
    let before = scene.asked();
    let survey = Survey::new();
    let first = look(&survey, &scene, |_| true).await;
    assert_eq!((first.tags, first.goes_on), (TAGS, false));
    assert_eq!(scene.asked() - before, BUDGET);
    // In the order of their names: what is not behind a gate is looked at for its report.
    let of_gate = &first.gates["production"];
    assert_eq!((of_gate.held.count, first.unknown), (BUDGET - TAGS / 2, TAGS - BUDGET));
    assert_eq!((first.unreported.count, first.unlooked), (BUDGET, TAGS - BUDGET));
    assert_eq!(of_gate.held.examples.len() + of_gate.held.more(), of_gate.held.count);

    // Who looks again, and be it all at once, has nothing counted.
    let one = || survey.look(&scene.api);
    let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
    for again in [a, b, c, d] {
        assert!(Arc::ptr_eq(&again.unwrap(), &first));
    }
    assert_eq!(scene.asked() - before, BUDGET);

    // The next count goes on where the first one had to stop.
    scene.wait(3600);
    let second = look(&survey, &scene, |it| it.began > first.began).await;
    assert_eq!((second.tags, second.unknown, second.unlooked), (TAGS, 0, 0));
    assert_eq!(second.gates["production"].held.count, TAGS / 2 - 3);
    assert_eq!(second.unreported.count, TAGS);
    assert_eq!(scene.asked() - before, TAGS);

    scene.wait(3600);
    look(&survey, &scene, |it| it.began > second.began).await;
    assert_eq!(scene.asked() - before, TAGS, "all of it is in memory");
}

#[tokio::test]
async fn what_was_begun_before_a_change_is_not_shown_after_it() {
    let scene = scene().await;
    let survey = Survey::new();
    let change = async {
        for _ in 0..5 {
            yield_now().await;
        }
        scene.wait(10);
        survey.forget();
    };
    let (_, ()) = tokio::join!(survey.look(&scene.api), change);
    let counted = look(&survey, &scene, |_| true).await;
    assert_eq!(counted.began, scene.now());
}

#[tokio::test]
async fn when_its_time_is_over_a_count_ends_without_the_registry_and_says_what_it_does_not_know() {
    let scene = scene().await;
    let before = scene.asked();
    let survey = Survey::asking_for(Duration::ZERO);
    let counted = look(&survey, &scene, |_| true).await;
    assert_eq!(scene.asked(), before);
    assert_eq!((counted.tags, counted.unknown, counted.unlooked), (TAGS, TAGS / 2, TAGS));
    assert_eq!((counted.gates["production"].held.count, counted.unreported.count), (0, 0));
}
