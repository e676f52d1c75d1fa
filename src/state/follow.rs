//! Keeping up with the state: what others changed, what is to be written down, what is long over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::{Known, State};
use crate::log::Causes;

/// How often other replicas' changes are looked for where nobody tells of them.
const POLL: Duration = Duration::from_millis(500);

/// For one look.
const LOOK: Duration = Duration::from_secs(10);

/// How often last uses and the time are written down.
const WRITE: Duration = Duration::from_secs(60);

/// How often pulls are written down.
const WRITE_PULLS: Duration = Duration::from_secs(5);

/// How often what is long over is forgotten.
const PURGE: Duration = Duration::from_secs(3600);

/// How long something must be over before it is forgotten: a clock that was put forward by mistake
/// must not make the gate forget what was revoked.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

impl State {
    async fn purge(&self) {
        let now = self.clock.now();
        let before = now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
        match self.ask(move |store| async move { store.purge(before).await }).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "forgot what is long over"),
            Err(error) => tracing::warn!(error = %Causes(&error), "nothing was forgotten"),
        }
        self.forget(before).await;
    }

    pub(super) async fn forget(&self, before: Timestamp) {
        let _looking = self.looking.lock().await;
        let known = self.known.load();
        let mut revocations = known.revocations.clone();
        if revocations.forget(before) {
            let (sequence, services) = (known.sequence, known.services.clone());
            self.known.store(Arc::new(Known { sequence, revocations, services }));
        }
    }

    /// Follows the state until `stop` is told; writes down what was noted at the end.
    pub async fn follow(self: Arc<Self>, stop: watch::Receiver<bool>) {
        // Beside each other: a write may take long, and what is revoked must not wait for it.
        tokio::join!(
            self.keep_looking(stop.clone()),
            self.keep_writing(stop.clone()),
            self.keep_pulls(stop)
        );
    }

    async fn keep_pulls(&self, mut stop: watch::Receiver<bool>) {
        let mut write = interval(WRITE_PULLS);
        write.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let written = tokio::select! {
                () = told_to(&mut stop) => break,
                () = self.pushes.news() => self.write_pushes().await,
                _ = write.tick() => match self.write_pushes().await {
                    Ok(()) => self.write_pulls(false).await,
                    failed => failed,
                },
            };
            if let Err(error) = written {
                tracing::debug!(error = %Causes(&error), "pushes and pulls are not written down");
                sleep(POLL).await;
            }
        }
        for written in [self.write_pushes().await, self.write_pulls(true).await] {
            if let Err(error) = written {
                tracing::warn!(error = %Causes(&error), "the last pulls before the end are lost");
            }
        }
    }

    async fn keep_looking(&self, mut stop: watch::Receiver<bool>) {
        let mut answers = true;
        loop {
            tokio::select! {
                () = told_to(&mut stop) => break,
                () = self.told() => answers = self.follow_once(answers).await,
            }
        }
    }

    async fn keep_writing(&self, mut stop: watch::Receiver<bool>) {
        let (mut write, mut purge) = (interval(WRITE), interval(PURGE));
        loop {
            tokio::select! {
                () = told_to(&mut stop) => break,
                _ = write.tick() => {
                    if let Err(error) = self.write_down().await {
                        tracing::warn!(error = %Causes(&error), "last uses are not written down");
                    }
                }
                _ = purge.tick() => self.purge().await,
            }
        }
        if let Err(error) = self.write_down().await {
            tracing::warn!(error = %Causes(&error), "the last uses before the end are lost");
        }
    }

    /// Waits until there may be something new.
    async fn told(&self) {
        let told = async {
            if self.store.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        // Not to be told in time is the ordinary case: then it is looked.
        let _ = timeout(POLL, told).await;
    }

    /// Looks once; tells of the first failure and of the first success after it.
    async fn follow_once(&self, answered: bool) -> bool {
        let looked = timeout(LOOK, self.look()).await;
        self.answers.store(matches!(looked, Ok(Ok(()))), Ordering::Relaxed);
        match (looked, answered) {
            (Ok(Ok(())), true) => true,
            (Ok(Ok(())), false) => {
                tracing::info!("the state answers again");
                true
            }
            (failed, true) => {
                let reason = match failed {
                    Ok(Err(error)) => Causes(&error).to_string(),
                    _ => "it took too long".to_owned(),
                };
                tracing::error!(
                    reason,
                    "the state does not answer; what is known goes on to hold for a while"
                );
                false
            }
            (_, false) => {
                sleep(POLL).await;
                false
            }
        }
    }
}

/// Waits until it is time to stop, or until there is nobody left to say so.
pub(crate) async fn told_to(stop: &mut watch::Receiver<bool>) {
    // Only the answer is of interest, not the lock that comes with it.
    drop(stop.wait_for(|stop| *stop).await);
}
