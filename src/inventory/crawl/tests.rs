use std::sync::atomic::{AtomicUsize, Ordering};

use oci::Digest;

use super::*;
use crate::content::samples::{Sample, blob, image, index, signature};
use crate::inventory::Facts;
use crate::state::sample::kept;
use crate::store::Extent;
use crate::upstream::fake::{Asked, Fake, Reply, Shelf};

const QUICK: Pace = Pace {
    pause: Duration::ZERO,
    again: Duration::from_secs(3600),
    idle: Duration::from_millis(10),
    back_off: Duration::from_millis(10),
};

/// Each pass comes at once.
const RESTLESS: Pace = Pace { again: Duration::ZERO, ..QUICK };

fn repository(name: &str) -> RepositoryName {
    RepositoryName::new(name).unwrap()
}

struct World {
    fake: Fake,
    state: Arc<State>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn of(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let clock = Arc::new(Clock::start());
        let (state, folder) = kept(Arc::clone(&clock));
        let metrics = Arc::new(Metrics::new());
        Self { fake: Fake::start(script).await, state, clock, metrics, _folder: folder }
    }

    fn crawl(&self, pace: Pace, holder: &str) -> Crawl {
        Crawl::new(
            Arc::clone(&self.state),
            Arc::new(self.fake.upstream()),
            Arc::clone(&self.clock),
            Arc::clone(&self.metrics),
            pace,
            holder.to_owned(),
        )
    }

    /// What is known of a repository, without times: tags, what is gone, and manifests.
    async fn known(&self, name: &str) -> Vec<String> {
        let name = repository(name);
        let of = self.state.ask(move |store| async move { store.lessons_of(&name).await });
        let mut known: Vec<_> = of.await.unwrap().lessons.iter().map(told).collect();
        known.sort();
        known
    }

    async fn extent(&self) -> Extent {
        self.state.ask(|store| async move { store.extent().await }).await.unwrap()
    }
}

fn told(lesson: &Lesson) -> String {
    match lesson {
        Lesson::Tag { tag, digest, .. } => points(tag.as_str(), digest),
        Lesson::NoTag { tag, deleted, .. } => format!("no {tag} {deleted}"),
        Lesson::Manifest { digest, facts } => format!("{digest} {facts:?}"),
        other => panic!("{other:?}"),
    }
}

fn points(tag: &str, digest: &Digest) -> String {
    format!("{tag} {digest}")
}

fn says(sample: &Sample) -> String {
    format!("{} {:?}", sample.digest, Facts::from(&sample.manifest))
}

fn sorted(mut expected: Vec<String>) -> Vec<String> {
    expected.sort();
    expected
}

#[tokio::test]
async fn all_that_the_upstream_holds_is_found_one_request_after_the_other() {
    let (one, two) = (image("1", &["base"]), image("2", &["base"]));
    let list = index(&[&one, &two]);
    let note = signature("signed", Some(&list.digest));
    let fallback = index(&[&note]);
    let fallback_tag = list.digest.to_string().replace(':', "-");
    let shelf = Shelf::default()
        .tagged("team/app", "v1", &list)
        .tagged("team/app", "latest", &list)
        .tagged("team/app", &fallback_tag, &fallback)
        .tagged("team/web", "v1", &two)
        .untagged("team/app", &one)
        .untagged("team/app", &two)
        .untagged("team/app", &note);
    let world = World::of(move |asked| shelf.answer(asked)).await;
    let mut crawl = world.crawl(QUICK, "one");
    crawl.pass().await.unwrap();
    let expected = [
        points("v1", &list.digest),
        points("latest", &list.digest),
        points(&fallback_tag, &fallback.digest),
        says(&list),
        says(&one),
        says(&two),
        says(&fallback),
        says(&note),
    ];
    assert_eq!(world.known("team/app").await, sorted(expected.to_vec()));
    let expected = [points("v1", &two.digest), says(&two)];
    assert_eq!(world.known("team/web").await, sorted(expected.to_vec()));
    let extent = Extent { repositories: 2, tags: 4, manifests: 6 };
    assert_eq!(world.extent().await, extent);
    assert_eq!(world.fake.connections(), 1);
    // The catalogue, two lists, four tags, six manifests.
    assert_eq!(world.fake.lines().len(), 13, "{:?}", world.fake.lines());
    let metrics = world.metrics.encode();
    for line in ["inventory_repositories 2", "inventory_tags 4", "inventory_manifests 6"] {
        assert!(metrics.contains(&format!("portcullis_{line}\n")), "{metrics}");
    }
    assert!(!metrics.contains("portcullis_inventory_crawled_timestamp_seconds 0\n"));

    // The next pass is not due, and when it is, what is known is not read again.
    crawl.pass().await.unwrap();
    assert_eq!(world.fake.lines().len(), 13);
    world.crawl(RESTLESS, "one").pass().await.unwrap();
    let lines = world.fake.lines();
    let manifests = lines[13..].iter().filter(|line| line.contains("manifests/sha256:"));
    assert_eq!((lines.len(), manifests.count()), (20, 0), "{lines:?}");
}

#[tokio::test]
async fn a_tag_that_vanished_is_told_and_what_it_pointed_at_lingers() {
    let (old, new) = (image("old", &[]), image("new", &[]));
    let shelves = [
        Shelf::default().tagged("a", "gone", &old).tagged("a", "moved", &old),
        Shelf::default().tagged("a", "moved", &new),
        Shelf::default(),
    ];
    let at = Arc::new(AtomicUsize::new(0));
    let now = Arc::clone(&at);
    let world = World::of(move |asked| shelves[now.load(Ordering::SeqCst)].answer(asked)).await;
    let mut crawl = world.crawl(RESTLESS, "one");
    crawl.pass().await.unwrap();
    at.store(1, Ordering::SeqCst);
    // A pass begins later than what the one before saw.
    sleep(Duration::from_millis(2)).await;
    crawl.pass().await.unwrap();
    let mut expected = vec![
        points("gone", &old.digest),
        "no gone false".to_owned(),
        points("moved", &old.digest),
        points("moved", &new.digest),
        says(&old),
        says(&new),
    ];
    assert_eq!(world.known("a").await, sorted(expected.clone()));
    assert_eq!(world.extent().await.tags, 1);
    // The repository is gone, and its name from the catalogue.
    at.store(2, Ordering::SeqCst);
    sleep(Duration::from_millis(2)).await;
    crawl.pass().await.unwrap();
    expected.push("no moved false".to_owned());
    assert_eq!(world.known("a").await, sorted(expected));
    assert_eq!(world.extent().await.tags, 0);
}

#[tokio::test]
async fn without_a_catalogue_the_repositories_are_crawled_that_are_known() {
    let app = image("1", &[]);
    let shelf = Shelf::default().tagged("a", "v1", &app).tagged("b", "v1", &app);
    let world = World::of(move |asked| match asked.target.starts_with("/v2/_catalog") {
        true => Reply::new(404, ""),
        false => shelf.answer(asked),
    })
    .await;
    let seen = Lesson::Manifest {
        digest: blob("other"),
        facts: Arc::new(Facts::from(&image("other", &[]).manifest)),
    };
    let seen = [(repository("a"), seen)];
    let learn = |store: Arc<dyn crate::store::Store>| async move {
        store.learn(&seen, Timestamp::now()).await
    };
    world.state.ask(learn).await.unwrap();
    world.crawl(QUICK, "one").pass().await.unwrap();
    assert_eq!(world.known("a").await.len(), 3);
    assert_eq!(world.known("b").await.len(), 0);
}

#[tokio::test]
async fn a_catalogue_of_several_pages_is_read_to_its_end() {
    let world = World::of(|asked| match asked.target.as_str() {
        "/v2/_catalog?n=1000" => Reply::new(200, r#"{"repositories":["a","Not a name"]}"#)
            .with("link", r#"</v2/_catalog?n=1000&last=a>; rel="next""#),
        "/v2/_catalog?n=1000&last=a" => Reply::new(200, r#"{"repositories":["b"]}"#),
        _ => Reply::new(404, ""),
    })
    .await;
    world.crawl(QUICK, "one").pass().await.unwrap();
    assert_eq!(world.extent().await.repositories, 2);
}

/// Answers so many requests, and then that it has too much to do.
fn tired(shelf: Shelf, answers: usize) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    let left = AtomicUsize::new(answers);
    move |asked| {
        let less =
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match less {
            Ok(_) => shelf.answer(asked),
            Err(_) => {
                left.store(answers, Ordering::SeqCst);
                Reply::new(429, "").with("retry-after", 7)
            }
        }
    }
}

#[tokio::test]
async fn what_was_found_is_not_asked_for_again_after_a_restart() {
    let samples: Vec<_> = (0..30).map(|number| image(&number.to_string(), &[])).collect();
    let mut shelf = Shelf::default();
    for (number, sample) in samples.iter().enumerate() {
        shelf = shelf.tagged("team/app", &format!("v{number}"), sample);
    }
    let world = World::of(tired(shelf, 20)).await;
    let mut halts = 0;
    // Each of them is another process.
    while let Err(halt) = world.crawl(QUICK, "one").pass().await {
        assert!(matches!(halt, Halt::Upstream(_)), "{halt}");
        halts += 1;
        assert!(halts < 20);
    }
    assert_eq!(world.extent().await, Extent { repositories: 1, tags: 30, manifests: 30 });
    let mut asked = world.fake.lines();
    asked.retain(|line| line.contains("/manifests/"));
    asked.sort();
    let all = asked.len();
    asked.dedup();
    assert_eq!(asked.len(), 60);
    // Only the one that was refused is asked for again.
    assert!(halts >= 3 && all <= 60 + halts, "{halts} halts, {all} requests");
}

#[tokio::test]
async fn after_failures_it_waits_longer_and_as_long_as_it_is_told_to() {
    let world = World::of(tired(Shelf::default(), 0)).await;
    let mut crawl = world.crawl(QUICK, "one");
    let halt = crawl.pass().await.unwrap_err();
    assert_eq!(crawl.back_off(&halt), Duration::from_secs(7));
    let other = Halt::Upstream(upstream::Error::Wrong(String::new()));
    let waits: Vec<_> = (0..3).map(|_| crawl.back_off(&other).as_millis()).collect();
    assert_eq!(waits, [20, 40, 80]);
    crawl.pace.back_off = LONGEST;
    assert_eq!(crawl.back_off(&other), LONGEST);
}

#[tokio::test]
async fn a_repository_that_always_fails_does_not_keep_it_from_the_others() {
    let app = image("1", &[]);
    let shelf = Shelf::default().tagged("bad", "v1", &app).tagged("good", "v1", &app);
    let world = World::of(move |asked| match asked.target.starts_with("/v2/bad/") {
        true => Reply::new(500, ""),
        false => shelf.answer(asked),
    })
    .await;
    let mut crawl = world.crawl(QUICK, "one");
    for _ in 1..TRIES {
        assert!(crawl.pass().await.is_err());
    }
    crawl.pass().await.unwrap();
    assert_eq!(world.known("good").await.len(), 2);
}

#[tokio::test]
async fn one_replica_crawls_and_another_goes_on_when_it_stops() {
    let app = image("1", &[]);
    let shelf = Shelf::default().tagged("a", "v1", &app);
    let world = World::of(move |asked| shelf.answer(asked)).await;
    let mut one = world.crawl(RESTLESS, "one");
    let mut other = world.crawl(RESTLESS, "other");
    one.pass().await.unwrap();
    let asked = world.fake.lines().len();
    assert!(matches!(other.pass().await, Err(Halt::Elsewhere)));
    assert_eq!(world.fake.lines().len(), asked);
    let (stop, stopped) = watch::channel(true);
    one.run(stopped).await;
    drop(stop);
    other.pass().await.unwrap();
    assert!(world.fake.lines().len() > asked);
}

#[tokio::test]
async fn it_may_run_beside_other_work_and_keeps_its_pace() {
    let app = image("1", &[]);
    let mut shelf = Shelf::default();
    for number in 0..10 {
        shelf = shelf.tagged("a", &format!("v{number}"), &app);
    }
    let world = World::of(move |asked| shelf.answer(asked)).await;
    let pause = Duration::from_millis(20);
    let began = Instant::now();
    let (stop, stopped) = watch::channel(false);
    let crawl = world.crawl(Pace { pause, ..QUICK }, "one");
    let running = tokio::spawn(crawl.run(stopped));
    while world.extent().await.tags < 10 {
        sleep(Duration::from_millis(5)).await;
    }
    // The catalogue, the list, ten tags and a manifest.
    assert!(began.elapsed() >= 12 * pause);
    stop.send_replace(true);
    running.await.unwrap();
}
