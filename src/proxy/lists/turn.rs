//! How many lists are read at the same time.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::refusal::Refusal;

/// Lists of all callers together. Each holds a few megabytes at most.
const AT_ONCE: usize = 32;

/// Lists of one caller, so that nobody takes the turns of all others.
const OF_ONE: usize = 8;

/// How long a request waits for its turn before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The turns that are left.
#[derive(Debug)]
pub struct Turns {
    all: Arc<Semaphore>,
    callers: DashMap<String, Arc<Semaphore>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(AT_ONCE)), callers: DashMap::new() }
    }
}

impl Turns {
    /// Waits for a turn.
    ///
    /// # Errors
    /// None came.
    pub(super) async fn take(&self, caller: &str) -> Result<Turn<'_>, Refusal> {
        let own = Arc::clone(
            self.callers
                .entry(caller.to_owned())
                .or_insert_with(|| Arc::new(Semaphore::new(OF_ONE)))
                .value(),
        );
        let mut turn = Turn { turns: self, caller: caller.to_owned(), permits: None };
        let both = async {
            let own = own.acquire_owned().await.ok()?;
            Some((own, Arc::clone(&self.all).acquire_owned().await.ok()?))
        };
        turn.permits = timeout(PATIENCE, both).await.ok().flatten();
        if turn.permits.is_some() { Ok(turn) } else { Err(Refusal::Full) }
    }
}

/// One list may be read; dropped, another may.
#[derive(Debug)]
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    caller: String,
    permits: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.permits = None;
        // Whoever reads no list, or waits for one, is forgotten.
        let is_idle = |_: &String, own: &Arc<Semaphore>| Arc::strong_count(own) == 1;
        self.turns.callers.remove_if(&self.caller, is_idle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nobody_takes_the_turns_of_all_others() {
        let turns = Turns::default();
        let mut taken = Vec::new();
        for _ in 0..OF_ONE {
            taken.push(turns.take("user:alice").await.unwrap());
        }
        assert!(matches!(turns.take("user:alice").await, Err(Refusal::Full)));
        drop(turns.take("user:bob").await.unwrap());
        taken.pop();
        drop(turns.take("user:alice").await.unwrap());
        taken.clear();
        assert!(turns.callers.is_empty(), "nobody is kept");
    }

    #[tokio::test(start_paused = true)]
    async fn all_together_take_so_many_and_no_more() {
        let turns = Turns::default();
        let mut taken = Vec::new();
        for number in 0..AT_ONCE {
            taken.push(turns.take(&format!("user:{number}")).await.unwrap());
        }
        assert!(matches!(turns.take("user:late").await, Err(Refusal::Full)));
        let waiting = turns.take("user:patient");
        taken.pop();
        assert!(waiting.await.is_ok());
        assert_eq!(turns.callers.len(), taken.len());
    }
}
