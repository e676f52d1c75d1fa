//! One lock for each repository, held while tags are looked at and then changed.
//!
//! Whoever may both create and overwrite needs no look, and shares the lock with others like it; a
//! look excludes everybody else, or two racing pushes could both be creates.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oci::RepositoryName;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Repositories share this many locks: bounded, and two of them rarely meet.
const STRIPES: usize = 1024;

/// The locks.
pub struct Locks {
    stripes: Box<[Stripe]>,
    hasher: RandomState,
}

#[derive(Default)]
struct Stripe {
    lock: Arc<RwLock<()>>,
    changes: Arc<AtomicU64>,
}

/// A lock that is held; dropping it lets go, and counts: what was looked at without the lock may
/// have changed since.
pub struct Locked {
    changes: Arc<AtomicU64>,
    _guard: Guard,
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

impl Drop for Locked {
    fn drop(&mut self) {
        // Before the guard goes, so that whoever gets the lock next sees it.
        self.changes.fetch_add(1, Ordering::SeqCst);
    }
}

impl Default for Locks {
    fn default() -> Self {
        Self::striped(STRIPES)
    }
}

impl Locks {
    /// For one decision that nothing follows, so that nobody waits for it.
    #[must_use]
    pub fn unshared() -> Self {
        Self::striped(1)
    }

    fn striped(count: usize) -> Self {
        Self {
            stripes: (0..count).map(|_| Stripe::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Waits until nobody holds the repository alone.
    pub async fn share(&self, repository: &RepositoryName) -> Locked {
        let Stripe { lock, changes } = self.of(repository);
        let guard = Guard::Shared { _guard: Arc::clone(lock).read_owned().await };
        Locked { changes: Arc::clone(changes), _guard: guard }
    }

    /// Waits until nobody else holds the repository.
    pub async fn alone(&self, repository: &RepositoryName) -> Locked {
        let Stripe { lock, changes } = self.of(repository);
        let guard = Guard::Alone { _guard: Arc::clone(lock).write_owned().await };
        Locked { changes: Arc::clone(changes), _guard: guard }
    }

    /// How often the repository may have changed so far.
    #[must_use]
    pub fn changes(&self, repository: &RepositoryName) -> u64 {
        self.of(repository).changes.load(Ordering::SeqCst)
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder is smaller than its divisor")]
    fn of(&self, repository: &RepositoryName) -> &Stripe {
        &self.stripes[self.hasher.hash_one(repository) as usize % self.stripes.len()]
    }
}
