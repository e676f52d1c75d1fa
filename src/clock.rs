//! What time it is, never earlier than before.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// What time it is: by the gate's clock, or as a test has it.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A clock that may be put forward and never goes back.
///
/// Everything that ends, ends by this clock. Were it the system's own, putting that back would bring
/// expired tokens to life again. It runs on the steady clock of the process, from the latest time
/// that the system's clock, or the state, ever showed.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    /// The highest difference seen between the system's clock and the steady one, in milliseconds
    /// since 1970.
    offset: AtomicI64,
}

impl Clock {
    /// Starts with the system's clock.
    #[must_use]
    pub fn start() -> Self {
        let offset = AtomicI64::new(Timestamp::now().as_millisecond());
        Self { started: Instant::now(), offset }
    }

    /// What time it is, to the millisecond.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.show(Timestamp::now())
    }

    /// The same for those who have no clock of their own.
    #[must_use]
    pub fn reader(self: &Arc<Self>) -> Now {
        let clock = Arc::clone(self);
        Arc::new(move || clock.now())
    }

    /// Puts the clock forward to a time that was seen before.
    pub fn at_least(&self, seen: Timestamp) {
        self.show(seen);
    }

    /// How far the system's clock is behind this one, if by more than a second.
    #[must_use]
    pub fn ahead(&self) -> Option<Duration> {
        let system = Timestamp::now();
        let ahead = self.show(system).as_millisecond().saturating_sub(system.as_millisecond());
        (ahead > 1000).then(|| Duration::from_millis(ahead.unsigned_abs()))
    }

    fn show(&self, system: Timestamp) -> Timestamp {
        let steady = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let offset = system.as_millisecond().saturating_sub(steady);
        let highest = self.offset.fetch_max(offset, Ordering::Relaxed).max(offset);
        Timestamp::from_millisecond(highest.saturating_add(steady)).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_forward_with_the_system_and_not_back() {
        let clock = Clock::start();
        let now = Timestamp::now();
        let day = Duration::from_secs(24 * 3600);
        let tomorrow = clock.show(now + day);
        assert!(tomorrow >= now + day - Duration::from_millis(1));
        let back = clock.show(now - day);
        assert!(back >= tomorrow);
        assert!(clock.now() >= back);
        assert!(clock.ahead().is_some_and(|ahead| ahead > day - Duration::from_secs(60)));
    }

    #[test]
    fn a_time_of_the_past_changes_nothing() {
        let clock = Clock::start();
        clock.at_least(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.ahead(), None);
    }
}
