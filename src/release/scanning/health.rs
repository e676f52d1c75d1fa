//! How the scanner is doing, as far as this replica has to do with it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// The scanner, and what came of asking it.
#[derive(Debug)]
pub struct Health {
    /// Host and port.
    host: String,
    rescan_after: Duration,
    known: Mutex<Known>,
}

/// What came of scans since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// When a report came last.
    pub reported_at: Option<Timestamp>,
    /// The last scan that came to nothing, for whatever reason.
    pub failed: Option<(Timestamp, String)>,
    /// Since when every scan has failed by the scanner itself.
    pub away_since: Option<Timestamp>,
}

impl Health {
    /// Nothing was asked yet.
    #[must_use]
    pub fn new(host: String, rescan_after: Duration) -> Self {
        Self { host, rescan_after, known: Mutex::default() }
    }

    /// Where it is: host and port.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// How old a report may grow.
    #[must_use]
    pub fn rescan_after(&self) -> Duration {
        self.rescan_after
    }

    /// What is known of it.
    #[must_use]
    pub fn known(&self) -> Known {
        self.lock().clone()
    }

    /// A report came.
    pub(super) fn reported(&self, at: Timestamp) {
        let mut known = self.lock();
        (known.reported_at, known.away_since) = (Some(at), None);
    }

    /// A scan came to nothing, for this reason; perhaps as the scanner is not there.
    pub(super) fn failed(&self, at: Timestamp, reason: &str, is_away: bool) {
        let mut known = self.lock();
        known.failed = Some((at, reason.to_owned()));
        if is_away {
            known.away_since.get_or_insert(at);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Each change leaves it valid.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scanner_is_away_from_its_first_failure_until_it_reports() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let health = Health::new("scanner.example".to_owned(), Duration::from_secs(60));
        assert_eq!(health.known(), Known::default());
        health.failed(at(1), "the manifest is gone", false);
        assert_eq!(health.known().away_since, None, "that was not the scanner");
        health.failed(at(2), "cannot be reached", true);
        health.failed(at(3), "cannot be reached", true);
        assert_eq!(health.known().away_since, Some(at(2)));
        health.reported(at(4));
        let known = health.known();
        assert_eq!((known.reported_at, known.away_since), (Some(at(4)), None));
        assert_eq!(known.failed, Some((at(3), "cannot be reached".to_owned())));
    }
}
