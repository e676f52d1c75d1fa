//! The state: what outlives a restart.
//!
//! [`Store`] is what the gate asks of it, in its own terms. It is kept in SQLite or in PostgreSQL:
//! `sql` has the operations, in SQL that both read, and `sqlite` and `postgres` what differs; one
//! suite of tests holds both to the same behaviour. Times are those of
//! the caller, so that no clock of a database decides anything, and are kept to the millisecond.

mod activity;
mod engine;
mod inventory;
mod lock;
mod open;
mod postgres;
mod release;
mod repository_lock;
mod schema;
mod sql;
mod sqlite;
mod url;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use policy::Subject;

pub use activity::{Activity, GroupPull, Handled, Move, Pull, Pushed, RemovedFlag};
pub use inventory::{
    CrawlProgress, Extent, Learned, Lessons, ManifestPlace, News, OfRepository, Tagged,
};
pub use open::{Checked, OpenError, Settings, check, kept_policy, open};
pub use release::{
    FindingKey, FindingQuery, Found, Place, Released, Releases, ScanCounts, ScanEnd, ScanPlace,
    Undescribed,
};
pub use repository_lock::{LockError, Mode, ReplicaLock, ReplicaLocks};
pub use url::{InvalidUrl, PostgresUrl, StoreUrl};

use crate::token::{Family, LastUse, TokenHash, TokenId};
use open::folder;

/// How long a superseded refresh token still answers with its successor.
pub const OVERLAP: Duration = Duration::from_secs(30);

/// The operations of the gate on its state. Each is one transaction: it happens as a whole, durably,
/// or not at all.
#[async_trait]
pub trait Store: Lessons + Releases + Activity + Send + Sync + 'static {
    /// Keeps a new family and the hash of its first refresh token, if it has one. One that comes
    /// from something that was revoked in the meantime is revoked from the start.
    async fn add_family(&self, family: &Family, token: Option<TokenHash>)
    -> Result<(), StoreError>;

    /// The family of this name, whether it still holds or not.
    async fn family(&self, id: &TokenId) -> Result<Option<Family>, StoreError>;

    /// The family that a refresh token stands for, superseded tokens included.
    async fn family_of(&self, token: TokenHash) -> Result<Option<Family>, StoreError>;

    /// Families, the latest first (by `made_at`, then by `id`, both descending).
    async fn families(&self, query: &FamilyQuery) -> Result<Vec<Family>, StoreError>;

    /// Exchanges a refresh token of a rotating family for its successor.
    ///
    /// The first use of a token makes the successor of its predecessor the current one. The token
    /// before the current one answers with its successor until [`OVERLAP`] after the current one
    /// was first used; an older one, or that one later, is a sign of theft: the family is revoked in
    /// the same transaction. A family never has two successors in the same place: if the successor
    /// that is kept differs (the gate's key was exchanged) and was not used yet, it is replaced; if
    /// it was used, there is no answer to give.
    async fn rotate(
        &self,
        token: TokenHash,
        successor: TokenHash,
        now: Timestamp,
    ) -> Result<Rotation, StoreError>;

    /// Notes when families were last used. A use that is earlier than the one that is kept changes
    /// nothing; families that are not kept are passed over.
    async fn used(&self, uses: &[(TokenId, LastUse)]) -> Result<(), StoreError>;

    /// Revokes, and tells how many families that held were ended by it.
    ///
    /// Revoking a name ends the family of that name with all that descend from it, or the single
    /// access token of that name. Each ended family gets `revoked_at`, and is among the
    /// [`Changes`] as an [`Revoked::Id`]. Times of signing in are compared in whole seconds, as
    /// access tokens tell them.
    async fn revoke(&self, what: &Revocation, now: Timestamp) -> Result<u64, StoreError>;

    /// What was revoked after `since`, and the services as they are now where anything about them
    /// changed after it. Changes are numbered in the order in which they are committed. A number
    /// that is not reached yet is of another state (a backup was restored): everything is told.
    async fn changes(&self, since: Sequence) -> Result<Changes, StoreError>;

    /// Adds a service. False: there is one of that name.
    async fn add_service(&self, name: &str, now: Timestamp) -> Result<bool, StoreError>;

    /// Disables or enables a service. False: there is none of that name.
    async fn set_service_disabled(&self, name: &str, disabled: bool) -> Result<bool, StoreError>;

    /// The services by name, in order.
    async fn services(&self) -> Result<Vec<Service>, StoreError>;

    /// The highest sequence number that a peer's list of revocations had; none before the first.
    async fn peer_sequence(&self, peer: &str) -> Result<Option<Sequence>, StoreError>;

    /// Remembers that number, unless a higher one is kept.
    async fn set_peer_sequence(&self, peer: &str, sequence: Sequence) -> Result<(), StoreError>;

    /// The latest time that the gate has seen; none before the first.
    async fn latest_time(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Remembers that time, unless a later one is kept.
    async fn set_latest_time(&self, now: Timestamp) -> Result<(), StoreError>;

    /// Keeps a policy as the last good one, in the place of the one before, whichever replica that
    /// came from.
    async fn keep_policy(&self, policy: &KeptPolicy) -> Result<(), StoreError>;

    /// The policy that was kept last; none before the first.
    async fn kept_policy(&self) -> Result<Option<KeptPolicy>, StoreError>;

    /// Forgets families with their refresh tokens, and revocations, of which nothing could hold at
    /// `before` any more, and tells how much went. Revocations of a subject or of everything stay.
    /// Of what is said of images go the exceptions that were over, the scans that were done, and
    /// those that were given up of images that are not there any more. Callers keep well away from now, as clocks go wrong.
    async fn purge(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// The locks that replicas share; none where one process has the state to itself.
    fn replica_locks(&self) -> Option<ReplicaLocks>;

    /// Waits until something may have changed that another process did; implementations without
    /// notifications wait for ever. Whoever calls this polls as well.
    async fn changed(&self) -> Result<(), StoreError>;
}

/// Counts changes of the state; 0 is before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(pub i64);

/// Which families are asked for.
#[derive(Debug, Clone, Default)]
pub struct FamilyQuery {
    /// Only those of this subject.
    pub subject: Option<Subject>,
    /// Only those that hold at this time.
    pub holding_at: Option<Timestamp>,
    /// Only those whose access tokens are for another service than this gate.
    pub for_others: bool,
    /// In which order.
    pub order: FamilyOrder,
    /// Only those that come after this one: its name, and its time in this order.
    pub after: Option<(Timestamp, TokenId)>,
    /// At most so many.
    pub limit: u32,
}

/// In which order families come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FamilyOrder {
    /// Those that were made last first.
    #[default]
    Made,
    /// Those that end soon first.
    Ends,
}

impl FamilyOrder {
    /// The time that decides about the place of a family.
    #[must_use]
    pub fn time(self, family: &Family) -> Timestamp {
        match self {
            Self::Made => family.made_at,
            Self::Ends => family.ends_at,
        }
    }
}

/// What came of showing a rotating refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The successor is the next token of the family.
    Rotated,
    /// The token was superseded too long ago. The family is revoked; `now` tells whether this
    /// call did it.
    Reused {
        /// Whether the family held until now.
        now: bool,
    },
    /// There is no such token, or its family is not rotating, or does not hold, or the successor is
    /// not the one that was used.
    Gone,
}

/// What is to be revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// A family with all that descend from it, or one access token.
    Id {
        /// Its name.
        id: TokenId,
        /// When an access token of this name has expired; a family's own end is known.
        until: Timestamp,
    },
    /// Everything of a subject that began at or before a time.
    Subject(Subject, Timestamp),
    /// Everything that began at or before a time.
    Everything(Timestamp),
}

/// A revocation as each request is checked against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// The family or the access token of this name.
    Id {
        /// The name.
        id: TokenId,
        /// From when on nothing of it could hold in any case.
        until: Timestamp,
    },
    /// Everything of a subject that began at or before this time.
    Subject(Subject, Timestamp),
    /// Everything that began at or before this time.
    Everything(Timestamp),
}

/// What changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The number of the last change there is.
    pub sequence: Sequence,
    /// The number of the last lesson there is ([`Lessons`]).
    pub last_lesson: Sequence,
    /// The number of the last change of what is said of images ([`Releases`]).
    pub last_release: Sequence,
    /// In the order in which they were made.
    pub revoked: Vec<Revoked>,
    /// All services, if anything about them changed.
    pub services: Option<Vec<Service>>,
}

/// A service: a name that tokens are made for, which is not a person's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name, without `service:`.
    pub name: String,
    /// A disabled service is known, and may do nothing.
    pub disabled: bool,
    /// When it was added.
    pub made_at: Timestamp,
}

/// A policy that was in force.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptPolicy {
    /// Stands for its files.
    pub sha256: [u8; 32],
    /// When it was loaded.
    pub loaded_at: Timestamp,
    /// The files, packed by whoever keeps it.
    pub files: Vec<u8>,
}

impl fmt::Debug for KeptPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeptPolicy({} bytes, loaded at {})", self.files.len(), self.loaded_at)
    }
}

/// The state could not be asked, or did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no, or was not there.
    #[error("the state cannot be used: {what}")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What the database holds is not what this version writes.
    #[error("the state holds something that cannot be understood: {0}")]
    Damaged(String),
}

fn failed(
    what: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Failed { what, source: source.into() }
}

#[cfg(test)]
pub(crate) mod tests;
