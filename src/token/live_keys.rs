//! The keys that are in force now: they follow their folder.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::task;
use tokio::time::Instant;

use super::key_files::{self, Der, KeyFile, KeyState};
use super::keys::{KeyError, KeyFolder, ListedKey};
use super::ring::KeyRing;
use crate::watch::{Fingerprint, INTERVAL, Reloaded, Source};

/// The gate's keys, which are exchanged when their folder changes and when one of them retires.
pub struct Keys {
    origin: Origin,
    looked: Mutex<Option<Instant>>,
}

enum Origin {
    Folder(Arc<Reloaded<KeyFiles>>),
    Fixed(ArcSwap<KeyRing>),
}

/// The key folder, as the keys in it are at a time.
pub(super) struct KeyFiles {
    pub(super) folder: PathBuf,
    pub(super) verify_for: Duration,
    pub(super) clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Source for KeyFiles {
    /// The keys that have not retired: one that does makes a difference, as one that is removed.
    type Content = Vec<Der>;
    type Value = KeyRing;
    type Error = KeyError;

    fn name(&self) -> &'static str {
        "the folder of signing keys"
    }

    fn read(&self) -> Result<Vec<Der>, KeyError> {
        let files = key_files::list(&self.folder, self.verify_for, (self.clock)())?;
        let counting = files.iter().filter(|file| file.state != KeyState::Retired);
        counting.map(KeyFile::der).collect()
    }

    fn fingerprint(content: &Vec<Der>) -> Fingerprint {
        Fingerprint::of(content.iter().map(|der| der.as_slice()))
    }

    fn load(&self, content: Vec<Der>) -> Result<KeyRing, KeyError> {
        key_files::ring(&self.folder, &content)
    }
}

impl Keys {
    pub(super) fn follow(files: KeyFiles) -> Result<Self, KeyError> {
        let folder = Arc::new(Reloaded::start(files)?);
        Ok(Self { origin: Origin::Folder(folder), looked: Mutex::new(None) })
    }

    /// The keys in force.
    pub fn current(&self) -> Guard<Arc<KeyRing>> {
        match &self.origin {
            Origin::Folder(folder) => folder.current(),
            Origin::Fixed(ring) => ring.load(),
        }
    }

    /// All signing keys that there are files of, those that have retired too, from the oldest to the
    /// newest; what is in force, where there are no files. Blocks.
    ///
    /// # Errors
    /// The folder cannot be read, or holds something else.
    pub fn list(&self, now: Timestamp) -> Result<Vec<ListedKey>, KeyError> {
        match &self.origin {
            Origin::Folder(folder) => {
                let KeyFiles { folder, verify_for, .. } = folder.source();
                KeyFolder::list(folder, *verify_for, now)
            }
            Origin::Fixed(ring) => Ok(ring.load().listed()),
        }
    }

    /// Looks at the folder, and puts its keys in force if they are others and right. Blocks. What
    /// is wrong is told in the log; the last good ones stay in force.
    pub fn poll(&self) {
        if let Origin::Folder(folder) = &self.origin {
            let _ = folder.poll();
        }
    }

    /// Other keys than `used`, of which one is missed: those in force by now, or after a look at
    /// the folder, which another replica or a command may just have written to. As anyone can send
    /// a token with any name of a key, it looks only so often.
    pub async fn other_than(&self, used: &Arc<KeyRing>) -> Option<Arc<KeyRing>> {
        let other = || Some(Arc::clone(&self.current())).filter(|keys| !Arc::ptr_eq(keys, used));
        let Origin::Folder(folder) = &self.origin else {
            return other();
        };
        // Who comes while another looks waits for what they find.
        let mut looked = self.looked.lock().await;
        let recently = looked.is_some_and(|looked| looked.elapsed() < INTERVAL);
        if !recently && other().is_none() {
            let folder = Arc::clone(folder);
            // A panic was printed when it happened; the keys are those from before.
            let _ = task::spawn_blocking(move || drop(folder.poll())).await;
            *looked = Some(Instant::now());
        }
        other()
    }
}

/// Keys that stay as they are.
impl From<Arc<KeyRing>> for Keys {
    fn from(ring: Arc<KeyRing>) -> Self {
        Self { origin: Origin::Fixed(ArcSwap::new(ring)), looked: Mutex::new(None) }
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Keys").field(&**self.current()).finish()
    }
}

#[cfg(test)]
mod tests;
