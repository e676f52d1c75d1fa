//! One lock for each repository, held while tags are looked at and then changed.
//!
//! Whoever may both create and overwrite needs no look, and shares the lock with others like it; a
//! look excludes everybody else, or two racing pushes could both be creates. The requests of one
//! gate take turns in its memory, and gates that share a state take turns by that: first here, then
//! there, so that of one gate at most one waits there for each repository.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use oci::RepositoryName;
use tokio::sync::{Mutex, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio::time::{Instant, timeout_at};

use crate::store::{LockError, Mode, ReplicaLock, ReplicaLocks};

/// Repositories share this many locks: bounded, and two of them rarely meet.
const STRIPES: usize = 1024;

/// How long a request waits for its turn, at most.
const WAIT: Duration = Duration::from_secs(30);

/// The locks.
pub struct Locks {
    stripes: Box<[Stripe]>,
    hasher: RandomState,
    replicas: Option<ReplicaLocks>,
    wait: Duration,
}

#[derive(Default)]
struct Stripe {
    lock: Arc<RwLock<()>>,
    turns: AtomicU64,
    /// What those who share here hold together between the replicas.
    shared: Mutex<Weak<ReplicaLock>>,
}

/// A lock that is held; dropping it lets go.
pub struct Locked {
    turn: Turn,
    between: Option<Arc<ReplicaLock>>,
    _guard: Guard,
}

/// Which turn at the lock it was, by those who have had it.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    here: u64,
    between: Option<i64>,
}

enum Guard {
    /// Together with other writers that need no look.
    Shared {
        _guard: OwnedRwLockReadGuard<()>,
    },
    Alone {
        _guard: OwnedRwLockWriteGuard<()>,
    },
}

impl Locked {
    /// To be compared with a later one.
    #[must_use]
    pub fn turn(&self) -> Turn {
        self.turn
    }

    /// Whether nobody has had the lock since that turn, here or at another replica. If both were
    /// alone, nothing was written through a gate in between.
    #[must_use]
    pub fn is_next_after(&self, earlier: Turn) -> bool {
        let between = match (earlier.between, self.turn.between) {
            (Some(earlier), Some(now)) => earlier.checked_add(1) == Some(now),
            (None, None) => true,
            _ => false,
        };
        between && earlier.here + 1 == self.turn.here
    }

    /// Asks whether it is held still, where it can be lost.
    ///
    /// # Errors
    /// It is not.
    pub async fn confirm(&self) -> Result<(), LockError> {
        match &self.between {
            Some(between) => between.confirm().await,
            None => Ok(()),
        }
    }
}

impl Default for Locks {
    fn default() -> Self {
        Self::between(None)
    }
}

impl Locks {
    /// For one decision that nothing follows, so that nobody waits for it.
    #[must_use]
    pub fn unshared() -> Self {
        Self::striped(1, None)
    }

    /// For a gate that takes turns with its replicas, if it may have any.
    #[must_use]
    pub fn between(replicas: Option<ReplicaLocks>) -> Self {
        Self::striped(STRIPES, replicas)
    }

    fn striped(count: usize, replicas: Option<ReplicaLocks>) -> Self {
        Self {
            stripes: (0..count).map(|_| Stripe::default()).collect(),
            hasher: RandomState::new(),
            replicas,
            wait: WAIT,
        }
    }

    /// Waits until nobody holds the repository alone.
    ///
    /// # Errors
    /// Somebody does for too long, or it cannot be known.
    pub async fn share(&self, repository: &RepositoryName) -> Result<Locked, LockError> {
        let until = Instant::now() + self.wait;
        let stripe = self.of(repository);
        let guard = within(until, Arc::clone(&stripe.lock).read_owned()).await?;
        let between = match &self.replicas {
            Some(replicas) => Some(stripe.join(replicas, repository, until).await?),
            None => None,
        };
        Ok(stripe.locked(Guard::Shared { _guard: guard }, between))
    }

    /// Waits until nobody else holds the repository.
    ///
    /// # Errors
    /// Somebody does for too long, or it cannot be known.
    pub async fn alone(&self, repository: &RepositoryName) -> Result<Locked, LockError> {
        let until = Instant::now() + self.wait;
        let stripe = self.of(repository);
        let guard = within(until, Arc::clone(&stripe.lock).write_owned()).await?;
        let between = match &self.replicas {
            Some(replicas) => Some(Arc::new(replicas.take(repository, Mode::Alone, until).await?)),
            None => None,
        };
        Ok(stripe.locked(Guard::Alone { _guard: guard }, between))
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder is smaller than its divisor")]
    fn of(&self, repository: &RepositoryName) -> &Stripe {
        &self.stripes[self.hasher.hash_one(repository) as usize % self.stripes.len()]
    }
}

impl Stripe {
    /// To be called with the guard held.
    fn locked(&self, guard: Guard, between: Option<Arc<ReplicaLock>>) -> Locked {
        let here = self.turns.fetch_add(1, Ordering::SeqCst);
        let turn = Turn { here, between: between.as_ref().map(|between| between.turn()) };
        Locked { turn, between, _guard: guard }
    }

    /// Joins those who share the repository here, so that the state is asked once for many.
    async fn join(
        &self,
        replicas: &ReplicaLocks,
        repository: &RepositoryName,
        until: Instant,
    ) -> Result<Arc<ReplicaLock>, LockError> {
        let mut shared = within(until, self.shared.lock()).await?;
        if let Some(held) = shared.upgrade().filter(|held| held.may_be_joined(repository)) {
            return Ok(held);
        }
        let held = Arc::new(replicas.take(repository, Mode::Shared, until).await?);
        *shared = Arc::downgrade(&held);
        Ok(held)
    }
}

async fn within<T>(until: Instant, turn: impl Future<Output = T>) -> Result<T, LockError> {
    timeout_at(until, turn).await.map_err(|_| LockError::Busy)
}
