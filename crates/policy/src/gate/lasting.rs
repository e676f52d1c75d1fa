//! Until when an answer stands.

use jiff::{SignedDuration, Timestamp};

/// A time later; the last there is, where there is none so late.
pub(super) fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// The earliest of the times at which an answer may change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lasting {
    /// When it is given.
    pub(super) at: Timestamp,
    until: Option<Timestamp>,
}

impl Lasting {
    pub(super) fn new(at: Timestamp) -> Self {
        Self { at, until: None }
    }

    /// Whether something that ends at `end` still is; if so, the answer may change then.
    pub(super) fn is_before(&mut self, end: Timestamp) -> bool {
        let is_before = self.at < end;
        if is_before && end < Timestamp::MAX {
            self.until = Some(self.until.map_or(end, |until| until.min(end)));
        }
        is_before
    }

    pub(super) fn until(self) -> Option<Timestamp> {
        self.until
    }
}
