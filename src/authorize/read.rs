//! Reading: by tag, by digest, and lists.

use oci::{Digest, ErrorCode, Operation, Read, Reference, RepositoryName, Tag};
use policy::{Action, Tags};

use super::reader::{Kind, Reader};
use super::{Granted, Permit, Question, WRITES, unknown_blob, unknown_manifest};
use crate::identity::Ceiling;
use crate::refusal::Refusal;

impl<'a> Question<'a> {
    pub(super) async fn read(&self, operation: Operation) -> Result<Permit, Refusal> {
        match &operation {
            Operation::ReadManifest { read, repository, reference: Reference::Tag(tag) } => {
                let (read, repository, tag) = (*read, repository.clone(), tag.clone());
                self.read_tag(operation, read, &repository, &tag).await
            }
            Operation::ReadManifest { read, repository, reference: Reference::Digest(digest) } => {
                match self.found(Kind::Manifest, *read, repository, digest).await? {
                    true => Ok(Permit::plain(operation, None)),
                    false => Err(self.unreadable(repository, unknown_manifest())),
                }
            }
            Operation::ReadBlob { read, repository, digest } => {
                match (self.found(Kind::Blob, *read, repository, digest).await?, read) {
                    (true, _) => Ok(Permit::plain(operation, None)),
                    // Pushing clients ask for a blob before they upload it, and give up on a 403.
                    (false, Read::Head) if self.lacks_scope(repository) => {
                        Err(Refusal::InsufficientScope)
                    }
                    (false, Read::Head) => Err(unknown_blob()),
                    (false, _) => Err(self.unreadable(repository, unknown_blob())),
                }
            }
            Operation::Referrers { repository, digest, .. } => {
                let image = [(Kind::Manifest, digest)];
                match self.reader(repository).first_missing(&image).await? {
                    None => Ok(Permit::plain(operation, None)),
                    Some(_) => Err(self.unreadable(repository, unknown_manifest())),
                }
            }
            Operation::ListTags { repository, .. } => {
                if self.may_see(repository) {
                    return Ok(Permit::plain(operation, None));
                }
                let absent = Refusal::Missing {
                    code: ErrorCode::NameUnknown,
                    message: "repository name not known to registry",
                };
                Err(self.unreadable(repository, absent))
            }
            Operation::Catalog { .. } if self.principal.ceiling.covers_catalog() => {
                Ok(Permit::plain(operation, None))
            }
            Operation::Catalog { .. } => Err(Refusal::InsufficientScope),
            _ => Err(Refusal::Internal("not a read")),
        }
    }

    async fn read_tag(
        &self,
        operation: Operation,
        read: Read,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Permit, Refusal> {
        let refusal = match self.require(Action::Pull, repository, Some(tag)) {
            Ok(rule) => return Ok(Permit::plain(operation, rule)),
            Err(refusal) => refusal,
        };
        if self.reader(repository).follows(tag).await? {
            return Ok(Permit {
                granted: Granted::ArtifactOnly(operation),
                rule: None,
                lock: None,
            });
        }
        if read == Read::Head {
            let writes_it = [Action::Create, Action::Overwrite].into_iter().any(|action| {
                self.covers(action, repository) && self.grants(action, repository, Some(tag))
            });
            if writes_it {
                return Ok(Permit::plain(operation, None));
            }
            // A 403 here ends a push in containerd; a writer learns only that there is nothing.
            if self.may_write(repository) {
                return Err(unknown_manifest());
            }
        }
        Err(refusal)
    }

    /// Whether the caller may read that content of that repository, by any of its addresses.
    ///
    /// # Errors
    /// It could not be told.
    pub(crate) async fn readable(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, Refusal> {
        Ok(self.reader(repository).first_unreadable([digest]).await?.is_none())
    }

    /// The same for a read of it. Whoever pushes asks with HEAD for all that it is about to push,
    /// most of which is nowhere yet: to look for that would cost more than the push. What is not
    /// known then is pushed again, and no harm done.
    async fn found(
        &self,
        kind: Kind,
        read: Read,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, Refusal> {
        let is_push = self.principal.ceiling != Ceiling::Unlimited && self.may_write(repository);
        let mut reader = self.reader(repository);
        reader.asks_upstream &= !(is_push && read == Read::Head);
        let found = reader.first_unreadable([digest]).await?.is_none();
        if !found {
            reader.ask_in_vain(kind, digest).await;
        }
        Ok(found)
    }

    /// What the caller may read there.
    pub(crate) fn reader<'r>(&self, repository: &'r RepositoryName) -> Reader<'a, 'r> {
        let tags = match self.covers(Action::Pull, repository) {
            true => self.policy.tags(&self.principal.caller, Action::Pull, repository),
            false => Tags::None,
        };
        self.reader_for(Action::Pull, repository, tags)
    }

    /// The same for another action, where that is granted for these tags.
    pub(super) fn reader_for<'r>(
        &self,
        action: Action,
        repository: &'r RepositoryName,
        tags: Tags<'a>,
    ) -> Reader<'a, 'r> {
        Reader::new(*self, action, repository, tags)
    }

    /// Whether some tag of the repository may be readable to the caller.
    fn may_see(&self, repository: &RepositoryName) -> bool {
        self.covers(Action::Pull, repository)
            && !matches!(
                self.policy.tags(&self.principal.caller, Action::Pull, repository),
                Tags::None
            )
    }

    /// Whether the caller has any right in the repository at all.
    pub(super) fn reaches(&self, repository: &RepositoryName) -> bool {
        [Action::Pull].into_iter().chain(WRITES).any(|action| {
            self.covers(action, repository)
                && self.policy.grants_any(&self.principal.caller, action, repository)
        })
    }

    /// Whether policy grants the caller something there, and its token covers none of that: then
    /// another token would help.
    fn lacks_scope(&self, repository: &RepositoryName) -> bool {
        !self.reaches(repository)
            && [Action::Pull]
                .into_iter()
                .chain(WRITES)
                .any(|action| self.policy.grants_any(&self.principal.caller, action, repository))
    }

    /// The answer to a read that is not allowed. A token that was made for something else is told
    /// apart, as another one would help. Who has no right in the repository is told so:
    /// that says nothing about what is in it. Everybody else gets the answer for what is not there.
    fn unreadable(&self, repository: &RepositoryName, missing: Refusal) -> Refusal {
        if self.lacks_scope(repository) {
            return Refusal::InsufficientScope;
        }
        if self.reaches(repository) {
            return missing;
        }
        match self.require(Action::Pull, repository, None) {
            Err(refusal) => refusal,
            Ok(_) => missing,
        }
    }
}
