//! Kept connections, each worker's its own.
//!
//! A worker is one thread, so its connections need no lock, and what a client's request starts is
//! woken on the core that serves the client.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use hyper::client::conn::http1::SendRequest;

use super::Origin;
use crate::body::Body;

/// Servers close idle connections, most after a minute or more; closing first avoids the race.
const MAX_IDLE: Duration = Duration::from_secs(50);

thread_local! {
    static IDLE: RefCell<HashMap<Origin, Vec<Idle>>> = RefCell::new(HashMap::new());
}

struct Idle {
    sender: SendRequest<Body>,
    since: Instant,
}

/// A connection in use. Dropped, it closes; released, it is kept for the next request.
pub struct Lease {
    origin: Origin,
    sender: SendRequest<Body>,
    keep: usize,
}

impl Lease {
    pub(super) fn new(origin: Origin, sender: SendRequest<Body>, keep: usize) -> Self {
        Self { origin, sender, keep }
    }

    pub(super) fn sender(&mut self) -> &mut SendRequest<Body> {
        &mut self.sender
    }

    /// The answer was read to its end: the connection may serve another request.
    pub fn release(self) {
        if self.sender.is_closed() {
            return;
        }
        IDLE.with_borrow_mut(|idle| {
            let kept = idle.entry(self.origin).or_default();
            if kept.len() < self.keep {
                kept.push(Idle { sender: self.sender, since: Instant::now() });
            }
        });
    }
}

/// The connection that was used last and is free, if there is one. One whose request is still being
/// written (the upstream answered early) is not free yet and stays.
pub(super) fn take(origin: &Origin) -> Option<SendRequest<Body>> {
    IDLE.with_borrow_mut(|idle| {
        let kept = idle.get_mut(origin)?;
        kept.retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() < MAX_IDLE);
        let free = kept.iter().rposition(|idle| idle.sender.is_ready())?;
        Some(kept.swap_remove(free).sender)
    })
}
