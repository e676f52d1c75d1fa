//! What is about an image: where the upstream lists it, and where only the artifact itself says so.

use std::sync::Arc;

use oci::{Digest, Tag};

use super::super::blob::lacks_blob;
use super::super::graph::{Below, Graph};
use super::super::upstream::{head_digest, referrers};
use super::super::{MAX_STEPS, Undecided};
use super::search::{MAX_SUBJECTS, Search};
use crate::upstream::Error;

impl Search {
    /// Learns what is about these manifests, where the upstream lists that.
    pub(super) async fn look_at_referrers(
        self: &Arc<Self>,
        below: &Below,
    ) -> Result<bool, Undecided> {
        let mut subjects = below.known.clone();
        for _ in 0..MAX_SUBJECTS {
            let since = self.fresh_since();
            let ahead = self.ask(|graph| graph.without_referrers(&subjects, since));
            // One is enough to find out that there is no such list.
            let mut ahead = ahead.unwrap_or_default().into_iter();
            for some in [ahead.next().into_iter().collect(), ahead.collect::<Vec<_>>()] {
                if self
                    .each(some, |s, digest| async move { s.look_at_referrers_of(&digest).await })
                    .await?
                {
                    return Ok(true);
                }
            }
            let artifacts = self.ask(|graph| graph.artifacts_of(&subjects)).unwrap_or_default();
            if artifacts.is_empty() {
                break;
            }
            subjects.extend(artifacts);
        }
        Ok(false)
    }

    async fn look_at_referrers_of(&self, digest: &Digest) -> Result<(), Error> {
        let since = self.fresh_since();
        let is_known =
            |graph: &Graph| graph.without_referrers(std::slice::from_ref(digest), since).is_empty();
        if self.ask(is_known) == Some(true) {
            return Ok(());
        }
        let list = referrers(&self.upstream, &self.repository, digest, &self.budget);
        let (at, listed) = self.requests(list).await?;
        let Some(listed) = listed else {
            self.change(|graph| graph.no_referrers(at));
            return Ok(());
        };
        // It lists nothing but manifests.
        self.change(|graph| listed.iter().for_each(|artifact| graph.attest(artifact)));
        for artifact in listed {
            let is_new = |graph: &Graph| {
                !graph.knows(&artifact) && graph.was_asked(&artifact, since).is_none()
            };
            if self.ask(is_new) != Some(false) {
                self.look_at_manifest(&artifact).await?;
            }
        }
        self.change(|graph| graph.asked_referrers(digest, at));
        Ok(())
    }

    /// Finds out whether what would open the digest by its `subject` was ever judged.
    pub(super) async fn look_at_doubtful(self: &Arc<Self>) -> Result<bool, Undecided> {
        let (Some(digest), true) = (&self.digest, self.stops) else { return Ok(false) };
        let (sight, clock) = (|tag: &Tag| self.sight(tag), self.clock());
        let doubtful = self.ask(|graph| graph.doubtful(digest, &sight, clock, MAX_STEPS));
        let doubtful = doubtful.transpose()?.unwrap_or_default();
        self.each(doubtful, |search, artifact| async move { search.attest(&artifact).await }).await
    }

    /// docker-registry 2.8 serves a blob as a manifest if it is one by its content, and nobody judged
    /// what is in a blob. So it counts that there is no such blob, or that the upstream lists it.
    async fn attest(&self, artifact: &Digest) -> Result<(), Error> {
        let (upstream, repository) = (&self.upstream, &self.repository);
        // In this order: else it could be sent as a blob in between.
        if self.request(head_digest(upstream, repository, artifact)).await?.1.is_none() {
            return Ok(());
        }
        let is_certain = if self.request(lacks_blob(upstream, repository, artifact)).await?.1 {
            true
        } else {
            let subject = self.ask(|graph| graph.subject_of(artifact).cloned()).flatten();
            let Some(subject) = subject else { return Ok(()) };
            let list = referrers(upstream, repository, &subject, &self.budget);
            self.requests(list).await?.1.is_some_and(|listed| listed.contains(artifact))
        };
        if is_certain {
            self.change(|graph| graph.attest(artifact));
        }
        Ok(())
    }
}
