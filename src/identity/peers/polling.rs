//! Following what trusted gates say: their keys, and what they have revoked.

use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::Peers;
use super::error::PeerError;
use super::hearing::Heard;
use super::peer::{Known, Peer};
use super::state::Looks;
use crate::clock::Now;
use crate::fetch::{FetchError, HttpsUrl};
use crate::jwks::JwksError;
use crate::log::Causes;
use crate::state::State;
use crate::store::{Sequence, StoreError};
use crate::token::{InvalidList, MAX_LIST, RevocationList};

/// The longest pause after failures. Lists hold for ten minutes, so there are several attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The tasks that follow the trusted gates, one for each. They end when this is dropped.
#[derive(Debug)]
#[must_use = "the tasks end when it is dropped"]
pub struct Polling(Vec<AbortHandle>);

impl Drop for Polling {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Peers {
    /// Follows all of them from now on. `state` remembers the number of each one's last list, so
    /// that an older one is noticed also after a restart.
    pub fn follow(&self, runtime: &Handle, state: &Arc<State>, clock: &Now) -> Polling {
        let tasks = self.peers.iter().map(|peer| {
            let follower = Follower::new(Arc::clone(peer), Arc::clone(state), Arc::clone(clock));
            runtime.spawn(follower.run()).abort_handle()
        });
        Polling(tasks.collect())
    }
}

/// Why a look at a gate taught nothing new.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Keys(#[from] JwksError),
    #[error("its list of revocations is not to be had")]
    Fetch(#[from] FetchError),
    #[error("its list of revocations is no text")]
    Text(#[from] std::string::FromUtf8Error),
    #[error(transparent)]
    List(#[from] InvalidList),
    #[error(
        "its list of revocations has the number {}, but there was one with {} before; was its \
         state restored from an old backup?", .told.0, .seen.0
    )]
    Backwards { told: Sequence, seen: Sequence },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Follows one gate.
pub(super) struct Follower {
    peer: Arc<Peer>,
    state: Arc<State>,
    clock: Now,
    /// The highest number of a list that was ever seen.
    seen: Option<Sequence>,
    /// The one of these that the state holds; none before the state was asked.
    kept: Option<Option<Sequence>>,
    failures: u32,
    told: Option<Condition>,
}

/// How a gate is doing. Told in the log when it changes, and not at each look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Condition {
    failure: Option<Discriminant<Failure>>,
    refused: Option<PeerError>,
}

impl Follower {
    pub(super) fn new(peer: Arc<Peer>, state: Arc<State>, clock: Now) -> Self {
        Self { peer, state, clock, seen: None, kept: None, failures: 0, told: None }
    }

    async fn run(mut self) {
        loop {
            let pause = self.look_and_tell().await;
            sleep(pause).await;
        }
    }

    /// Looks once, lets people know what came of it, and says how long to wait.
    async fn look_and_tell(&mut self) -> Duration {
        let looked = self.look().await;
        self.failures = if looked.is_ok() { 0 } else { self.failures.saturating_add(1) };
        self.tell(looked.as_ref().err());
        let pause = pause(self.peer.settings().poll, self.failures);
        let at = (self.clock)();
        let since = || self.peer.looks().and_then(|last| Some(last.failing?.0)).unwrap_or(at);
        let failing = looked.err().map(|failure| (since(), Causes(&failure).to_string()));
        // A pause is two minutes at most, so this is always a time.
        let next_at = at.checked_add(pause).unwrap_or(at);
        self.peer.looked(Looks { at, next_at, failing });
        pause
    }

    async fn look(&mut self) -> Result<(), Failure> {
        let peer = Arc::clone(&self.peer);
        match &peer.settings().revocations {
            // No key has this name, so the set is looked at each time, as often as its source lets.
            None => {
                let keys = peer.source.keys("", (self.clock)()).await;
                // Keys that are too old end here: there is no list that would.
                let known = Known { keys: keys.as_ref().ok().cloned(), heard: Heard::Nothing };
                peer.learn(known);
                keys?;
                Ok(())
            }
            Some(url) => {
                let text = self.fetch(url).await?;
                self.hear(&text).await
            }
        }
    }

    async fn fetch(&self, url: &HttpsUrl) -> Result<String, Failure> {
        Ok(String::from_utf8(self.peer.fetcher.bytes(url, MAX_LIST).await?)?)
    }

    /// Takes a list that came, if it is one.
    async fn hear(&mut self, text: &str) -> Result<(), Failure> {
        let name = self.peer.settings().name.to_string();
        if self.kept.is_none() {
            let name = name.clone();
            let kept =
                self.state.ask(|store| async move { store.peer_sequence(&name).await }).await?;
            self.kept = Some(kept);
            self.seen = self.seen.max(kept);
        }
        let kid = RevocationList::claimed_key(text).unwrap_or_default();
        let keys = self.peer.source.keys(&kid, (self.clock)()).await?;
        let mut known = (*self.peer.known()).clone();
        known.keys = Some(Arc::clone(&keys));
        self.peer.learn(known.clone());
        let issuer = self.peer.settings().issuer.as_str();
        let list = RevocationList::verify(text, &keys, issuer, (self.clock)())?;
        let told = list.sequence();
        known.heard = known.heard.after(list, self.seen);
        self.peer.learn(known);
        if let Some(seen) = self.seen.filter(|&seen| told < seen) {
            return Err(Failure::Backwards { told, seen });
        }
        // What is revoked counts at once, even while the state cannot remember it.
        self.seen = Some(told);
        if self.kept.flatten() != self.seen {
            self.state
                .ask(move |store| async move { store.set_peer_sequence(&name, told).await })
                .await?;
            self.kept = Some(self.seen);
        }
        Ok(())
    }

    fn tell(&mut self, failure: Option<&Failure>) {
        let refused = self.peer.usable((self.clock)()).err();
        let now = Condition { failure: failure.map(discriminant), refused };
        if self.told == Some(now) {
            return;
        }
        self.told = Some(now);
        let peer = self.peer.settings().name.as_str();
        match (failure, refused) {
            (None, None) => tracing::info!(peer, "a trusted gate is followed"),
            (Some(failure), None) => {
                tracing::warn!(peer, error = %Causes(failure), "a trusted gate tells nothing new");
            }
            (Some(failure), Some(_)) => {
                tracing::error!(
                    peer,
                    error = %Causes(failure),
                    "the tokens of a trusted gate are refused for now"
                );
            }
            (None, Some(refused)) => {
                tracing::error!(peer, %refused, "the tokens of a trusted gate are refused for now");
            }
        }
    }
}

/// How long to wait before the next look: longer after each failure, and never just as long as
/// somebody else.
fn pause(poll: Duration, failures: u32) -> Duration {
    let longest = LONGEST_PAUSE.max(poll);
    let pause = poll.saturating_mul(1 << failures.min(10)).min(longest);
    let mut byte = [0];
    // Without random numbers all wait the same: a nuisance, and no harm.
    let _ = rand::fill(&mut byte);
    let part = f64::from(byte.first().copied().unwrap_or_default()) / 255.0;
    pause.mul_f64(0.8 + 0.2 * part)
}

#[cfg(test)]
mod tests;
