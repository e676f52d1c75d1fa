//! A gentle look at all that the upstream holds, in the background.
//!
//! It goes on for ever and slowly: one request at a time, with pauses. A pass reads the catalogue,
//! then looks at each repository. How far it got is in the state, so a restart costs nothing but the
//! few requests whose answers were not written down; and of several replicas one crawls, as long as
//! it holds a lease. What it finds goes to the state, from where every replica takes it over.

mod catalogue;
mod repository;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use oci::RepositoryName;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Lesson;
use crate::clock::Clock;
use crate::log::Causes;
use crate::metrics::Metrics;
use crate::state::{State, told_to};
use crate::store::{CrawlProgress, StoreError};
use crate::upstream::{self, Upstream};

/// What one replica at a time does.
const WORK: &str = "crawl";

/// How long another replica waits for one that is gone.
const LEASE: Duration = Duration::from_secs(60);

/// How many lessons are written at once, at the most.
const BATCH: usize = 500;

/// How long what was found may wait until it is written.
const WRITE: Duration = Duration::from_secs(5);

/// How often the same repository may fail before the others go on without it.
const TRIES: u32 = 3;

/// The longest wait after failures.
const LONGEST: Duration = Duration::from_secs(600);

/// How gentle it is.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between the beginnings of two requests, at least. Beside that it waits as long after a
    /// request as that took, so that a slow upstream has half of the time to itself.
    pub pause: Duration,
    /// Between the ends of a pass and the beginning of the next one.
    pub again: Duration,
    /// Between two looks whether there is something to do.
    pub idle: Duration,
    /// After the first failure; after each further one twice as long.
    pub back_off: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pause: Duration::from_millis(50),
            again: Duration::from_secs(6 * 3600),
            idle: Duration::from_secs(30),
            back_off: Duration::from_secs(5),
        }
    }
}

/// Why a pass does not go on.
#[derive(Debug, thiserror::Error)]
enum Halt {
    #[error("the upstream does not answer as it should")]
    Upstream(#[from] upstream::Error),
    #[error(transparent)]
    State(#[from] StoreError),
    #[error("another replica crawls")]
    Elsewhere,
}

/// Whoever crawls.
pub struct Crawl {
    state: Arc<State>,
    upstream: Arc<Upstream>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    pace: Pace,
    /// Its name among the replicas.
    holder: String,
    held_until: Timestamp,
    /// When the next request may begin.
    next: Instant,
    /// What was found and is not written yet, and since when.
    found: Vec<(RepositoryName, Lesson)>,
    found_since: Instant,
    /// Failures one after the other.
    failures: u32,
    /// The repository that failed last, and how often.
    stuck: Option<(RepositoryName, u32)>,
}

impl Crawl {
    /// Prepares it. `holder` is this replica's name, different from those of others.
    #[must_use]
    pub fn new(
        state: Arc<State>,
        upstream: Arc<Upstream>,
        clock: Arc<Clock>,
        metrics: Arc<Metrics>,
        pace: Pace,
        holder: String,
    ) -> Self {
        Self {
            state,
            upstream,
            clock,
            metrics,
            pace,
            holder,
            held_until: Timestamp::MIN,
            next: Instant::now(),
            found: Vec::new(),
            found_since: Instant::now(),
            failures: 0,
            stuck: None,
        }
    }

    /// Crawls until `stop` is told.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = told_to(&mut stop) => {}
            () = self.go_on() => {}
        }
        // What was found just before is found again otherwise, and others wait until the lease ends.
        for done in [self.write().await, self.let_go().await] {
            if let Err(error) = done {
                tracing::debug!(error = %Causes(&error), "the end of the crawl is not written down");
            }
        }
    }

    async fn go_on(&mut self) {
        loop {
            let wait = match self.pass().await {
                Ok(()) | Err(Halt::Elsewhere) => self.pace.idle,
                Err(halt) => self.back_off(&halt),
            };
            sleep(wait).await;
        }
    }

    /// How long to wait after a failure: as long as the upstream says, and longer each time.
    fn back_off(&mut self, halt: &Halt) -> Duration {
        let longer = self.pace.back_off.saturating_mul(1 << self.failures.min(10));
        self.failures += 1;
        let asked = match halt {
            Halt::Upstream(error) => retry_after(error).unwrap_or_default(),
            Halt::State(_) | Halt::Elsewhere => Duration::ZERO,
        };
        let wait = longer.max(asked).min(LONGEST);
        let told = Causes(halt);
        match self.failures {
            1 => tracing::info!(reason = %told, "crawling the upstream waits for better times"),
            _ => tracing::debug!(reason = %told, seconds = wait.as_secs(), "crawling waits"),
        }
        wait
    }

    /// Goes on with the pass that is under way, or begins one if it is time; to its end.
    async fn pass(&mut self) -> Result<(), Halt> {
        let now = self.clock.now();
        let CrawlProgress { listed_at, passed_at } =
            self.state.ask(|store| async move { store.crawl_progress().await }).await?;
        let under_way = listed_at.filter(|listed| passed_at.is_none_or(|passed| passed < *listed));
        let is_due =
            |passed: Timestamp| now.duration_since(passed).unsigned_abs() >= self.pace.again;
        if under_way.is_none() && !passed_at.is_none_or(is_due) {
            return Ok(());
        }
        self.hold().await?;
        let began = match under_way {
            Some(began) => began,
            None => {
                self.list().await?;
                self.note(CrawlProgress { listed_at: Some(now), passed_at }).await?;
                now
            }
        };
        while let Some(repository) =
            self.state.ask(move |store| async move { store.next_to_crawl(began).await }).await?
        {
            self.hold().await?;
            let looked = self.look_at(&repository, began).await;
            self.write().await?;
            match looked {
                Ok(()) => self.failures = 0,
                Err(Halt::Upstream(error))
                    if is_of_one_repository(&error) && self.is_stuck_at(&repository) =>
                {
                    let error = Causes(&error);
                    tracing::warn!(%repository, %error, "a repository cannot be crawled");
                }
                Err(halt) => return Err(halt),
            }
            let now = self.clock.now();
            self.state
                .ask(move |store| async move { store.crawled(&repository, now).await })
                .await?;
        }
        let passed_at = Some(self.clock.now());
        self.note(CrawlProgress { listed_at: Some(began), passed_at }).await?;
        let extent = self.state.ask(|store| async move { store.extent().await }).await?;
        self.metrics.inventory_extent(&extent, passed_at);
        tracing::info!(
            repositories = extent.repositories,
            tags = extent.tags,
            manifests = extent.manifests,
            "the upstream was crawled"
        );
        Ok(())
    }

    async fn note(&self, progress: CrawlProgress) -> Result<(), StoreError> {
        self.state.ask(move |store| async move { store.set_crawl_progress(progress).await }).await
    }

    /// Whether a repository failed so often that the others go on without it.
    fn is_stuck_at(&mut self, repository: &RepositoryName) -> bool {
        let before = self.stuck.take().filter(|(at, _)| at == repository);
        let tries = before.map_or(0, |(_, tries)| tries) + 1;
        let is_stuck = tries >= TRIES;
        self.stuck = (!is_stuck).then(|| (repository.clone(), tries));
        is_stuck
    }

    /// Sees to it that no other replica crawls.
    async fn hold(&mut self) -> Result<(), Halt> {
        let now = self.clock.now();
        if self.held_until.duration_since(now).as_millis() > LEASE.as_millis() as i128 / 2 {
            return Ok(());
        }
        let until = now.saturating_add(LEASE).unwrap_or(now);
        if !self.lease(now, until).await? {
            return Err(Halt::Elsewhere);
        }
        self.held_until = until;
        Ok(())
    }

    async fn let_go(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        if self.held_until > now {
            self.lease(now, now).await?;
        }
        Ok(())
    }

    async fn lease(&self, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let holder = self.holder.clone();
        self.state
            .ask(move |store| async move { store.lease(WORK, &holder, now, until).await })
            .await
    }

    /// Makes a request when it is time to.
    async fn ask<T>(
        &mut self,
        request: impl AsyncFnOnce(&Upstream) -> Result<T, upstream::Error>,
    ) -> Result<Result<T, upstream::Error>, Halt> {
        self.hold().await?;
        if self.found.len() >= BATCH
            || (!self.found.is_empty() && self.found_since.elapsed() > WRITE)
        {
            self.write().await?;
        }
        sleep_until(self.next).await;
        let began = Instant::now();
        let answer = request(&self.upstream).await;
        let ended = Instant::now();
        self.next = (began + self.pace.pause).max(ended + (ended - began));
        Ok(answer)
    }

    fn learned(&mut self, repository: &RepositoryName, lesson: Lesson) {
        if self.found.is_empty() {
            self.found_since = Instant::now();
        }
        self.found.push((repository.clone(), lesson));
    }

    /// Writes down what was found. Replicas, this one too, hear of it from the state.
    async fn write(&mut self) -> Result<(), StoreError> {
        let mut found = std::mem::take(&mut self.found);
        while !found.is_empty() {
            let later = found.split_off(found.len().min(2 * BATCH));
            let first = std::mem::replace(&mut found, later);
            let now = self.clock.now();
            self.state.ask(move |store| async move { store.learn(&first, now).await }).await?;
        }
        Ok(())
    }
}

/// When the upstream wants to be asked again.
fn retry_after(error: &upstream::Error) -> Option<Duration> {
    match error {
        upstream::Error::Unavailable { after, .. } => *after,
        _ => None,
    }
}

/// Whether others may fare better: the upstream is there, and lets the gate ask.
fn is_of_one_repository(error: &upstream::Error) -> bool {
    use upstream::{Error, Kind};
    match error {
        Error::Unavailable { status, .. } => *status != StatusCode::TOO_MANY_REQUESTS,
        error => !matches!(error.kind(), Kind::Connect | Kind::Credentials),
    }
}

/// Whether it is about what was asked for, and says nothing of what is asked next.
fn is_of_one_thing(error: &upstream::Error) -> bool {
    use upstream::Error;
    matches!(
        error,
        Error::Wrong(_) | Error::Unreadable(..) | Error::TooMany(_) | Error::Redirect(_)
    )
}
