//! Who signed an image, remembered for a while.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oci::{Digest, RepositoryName};

use super::contents::Asking;
use crate::recent::Recent;
use crate::signature::{TrustedKeys, signers};
use crate::upstream::Error;

/// How many images are remembered, and as many again that were used less.
const REMEMBERED: usize = 10_000;

/// Looks for signatures by the keys that are trusted now.
pub struct Signers {
    keys: Box<dyn Fn() -> Arc<TrustedKeys> + Send + Sync>,
    found: Recent<(RepositoryName, Digest), Arc<Found>>,
    /// How long what was found need not be looked for again.
    freshness: Duration,
}

struct Found {
    at: Timestamp,
    keys: Arc<TrustedKeys>,
    signers: Vec<Box<str>>,
}

impl Signers {
    /// `keys` gives those that are trusted now.
    pub fn new(
        keys: impl Fn() -> Arc<TrustedKeys> + Send + Sync + 'static,
        freshness: Duration,
    ) -> Self {
        Self { keys: Box::new(keys), found: Recent::new(REMEMBERED), freshness }
    }

    /// The names of the trusted keys that signed the digest in that repository.
    ///
    /// # Errors
    /// The upstream could not be asked.
    pub(super) async fn of(
        &self,
        asking: Asking<'_>,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Vec<Box<str>>, Error> {
        let keys = (self.keys)();
        let place = (asking.repository.clone(), digest.clone());
        if let Some(found) = self.found.get(&place)
            && Arc::ptr_eq(&found.keys, &keys)
            && now.duration_since(found.at).unsigned_abs() < self.freshness
        {
            return Ok(found.signers.clone());
        }
        let Asking { upstream, repository, budget, .. } = asking;
        let signers = signers(upstream, repository, digest, &keys, budget).await?;
        // What is not signed yet may be signed at any moment, and is looked for each time.
        if !signers.is_empty() {
            let found = Found { at: now, keys, signers: signers.clone() };
            self.found.insert(place, Arc::new(found));
        }
        Ok(signers)
    }
}
