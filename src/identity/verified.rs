//! Checking passwords: slowly, a few at a time, and not twice.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use aws_lc_rs::{hmac, rand};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task;

use crate::secret::Secret;

use super::failure::AuthError;
use super::users::Users;
use crate::recent::Recent;

/// How long a password that was right need not be checked again.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// How many of them are remembered in one generation.
const REMEMBERED: usize = 4096;

/// How many checks may wait for one that runs. At some 50 ms each, the last one waits 3 s.
const WAITING: usize = 64;

/// Runs the checks. A password hash is made to take time and memory, so few run at once, on half
/// of the cores: who only pulls does not notice who logs in.
pub(super) struct Passwords {
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    /// Random, and of this process alone: what is remembered is of no use to anyone else.
    key: hmac::Key,
    right: Recent<[u8; 32], Right>,
}

/// A password that was right, under the users of that time. The weak reference keeps their address
/// from being used again, so that comparing addresses is enough.
#[derive(Clone)]
struct Right {
    users: Weak<Users>,
    until: Timestamp,
}

/// The right to run a check. Holding one means to be one of few.
pub(super) struct Turn {
    _running: OwnedSemaphorePermit,
    _admitted: OwnedSemaphorePermit,
}

impl Passwords {
    pub(super) fn new() -> Result<Self, aws_lc_rs::error::Unspecified> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let at_once = cores.div_ceil(2);
        let mut key = [0; 32];
        rand::fill(&mut key)?;
        Ok(Self {
            running: Arc::new(Semaphore::new(at_once)),
            admitted: Arc::new(Semaphore::new(at_once * (WAITING + 1))),
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            right: Recent::new(REMEMBERED),
        })
    }

    /// A name that says nothing for a list of texts; no two lists have the same.
    pub(super) fn fingerprint(&self, parts: &[&str]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(context.sign().as_ref());
        fingerprint
    }

    /// Whether this name and password were right a moment ago, under the same users.
    pub(super) fn was_right(
        &self,
        fingerprint: &[u8; 32],
        users: &Arc<Users>,
        now: Timestamp,
    ) -> bool {
        self.right
            .get(fingerprint)
            .is_some_and(|right| right.until > now && right.users.as_ptr() == Arc::as_ptr(users))
    }

    /// Remembers a name and password that are right.
    pub(super) fn remember(&self, fingerprint: [u8; 32], users: &Arc<Users>, now: Timestamp) {
        let until = now.saturating_add(REMEMBERED_FOR).unwrap_or(now);
        self.right.insert(fingerprint, Right { users: Arc::downgrade(users), until });
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`AuthError::Busy`] where too many wait already.
    pub(super) async fn turn(&self) -> Result<Turn, AuthError> {
        let busy = |_| AuthError::Busy;
        let admitted =
            Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| AuthError::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(busy)?;
        Ok(Turn { _running: running, _admitted: admitted })
    }

    /// Whether the password is the user's. Takes as long where there is no such user. The turn ends
    /// with the work, even if the client goes away before, as the work cannot be stopped.
    ///
    /// # Errors
    /// [`AuthError::Busy`] where the check did not run to its end.
    pub(super) async fn check(
        turn: Turn,
        users: &Arc<Users>,
        username: &str,
        password: &Secret,
    ) -> Result<bool, AuthError> {
        let (users, username, password) =
            (Arc::clone(users), username.to_owned(), password.clone());
        task::spawn_blocking(move || {
            let right = users.check(&username, &password);
            drop(turn);
            right
        })
        .await
        .map_err(|_| AuthError::Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn so_many_wait_and_no_more() {
        let passwords = Arc::new(Passwords::new().unwrap());
        let room = passwords.admitted.available_permits();
        let at_once = passwords.running.available_permits();
        let mut turns = Vec::new();
        for _ in 0..at_once {
            turns.push(passwords.turn().await.unwrap());
        }
        let waiting: Vec<_> = (at_once..room)
            .map(|_| {
                let passwords = Arc::clone(&passwords);
                tokio::spawn(async move { passwords.turn().await.map(drop) })
            })
            .collect();
        while passwords.admitted.available_permits() > 0 {
            task::yield_now().await;
        }
        assert_eq!(passwords.turn().await.err(), Some(AuthError::Busy));
        drop(turns);
        for turn in waiting {
            assert_eq!(turn.await.unwrap(), Ok(()));
        }
        assert!(passwords.turn().await.is_ok());
    }
}
