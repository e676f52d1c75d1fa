//! What has been heard of another gate's revocations.

use std::sync::Arc;

use jiff::Timestamp;

use super::error::PeerError;
use crate::store::Sequence;
use crate::token::RevocationList;

/// The last word of another gate on what it has revoked.
#[derive(Debug, Clone, Default)]
pub(super) enum Heard {
    /// None yet.
    #[default]
    Nothing,
    /// This list.
    List(Arc<RevocationList>),
    /// An older one than had been seen: somebody holds back what was revoked since, or the gate
    /// lost a part of its state. Either way it does not know what it had revoked.
    Backwards,
}

impl Heard {
    /// What is known after a list came that was checked; `seen` is the highest number of a list that
    /// was ever seen.
    pub(super) fn after(&self, list: RevocationList, seen: Option<Sequence>) -> Self {
        if seen.is_some_and(|seen| list.sequence() < seen) {
            return Self::Backwards;
        }
        match self {
            // Two replicas of the gate may make lists of the same state: the later one says more, as
            // it knows who has gone since.
            Self::List(kept)
                if kept.sequence() == list.sequence() && kept.made_at() > list.made_at() =>
            {
                self.clone()
            }
            _ => Self::List(Arc::new(list)),
        }
    }

    /// The list, as far as it may be relied on.
    ///
    /// # Errors
    /// The gate as a whole is not to be trusted at this moment.
    pub(super) fn list(&self, now: Timestamp) -> Result<&RevocationList, PeerError> {
        match self {
            Self::Nothing => Err(PeerError::Unheard),
            Self::Backwards => Err(PeerError::RolledBack),
            Self::List(list) if list.holds(now) => Ok(list),
            Self::List(_) => Err(PeerError::Stale),
        }
    }
}
