//! Looks into images in the background, for what they say of themselves.
//!
//! It asks the registry for the configuration of each image once, one after the other, and writes
//! down what stands there, so that people find images by their labels. Of several replicas one does
//! it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oci::Digest;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Description;
use crate::clock::Clock;
use crate::inventory::fetch_blob;
use crate::log::Causes;
use crate::state::{State, told_to};
use crate::store::{StoreError, Undescribed};
use crate::upstream::{self, Upstream};

/// What one replica at a time does.
const WORK: &str = "describe";

/// How long another replica waits for one that is gone.
const LEASE: Duration = Duration::from_secs(120);

/// How many images are looked into before it is written down. Well within a lease.
const PIECE: u32 = 50;

/// More than any image's configuration has, in bytes.
const MAX_CONFIG: usize = 4 << 20;

/// The most of an image's labels that is kept, in bytes.
const MAX_LABELS: usize = 16 << 10;

/// Longer than any platform is called, in bytes.
const MAX_PLATFORM: usize = 100;

/// How many failures of a piece are enough to wait.
const FAILURES: usize = 5;

/// The longest wait after failures.
const LONGEST: Duration = Duration::from_secs(600);

/// How gentle it is.
#[derive(Debug, Clone, Copy)]
pub struct DescribingPace {
    /// Between two requests; it waits as long as a request took, too.
    pub pause: Duration,
    /// Between two looks whether there is something to do, unless something is learned before.
    pub idle: Duration,
    /// After the first failure; after each further one twice as long.
    pub back_off: Duration,
}

impl Default for DescribingPace {
    fn default() -> Self {
        Self {
            pause: Duration::from_millis(20),
            idle: Duration::from_secs(60),
            back_off: Duration::from_secs(5),
        }
    }
}

/// Why it does not go on.
#[derive(Debug, thiserror::Error)]
enum Halt {
    #[error("the upstream does not answer as it should")]
    Upstream(#[from] upstream::Error),
    #[error(transparent)]
    State(#[from] StoreError),
    #[error("another replica looks into images")]
    Elsewhere,
}

/// Whoever looks into images.
pub struct Describing {
    /// Where it is written down.
    pub state: Arc<State>,
    /// Where images are.
    pub upstream: Arc<Upstream>,
    /// The time.
    pub clock: Arc<Clock>,
    /// How gentle it is.
    pub pace: DescribingPace,
    /// This replica's name, different from those of others.
    pub holder: String,
}

impl Describing {
    /// Looks into images until `stop` is told.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = told_to(&mut stop) => {}
            () = self.go_on() => {}
        }
        let now = self.clock.now();
        // Others wait until the lease ends otherwise.
        if let Err(error) = self.lease(now, now).await {
            tracing::debug!(error = %Causes(&error), "the lease could not be let go");
        }
    }

    async fn go_on(&self) {
        let mut lessons = self.state.last_lesson();
        let mut failures: u32 = 0;
        loop {
            lessons.mark_unchanged();
            let wait = match self.pass().await {
                Ok(()) | Err(Halt::Elsewhere) => {
                    failures = 0;
                    Duration::ZERO
                }
                Err(halt) => {
                    let wait = self.pace.back_off.saturating_mul(1 << failures.min(10));
                    failures += 1;
                    tracing::debug!(reason = %Causes(&halt), "looking into images waits");
                    wait.min(LONGEST)
                }
            };
            sleep(wait).await;
            // Several come at once; and it is no haste.
            sleep(self.pace.pause).await;
            // Either is reason enough to look.
            let _ = timeout(self.pace.idle, lessons.changed()).await;
        }
    }

    /// Looks into all that nobody has looked into.
    async fn pass(&self) -> Result<(), Halt> {
        loop {
            let missing = self.state.ask(|store| async move { store.undescribed(PIECE).await });
            let missing = missing.await?;
            if missing.is_empty() {
                return Ok(());
            }
            let now = self.clock.now();
            if !self.lease(now, now.saturating_add(LEASE).unwrap_or(now)).await? {
                return Err(Halt::Elsewhere);
            }
            let (mut described, mut failed) = (Vec::new(), Vec::new());
            let mut seen = HashSet::new();
            for image in &missing {
                // The same bytes may be in several repositories.
                if !seen.insert(&image.digest) {
                    continue;
                }
                match self.describe(image).await {
                    Ok(description) => described.push((image.digest.clone(), description)),
                    // The next one may fare better.
                    Err(error) => failed.push(error),
                }
                if failed.len() == FAILURES {
                    break;
                }
            }
            self.state.ask(move |store| async move { store.describe(&described).await }).await?;
            if let Some(error) = failed.pop() {
                return Err(error.into());
            }
        }
    }

    /// What an image says; nothing where nothing can be read, as that does not change.
    async fn describe(&self, image: &Undescribed) -> Result<Description, upstream::Error> {
        let Some(config) = config(image) else { return Ok(Description::default()) };
        let began = tokio::time::Instant::now();
        let bytes = fetch_blob(&self.upstream, &image.repository, config, MAX_CONFIG).await;
        sleep(self.pace.pause.max(began.elapsed())).await;
        match bytes {
            Ok(bytes) => Ok(bytes.map_or_else(Description::default, |bytes| read(&bytes))),
            Err(error) if is_of_the_image(&error) => {
                let (repository, digest) = (&image.repository, &image.digest);
                let error = Causes(&error);
                tracing::debug!(%repository, %digest, %error, "an image says nothing of itself");
                Ok(Description::default())
            }
            Err(error) => Err(error),
        }
    }

    async fn lease(&self, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let holder = self.holder.clone();
        self.state
            .ask(move |store| async move { store.lease(WORK, &holder, now, until).await })
            .await
    }
}

/// Its configuration, which stands before the layers.
fn config(image: &Undescribed) -> Option<&Digest> {
    let facts = &image.facts;
    facts.blobs.first().filter(|_| !facts.is_index && !facts.is_artifact)
}

/// Whether it goes on like that for this image, however often it is asked for.
fn is_of_the_image(error: &upstream::Error) -> bool {
    use upstream::Error;
    matches!(error, Error::Wrong(_) | Error::Body(_) | Error::Redirect(_))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Written {
    created: serde_json::Value,
    os: serde_json::Value,
    architecture: serde_json::Value,
    variant: serde_json::Value,
    config: serde_json::Value,
}

/// What stands in a configuration. What is of another type than it should be is passed over.
fn read(bytes: &[u8]) -> Description {
    let Ok(Written { created, os, architecture, variant, config }) = serde_json::from_slice(bytes)
    else {
        return Description::default();
    };
    let mut left = MAX_LABELS;
    let mut labels = BTreeMap::new();
    let written = config.get("Labels").and_then(|labels| labels.as_object());
    for (key, value) in written.into_iter().flatten() {
        let Some(value) = value.as_str() else { continue };
        let Some(rest) = left.checked_sub(key.len() + value.len()) else { continue };
        left = rest;
        labels.insert(key.clone(), value.to_owned());
    }
    let created_at = created.as_str().and_then(|created| created.parse().ok());
    let platform = [os, architecture, variant];
    let platform: Vec<_> = platform.iter().filter_map(|part| part.as_str()).collect();
    let platform =
        platform.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    let platform = Some(platform).filter(|it| !it.is_empty() && it.len() <= MAX_PLATFORM);
    Description { created_at, platform, labels }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::content::digest as digest_of;
    use crate::content::samples::{image_with, index};
    use crate::inventory::Lesson;
    use crate::state::sample::kept;
    use crate::upstream::fake::{Asked, Fake, Reply};

    const QUICK: DescribingPace = DescribingPace {
        pause: Duration::ZERO,
        idle: Duration::from_secs(3600),
        back_off: Duration::from_millis(10),
    };

    fn label(name: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_configuration_tells_time_and_labels() {
        let config = json!({
            "created": "2026-01-02T03:04:05.678Z", "os": "linux", "architecture": "arm", "variant": "v7",
            "config": {"Labels": {"a": "b", "number": 1}, "Cmd": ["x"]},
        });
        let description = read(config.to_string().as_bytes());
        assert_eq!(description.created_at, "2026-01-02T03:04:05.678Z".parse().ok());
        assert_eq!(description.platform.as_deref(), Some("linux/arm/v7"));
        assert_eq!(description.labels, label("a", "b"));
    }

    #[test]
    fn what_is_something_else_says_nothing() {
        for text in ["", "[]", "7", r#"{"created": 7}"#, r#"{"config": []}"#, r#"{"config": null}"#]
        {
            assert_eq!(read(text.as_bytes()), Description::default(), "{text}");
        }
    }

    #[test]
    fn labels_without_end_are_cut() {
        let long = "x".repeat(MAX_LABELS);
        let config = json!({"config": {"Labels": {"a": long, "b": "short"}}});
        assert_eq!(read(config.to_string().as_bytes()).labels, label("b", "short"));
    }

    #[tokio::test]
    async fn each_image_is_looked_into_once_and_what_it_says_is_told() {
        let config = json!({"config": {"Labels": {"team": "payments"}}}).to_string();
        let of_config = digest_of(oci::Algorithm::Sha256, config.as_bytes());
        let (image, gone) = (
            image_with(&of_config, &["layer"]),
            crate::content::samples::image("gone", &["layer"]),
        );
        let both = index(&[&image, &gone]);
        let path = format!("/v2/team/app/blobs/{of_config}");
        let fake = Fake::start(move |asked: &Asked| match asked.target == path {
            true => Reply::new(200, config.clone()),
            false => Reply::new(404, r#"{"errors":[]}"#),
        })
        .await;
        let clock = Arc::new(Clock::start());
        let (state, _folder) = kept(Arc::clone(&clock));
        let name: oci::RepositoryName = "team/app".parse().unwrap();
        let lessons: Vec<_> = [&image, &gone, &both]
            .map(|sample| {
                let facts = Arc::new((&sample.manifest).into());
                (name.clone(), Lesson::Manifest { digest: sample.digest.clone(), facts })
            })
            .into();
        let now = clock.now();
        let learned = lessons.clone();
        state.ask(move |store| async move { store.learn(&learned, now).await }).await.unwrap();
        let describing = Describing {
            state: Arc::clone(&state),
            upstream: Arc::new(fake.upstream()),
            clock,
            pace: QUICK,
            holder: "one".to_owned(),
        };
        describing.pass().await.unwrap();
        let asked = fake.asked().len();
        describing.pass().await.unwrap();
        assert_eq!(fake.asked().len(), asked, "nothing is left to look into");
        let digests = [&image, &gone, &both].map(|sample| sample.digest.clone());
        let wanted = digests.clone();
        let briefs = state.ask(move |store| async move { store.briefs_of(&wanted).await });
        let briefs = briefs.await.unwrap();
        let labels = digests.map(|digest| briefs[&digest].description.clone().unwrap().labels);
        assert_eq!(labels, [label("team", "payments"), BTreeMap::new(), BTreeMap::new()]);
        // What another replica has is left to it.
        let other = Describing { holder: "two".to_owned(), ..describing };
        let more = crate::content::samples::image("more", &[]);
        let facts = Arc::new((&more.manifest).into());
        let lesson = [(name, Lesson::Manifest { digest: more.digest, facts })];
        state.ask(move |store| async move { store.learn(&lesson, now).await }).await.unwrap();
        assert!(matches!(other.pass().await, Err(Halt::Elsewhere)));
    }

    #[tokio::test]
    async fn a_registry_that_fails_is_asked_again_later() {
        let fake = Fake::start(|_: &Asked| Reply::new(503, "busy")).await;
        let clock = Arc::new(Clock::start());
        let (state, _folder) = kept(Arc::clone(&clock));
        let image = crate::content::samples::image("config", &["layer"]);
        let facts = Arc::new((&image.manifest).into());
        let lesson =
            [("team/app".parse().unwrap(), Lesson::Manifest { digest: image.digest, facts })];
        let now = clock.now();
        state.ask(move |store| async move { store.learn(&lesson, now).await }).await.unwrap();
        let describing = Describing {
            state: Arc::clone(&state),
            upstream: Arc::new(fake.upstream()),
            clock,
            pace: QUICK,
            holder: "one".to_owned(),
        };
        assert!(matches!(describing.pass().await, Err(Halt::Upstream(_))));
        let left = state.ask(|store| async move { store.undescribed(10).await }).await.unwrap();
        assert_eq!(left.len(), 1);
    }
}
