//! What comes of a search, and why there may be no answer.

use std::time::Duration;

use super::Exhausted;
use crate::upstream;

/// Why it could not be told who may read something. The caller may try again: what was found out
/// so far is remembered.
#[derive(Debug, thiserror::Error)]
pub enum Undecided {
    /// In memory alone there is more to look at than one question may.
    #[error("too many manifests share content to tell who may read it")]
    Shared,
    /// It took too long.
    #[error("the tags of the repository could not be looked at within {} seconds", .0.as_secs())]
    Slow(Duration),
    /// Something is wrong in the gate.
    #[error("the search ended early")]
    Broken,
    /// What the upstream said, or that it may be asked no more.
    #[error("the tags of the repository could not be looked at")]
    Upstream(#[source] upstream::Error),
}

/// Until a background pass has come further.
const LATER: Duration = Duration::from_secs(30);

/// The longest that a client is sent away for, whatever the upstream says.
const LONGEST: Duration = Duration::from_secs(300);

impl Undecided {
    /// Whether the gate itself has had enough.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        matches!(self, Self::Shared | Self::Slow(_) | Self::Upstream(upstream::Error::Budget(_)))
    }

    /// When to try again.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::Upstream(upstream::Error::Unavailable { after: Some(after), .. }) => {
                (*after).min(LONGEST)
            }
            Self::Shared | Self::Slow(_) | Self::Broken | Self::Upstream(_) => LATER,
        }
    }
}

impl From<Exhausted> for Undecided {
    fn from(_: Exhausted) -> Self {
        Self::Shared
    }
}

/// What came of asking who may read something, for the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Memory knew a way.
    Known,
    /// What is kept of the repository knew one.
    Recalled,
    /// The upstream was asked, or had been asked just before, and there is one.
    Found,
    /// There is none.
    Denied,
    /// A bound was reached.
    Bounded,
    /// The upstream did not answer as it should.
    Failed,
}

impl Lookup {
    /// As it stands in the metric.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Recalled => "recalled",
            Self::Found => "found",
            Self::Denied => "denied",
            Self::Bounded => "bounded",
            Self::Failed => "failed",
        }
    }
}
