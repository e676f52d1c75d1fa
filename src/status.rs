//! How a gate is doing, beside what its requests need: what `/readyz` and the pages of administrators
//! tell alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use crate::release::Health;
use crate::reloads::Reloads;
use crate::service::management::Readiness;
use crate::state::State;

/// What is noted of a gate while it serves.
#[derive(Debug)]
pub struct Status {
    started_at: Timestamp,
    stopping: AtomicBool,
    /// What became of changes of policies.
    pub reloads: Reloads,
    /// Its scanner, where it has one.
    pub scanner: Option<Arc<Health>>,
}

impl Status {
    /// Of a gate that starts now.
    #[must_use]
    pub fn new(now: Timestamp, scanner: Option<Arc<Health>>) -> Self {
        let (stopping, reloads) = (AtomicBool::new(false), Reloads::since(now));
        Self { started_at: now, stopping, reloads, scanner }
    }

    /// When it started.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// It takes no new requests from now on.
    pub fn stops(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether it takes requests, with what its state says.
    #[must_use]
    pub fn readiness(&self, state: &State) -> Readiness {
        if self.stopping.load(Ordering::Relaxed) {
            Readiness::NotReady("it is stopping".into())
        } else if !state.is_fresh() {
            Readiness::NotReady("the state does not answer".into())
        } else {
            Readiness::Ready
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::state::sample;

    #[test]
    fn a_gate_is_ready_until_it_stops_or_its_state_is_too_old() {
        let status = Status::new(Timestamp::UNIX_EPOCH, None);
        let minute = Duration::from_secs(60);
        assert_eq!(status.readiness(&sample::absent_for(minute, 2 * minute)), Readiness::Ready);
        let old = status.readiness(&sample::absent_for(2 * minute, minute));
        assert_eq!(old, Readiness::NotReady("the state does not answer".into()));
        status.stops();
        let stopping = status.readiness(&sample::absent());
        assert_eq!(stopping, Readiness::NotReady("it is stopping".into()));
    }
}
