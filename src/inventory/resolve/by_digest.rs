//! Looking at manifests by their digests.

use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use oci::Digest;

use super::super::Undecided;
use super::super::blob::{instead_of_manifest, lacks_blob};
use super::super::graph::{Found, Graph};
use super::super::upstream::fetch;
use super::search::{MAX_SUBJECTS, Search};
use crate::log::Causes;
use crate::upstream::Error;

/// What came of asking for a manifest, and when.
type Fetched = Result<(Timestamp, Result<oci::Manifest, Found>), Error>;

impl Search {
    /// Asks for what is looked for by its digest, also where it is known already: what is there
    /// must cost as much as what is not.
    pub(super) async fn look_at_itself(self: &Arc<Self>) -> Result<bool, Undecided> {
        let Some(digest) = self.digest.clone().filter(|_| self.looks_at_it) else {
            return Ok(false);
        };
        let since = self.fresh_since();
        let was_sought = |graph: &Graph| graph.was_sought(&digest, since, !self.stops);
        if self.ask(was_sought) != Some(true) && self.look_at_unsure(digest.clone()).await? {
            return Ok(true);
        }
        // An artifact of an artifact.
        for _ in 0..MAX_SUBJECTS {
            let unknown = self.ask(|graph| graph.unknown_subject(&digest, since)).flatten();
            let Some(subject) = unknown else { break };
            if self.look_at_manifests(vec![subject]).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn look_at_unsure(self: &Arc<Self>, digest: Digest) -> Result<bool, Undecided> {
        let look = |search: Arc<Self>, digest| async move { search.look_at_either(&digest).await };
        self.each(vec![digest], look).await
    }

    /// What is looked for may be a blob, and docker-registry 2.8 answers 500 where a blob is asked
    /// for as a manifest. Where a tag must vouch for it, nothing more is asked: what is there must
    /// cost as much as what is not. A failure allows nothing then, and is not learned.
    async fn look_at_either(&self, digest: &Digest) -> Result<(), Error> {
        let at = self.watch.now();
        if self.stops {
            match self.fetch(digest).await {
                Err(error) if is_failure(&error) => {}
                fetched => fetched.map(|(at, found)| self.learn(digest, found, at))?,
            }
        } else {
            self.look_at_both(digest).await?;
        }
        let clock = self.inventory.clock(at);
        self.change(|graph| graph.sought(digest, at, !self.stops, clock));
        Ok(())
    }

    /// Where it is enough that nobody denies it, a failure is looked into. So the blob is asked for
    /// as well where there was none: a manifest, a blob and nothing at all must cost the same.
    async fn look_at_both(&self, digest: &Digest) -> Result<(), Error> {
        let fetched = self.fetch(digest).await;
        if fetched.is_ok() {
            let asked = lacks_blob(&self.upstream, &self.repository, digest);
            if let Err(error) = self.request(asked).await {
                tracing::debug!(error = %Causes(&error), "a blob was asked for in vain");
            }
        }
        self.learn_or_prove(digest, fetched).await
    }

    pub(super) async fn look_at_manifests(
        self: &Arc<Self>,
        digests: Vec<Digest>,
    ) -> Result<bool, Undecided> {
        self.each(digests, |search, digest| async move { search.look_at_manifest(&digest).await })
            .await
    }

    pub(super) async fn look_at_manifest(&self, digest: &Digest) -> Result<(), Error> {
        self.learn_or_prove(digest, self.fetch(digest).await).await
    }

    /// Where the upstream fails, it may be that a blob is there. That has to be proven, as a failure
    /// tells nothing and must allow nothing.
    async fn learn_or_prove(&self, digest: &Digest, fetched: Fetched) -> Result<(), Error> {
        let (at, found) = match fetched {
            Err(error) if is_failure(&error) => {
                let instead = instead_of_manifest(&self.upstream, &self.repository, digest);
                match self.request(instead).await? {
                    (at, Some(found)) => (at, Err(found)),
                    (_, None) => return Err(error),
                }
            }
            fetched => fetched?,
        };
        self.learn(digest, found, at);
        Ok(())
    }

    async fn fetch(&self, digest: &Digest) -> Fetched {
        let fetched = async {
            match fetch(&self.upstream, &self.repository, digest).await {
                Ok(Some(manifest)) => Ok(Ok(manifest)),
                Ok(None) => Ok(Err(Found::Absent)),
                Err(Error::Unreadable(..)) => Ok(Err(Found::Unreadable)),
                Err(error) => Err(error),
            }
        };
        self.request(fetched).await
    }

    pub(super) fn learn(
        &self,
        digest: &Digest,
        found: Result<oci::Manifest, Found>,
        at: Timestamp,
    ) {
        if let Ok(manifest) = &found {
            self.inventory.saw_manifest(&self.repository, digest, manifest);
        }
        let found = found.err().unwrap_or(Found::Manifest);
        let clock = self.inventory.clock(at);
        self.change(|graph| graph.asked(digest, found, at, clock));
    }
}

/// What docker-registry 2.8 answers to a blob that is asked for as a manifest; and what any registry
/// answers in which something is wrong for a moment.
fn is_failure(error: &Error) -> bool {
    matches!(error, Error::Unavailable { status: StatusCode::INTERNAL_SERVER_ERROR, .. })
}
