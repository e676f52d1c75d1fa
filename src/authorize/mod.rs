//! The decision: [`Permit`] or [`Refusal`].
//!
//! Every way to the upstream begins here. A `Permit` cannot be made anywhere else, and the forwarder
//! takes nothing else, so a request that nobody authorized cannot be forwarded. Policy says which
//! tags the caller may read or write; the inventory says which of them vouch for a digest; what the
//! credential covers bounds both.

mod acting;
mod delete;
mod explained;
mod gated;
mod lenient;
mod lock;
mod read;
mod reader;
mod write;

use std::sync::Arc;

use jiff::Timestamp;
use oci::{Digest, ErrorCode, Manifest, Operation, RepositoryName, Tag};
use policy::{Action, Image, Policy};

pub(crate) use acting::Effort;
pub use explained::explained;
pub use gated::Released;
pub use lenient::Leniency;
pub use lock::{Locked, Locks, Turn};
pub(crate) use reader::Reader;
pub use write::PendingManifest;
pub(crate) use write::is_artifact;

use crate::identity::Principal;
use crate::inventory::{Budget, Inventory, learn_manifests};
use crate::proxy::seal::{Seal, SealedUpload};
use crate::refusal::Refusal;
use crate::release::Release;
use crate::upstream::Upstream;

/// Everything that a decision looks at. Made anew for each request, so that each is decided by one
/// policy as it stands now.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The rules.
    pub policy: &'a Policy,
    /// Which tags vouch for which digests.
    pub inventory: &'a Inventory,
    /// Asked where the inventory does not know enough.
    pub upstream: &'a Arc<Upstream>,
    /// One for each repository.
    pub locks: &'a Locks,
    /// Opens the upload locations that the gate gave out.
    pub seal: &'a Seal,
    /// Says what gates hold back.
    pub release: &'a Release,
    /// Who asks.
    pub principal: &'a Principal,
    /// When.
    pub now: Timestamp,
    /// The most requests to the upstream that it may cost.
    pub max_requests: usize,
}

/// Leave to forward one operation. Only this module makes one.
pub struct Permit {
    granted: Granted,
    rule: Option<String>,
    /// Held until the upstream has answered.
    lock: Option<Locked>,
}

/// What may be forwarded, with what the decision was about.
pub enum Granted {
    /// The operation as asked, or in a lesser form, such as an upload in place of a mount.
    Plain(Operation),
    /// A manifest or blob before which gates stand: they must let it through.
    Gated(Operation),
    /// A manifest that policy lets nobody but the reader of its subject see: it must turn out to be
    /// an artifact by its content.
    ArtifactOnly(Operation),
    /// A manifest to be stored: the bytes that were judged.
    Manifest {
        /// `PutManifest`.
        operation: Operation,
        /// The body.
        content: Box<ManifestContent>,
    },
    /// A step of an upload, with the place at the upstream that was sealed in its location.
    Upload {
        /// One of the upload steps.
        operation: Operation,
        /// Opened.
        upload: SealedUpload,
    },
}

/// A manifest's bytes with what they say and what they hash to.
pub struct ManifestContent {
    /// As they came.
    pub bytes: bytes::Bytes,
    /// Computed by the gate.
    pub digest: Digest,
    /// Parsed.
    pub manifest: Manifest,
    /// What gates let it in without.
    pub leniency: Option<Leniency>,
}

impl Permit {
    /// What may be forwarded.
    #[must_use]
    pub fn granted(&self) -> &Granted {
        &self.granted
    }

    /// The rule that allows it, where one rule does.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// Takes it apart; the lock must be kept until the upstream has answered.
    #[must_use]
    pub fn into_parts(self) -> (Granted, Option<Locked>) {
        (self.granted, self.lock)
    }

    /// To be called right before the upstream is asked: the lock may have been lost since it was
    /// taken, and then what was found out under it may be wrong by now.
    ///
    /// # Errors
    /// It was.
    pub async fn confirm(&self) -> Result<(), Refusal> {
        match &self.lock {
            Some(lock) => Ok(lock.confirm().await?),
            None => Ok(()),
        }
    }

    fn plain(operation: Operation, rule: Option<String>) -> Self {
        Self { granted: Granted::Plain(operation), rule, lock: None }
    }
}

/// Decides everything but the storing of manifests, which [`put_manifest`] decides in two steps.
///
/// # Errors
/// Why not.
pub async fn authorize(question: Question<'_>, operation: Operation) -> Result<Permit, Refusal> {
    match operation {
        Operation::Ping(_) => Ok(Permit::plain(operation, None)),
        Operation::ReadManifest { .. } | Operation::ReadBlob { .. } => {
            Ok(question.gated(question.read(operation).await?))
        }
        Operation::ListTags { .. } | Operation::Catalog { .. } | Operation::Referrers { .. } => {
            question.read(operation).await
        }
        Operation::StartUpload { repository, start } => {
            question.start_upload(repository, start).await
        }
        Operation::UploadStatus { .. }
        | Operation::UploadChunk { .. }
        | Operation::FinishUpload { .. }
        | Operation::CancelUpload { .. } => question.upload(operation),
        Operation::DeleteManifest { repository, reference } => {
            question.delete_manifest(repository, reference).await
        }
        Operation::DeleteBlob { repository, digest } => question.delete_blob(repository, digest),
        // The caller has not judged the body: nothing was authorized.
        Operation::PutManifest { .. } => Err(Refusal::Internal("a manifest was not judged")),
    }
}

/// Decides whether a manifest may be stored under that reference, before its body is read.
///
/// # Errors
/// Why not.
pub async fn put_manifest(
    question: Question<'_>,
    operation: Operation,
) -> Result<PendingManifest<'_>, Refusal> {
    question.put_manifest(operation).await
}

impl Question<'_> {
    /// Policy alone: may the caller do this, whatever its credential covers.
    fn grants(&self, action: Action, repository: &RepositoryName, tag: Option<&Tag>) -> bool {
        self.policy.decide(&self.principal.caller, action, Image { repository, tag }).is_allowed()
    }

    /// What the credential covers.
    fn covers(&self, action: Action, repository: &RepositoryName) -> bool {
        self.principal.ceiling.covers(action, repository)
    }

    /// Policy and credential together, for one image. On a grant, the rule.
    fn require(
        &self,
        action: Action,
        repository: &RepositoryName,
        tag: Option<&Tag>,
    ) -> Result<Option<String>, Refusal> {
        let decision =
            self.policy.decide(&self.principal.caller, action, Image { repository, tag });
        if !decision.is_allowed() {
            return Err(Refusal::Denied {
                action,
                image: image_text(repository, tag),
                rule: decision.rule().map(|rule| rule.name.to_owned()),
                reason: decision.reason(),
            });
        }
        if self.covers(action, repository) {
            Ok(decision.rule().map(|rule| rule.name.to_owned()))
        } else {
            Err(Refusal::InsufficientScope)
        }
    }

    /// Asks the upstream what the children of an index are, where that is not known yet; tells which
    /// of them are gone.
    pub(crate) async fn learn_children(
        &self,
        repository: &RepositoryName,
        manifest: &Manifest,
    ) -> Result<Vec<Digest>, Refusal> {
        let children: Vec<_> = manifest.children.iter().map(|child| child.digest.clone()).collect();
        self.learn_manifests(repository, &children).await
    }

    /// The same for these manifests.
    async fn learn_manifests(
        &self,
        repository: &RepositoryName,
        digests: &[Digest],
    ) -> Result<Vec<Digest>, Refusal> {
        let budget = Budget::new(self.max_requests);
        let (inventory, upstream) = (self.inventory, self.upstream);
        Ok(learn_manifests(inventory, upstream, repository, digests, &budget).await?)
    }

    /// Whether the caller may write anything at all there: only then is it told about uploads.
    fn may_write(&self, repository: &RepositoryName) -> bool {
        WRITES.into_iter().any(|action| {
            self.covers(action, repository)
                && self.policy.grants_any(&self.principal.caller, action, repository)
        })
    }
}

/// What makes somebody a writer of a repository.
const WRITES: [Action; 3] = [Action::Create, Action::Overwrite, Action::Attach];

fn image_text(repository: &RepositoryName, tag: Option<&Tag>) -> String {
    match tag {
        Some(tag) => format!("{repository}:{tag}"),
        None => repository.to_string(),
    }
}

/// The one answer for a manifest that is not there, or that the caller cannot know to be there.
pub(crate) fn unknown_manifest() -> Refusal {
    Refusal::Missing { code: ErrorCode::ManifestUnknown, message: "manifest unknown" }
}

/// Likewise for a blob.
pub(crate) fn unknown_blob() -> Refusal {
    Refusal::Missing { code: ErrorCode::BlobUnknown, message: "blob unknown to registry" }
}

#[cfg(test)]
mod tests;
