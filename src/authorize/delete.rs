//! Deleting. A registry that deletes a digest removes every tag that points at it, so the right to
//! one of them is not enough.

use std::collections::BTreeSet;
use std::slice;
use std::sync::Arc;

use oci::{Digest, Operation, Reference, RepositoryName, Tag};
use policy::{Action, TagFilter, Tags};

use super::reader::Kind;
use super::{Permit, Question, unknown_manifest};
use crate::inventory::{Budget, any_holds, learn_manifests, tag_digests};
use crate::refusal::Refusal;

/// How many artifacts in a row may be about one another.
const MAX_SUBJECTS: usize = 4;

impl Question<'_> {
    pub(super) async fn delete_manifest(
        &self,
        repository: RepositoryName,
        reference: Reference,
    ) -> Result<Permit, Refusal> {
        match &reference {
            Reference::Tag(tag) => {
                let rule = self.require(Action::Delete, &repository, Some(tag))?;
                let lock = self.locks.alone(&repository).await?;
                let operation = Operation::DeleteManifest { repository, reference };
                Ok(Permit { lock: Some(lock), ..Permit::plain(operation, rule) })
            }
            Reference::Digest(digest) => {
                // Looking at every tag takes a while, so nobody waits for it, unless somebody wrote
                // in the meantime: then it is looked at again with the lock held. Who needs no look
                // waits for nobody here.
                let tags = self.policy.tags(&self.principal.caller, Action::Delete, &repository);
                let before = match tags {
                    Tags::Some(_) if self.covers(Action::Delete, &repository) => {
                        Some(self.locks.alone(&repository).await?.turn())
                    }
                    _ => None,
                };
                self.require_every_tag(&repository, digest).await?;
                let lock = self.locks.alone(&repository).await?;
                if before.is_some_and(|before| !lock.is_next_after(before)) {
                    self.require_every_tag(&repository, digest).await?;
                }
                let operation = Operation::DeleteManifest { repository, reference };
                Ok(Permit { lock: Some(lock), ..Permit::plain(operation, None) })
            }
        }
    }

    pub(super) fn delete_blob(
        &self,
        repository: RepositoryName,
        digest: Digest,
    ) -> Result<Permit, Refusal> {
        let rule = self.require(Action::Delete, &repository, None)?;
        match self.policy.tags(&self.principal.caller, Action::Delete, &repository) {
            Tags::All => Ok(Permit::plain(Operation::DeleteBlob { repository, digest }, rule)),
            Tags::Some(_) | Tags::None => Err(Refusal::Denied {
                action: Action::Delete,
                image: format!("{repository}@{digest}"),
                rule: None,
                reason: "a blob may belong to any tag, and some tags here may not be deleted"
                    .to_owned(),
            }),
        }
    }

    async fn require_every_tag(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Refusal> {
        let filter = match self.policy.tags(&self.principal.caller, Action::Delete, repository) {
            Tags::None => return Err(self.denied(Action::Delete, repository, None)),
            _ if !self.covers(Action::Delete, repository) => {
                return Err(Refusal::InsufficientScope);
            }
            Tags::All => return Ok(()),
            Tags::Some(filter) => filter,
        };
        // First, so that what is not the caller's to know of costs what it costs to find nothing.
        if !self.may_know_of(repository, digest).await? {
            return Err(unknown_manifest());
        }
        let budget = Arc::new(Budget::new(self.max_requests));
        let tags = tag_digests(self.upstream, repository, &budget).await?;
        if self.every_tag(repository, digest, &tags, &filter, &budget).await? {
            return Ok(());
        }
        Err(Refusal::Denied {
            action: Action::Delete,
            image: format!("{repository}@{digest}"),
            rule: None,
            reason: "deleting by digest removes every tag that points at it, and an index loses \
                     what it names; not all of them may be deleted. Delete by tag instead"
                .to_owned(),
        })
    }

    /// Whether the caller may read the manifest, or delete a tag that leads to it.
    async fn may_know_of(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, Refusal> {
        if self.inventory.is_own(repository, &self.principal.caller, digest, self.now) {
            return Ok(true);
        }
        let deletable = self.policy.tags(&self.principal.caller, Action::Delete, repository);
        let deletes = self.reader_for(Action::Delete, repository, deletable);
        let manifest = [(Kind::Manifest, digest)];
        Ok(self.reader(repository).first_missing(&manifest).await?.is_none()
            || deletes.first_missing(&manifest).await?.is_none())
    }

    /// Whether everything that needs `digest` may be deleted, and it is the caller's to delete.
    async fn every_tag(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        tags: &[(Tag, Digest)],
        filter: &TagFilter<'_>,
        budget: &Arc<Budget>,
    ) -> Result<bool, Refusal> {
        if self.is_needed(repository, digest, tags, filter, budget).await? {
            return Ok(false);
        }
        let is_tagged = tags.iter().any(|(_, at)| at == digest);
        if is_tagged || self.inventory.is_own(repository, &self.principal.caller, digest, self.now)
        {
            return Ok(true);
        }
        // An artifact goes with its image, and one of an artifact with that.
        let mut artifact = digest.clone();
        for _ in 0..MAX_SUBJECTS {
            learn_manifests(
                self.inventory,
                self.upstream,
                repository,
                slice::from_ref(&artifact),
                budget,
            )
            .await?;
            let Some(image) = self.inventory.subject_of(repository, &artifact) else {
                return Ok(filter.includes_untagged());
            };
            if self.is_needed(repository, &image, tags, filter, budget).await? {
                return Ok(false);
            }
            if !filter.includes_untagged() {
                let is_tagged = tags.iter().any(|(_, at)| *at == image);
                return Ok(is_tagged && self.inventory.is_artifact(repository, digest));
            }
            artifact = image;
        }
        Ok(false)
    }

    /// Whether a tag that may not be deleted points at the manifest, or at an index that holds it.
    async fn is_needed(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        tags: &[(Tag, Digest)],
        filter: &TagFilter<'_>,
        budget: &Arc<Budget>,
    ) -> Result<bool, Refusal> {
        let denied = tags.iter().filter(|(tag, _)| !filter.allows(tag)).map(|(_, at)| at);
        // Many tags may point at the same manifest.
        let denied: BTreeSet<&Digest> = denied.collect();
        if denied.contains(digest) {
            return Ok(true);
        }
        let denied = denied.into_iter().cloned().collect();
        let (inventory, upstream) = (self.inventory, self.upstream);
        Ok(any_holds(inventory, upstream, repository, denied, digest, budget).await?)
    }
}
