//! Going on in the background where a question had to stop, so that it can be answered later.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use oci::{RepositoryName, Tag};
use tokio::time::{sleep, timeout};

use super::super::{Budget, Inventory, Sight, Undecided};
use super::Watch;
use super::search::Search;
use crate::log::Causes;
use crate::upstream::{Error, Upstream};

/// How many repositories wait for their turn. Others are asked about again by whoever needs them.
const MAX_WAITING: usize = 64;

/// Between two requests.
const PAUSE: Duration = Duration::from_millis(20);

/// For one repository.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// For one repository.
const MAX_REQUESTS: usize = 200_000;

/// How often the upstream may fail before a repository is given up.
const MAX_FAILURES: usize = 5;

/// Repositories that wait to be looked at, one after the other in the whole gate. The one that is
/// looked at stays at the head meanwhile.
#[derive(Debug, Default)]
pub(in crate::inventory) struct Warming {
    waiting: VecDeque<(RepositoryName, Watch)>,
    is_running: bool,
}

#[cfg(test)]
impl Warming {
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

/// The one that looks at them. If it ends before its time, such as with the runtime that it was on,
/// there may be another.
struct Runner {
    inventory: Inventory,
    is_done: bool,
}

impl Drop for Runner {
    fn drop(&mut self) {
        if !self.is_done {
            self.inventory.warming().is_running = false;
        }
    }
}

impl Runner {
    fn next(&mut self) -> Option<(RepositoryName, Watch)> {
        let mut warming = self.inventory.warming();
        let next = warming.waiting.front().cloned();
        // Together, so that whoever comes next knows that nobody is there.
        self.is_done = next.is_none();
        warming.is_running = !self.is_done;
        next
    }

    async fn run(mut self, upstream: Arc<Upstream>) {
        while let Some((repository, watch)) = self.next() {
            let passing = self.inventory.pass(&upstream, &repository, watch);
            if timeout(LIFETIME, passing).await.is_err() {
                tracing::warn!(%repository, "it takes too long to look at all tags");
            }
            self.inventory.warming().waiting.pop_front();
        }
    }
}

impl Inventory {
    /// Looks at the whole repository soon, gently.
    pub(super) fn warm(&self, upstream: &Arc<Upstream>, repository: &RepositoryName, watch: Watch) {
        let mut warming = self.warming();
        let waits = |(waiting, _): &(RepositoryName, Watch)| waiting == repository;
        if warming.waiting.len() < MAX_WAITING && !warming.waiting.iter().any(waits) {
            warming.waiting.push_back((repository.clone(), watch));
        }
        if !warming.is_running {
            warming.is_running = true;
            let runner = Runner { inventory: self.clone(), is_done: false };
            tokio::spawn(runner.run(Arc::clone(upstream)));
        }
    }

    async fn pass(&self, upstream: &Arc<Upstream>, repository: &RepositoryName, watch: Watch) {
        let budget = Arc::new(Budget::new(MAX_REQUESTS));
        let watch = Watch::start(watch.now());
        for _ in 0..MAX_FAILURES {
            let search = |sights| {
                Arc::new(Search {
                    inventory: self.clone(),
                    upstream: Arc::clone(upstream),
                    repository: repository.clone(),
                    budget: Arc::clone(&budget),
                    watch,
                    digest: None,
                    looks_at_it: false,
                    sights,
                    stops: false,
                    at_once: 1,
                    pause: PAUSE,
                    flight: None,
                })
            };
            let looked = async {
                search(HashMap::new()).list().await?;
                search(self.seen(repository, |_: &Tag| Sight::Open)).look().await
            };
            match looked.await {
                Ok(_) => {
                    let passed = (watch.began, watch.now());
                    self.0.room.change(repository, |graph| graph.passed(passed.0, passed.1));
                    return;
                }
                // It had too much to do, and may have less later.
                Err(undecided @ Undecided::Upstream(Error::Unavailable { .. })) => {
                    let error = Causes(&undecided).to_string();
                    tracing::debug!(%repository, error, "looking at all tags was interrupted");
                    sleep(undecided.retry_after()).await;
                }
                Err(undecided) => {
                    let error = Causes(&undecided).to_string();
                    tracing::warn!(%repository, error, "cannot look at all tags");
                    return;
                }
            }
        }
    }

    fn warming(&self) -> MutexGuard<'_, Warming> {
        self.0.warming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
