//! What was pushed, until that is written down.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::store::Pushed;

/// Beyond so many, further pushes are not noted until these are written down.
const MOST: usize = 10_000;

/// The pushes that are not written down yet.
#[derive(Debug, Default)]
pub(super) struct Pushes {
    waiting: Mutex<Vec<Pushed>>,
    news: Notify,
}

impl Pushes {
    pub(super) fn note(&self, pushed: Pushed) {
        self.put_back(vec![pushed]);
        self.news.notify_one();
    }

    /// Takes all of them out.
    pub(super) fn take(&self) -> Vec<Pushed> {
        std::mem::take(&mut *self.waiting())
    }

    /// Puts back what could not be written. The order does not matter.
    pub(super) fn put_back(&self, pushes: Vec<Pushed>) {
        let mut waiting = self.waiting();
        let room = MOST.saturating_sub(waiting.len());
        waiting.extend(pushes.into_iter().take(room));
    }

    /// Waits until there is something to write.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Pushed>> {
        // It is whole after every step.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
