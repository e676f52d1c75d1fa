//! How much the gate holds of bodies that it must read whole, for all requests together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes. More requests than that hold are answered 503, so that none of them ends the gate.
const MOST: usize = 256 << 20;

/// The unit in which room is given out.
const UNIT: usize = 1024;

/// The room that is left.
#[derive(Debug)]
pub struct Held(Arc<Semaphore>);

impl Default for Held {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST / UNIT)))
    }
}

impl Held {
    /// Room for so many bytes until the permit is dropped; none if it is taken. No request waits
    /// here, as those that hold room may be slow.
    pub(super) fn reserve(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(units).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_until_it_is_taken_and_again_when_it_is_given_back() {
        let held = Held::default();
        let most = held.reserve(MOST);
        assert!(most.is_some());
        assert!(held.reserve(1).is_none());
        drop(most);
        assert!(held.reserve(1).is_some());
    }
}
