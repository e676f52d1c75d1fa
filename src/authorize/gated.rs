//! Release gates: what policy grants may still be held back, until it is known to be fit.

use std::collections::BTreeSet;
use std::sync::Arc;

use oci::{Digest, Manifest, Operation, Read, Reference, RepositoryName, Tag};
use policy::Action;
use policy::gate::{Gate, Gates, Held, Judgement, Occasion, Verdict};

use super::{Granted, Leniency, Permit, Question};
use crate::inventory::{Budget, Undecided};
use crate::refusal::{Refusal, Withheld};
use crate::release::{Asking, Unknown};

/// How many manifests that share a blob are judged, until one is found that passes.
const MAX_HOLDERS: usize = 500;

/// Proof that the gates let content through. Only this module makes one.
#[derive(Debug)]
pub struct Released {
    leniency: Option<Leniency>,
}

impl Released {
    /// What is missing all the same.
    #[must_use]
    pub fn leniency(&self) -> Option<&Leniency> {
        self.leniency.as_ref()
    }
}

/// By which address content is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Address {
    Manifest,
    Blob,
}

impl<'a> Question<'a> {
    /// Holds a permit to read back until the gates before it, if there are any for this caller, have
    /// judged what is there.
    pub(super) fn gated(&self, permit: Permit) -> Permit {
        match permit {
            Permit { granted: Granted::Plain(operation), rule, lock }
                if self.is_gated(&operation) =>
            {
                Permit { granted: Granted::Gated(operation), rule, lock }
            }
            permit => permit,
        }
    }

    fn is_gated(&self, operation: &Operation) -> bool {
        let (read, repository, tag, address) = match operation {
            Operation::ReadManifest { read, repository, reference: Reference::Tag(tag) } => {
                (*read, repository, Some(tag), Address::Manifest)
            }
            Operation::ReadManifest { read, repository, .. } => {
                (*read, repository, None, Address::Manifest)
            }
            Operation::ReadBlob { read, repository, .. } => {
                (*read, repository, None, Address::Blob)
            }
            _ => return false,
        };
        if self.gates(repository, tag).is_empty() {
            return false;
        }
        // A client that pushes looks at what is there first: a gate that held that back would stop
        // the very image that mends what it is held for.
        let is_push = read == Read::Head && self.may_write(repository);
        !is_push && !self.is_exempt(address, repository, tag)
    }

    /// The gates before what the tag points at; without a tag, all those in the repository.
    fn gates(&self, repository: &RepositoryName, tag: Option<&Tag>) -> Gates<'a> {
        self.policy.gates_for(&self.principal.caller, Occasion::Pull, repository, tag)
    }

    /// Whether gates do not apply: to whoever may inspect the image; and to whoever may delete it,
    /// for its manifests, as clients read what they delete.
    fn is_exempt(&self, address: Address, repository: &RepositoryName, tag: Option<&Tag>) -> bool {
        self.grants(Action::Inspect, repository, tag)
            || address == Address::Manifest
                && self.covers(Action::Delete, repository)
                && self.grants(Action::Delete, repository, tag)
    }

    /// Whether the caller only looks at what it reads there: a signer, a scanner, whoever may
    /// `inspect` it. What they read nobody runs.
    pub(crate) fn inspects(&self, repository: &RepositoryName, reference: &Reference) -> bool {
        let tag = match reference {
            Reference::Tag(tag) => Some(tag),
            Reference::Digest(_) => None,
        };
        self.grants(Action::Inspect, repository, tag)
    }

    /// Judges the manifest that was read by a tag or by its digest.
    ///
    /// # Errors
    /// It is held, or it could not be told.
    pub(crate) async fn let_through(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        digest: &Digest,
    ) -> Result<Released, Refusal> {
        match reference {
            Reference::Tag(tag) => {
                let gates = self.gates(repository, Some(tag));
                let judgement = self.judge(repository, digest, &gates).await?;
                self.outcome(judgement, repository, reference)
            }
            Reference::Digest(_) => self.by_digest(Address::Manifest, repository, digest).await,
        }
    }

    /// Judges a manifest that is not asked for by a tag: it may be read if it passes the gates before
    /// some tag that the caller may read and that leads to it. What no tag leads to faces every gate
    /// of the repository.
    async fn by_digest(
        &self,
        address: Address,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Released, Refusal> {
        let gates = self.gates(repository, None);
        let judgement = self.judge(repository, digest, &gates).await?;
        let held = match judgement.verdict {
            Verdict::Passed(_) => return Ok(Released { leniency: Leniency::of(&judgement) }),
            Verdict::Held(held) => held,
        };
        let holding = holding(&held);
        let is_free = |tag: &Tag| {
            self.is_exempt(address, repository, Some(tag))
                || !self
                    .gates(repository, Some(tag))
                    .iter()
                    .any(|gate| holding.contains(gate.name()))
        };
        if self.reader(repository).only(&is_free).first_unreadable([digest]).await?.is_some() {
            return Err(self.withheld(held, repository, &Reference::Digest(digest.clone())));
        }
        // What passes the others was found out; those that hold it do not stand before that tag.
        let gates: Vec<_> =
            gates.iter().copied().filter(|gate| !holding.contains(gate.name())).collect();
        let judgement = self.judge(repository, digest, &gates).await?;
        self.outcome(judgement, repository, &Reference::Digest(digest.clone()))
    }

    /// Judges a blob: it may be read if a manifest that names it may be.
    ///
    /// # Errors
    /// No such manifest is known, all of them are held, or it could not be told.
    pub(crate) async fn let_blob_through(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Released, Refusal> {
        let mut holders = self.inventory.holders(repository, digest);
        if holders.is_empty() {
            self.inventory.recall(repository, self.now).await;
            holders = self.inventory.holders(repository, digest);
        }
        if holders.is_empty() {
            let caller = &self.principal.caller;
            if self.inventory.is_own(repository, caller, digest, self.now) {
                return Ok(Released { leniency: None });
            }
            self.reader(repository).find(digest).await?;
            holders = self.inventory.holders(repository, digest);
        }
        let mut refusal = None;
        for holder in holders.iter().take(MAX_HOLDERS) {
            match self.by_digest(Address::Blob, repository, holder).await {
                Ok(released) => return Ok(released),
                Err(held @ Refusal::Held(_)) => refusal = refusal.or(Some(held)),
                Err(error) => return Err(error),
            }
        }
        Err(refusal.unwrap_or_else(super::unknown_blob))
    }

    /// Whether the blob may be mounted from that repository: policy and gates let the caller read
    /// it there.
    pub(super) async fn may_mount(
        &self,
        from: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, Refusal> {
        if !self.readable(from, digest).await? {
            return Ok(false);
        }
        if self.gates(from, None).is_empty() || self.is_exempt(Address::Blob, from, None) {
            return Ok(true);
        }
        match self.let_blob_through(from, digest).await {
            Ok(_) => Ok(true),
            Err(Refusal::Held(_) | Refusal::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Judges what is to be stored under these tags, and tells what it lacks for one of them all the
    /// same.
    ///
    /// # Errors
    /// A gate before pushes holds it, or it could not be told.
    pub(super) async fn let_in(
        &self,
        repository: &RepositoryName,
        tags: impl Iterator<Item = &Tag>,
        digest: &Digest,
        manifest: &Manifest,
    ) -> Result<Option<Leniency>, Refusal> {
        let caller = &self.principal.caller;
        let mut leniency = None;
        for tag in tags {
            let gates = self.policy.gates_for(caller, Occasion::Push, repository, Some(tag));
            if gates.is_empty() {
                continue;
            }
            self.release.learn(digest, Some(manifest));
            let judgement = self.judge(repository, digest, &gates).await?;
            leniency = leniency.or_else(|| Leniency::of(&judgement));
            if let Verdict::Held(held) = judgement.verdict {
                let image = format!("{repository}:{tag}");
                return Err(Refusal::Held(Box::new(Withheld::new("push", image, &held))));
            }
        }
        Ok(leniency)
    }

    async fn judge(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        gates: &[&Arc<Gate>],
    ) -> Result<Judgement, Refusal> {
        let budget = Arc::new(Budget::new(self.max_requests));
        let (upstream, inventory) = (self.upstream, self.inventory);
        let asking = Asking { upstream, repository, budget: &budget, inventory };
        let holders = self.inventory.indexes(repository, digest);
        let judged = self.release.judge(asking, self.policy, gates, digest, &holders, self.now);
        judged.await?.ok_or_else(super::unknown_manifest)
    }

    fn outcome(
        &self,
        judgement: Judgement,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Released, Refusal> {
        match judgement.verdict {
            Verdict::Passed(_) => Ok(Released { leniency: Leniency::of(&judgement) }),
            Verdict::Held(held) => Err(self.withheld(held, repository, reference)),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "what is held is used up by its refusal")]
    fn withheld(&self, held: Held, repository: &RepositoryName, reference: &Reference) -> Refusal {
        let image = match reference {
            Reference::Tag(tag) => format!("{repository}:{tag}"),
            Reference::Digest(digest) => format!("{repository}@{digest}"),
        };
        Refusal::Held(Box::new(Withheld::new(Action::Pull.as_str(), image, &held)))
    }
}

/// The names of the gates that hold it.
fn holding(held: &Held) -> BTreeSet<&str> {
    std::iter::once(held).chain(&held.others).map(|held| held.gate.name()).collect()
}

impl From<Unknown> for Refusal {
    fn from(unknown: Unknown) -> Self {
        match unknown {
            Unknown::Upstream(error) => Undecided::Upstream(error).into(),
            Unknown::State(error) => Self::State(error),
            Unknown::Base(undecided) => undecided.into(),
        }
    }
}
