//! Has the state keep what is in force.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use policy::SourceFile;
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::packed::pack;
use crate::log::Causes;
use crate::metrics::Metrics;
use crate::reload::LoadedPolicy;
use crate::state::State;
use crate::store::{KeptPolicy, StoreError};
use crate::watch::Fingerprint;

/// After how long it is tried again while the state does not answer.
const RETRY: Duration = Duration::from_secs(5);

/// Keeps policies, one after the other, beside everything else: neither requests nor the next
/// reload wait for it. It goes on until the state has the latest one.
pub struct Keeper {
    state: Arc<State>,
    metrics: Arc<Metrics>,
    next: Mutex<Option<Next>>,
    there: Notify,
}

struct Next {
    files: Vec<SourceFile>,
    sha256: Fingerprint,
    loaded_at: Timestamp,
}

impl Keeper {
    /// Keeps policies in this state.
    #[must_use]
    pub fn new(state: Arc<State>, metrics: Arc<Metrics>) -> Self {
        Self { state, metrics, next: Mutex::default(), there: Notify::new() }
    }

    /// Has a policy kept soon that was just put in force, in the place of any that still waits.
    pub fn keep(&self, policy: &LoadedPolicy) {
        let files = policy.take_files();
        let new = Next { files, sha256: policy.sha256, loaded_at: policy.loaded_at };
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        // With the lock, or the end of keeping the one before could be taken for this one's.
        self.metrics.policy_kept(false);
        *next = Some(new);
        drop(next);
        self.there.notify_one();
    }

    /// Keeps policies until `stop` is told. One that waits then is still tried once.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut waiting: Option<Arc<KeptPolicy>> = None;
        let mut failed = false;
        loop {
            if let Some(next) = self.take() {
                (waiting, failed) = (packed(next).await, false);
            }
            if let Some(policy) = waiting.take() {
                match self.write(&policy).await {
                    Ok(()) => failed = false,
                    Err(error) => {
                        if !failed {
                            tell(&error, policy.sha256);
                        }
                        (waiting, failed) = (Some(policy), true);
                    }
                }
            }
            if *stop.borrow() || stop.has_changed().is_err() {
                break;
            }
            tokio::select! {
                () = self.there.notified() => {}
                () = sleep(RETRY), if failed => {}
                // Whether it was said or there is nobody left to say it.
                _ = stop.changed() => {}
            }
        }
    }

    fn take(&self) -> Option<Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn write(&self, policy: &Arc<KeptPolicy>) -> Result<(), StoreError> {
        let asked = Arc::clone(policy);
        self.state.ask(|store| async move { store.keep_policy(&asked).await }).await?;
        // Unless another one is in force by now.
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        self.metrics.policy_kept(next.is_none());
        let sha256 = Fingerprint::from(policy.sha256);
        tracing::info!(%sha256, "the state keeps the policy as the last good one");
        Ok(())
    }
}

/// Packs where it does not hold up others: a large policy takes a second.
async fn packed(next: Next) -> Option<Arc<KeptPolicy>> {
    let Next { files, sha256, loaded_at } = next;
    match spawn_blocking(move || pack(&files)).await {
        Ok(Ok(files)) => {
            Some(Arc::new(KeptPolicy { sha256: *sha256.as_bytes(), loaded_at, files }))
        }
        Ok(Err(error)) => {
            tell(&error, *sha256.as_bytes());
            None
        }
        Err(panicked) => {
            tell(&panicked, *sha256.as_bytes());
            None
        }
    }
}

fn tell(error: &(dyn std::error::Error + 'static), sha256: [u8; 32]) {
    tracing::error!(
        error = %Causes(error),
        sha256 = %Fingerprint::from(sha256),
        "the policy is in force, but the state does not keep it; if the gate started with a broken \
         policy folder now, it would go back to an older one"
    );
}

#[cfg(test)]
mod tests;
