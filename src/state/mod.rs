//! What the state says about whom to believe, in memory and kept fresh.
//!
//! Each request is checked against it, so it must cost no look-up; and what is revoked, here or at
//! another replica, must be in force at the next request, so it follows the state's changes.

mod follow;
mod pulls;
mod pushes;
mod revocations;
#[cfg(test)]
pub(crate) mod sample;
mod uses;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};

pub(crate) use follow::told_to;
pub use pulls::Pulled;
pub use revocations::Revocations;

use crate::clock::Clock;
use crate::log::Causes;
use crate::store::{
    Changes, Pushed, ReplicaLocks, Revocation, Sequence, Service, Store, StoreError,
};
use crate::token::{LastUse, TokenId};
use pulls::Pulls;
use pushes::Pushes;
use uses::Uses;

/// The state as the gate uses it.
pub struct State {
    store: Arc<dyn Store>,
    /// Where all operations run: workers come and go with their runtimes, and a client that goes
    /// away must not stop an operation in its middle.
    runtime: Handle,
    clock: Arc<Clock>,
    known: ArcSwap<Known>,
    /// Held while changes are taken over, so that none is overtaken by an earlier look.
    looking: Mutex<()>,
    started: Instant,
    /// The last look that succeeded, in milliseconds since the start.
    looked: AtomicU64,
    /// The last look succeeded.
    answers: AtomicBool,
    max_staleness: Duration,
    uses: Uses,
    pulls: Pulls,
    pushes: Pushes,
    last_lesson: watch::Sender<Sequence>,
    last_release: watch::Sender<Sequence>,
}

/// One version of what is known.
#[derive(Debug, Default)]
struct Known {
    sequence: Sequence,
    revocations: Revocations,
    services: HashMap<String, Service>,
}

impl State {
    /// Reads what is known. `runtime` runs all operations and must live longer than the state;
    /// `max_staleness` is how long what is known may be believed while the state does not answer.
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn start(
        store: Arc<dyn Store>,
        runtime: Handle,
        clock: Arc<Clock>,
        max_staleness: Duration,
    ) -> Result<Arc<Self>, StoreError> {
        let state = Self {
            store,
            runtime,
            clock,
            known: ArcSwap::default(),
            looking: Mutex::default(),
            started: Instant::now(),
            looked: AtomicU64::new(0),
            answers: AtomicBool::new(true),
            max_staleness,
            uses: Uses::default(),
            pulls: Pulls::default(),
            pushes: Pushes::default(),
            last_lesson: watch::Sender::default(),
            last_release: watch::Sender::default(),
        };
        if let Some(latest) = state.ask(|store| async move { store.latest_time().await }).await? {
            state.clock.at_least(latest);
        }
        if let Some(ahead) = state.clock.ahead() {
            tracing::error!(
                seconds = ahead.as_secs(),
                "the system's clock is behind the latest time that this gate has seen; the gate \
                 goes by the later one: set the clock right"
            );
        }
        state.look().await?;
        Ok(Arc::new(state))
    }

    /// Runs one operation, to its end, whatever becomes of whoever waits for it.
    ///
    /// # Errors
    /// Those of the operation.
    pub async fn ask<T, F>(&self, work: impl FnOnce(Arc<dyn Store>) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let work = work(Arc::clone(&self.store));
        self.runtime.spawn(work).await.unwrap_or_else(|ended| {
            Err(StoreError::Failed { what: "the operation did not end", source: Box::new(ended) })
        })
    }

    /// Runs one operation that nobody waits for. Should it fail, that is logged as `what`.
    pub fn later<F>(&self, what: &'static str, work: impl FnOnce(Arc<dyn Store>) -> F)
    where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let work = work(Arc::clone(&self.store));
        self.runtime.spawn(async move {
            if let Err(error) = work.await {
                tracing::warn!(error = %Causes(&error), what, "the state did not do what may wait");
            }
        });
    }

    /// Revokes; in force here when it returns. Tells how many families it ended.
    ///
    /// # Errors
    /// It could not be written down, and is not in force.
    pub async fn revoke(&self, what: Revocation, now: Timestamp) -> Result<u64, StoreError> {
        let ended = self.ask(move |store| async move { store.revoke(&what, now).await }).await?;
        self.look().await?;
        Ok(ended)
    }

    /// Adds a service. False: there is one of that name.
    ///
    /// # Errors
    /// The state does not answer.
    pub async fn add_service(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        let name = name.to_owned();
        let added =
            self.ask(move |store| async move { store.add_service(&name, now).await }).await?;
        self.look().await?;
        Ok(added)
    }

    /// Disables or enables a service. False: there is none of that name.
    ///
    /// # Errors
    /// The state does not answer.
    pub async fn set_service_disabled(
        &self,
        name: &str,
        disabled: bool,
    ) -> Result<bool, StoreError> {
        let name = name.to_owned();
        let done = self
            .ask(move |store| async move { store.set_service_disabled(&name, disabled).await })
            .await?;
        self.look().await?;
        Ok(done)
    }

    /// The service of this name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<Service> {
        self.known.load().services.get(name).cloned()
    }

    /// Whether there is such a service that may do something.
    #[must_use]
    pub fn is_enabled(&self, service: &str) -> bool {
        self.known.load().services.get(service).is_some_and(|service| !service.disabled)
    }

    /// All services, in the order of their names.
    #[must_use]
    pub fn services(&self) -> Vec<Service> {
        let mut services: Vec<_> = self.known.load().services.values().cloned().collect();
        services.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        services
    }

    /// What is revoked, and the number of the change up to which that is known.
    pub fn revocations<T>(&self, read: impl FnOnce(&Revocations, Sequence) -> T) -> T {
        let known = self.known.load();
        read(&known.revocations, known.sequence)
    }

    /// Whether what is known may still be believed.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.staleness() <= self.max_staleness
    }

    /// How long ago the last look was that succeeded.
    #[must_use]
    pub fn staleness(&self) -> Duration {
        let looked = Duration::from_millis(self.looked.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(looked)
    }

    /// For how long what is known may be believed while the state does not answer.
    #[must_use]
    pub fn max_staleness(&self) -> Duration {
        self.max_staleness
    }

    /// Whether the last look succeeded: else there is no use in asking what need not be asked.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.answers.load(Ordering::Relaxed)
    }

    /// The number of the last lesson of the inventory that is in the state, as it grows.
    #[must_use]
    pub fn last_lesson(&self) -> watch::Receiver<Sequence> {
        self.last_lesson.subscribe()
    }

    /// The number of the last change of what is said of images that is in the state, as it grows.
    #[must_use]
    pub fn last_release(&self) -> watch::Receiver<Sequence> {
        self.last_release.subscribe()
    }

    /// Notes that a family was used. It costs no write: what is noted is written once a minute.
    pub fn note_use(&self, family: &TokenId, last: LastUse) {
        self.uses.note(family, last);
    }

    /// When a family was used, if that is not written down yet.
    #[must_use]
    pub fn noted_use(&self, family: &TokenId) -> Option<LastUse> {
        self.uses.of(family)
    }

    /// Notes that somebody pulled a manifest. It costs no write: what is noted is written in the
    /// background, and may be lost if the gate is killed.
    pub fn note_pull(&self, pulled: Pulled<'_>) {
        self.pulls.note(pulled);
    }

    /// Notes that a manifest was pushed, to be written down at once, in the background.
    pub fn note_push(&self, pushed: Pushed) {
        self.pushes.note(pushed);
    }

    /// Takes over what has changed.
    ///
    /// # Errors
    /// The state does not answer.
    pub async fn look(&self) -> Result<(), StoreError> {
        let _looking = self.looking.lock().await;
        let since = self.known.load().sequence;
        let changes = self.ask(move |store| async move { store.changes(since).await }).await?;
        self.take_over(since, changes);
        let looked = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.looked.store(looked, Ordering::Relaxed);
        Ok(())
    }

    fn take_over(&self, since: Sequence, changes: Changes) {
        note(&self.last_lesson, changes.last_lesson);
        note(&self.last_release, changes.last_release);
        if changes.sequence == since {
            return;
        }
        let known = self.known.load();
        let mut revocations = known.revocations.clone();
        for revoked in changes.revoked {
            revocations.add(revoked);
        }
        let services = match changes.services {
            Some(services) => {
                services.into_iter().map(|service| (service.name.clone(), service)).collect()
            }
            None => known.services.clone(),
        };
        let sequence = changes.sequence;
        self.known.store(Arc::new(Known { sequence, revocations, services }));
    }

    /// The locks that replicas share; none where this gate is alone.
    #[must_use]
    pub fn replica_locks(&self) -> Option<ReplicaLocks> {
        self.store.replica_locks()
    }

    /// Writes down what was noted, and how late it is.
    ///
    /// # Errors
    /// The state does not answer; what was noted is kept for the next time.
    pub async fn write_down(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let uses = self.uses.take();
        let kept = uses.clone();
        let written = self
            .ask(move |store| async move {
                store.used(&uses).await?;
                store.set_latest_time(now).await
            })
            .await;
        if written.is_err() {
            kept.into_iter().for_each(|(family, last)| self.uses.note(&family, last));
        }
        written
    }
}

impl State {
    /// Writes down pulls: those that are due, or, at the end, all.
    ///
    /// # Errors
    /// The state does not answer; what was noted is kept for the next time.
    pub async fn write_pulls(&self, all: bool) -> Result<(), StoreError> {
        let due = self.pulls.due(self.clock.now(), all);
        if due.pulls.is_empty() && due.groups.is_empty() {
            return Ok(());
        }
        let due = Arc::new(due);
        let kept = Arc::clone(&due);
        let written = self
            .ask(move |store| async move { store.note_pulls(&due.pulls, &due.groups).await })
            .await;
        if written.is_err() {
            self.pulls.put_back(Arc::unwrap_or_clone(kept));
        }
        written
    }
}

impl State {
    /// Writes down pushes.
    ///
    /// # Errors
    /// The state does not answer; what was noted is kept for the next time.
    pub async fn write_pushes(&self) -> Result<(), StoreError> {
        let pushes = self.pushes.take();
        if pushes.is_empty() {
            return Ok(());
        }
        let kept = pushes.clone();
        let written = self.ask(move |store| async move { store.note_pushes(&pushes).await }).await;
        if written.is_err() {
            self.pushes.put_back(kept);
        }
        written
    }
}

/// Wakes those who follow only where there is something new.
fn note(last: &watch::Sender<Sequence>, now: Sequence) {
    last.send_if_modified(|last| std::mem::replace(last, now) != now);
}

#[cfg(test)]
mod tests;
