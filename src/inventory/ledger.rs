//! What is learned, written down behind the requests; and what others wrote, taken over.
//!
//! No request waits for a write, except a push or a delete whose next step may come to another
//! replica ([`Journal::settle`]), and that for a moment only. While the state is away the gate goes on
//! with what it has in memory; what it learns waits, and is written when the state is back.

mod follow;
mod queue;
#[cfg(test)]
mod tests;
mod write;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use oci::RepositoryName;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::{Journal, Lesson};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::state::State;
use crate::store::Sequence;
use queue::Queue;

/// Lessons that may wait before what was only seen is left out: some tens of megabytes.
const MOST: usize = 100_000;

/// How long a push or a delete may be held up until what it taught is on the disk. Longer than any
/// write takes, and shorter than anybody waits in earnest.
const MOMENT: Duration = Duration::from_secs(1);

/// The inventory's book in the state.
pub struct Ledger {
    state: Arc<State>,
    clock: Arc<Clock>,
    metrics: Arc<Metrics>,
    linger: Duration,
    queue: Mutex<Queue>,
    /// Somebody waits for what is to be written.
    hurry: Notify,
    /// Of what was told, how much is on the disk.
    written: watch::Sender<u64>,
    /// The last write failed.
    is_away: AtomicBool,
    /// The number up to which what others wrote was taken over. Held while more is.
    followed: tokio::sync::Mutex<Sequence>,
    recalls: follow::Recalls,
}

impl Ledger {
    /// One that goes on from what the state holds now. `linger` is how long what is no longer seen
    /// is kept.
    #[must_use]
    pub fn new(
        state: Arc<State>,
        clock: Arc<Clock>,
        metrics: Arc<Metrics>,
        linger: Duration,
    ) -> Arc<Self> {
        let followed = tokio::sync::Mutex::new(*state.last_lesson().borrow());
        Arc::new(Self {
            state,
            clock,
            metrics,
            linger,
            queue: Mutex::new(Queue::new(MOST)),
            hurry: Notify::new(),
            written: watch::Sender::new(0),
            is_away: AtomicBool::new(false),
            followed,
            recalls: follow::Recalls::default(),
        })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // It is whole after every step of its methods.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for Ledger {
    fn learned(&self, repository: &RepositoryName, lesson: &Lesson) {
        if !self.queue().put(repository, lesson) {
            self.metrics.inventory_lost(1);
        }
    }

    async fn recall(
        &self,
        repository: &RepositoryName,
        since: Option<Timestamp>,
    ) -> Option<Vec<Lesson>> {
        self.look_up(repository, since.is_some()).await
    }

    /// It waits for a moment at the most, and not at all where the write before this one failed: a
    /// push that the upstream took is not failed for what other replicas do not know of it yet.
    /// Until they do they answer to its digests as to any that they do not know.
    async fn settle(&self) {
        let told = self.queue().told();
        let mut written = self.written.subscribe();
        let is_away = self.is_away.load(Ordering::Relaxed) || !self.state.answers();
        if *written.borrow() >= told || is_away {
            return;
        }
        self.hurry.notify_one();
        if timeout(MOMENT, written.wait_for(|written| *written >= told)).await.is_err() {
            tracing::warn!(
                "what was pushed or deleted is not written down yet; the answer goes on"
            );
        }
    }
}
