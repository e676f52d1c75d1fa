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
    /// Room for nothing yet, that can grow.
    pub(super) fn room(&self) -> Room {
        Room { held: Arc::clone(&self.0), taken: None, bytes: 0 }
    }
}

/// What one request holds; dropped, it is free for others.
#[derive(Debug)]
pub(super) struct Room {
    held: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Room {
    /// Makes it larger by so many bytes, which have come: who only announces them takes nothing
    /// from others. False if there is no more room; no request waits here, as those that hold room
    /// may be slow.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let before = self.bytes.div_ceil(UNIT);
        let after = (self.bytes + bytes).div_ceil(UNIT);
        let Ok(units) = u32::try_from(after - before) else { return false };
        let Ok(more) = Arc::clone(&self.held).try_acquire_many_owned(units) else { return false };
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        self.bytes += bytes;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_until_it_is_taken_and_again_when_it_is_given_back() {
        let held = Held::default();
        let mut large = held.room();
        assert!(large.grow(1) && large.grow(MOST - 1));
        assert!(!held.room().grow(1));
        drop(large);
        assert!(held.room().grow(1));
    }
}
