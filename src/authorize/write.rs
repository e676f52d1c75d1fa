//! Writing: uploads, mounts, manifests.

use std::collections::HashSet;

use bytes::Bytes;
use oci::{Digest, ErrorCode, Manifest, Operation, Reference, RepositoryName, Tag, UploadStart};
use policy::{Action, Tags};
use serde_json::Value;

use super::reader::Kind;
use super::{Granted, Locked, ManifestContent, Permit, Question};
use crate::content;
use crate::inventory::{Inventory, MAX_DEPTH, fetch_bytes, head_digest, head_tag};
use crate::refusal::Refusal;

/// More than any image has; each is looked up before the manifest is stored.
const MAX_REFERENCES: usize = 2000;

/// A manifest that may be stored under its reference, if its body proves right.
pub struct PendingManifest<'a> {
    question: Question<'a>,
    operation: Operation,
    repository: RepositoryName,
    reference: Reference,
    /// What is to be done to each tag that is set.
    tags: Vec<(Tag, TagRight)>,
    rule: Option<String>,
}

/// By which rights a tag may be set. At least one of them holds.
#[derive(Debug, Clone, Copy)]
struct TagRight {
    /// If it does not exist.
    create: bool,
    /// If it exists.
    overwrite: bool,
    /// It is the fallback tag of an image to which the caller may attach. Never if a rule denies
    /// any of the three.
    attach: bool,
}

impl TagRight {
    /// Whether it matters if the tag exists.
    fn depends(self) -> bool {
        !(self.create && self.overwrite)
    }

    fn is_attach_alone(self) -> bool {
        !self.create && !self.overwrite
    }
}

impl<'a> Question<'a> {
    pub(super) async fn start_upload(
        &self,
        repository: RepositoryName,
        start: UploadStart,
    ) -> Result<Permit, Refusal> {
        self.require_writer(&repository)?;
        let start = match start {
            UploadStart::Mount { digest, from: Some(from) }
                if self.may_mount(&from, &digest).await? =>
            {
                UploadStart::Mount { digest, from: Some(from) }
            }
            // What the caller may not read it may not mount: an ordinary upload begins.
            UploadStart::Mount { .. } => UploadStart::Session { algorithm: None },
            other => other,
        };
        Ok(Permit::plain(Operation::StartUpload { repository, start }, None))
    }

    pub(super) fn upload(&self, operation: Operation) -> Result<Permit, Refusal> {
        let (repository, session) = match &operation {
            Operation::UploadStatus { repository, session }
            | Operation::UploadChunk { repository, session }
            | Operation::FinishUpload { repository, session, .. }
            | Operation::CancelUpload { repository, session } => (repository, session),
            _ => return Err(Refusal::Internal("not an upload")),
        };
        self.require_writer(repository)?;
        let subject = self.principal.caller.subject.to_string();
        // By the gate's clock, which never goes back: what was over stays so.
        let opened = self.seal.open_upload(session.as_str(), repository, &subject, self.now);
        let upload = opened.ok_or(Refusal::Missing {
            code: ErrorCode::BlobUploadUnknown,
            message: "blob upload unknown to registry",
        })?;
        Ok(Permit { granted: Granted::Upload { operation, upload }, rule: None, lock: None })
    }

    /// The caller may write something in the repository; else it is told why not.
    fn require_writer(&self, repository: &RepositoryName) -> Result<(), Refusal> {
        if self.may_write(repository) {
            return Ok(());
        }
        let granted = super::WRITES
            .into_iter()
            .any(|action| self.policy.grants_any(&self.principal.caller, action, repository));
        if granted {
            return Err(Refusal::InsufficientScope);
        }
        Err(self.denied(Action::Create, repository, None))
    }

    /// The refusal that policy gives; for where it is known to refuse.
    pub(super) fn denied(
        &self,
        action: Action,
        repository: &RepositoryName,
        tag: Option<&Tag>,
    ) -> Refusal {
        match self.require(action, repository, tag) {
            Err(refusal) => refusal,
            Ok(_) => Refusal::Internal("policy allows what was refused"),
        }
    }

    pub(super) async fn put_manifest(
        self,
        operation: Operation,
    ) -> Result<PendingManifest<'a>, Refusal> {
        let Operation::PutManifest { repository, reference, tags } = &operation else {
            return Err(Refusal::Internal("not a manifest to be stored"));
        };
        let (repository, reference) = (repository.clone(), reference.clone());
        let mut rule = None;
        let mut rights = Vec::new();
        let tag = match &reference {
            Reference::Tag(tag) => Some(tag),
            Reference::Digest(_) => None,
        };
        for tag in tag.into_iter().chain(tags) {
            let (right, by) = self.tag_right(&repository, tag).await?;
            rights.push((tag.clone(), right));
            rule = rule.or(by);
        }
        if rights.is_empty() {
            self.require_writer(&repository)?;
        }
        Ok(PendingManifest { question: self, operation, repository, reference, tags: rights, rule })
    }

    /// By which rights the caller may set the tag, and which rule gives them.
    async fn tag_right(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<(TagRight, Option<String>), Refusal> {
        let create = self.require(Action::Create, repository, Some(tag));
        let overwrite = self.require(Action::Overwrite, repository, Some(tag));
        let attach = match (&create, &overwrite) {
            (Ok(_), Ok(_)) => false,
            _ => match tag.referrers_subject() {
                None => false,
                Some(image) => {
                    // What a rule denies stays denied, whatever `attach` would allow.
                    let attach = self.require(Action::Attach, repository, Some(tag));
                    let denies = |right: &Result<_, Refusal>| matches!(right, Err(no) if no.rule().is_some());
                    ![&create, &overwrite, &attach].into_iter().any(denies)
                        && self.may_attach_to(repository, &image).await?
                }
            },
        };
        let right = TagRight { create: create.is_ok(), overwrite: overwrite.is_ok(), attach };
        match (create, overwrite) {
            (Ok(rule), _) | (Err(_), Ok(rule)) => Ok((right, rule)),
            (Err(_), Err(_)) if attach => Ok((right, None)),
            (Err(create), Err(_)) => Err(create),
        }
    }

    /// Whether the caller may add artifacts to that image: policy says so for a tag that vouches
    /// for it, or the caller has just pushed it and may attach to some tag.
    async fn may_attach_to(
        &self,
        repository: &RepositoryName,
        image: &Digest,
    ) -> Result<bool, Refusal> {
        if !self.covers(Action::Attach, repository) {
            return Ok(false);
        }
        match self.policy.tags(&self.principal.caller, Action::Attach, repository) {
            Tags::None => Ok(false),
            tags => {
                let reader = self.reader_for(Action::Attach, repository, tags);
                Ok(reader.first_unreadable([image]).await?.is_none())
            }
        }
    }
}

impl PendingManifest<'_> {
    /// The rule that allows it, where one rule does.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// Judges the body, and whether each tag exists if that matters.
    ///
    /// # Errors
    /// The manifest is invalid, has another digest than it is stored under, names content that the
    /// caller may not read, or a tag exists that may only be created (or the other way round).
    pub async fn judge(self, bytes: Bytes, content_type: Option<&str>) -> Result<Permit, Refusal> {
        let manifest = Manifest::parse(&bytes, content_type).map_err(Refusal::Manifest)?;
        let algorithm = match &self.reference {
            Reference::Tag(_) => oci::Algorithm::Sha256,
            Reference::Digest(digest) => digest.algorithm(),
        };
        let digest = content::digest(algorithm, &bytes);
        if let Reference::Digest(named) = &self.reference
            && *named != digest
        {
            return Err(Refusal::Content {
                code: ErrorCode::DigestInvalid,
                message: format!("the manifest's digest is {digest}, not {named}"),
            });
        }
        Self::at_hand(&manifest)?;
        self.earned(&manifest).await?;
        self.attached(&manifest).await?;
        let leniency = self
            .question
            .let_in(&self.repository, self.tags.iter().map(|(tag, _)| tag), &digest, &manifest)
            .await?;
        let lock = self.lock(&digest, &bytes, &manifest).await?;
        let Self { operation, rule, .. } = self;
        let content = Box::new(ManifestContent { bytes, digest, manifest, leniency });
        Ok(Permit { granted: Granted::Manifest { operation, content }, rule, lock })
    }

    /// Clients would go to wherever `urls` says, some with their credentials for this registry
    /// (CVE-2020-15157), and no rule could speak of what they get there.
    fn at_hand(manifest: &Manifest) -> Result<(), Refusal> {
        match manifest.foreign() {
            None => Ok(()),
            Some(part) => Err(Refusal::Content {
                code: ErrorCode::ManifestInvalid,
                message: format!(
                    "{} is to be fetched from somewhere else: push it here too, and name it \
                     without `urls`",
                    part.digest
                ),
            }),
        }
    }

    /// Edges must be earned: whoever names content makes it reachable from what it writes, so it
    /// must be able to read it already.
    async fn earned(&self, manifest: &Manifest) -> Result<(), Refusal> {
        let named: HashSet<&Digest> = manifest.references().collect();
        if named.len() > MAX_REFERENCES {
            return Err(Refusal::Content {
                code: ErrorCode::ManifestInvalid,
                message: format!("a manifest names at most {MAX_REFERENCES} others and blobs here"),
            });
        }
        let children: HashSet<&Digest> = manifest.children.iter().map(|c| &c.digest).collect();
        let kind = |digest: &Digest| match children.contains(digest) {
            true => Kind::Manifest,
            false => Kind::Blob,
        };
        let parts: Vec<_> = named.into_iter().map(|digest| (kind(digest), digest)).collect();
        match self.question.reader(&self.repository).first_missing(&parts).await? {
            None => self.earned_below(manifest).await,
            Some(digest) => Err(Refusal::UnknownContent(digest.clone())),
        }
    }

    /// What the children of an index name must be readable, too: a child that came as a blob was
    /// never judged, and docker-registry 2.8 serves it as a manifest all the same.
    async fn earned_below(&self, index: &Manifest) -> Result<(), Refusal> {
        let Self { question, repository, .. } = self;
        let reader = question.reader(repository);
        let mut level: Vec<Digest> =
            index.children.iter().map(|child| child.digest.clone()).collect();
        // Of all that are nested deeper, nothing is ever known.
        for _ in 0..=MAX_DEPTH {
            if level.is_empty() || reader.reads_all() {
                break;
            }
            question.learn_manifests(repository, &level).await?;
            let (children, named) = question.inventory.named_by(repository, &level);
            if let Some(digest) = reader.first_unreadable(&named).await? {
                return Err(Refusal::UnknownContent(digest.clone()));
            }
            level = children;
        }
        Ok(())
    }

    /// What has a `subject` is added to that image, and needs the right to do so, unless there is
    /// no such image yet (spec, "Pushing Manifests with Subject"): that may come under a tag to
    /// which the caller may attach. Who may attach to none is refused whatever is there. And what
    /// is stored by that right alone must be an artifact.
    async fn attached(&self, manifest: &Manifest) -> Result<(), Refusal> {
        let Self { question, repository, .. } = self;
        let pushes = |action| {
            question.covers(action, repository)
                && question.policy.grants_any(&question.principal.caller, action, repository)
        };
        if let Some(subject) = &manifest.subject
            && !question.may_attach_to(repository, &subject.digest).await?
            && (!pushes(Action::Attach)
                || head_digest(question.upstream, repository, &subject.digest).await?.is_some())
        {
            return Err(Refusal::Denied {
                action: Action::Attach,
                image: format!("{repository}@{}", subject.digest),
                rule: None,
                reason: "a manifest with a `subject` needs the action `attach` on that image"
                    .to_owned(),
            });
        }
        let by_attach = self.tags.iter().any(|(_, right)| right.is_attach_alone())
            || (self.tags.is_empty() && !pushes(Action::Create) && !pushes(Action::Overwrite));
        if by_attach { self.require_artifact(manifest).await } else { Ok(()) }
    }

    /// The manifest is what `attach` is for.
    async fn require_artifact(&self, manifest: &Manifest) -> Result<(), Refusal> {
        let Self { question, repository, .. } = self;
        let gone = question.learn_children(repository, manifest).await?;
        if !is_artifact(question.inventory, repository, manifest, &gone) {
            return Err(Refusal::Denied {
                action: Action::Create,
                image: format!("{repository}:{}", self.reference),
                rule: None,
                reason: "the action `attach` is for signatures, SBOMs and attestations; this is \
                         none of them"
                    .to_owned(),
            });
        }
        Ok(())
    }

    /// Waits for the repository's lock and, holding it, looks at what is there where that decides.
    async fn lock(
        &self,
        digest: &Digest,
        bytes: &[u8],
        manifest: &Manifest,
    ) -> Result<Option<Locked>, Refusal> {
        let Self { question, repository, .. } = self;
        if self.tags.is_empty() {
            return Ok(None);
        }
        if !self.tags.iter().any(|(_, right)| right.depends()) {
            return Ok(Some(question.locks.share(repository).await?));
        }
        let lock = question.locks.alone(repository).await?;
        for (tag, right) in self.tags.iter().filter(|(_, right)| right.depends()) {
            match head_tag(question.upstream, repository, tag).await? {
                // The same content once more moves nothing.
                Some(there) if there == *digest => {}
                Some(_) if right.overwrite => {}
                None if right.create => {}
                there if right.attach => {
                    self.require_artifact(manifest).await?;
                    if let Some(there) = there {
                        self.only_added(tag, &there, bytes).await?;
                    }
                }
                Some(_) => return Err(question.denied(Action::Overwrite, repository, Some(tag))),
                None => return Err(question.denied(Action::Create, repository, Some(tag))),
            }
        }
        Ok(Some(lock))
    }

    /// Adding is all that `attach` is for: what a fallback tag lists now must be in what replaces
    /// it, or a signature could be taken away by whoever may add one. Whole entries count, as those
    /// of cosign differ in nothing but their annotations. What is gone from the registry may go.
    async fn only_added(&self, tag: &Tag, there: &Digest, bytes: &[u8]) -> Result<(), Refusal> {
        let Self { question, repository, .. } = self;
        let Some((present, content_type)) =
            fetch_bytes(question.upstream, repository, there).await?
        else {
            return Ok(());
        };
        let is_index = Manifest::parse(&present, content_type.as_deref())
            .is_ok_and(|manifest| manifest.kind() == oci::Kind::Index);
        let mut kept = entries(bytes)?;
        for entry in entries(&present)? {
            if let Some(at) = kept.iter().position(|kept| *kept == entry) {
                kept.swap_remove(at);
                continue;
            }
            let child = entry.get("digest").and_then(Value::as_str).map(Digest::new);
            // Of a layer this asks for a manifest, which is not there, so it is asked of children.
            let is_gone = match child {
                Some(Ok(child)) if is_index => {
                    head_digest(question.upstream, repository, &child).await?.is_none()
                }
                _ => false,
            };
            if !is_gone {
                return Err(Refusal::Denied {
                    action: Action::Overwrite,
                    image: format!("{repository}:{tag}"),
                    rule: None,
                    reason: "the action `attach` adds to what is there, and this would take \
                             something away: read the tag again and keep what it lists"
                        .to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// The entries of `layers` or `manifests`, whole.
fn entries(manifest: &[u8]) -> Result<Vec<Value>, Refusal> {
    let mut manifest: Value = serde_json::from_slice(manifest)
        .map_err(|_| Refusal::Internal("a manifest that was read is no JSON"))?;
    let mut entries = Vec::new();
    for list in ["layers", "manifests"] {
        if let Some(Value::Array(list)) = manifest.get_mut(list).map(Value::take) {
            entries.extend(list);
        }
    }
    Ok(entries)
}

/// Whether a manifest is an artifact by its content, or an index of manifests that are known to be,
/// but for those that are gone. An index of nothing is an artifact by nothing.
pub(crate) fn is_artifact(
    inventory: &Inventory,
    repository: &RepositoryName,
    manifest: &Manifest,
    gone: &[Digest],
) -> bool {
    match manifest.kind() {
        oci::Kind::Image => manifest.is_artifact_by_content(),
        oci::Kind::Index => {
            !manifest.children.is_empty()
                && manifest.children.iter().all(|child| {
                    gone.contains(&child.digest) || inventory.is_artifact(repository, &child.digest)
                })
        }
    }
}
