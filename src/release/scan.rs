//! A scan that was asked for, and what became of it.

use jiff::Timestamp;
use oci::{Digest, RepositoryName};

/// The scan of one manifest. There is one for each digest and repository; asking again while one
/// waits changes nothing, and asking after one ended begins anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Where the scanner is to pull it.
    pub repository: RepositoryName,
    /// The manifest.
    pub digest: Digest,
    /// Why it is scanned.
    pub cause: Cause,
    /// When that was asked for.
    pub requested_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// How far it is.
    pub progress: Progress,
}

/// Why an image is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// It was pushed.
    Push,
    /// Somebody asked for it.
    Demand,
    /// Its report is old.
    Age,
}

impl Cause {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Demand => "demand",
            Self::Age => "age",
        }
    }

    /// Read as it is written; none where it is no cause.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        [Self::Push, Self::Demand, Self::Age].into_iter().find(|cause| cause.as_str() == text)
    }
}

/// How far a scan is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It waits for its turn, or for another try after a failure.
    Waiting {
        /// Not before then.
        next_at: Timestamp,
        /// Since when it has failed, and why it failed last; none before the first failure.
        failing: Option<(Timestamp, String)>,
    },
    /// The scanner works on it, as far as the holder of the lease knows.
    Running {
        /// When the lease ends, and another may take it over.
        until: Timestamp,
        /// As for `Waiting`.
        failing: Option<(Timestamp, String)>,
    },
    /// It was done then.
    Done(Timestamp),
    /// It was given up.
    Failed {
        /// Since when it has failed.
        since: Timestamp,
        /// Why it failed last.
        reason: String,
    },
}
