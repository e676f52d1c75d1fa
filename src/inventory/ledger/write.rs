//! Writing down, and forgetting what nobody can need any more.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use oci::RepositoryName;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::super::Lesson;
use super::Ledger;
use crate::log::Causes;
use crate::state::told_to;
use crate::store::StoreError;

/// How long what is learned may wait to be written down, if nobody waits for it.
const WRITE: Duration = Duration::from_secs(1);

/// How many lessons are written at once. Others who write wait for no more than these.
const BATCH: usize = 1000;

/// For what is left at the end.
const END: Duration = Duration::from_secs(10);

/// How often what lingers no longer is forgotten.
const FORGET: Duration = Duration::from_secs(3600);

/// How long it is kept beyond its time: what is forgotten must linger at no replica, whose clock may
/// differ, and what comes late must find what replaced it.
const BEYOND: Duration = Duration::from_secs(2 * 3600);

/// How often what is known is counted.
const COUNT: Duration = Duration::from_secs(300);

impl Ledger {
    /// Writes down what is noted until `stop` is told, and then what is left.
    pub(super) async fn keep_writing(&self, mut stop: watch::Receiver<bool>) {
        let mut write = interval(WRITE);
        write.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = told_to(&mut stop) => break,
                _ = write.tick() => self.write_down().await,
                () = self.hurry.notified() => self.write_down().await,
            }
        }
        let left = timeout(END, self.write_down()).await;
        let lost = self.queue().len();
        if left.is_err() || lost > 0 {
            tracing::warn!(lost, "what was learned of the upstream last is not written down");
        }
    }

    /// Writes down all that is noted. What fails waits for the next time.
    async fn write_down(&self) {
        let (lessons, told) = self.queue().take();
        self.metrics.inventory_queue_length(lessons.len());
        let lessons: Arc<[_]> = lessons.into();
        for start in (0..lessons.len()).step_by(BATCH) {
            if let Err(error) = self.write(&lessons, start).await {
                let mut queue = self.queue();
                for (repository, lesson) in lessons.iter().skip(start) {
                    if !queue.put_back(repository, lesson) {
                        self.metrics.inventory_lost(1);
                    }
                }
                self.metrics.inventory_queue_length(queue.len());
                if !self.is_away.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        error = %Causes(&error),
                        "what is learned of the upstream cannot be written down; it waits, and other \
                         replicas do not know of it yet"
                    );
                }
                return;
            }
        }
        if self.is_away.swap(false, Ordering::Relaxed) {
            tracing::info!("what is learned of the upstream is written down again");
        }
        self.metrics.inventory_queue_length(0);
        self.written.send_replace(told);
    }

    async fn write(
        &self,
        lessons: &Arc<[(RepositoryName, Lesson)]>,
        start: usize,
    ) -> Result<(), StoreError> {
        let lessons = Arc::clone(lessons);
        let end = lessons.len().min(start + BATCH);
        let now = self.clock.now();
        let learned = self.state.ask(move |store| async move {
            store.learn(lessons.get(start..end).unwrap_or_default(), now).await
        });
        let learned = learned.await?;
        // What nobody else wrote between need not be read back.
        if let Ok(mut followed) = self.followed.try_lock()
            && *followed == learned.before
        {
            *followed = learned.last;
        }
        Ok(())
    }

    /// Forgets, and counts what is known.
    pub(super) async fn keep_house(&self, mut stop: watch::Receiver<bool>) {
        let (mut forget, mut count) = (interval(FORGET), interval(COUNT));
        loop {
            let done = tokio::select! {
                () = told_to(&mut stop) => break,
                _ = forget.tick() => self.forget().await,
                _ = count.tick() => self.count().await,
            };
            if let Err(error) = done {
                tracing::debug!(error = %Causes(&error), "the inventory in the state was not looked after");
            }
        }
    }

    async fn forget(&self) -> Result<(), StoreError> {
        let kept = self.linger.saturating_add(BEYOND);
        let Ok(before) = self.clock.now().checked_sub(kept) else { return Ok(()) };
        let forgotten =
            self.state.ask(move |store| async move { store.forget_lessons(before).await });
        match forgotten.await? {
            0 => {}
            lessons => tracing::debug!(lessons, "forgot what the upstream held"),
        }
        Ok(())
    }

    async fn count(&self) -> Result<(), StoreError> {
        let ask = |store: Arc<dyn crate::store::Store>| async move {
            Ok((store.extent().await?, store.crawl_progress().await?))
        };
        let (extent, crawl) = self.state.ask(ask).await?;
        self.metrics.inventory_extent(&extent, crawl.passed_at);
        Ok(())
    }
}
