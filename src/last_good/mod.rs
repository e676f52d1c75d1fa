//! The last good policy, which outlives a restart: the state keeps it.
//!
//! A gate whose policy folder cannot be used would otherwise not start, and a restart is when it
//! may be needed most. What is kept is taken as a whole or not at all: unchanged, and compiled
//! without a mistake by this version of the language.

mod keeper;
mod packed;

pub use keeper::Keeper;

use crate::policy_folder::{LoadError, Sources};
use crate::reload::{LoadedPolicy, PolicyFiles};
use crate::state::State;
use crate::store::{KeptPolicy, StoreError};
use crate::watch::{Fingerprint, Reloaded};

/// Why what is kept cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be asked for.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be unpacked.
    #[error("it is damaged")]
    Damaged(#[source] serde_json::Error),
    /// It is not what it was.
    #[error("it is damaged: its SHA-256 is another one")]
    Changed,
    /// This version does not take it as a policy.
    #[error("this version of portcullis does not accept it: {0}")]
    Mistakes(LoadError),
}

/// Why there is no policy at all.
#[derive(Debug, thiserror::Error)]
pub enum NoPolicy {
    /// The folder cannot be used, and no policy was ever kept.
    #[error(transparent)]
    Folder(#[from] LoadError),
    /// The folder cannot be used, and neither can what is kept.
    #[error("{folder}")]
    Neither {
        /// Why the folder cannot.
        folder: LoadError,
        /// Why what is kept cannot.
        kept: Unusable,
    },
}

/// The policy of a start.
#[derive(Debug)]
pub struct Start {
    /// In force, and following its folder.
    pub policy: Reloaded<PolicyFiles>,
    /// Why it is the last good one, and not that of the folder.
    pub refused: Option<LoadError>,
}

/// Loads the policy from its folder or, where that cannot be used, the last good one.
///
/// # Errors
/// There is neither.
pub async fn start(files: PolicyFiles, state: &State) -> Result<Start, NoPolicy> {
    let kept = state.ask(|store| async move { store.kept_policy().await }).await;
    let known = kept.as_ref().ok().and_then(Option::as_ref);
    let known = known.map(|kept| Fingerprint::from(kept.sha256));
    let refused = match Reloaded::start_settled(files, known) {
        Ok(policy) => return Ok(Start { policy, refused: None }),
        Err(refused) => refused,
    };
    let restored = match kept {
        Ok(None) => return Err(refused.error.into()),
        Ok(Some(kept)) => restore(&kept),
        Err(error) => Err(error.into()),
    };
    match restored {
        Ok(restored) => {
            let sha256 = restored.sha256;
            let (policy, error) = refused.replaced_by(restored, sha256);
            Ok(Start { policy, refused: Some(error) })
        }
        Err(kept) => Err(NoPolicy::Neither { folder: refused.error, kept }),
    }
}

/// Makes a policy of what is kept.
///
/// # Errors
/// It is damaged, or has mistakes in the language of today.
pub fn restore(kept: &KeptPolicy) -> Result<LoadedPolicy, Unusable> {
    let sources = packed::unpack(kept)?;
    let restored = LoadedPolicy::compile(sources, kept.loaded_at).map_err(Unusable::Mistakes)?;
    // They are kept already.
    drop(restored.take_files());
    Ok(restored)
}

/// The files of what is kept.
///
/// # Errors
/// It is damaged.
pub fn files(kept: &KeptPolicy) -> Result<Sources, Unusable> {
    packed::unpack(kept)
}

#[cfg(test)]
mod tests;
