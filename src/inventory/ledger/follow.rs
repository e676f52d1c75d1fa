//! Taking over what others wrote, and recalling what is not in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use oci::RepositoryName;
use tokio::sync::{OnceCell, Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::super::Lesson;
use super::Ledger;
use crate::log::Causes;
use crate::state::told_to;
use crate::store::{OfRepository, Sequence, StoreError};

/// How many lessons are read at once.
const PAGE: u32 = 1000;

/// Between two tries while the state does not answer.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a request may wait for what is kept of a repository; then it goes on without.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many look-ups there may be at once: the state has other work too.
const AT_ONCE: usize = 4;

/// What is being read of repositories: those who come meanwhile wait for the same.
pub(super) struct Recalls {
    under_way: Mutex<HashMap<RepositoryName, Weak<Recall>>>,
    pub(super) turns: Semaphore,
}

impl Default for Recalls {
    fn default() -> Self {
        Self { under_way: Mutex::default(), turns: Semaphore::new(AT_ONCE) }
    }
}

type Recall = OnceCell<OfRepository>;

impl Recalls {
    fn of(&self, repository: &RepositoryName) -> Arc<Recall> {
        let mut recalls = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(recall) = recalls.get(repository).and_then(Weak::upgrade) {
            return recall;
        }
        recalls.retain(|_, recall| recall.strong_count() > 0);
        let recall = Arc::default();
        recalls.insert(repository.clone(), Arc::downgrade(&recall));
        recall
    }
}

impl Ledger {
    /// Writes down, and gives `take_in` what others wrote, until `stop` is told.
    pub async fn run(
        self: Arc<Self>,
        take_in: impl Fn(&RepositoryName, &Lesson) + Send + Sync,
        stop: watch::Receiver<bool>,
    ) {
        tokio::join!(
            self.keep_writing(stop.clone()),
            self.keep_house(stop.clone()),
            self.keep_following(&take_in, stop),
        );
    }

    async fn keep_following(
        &self,
        take_in: &(impl Fn(&RepositoryName, &Lesson) + Send + Sync),
        mut stop: watch::Receiver<bool>,
    ) {
        let mut last = self.state.last_lesson();
        loop {
            let there = *last.borrow_and_update();
            let followed = *self.followed.lock().await;
            let caught_up = match there == followed {
                true => Ok(()),
                false => self.catch_up(take_in).await,
            };
            let wait = async {
                match caught_up {
                    Ok(()) => drop(last.changed().await),
                    Err(error) => {
                        tracing::debug!(error = %Causes(&error), "others are not followed");
                        sleep(AGAIN).await;
                    }
                }
            };
            tokio::select! {
                () = told_to(&mut stop) => break,
                () = wait => {}
            }
        }
    }

    /// Takes over what was written since the last time.
    async fn catch_up(
        &self,
        take_in: &(impl Fn(&RepositoryName, &Lesson) + Send + Sync),
    ) -> Result<(), StoreError> {
        let mut followed = self.followed.lock().await;
        loop {
            let since = *followed;
            let news =
                self.state.ask(move |store| async move { store.lessons_since(since, PAGE).await });
            let news = news.await?;
            news.lessons.iter().for_each(|(repository, lesson)| take_in(repository, lesson));
            *followed = news.sequence;
            if !news.goes_on {
                return Ok(());
            }
        }
    }

    /// What is kept of a repository: all of it, or, where it `is_held` in memory, what was written
    /// and not taken over yet. None: it could not be read in time.
    pub(super) async fn look_up(
        &self,
        repository: &RepositoryName,
        is_held: bool,
    ) -> Option<Vec<Lesson>> {
        if !self.state.answers() {
            return None;
        }
        let read = async {
            let whole = match is_held {
                true => {
                    let sequence = *self.followed.lock().await;
                    OfRepository { sequence, lessons: Vec::new() }
                }
                false => self.whole(repository).await?,
            };
            let _turn = self.recalls.turns.acquire().await;
            let news = self.news(repository, whole.sequence).await?;
            Ok::<_, StoreError>([whole.lessons, news].concat())
        };
        match timeout(PATIENCE, read).await {
            Ok(Ok(lessons)) => Some(lessons),
            Ok(Err(error)) => {
                tracing::debug!(%repository, error = %Causes(&error), "nothing was recalled");
                None
            }
            Err(late) => {
                tracing::debug!(%repository, %late, "nothing was recalled");
                None
            }
        }
    }

    async fn whole(&self, repository: &RepositoryName) -> Result<OfRepository, StoreError> {
        let recall = self.recalls.of(repository);
        let read = || async {
            let _turn = self.recalls.turns.acquire().await;
            let repository = repository.clone();
            self.state.ask(move |store| async move { store.lessons_of(&repository).await }).await
        };
        recall.get_or_try_init(read).await.cloned()
    }

    /// What was written of a repository after a number.
    async fn news(
        &self,
        repository: &RepositoryName,
        mut since: Sequence,
    ) -> Result<Vec<Lesson>, StoreError> {
        let mut found = Vec::new();
        loop {
            let news =
                self.state.ask(move |store| async move { store.lessons_since(since, PAGE).await });
            let news = news.await?;
            let here = news.lessons.into_iter().filter(|(of, _)| of == repository);
            found.extend(here.map(|(_, lesson)| lesson));
            since = news.sequence;
            if !news.goes_on {
                return Ok(found);
            }
        }
    }
}
