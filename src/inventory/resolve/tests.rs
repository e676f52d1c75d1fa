use std::collections::HashSet;
use std::sync::Mutex;
use std::thread;

use serde_json::json;

use super::*;
use crate::content::samples::{Sample, blob, image, index, signature};
use crate::inventory::{Forgetful, Settings};
use crate::metrics::Metrics;
use crate::upstream::Error;
use crate::upstream::fake::{Asked, Fake, Reply, Shelf};

mod bounds;
mod flights;
mod untagged;

const APP: &str = "team/app";

/// A registry that may change, and an inventory that knows nothing of it yet.
struct World {
    inventory: Inventory,
    metrics: Arc<Metrics>,
    shelf: Arc<Mutex<Shelf>>,
    fake: Fake,
    upstream: Arc<Upstream>,
    now: Timestamp,
}

impl World {
    async fn new(shelf: Shelf) -> Self {
        Self::with(Settings::default(), shelf, |_, reply| reply).await
    }

    /// What the shelf says is changed by `script`.
    async fn with(
        settings: Settings,
        shelf: Shelf,
        script: impl Fn(&Asked, Reply) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let shelf = Arc::new(Mutex::new(shelf));
        let shown = Arc::clone(&shelf);
        let fake =
            Fake::start(move |asked| script(asked, shown.lock().unwrap().answer(asked))).await;
        let metrics = Arc::new(Metrics::new());
        let inventory =
            Inventory::with_metrics(settings, Arc::new(Forgetful), Arc::clone(&metrics));
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        let upstream = Arc::new(fake.upstream());
        Self { inventory, metrics, shelf, fake, upstream, now }
    }

    async fn asks(
        &self,
        digest: &Digest,
        sight: impl Fn(&Tag) -> Sight + Send + Sync,
        includes_untagged: bool,
    ) -> Result<bool, Undecided> {
        let budget = Arc::new(Budget::new(self.inventory.settings().max_requests));
        let sought = Sought {
            upstream: &self.upstream,
            repository: &repository(),
            digest,
            looks_at_it: true,
            budget: &budget,
            now: self.now,
        };
        self.inventory.resolve(sought, View { sight: &sight, includes_untagged }).await
    }

    /// Whether it is readable to who may read the tags `v*`, and nothing else speaks of any.
    async fn reads(&self, digest: &Digest) -> bool {
        self.asks(digest, versions, false).await.unwrap()
    }

    /// What the upstream was asked since the last time.
    fn lines(&self, before: &mut usize) -> Vec<String> {
        let lines = self.fake.lines().split_off(*before);
        *before += lines.len();
        lines.into_iter().map(|line| line.replace("/v2/team/app/", "")).collect()
    }

    fn change(&self, change: impl FnOnce(Shelf) -> Shelf) {
        let mut shelf = self.shelf.lock().unwrap();
        *shelf = change(std::mem::take(&mut shelf));
    }

    fn later(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn counted(&self, result: &str) -> bool {
        let line = format!("portcullis_inventory_lookups_total{{result=\"{result}\"}} ");
        self.metrics.encode().contains(&line)
    }
}

fn repository() -> RepositoryName {
    RepositoryName::new(APP).unwrap()
}

fn versions(tag: &Tag) -> Sight {
    if tag.as_str().starts_with('v') { Sight::Open } else { Sight::Silent }
}

/// So many images, each with a tag of its own: `v0`, `v1` and so on.
fn many_versions(count: usize) -> (Shelf, Vec<Sample>) {
    let images: Vec<_> = (0..count)
        .map(|number| image(&format!("config {number}"), &["base", &format!("layer {number}")]))
        .collect();
    let shelf = images.iter().enumerate().fold(Shelf::default(), |shelf, (number, image)| {
        shelf.tagged(APP, &format!("v{number}"), image)
    });
    (shelf, images)
}

fn fallback(image: &Sample) -> String {
    format!("{}.sig", image.digest.to_string().replace(':', "-"))
}

#[tokio::test]
async fn what_an_open_tag_holds_is_found() {
    let (amd, arm) = (image("amd", &["base", "amd layer"]), image("arm", &["base"]));
    let (both, dev) = (index(&[&amd, &arm]), image("dev", &["base", "dev layer"]));
    let shelf = Shelf::default()
        .tagged(APP, "v1", &both)
        .untagged(APP, &amd)
        .untagged(APP, &arm)
        .tagged(APP, "dev", &dev)
        .untagged(APP, &image("loose", &["loose layer"]));
    for readable in [&both.digest, &amd.digest, &blob("amd layer"), &blob("base")] {
        assert!(World::new(shelf.clone()).await.reads(readable).await, "{readable}");
    }
    let world = World::new(shelf).await;
    let hidden = [
        &dev.digest,
        &blob("dev layer"),
        &image("loose", &["loose layer"]).digest,
        &blob("loose layer"),
        &blob("nothing"),
    ];
    for hidden in hidden {
        assert!(!world.reads(hidden).await, "{hidden}");
    }
    assert!(world.reads(&amd.digest).await, "it stays known");
    assert!(world.counted("found") && world.counted("denied"));
}

#[tokio::test]
async fn a_refusal_costs_the_same_whether_it_is_there() {
    let dev = image("dev", &["dev layer"]);
    let (shelf, _) = many_versions(5);
    let shelf = shelf.tagged(APP, "dev", &dev).untagged(APP, &image("loose", &[]));
    let mut costs = HashSet::new();
    let digests = [&dev.digest, &blob("dev layer"), &image("loose", &[]).digest, &blob("nothing")];
    for digest in digests {
        let mut world = World::new(shelf.clone()).await;
        let mut cost = Vec::new();
        let mut seen = 0;
        // Cold, again, and when it is no longer fresh.
        for later in [0, 0, 28, 3] {
            world.later(later);
            assert!(!world.reads(digest).await);
            let lines = world.lines(&mut seen).into_iter();
            let mut lines: Vec<_> = lines
                .map(|line| match line.split_once("/sha256:") {
                    Some((before, it)) if digest.to_string().ends_with(it) => {
                        format!("{before}/IT")
                    }
                    Some((before, _)) => format!("{before}/OTHER"),
                    None => line,
                })
                .collect();
            lines.sort_unstable();
            cost.push(lines.join("\n"));
        }
        costs.insert(cost);
    }
    assert_eq!(costs.len(), 1, "{costs:#?}");
    let cost = costs.into_iter().next().unwrap();
    let counts: Vec<_> = cost.iter().map(|lines| lines.lines().count()).collect();
    // The list, the digest itself, five tags, and one question for referrers.
    assert_eq!(counts, [8, 0, 0, 8]);
}

#[tokio::test]
async fn tags_that_held_it_come_first_then_unknown_ones_then_stale_ones() {
    let (shelf, images) = many_versions(40);
    let mut world = World::new(shelf).await;
    let mut seen = 0;
    assert!(!world.reads(&blob("nothing")).await);
    world.lines(&mut seen);
    world.later(25 * 3600);
    // It moved away and came back: nobody saw that.
    assert!(world.reads(&images[7].digest).await);
    assert_eq!(world.lines(&mut seen), ["GET tags/list", "HEAD manifests/v7"]);
    // A new tag is looked at before all that are known.
    let new = image("new", &["new layer"]);
    world.later(31);
    world.change(|shelf| shelf.tagged(APP, "v-new", &new));
    assert!(world.reads(&blob("new layer")).await);
    let lines = world.lines(&mut seen);
    assert_eq!(lines[0], "GET tags/list");
    assert_eq!(lines[1], format!("GET manifests/{}", blob("new layer")));
    let at = lines.iter().position(|line| line == "GET manifests/v-new").unwrap();
    // Some others are under way at the same time.
    assert!(at < 2 + 8, "{lines:#?}");
    assert!(lines.len() < 2 + 2 * 8, "{lines:#?}");
}

#[tokio::test]
async fn a_tag_that_moved_outside_is_found_and_what_it_held_lingers() {
    let (old, new) = (image("old", &["old layer"]), image("new", &["new layer"]));
    let mut world = World::new(Shelf::default().tagged(APP, "v1", &old)).await;
    assert!(world.reads(&blob("old layer")).await);
    world.change(|_| Shelf::default().tagged(APP, "v1", &new));
    assert!(!world.reads(&blob("new layer")).await, "v1 was looked at just now");
    world.later(31);
    assert!(world.reads(&blob("new layer")).await);
    assert!(world.reads(&blob("old layer")).await);
    world.later(24 * 3600);
    assert!(world.reads(&blob("new layer")).await);
    assert!(!world.reads(&blob("old layer")).await);
    world.change(|_| Shelf::default());
    world.later(31);
    assert!(world.reads(&blob("new layer")).await, "the tag is gone, and lingers");
}

#[tokio::test]
async fn pinned_digests_are_found_among_a_thousand_tags_in_a_bounded_number_of_requests() {
    let (shelf, images) = many_versions(1000);
    let world = World::new(shelf).await;
    assert!(world.reads(&images[567].digest).await);
    let asked = world.fake.asked().len();
    assert!(asked <= 1002, "{asked}");
    assert!(world.fake.connections() <= 8, "{}", world.fake.connections());
    // The whole of it was not worth more either.
    assert!(!world.reads(&blob("nothing")).await);
    let asked = world.fake.asked().len();
    assert!(asked <= 1005, "{asked}");
}

#[tokio::test]
async fn an_artifact_is_found_by_its_subject_by_its_fallback_tag_and_by_the_list_of_referrers() {
    let (app, dev) = (image("app", &[]), image("dev", &[]));
    let about = signature("about", Some(&app.digest));
    let of_dev = signature("of dev", Some(&dev.digest));
    let cosigned = signature("cosigned", None);
    let of_cosigned = signature("of cosigned", None);
    let shelf = Shelf::default()
        .tagged(APP, "v1", &app)
        .tagged(APP, "dev", &dev)
        .untagged(APP, &about)
        .untagged(APP, &of_dev)
        .tagged(APP, &fallback(&app), &cosigned)
        .tagged(APP, &fallback(&cosigned), &of_cosigned);
    for readable in [&about.digest, &cosigned.digest, &blob("cosigned"), &blob("of cosigned")] {
        assert!(World::new(shelf.clone()).await.reads(readable).await, "{readable}");
    }
    let world = World::new(shelf.clone()).await;
    for hidden in [&of_dev.digest, &blob("of dev"), &blob("about")] {
        assert!(!world.reads(hidden).await, "{hidden}");
    }
    assert!(world.reads(&about.digest).await);
    assert!(world.reads(&blob("about")).await, "it is known by now");
    let of_about = signature("of about", Some(&about.digest));
    let shelf = shelf.untagged(APP, &of_about);
    let listed = [(app.digest.clone(), about.clone()), (about.digest.clone(), of_about.clone())];
    let world = World::with(Settings::default(), shelf, move |asked, reply| {
        let Some((_, subject)) = asked.target.split_once("/referrers/") else { return reply };
        let referrers = listed.iter().filter(|(about, _)| about.to_string() == subject);
        let referrers: Vec<_> = referrers
            .map(|(_, artifact)| json!({ "digest": artifact.digest.to_string() }))
            .collect();
        Reply::new(200, json!({ "manifests": referrers }).to_string())
    })
    .await;
    assert!(world.reads(&blob("about")).await);
    assert!(world.reads(&blob("of about")).await);
    assert!(!world.reads(&blob("of dev")).await);
}

#[tokio::test]
async fn an_artifact_of_artifacts_is_found_where_no_list_names_them() {
    let (app, dev) = (image("app", &[]), image("dev", &[]));
    let one = signature("one", Some(&app.digest));
    let two = signature("two", Some(&one.digest));
    let three = signature("three", Some(&two.digest));
    let secret = signature("secret", Some(&dev.digest));
    let of_secret = signature("of secret", Some(&secret.digest));
    let shelf = [&one, &two, &three, &secret, &of_secret]
        .into_iter()
        .fold(Shelf::default(), |shelf, artifact| shelf.untagged(APP, artifact))
        .tagged(APP, "v1", &app)
        .tagged(APP, "dev", &dev);
    assert!(World::new(shelf.clone()).await.reads(&three.digest).await);
    assert!(!World::new(shelf.clone()).await.reads(&of_secret.digest).await);
    // A tag leads to the one, and from there on to the other.
    let world = World::new(shelf.tagged(APP, "v2", &three)).await;
    assert!(world.reads(&blob("one")).await);
    assert!(!world.reads(&blob("secret")).await);
}

#[tokio::test]
async fn what_a_closed_fallback_tag_points_at_is_not_found() {
    let (app, cosigned) = (image("app", &[]), signature("cosigned", None));
    let shelf = Shelf::default().tagged(APP, "v1", &app).tagged(APP, &fallback(&app), &cosigned);
    let world = World::new(shelf).await;
    let sight = |tag: &Tag| if tag.as_str() == "v1" { Sight::Open } else { Sight::Closed };
    assert!(!world.asks(&cosigned.digest, sight, false).await.unwrap());
    assert!(world.reads(&cosigned.digest).await);
}

#[tokio::test]
async fn a_list_names_what_is_gone_and_that_is_no_failure() {
    let app = image("app", &["layer"]);
    let shelf = Shelf::default().tagged(APP, "v1", &app).tagged(APP, "v2", &app);
    let gone = index(&[&image("gone", &[]), &app]);
    let shelf = shelf.tagged(APP, "v3", &gone);
    let world = World::with(Settings::default(), shelf, |asked, reply| {
        match asked.target.ends_with("/v1") {
            true => Reply::new(404, "{}"),
            false => reply,
        }
    })
    .await;
    assert!(world.reads(&blob("layer")).await);
    assert!(!world.reads(&blob("nothing")).await);
    assert!(world.reads(&image("gone", &[]).digest).await, "the index names it");
}

#[tokio::test]
async fn a_repository_that_is_not_there_has_nothing_in_it() {
    let world = World::new(Shelf::default()).await;
    assert!(!world.reads(&blob("x")).await);
    assert_eq!(world.fake.asked().len(), 2);
}

#[tokio::test]
async fn what_a_tag_points_at_now_is_found_although_nothing_lingers() {
    let (app, arm) = (image("app", &["layer"]), image("arm", &["arm layer"]));
    let (both, dev) = (index(&[&app, &arm]), image("dev", &["dev layer"]));
    let cosigned = signature("cosigned", None);
    let shelf = Shelf::default()
        .tagged(APP, "v1", &both)
        .untagged(APP, &app)
        .untagged(APP, &arm)
        .tagged(APP, "dev", &dev)
        .tagged(APP, &fallback(&both), &cosigned);
    let settings = Settings { linger: Duration::ZERO, ..Settings::default() };
    for readable in [&both.digest, &blob("arm layer"), &cosigned.digest, &blob("cosigned")] {
        let mut world = World::with(settings, shelf.clone(), |asked, reply| {
            // What is found first is old when the last is found.
            if asked.target.contains("/manifests/") {
                thread::sleep(Duration::from_millis(2));
            }
            reply
        })
        .await;
        for _ in 0..2 {
            assert!(world.reads(readable).await, "{readable}");
            assert!(!world.reads(&blob("dev layer")).await);
            world.later(1);
        }
        // Nor does it linger once it is seen to be gone.
        world.change(|_| Shelf::default().tagged(APP, "v1", &dev));
        world.later(31);
        assert!(!world.reads(readable).await, "{readable}");
        assert!(world.reads(&blob("dev layer")).await);
    }
}
