//! One lock for each repository, held while tags are looked at and then changed.
//!
//! Whoever may both create and overwrite needs no look, and shares the lock with others like it; a
//! look excludes everybody else, or two racing pushes could both be creates.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use oci::RepositoryName;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Repositories share this many locks: bounded, and two of them rarely meet.
const STRIPES: usize = 1024;

/// The locks.
pub struct Locks {
    stripes: Box<[Arc<RwLock<()>>]>,
    hasher: RandomState,
}

/// A lock that is held; dropping it lets go.
pub enum Locked {
    /// Together with other writers that need no look.
    Shared(OwnedRwLockReadGuard<()>),
    /// Alone.
    Alone(OwnedRwLockWriteGuard<()>),
}

impl Default for Locks {
    fn default() -> Self {
        Self { stripes: (0..STRIPES).map(|_| Arc::default()).collect(), hasher: RandomState::new() }
    }
}

impl Locks {
    /// Waits until nobody holds the repository alone.
    pub async fn share(&self, repository: &RepositoryName) -> Locked {
        Locked::Shared(self.of(repository).read_owned().await)
    }

    /// Waits until nobody else holds the repository.
    pub async fn alone(&self, repository: &RepositoryName) -> Locked {
        Locked::Alone(self.of(repository).write_owned().await)
    }

    fn of(&self, repository: &RepositoryName) -> Arc<RwLock<()>> {
        let stripe = self.hasher.hash_one(repository) as usize % STRIPES;
        self.stripes.get(stripe).map(Arc::clone).unwrap_or_default()
    }
}
