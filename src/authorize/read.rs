//! Reading: by tag, by digest, and lists.

use oci::{Digest, ErrorCode, Operation, Read, Reference, RepositoryName, Tag};
use policy::{Action, Tags};

use super::{Granted, Permit, Question, WRITES, unknown_blob, unknown_manifest};
use crate::refusal::Refusal;

impl Question<'_> {
    pub(super) fn read(&self, operation: Operation) -> Result<Permit, Refusal> {
        match &operation {
            Operation::ReadManifest { read, repository, reference: Reference::Tag(tag) } => {
                let (read, repository, tag) = (*read, repository.clone(), tag.clone());
                self.read_tag(operation, read, &repository, &tag)
            }
            Operation::ReadManifest {
                repository, reference: Reference::Digest(digest), ..
            } => match self.readable(repository, digest) {
                true => Ok(Permit::plain(operation, None)),
                false => Err(self.unreadable(repository, unknown_manifest())),
            },
            Operation::ReadBlob { read, repository, digest } => {
                match (self.readable(repository, digest), read) {
                    (true, _) => Ok(Permit::plain(operation, None)),
                    // Pushing clients ask for a blob before they upload it, and give up on a 403.
                    (false, Read::Head) if self.reaches(repository) => Err(unknown_blob()),
                    (false, _) => Err(self.unreadable(repository, unknown_blob())),
                }
            }
            Operation::Referrers { repository, digest, .. } => {
                match self.readable(repository, digest) {
                    true => Ok(Permit::plain(operation, None)),
                    false => Err(self.unreadable(repository, unknown_manifest())),
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

    fn read_tag(
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
        // A fallback referrers tag follows the image that it names.
        if tag.referrers_subject().is_some_and(|image| self.readable(repository, &image)) {
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
    pub(crate) fn readable(&self, repository: &RepositoryName, digest: &Digest) -> bool {
        if self.covers(Action::Pull, repository) {
            match self.policy.tags(&self.principal.caller, Action::Pull, repository) {
                Tags::All => return true,
                Tags::Some(filter) => {
                    let allows = |tag: &Tag| filter.allows(tag);
                    if self.inventory.is_vouched_for(repository, digest, allows, self.now) {
                        return true;
                    }
                }
                Tags::None => {}
            }
        }
        // One's own recent content, as long as one still has any right there.
        self.inventory.is_own(repository, &self.principal.caller.subject, digest, self.now)
            && self.reaches(repository)
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
    fn reaches(&self, repository: &RepositoryName) -> bool {
        [Action::Pull].into_iter().chain(WRITES).any(|action| {
            self.covers(action, repository)
                && self.policy.grants_any(&self.principal.caller, action, repository)
        })
    }

    /// The answer to a read that is not allowed. A token that was made for something else is told
    /// apart, as another one would help. Who has no right in the repository is told so:
    /// that says nothing about what is in it. Everybody else gets the answer for what is not there.
    fn unreadable(&self, repository: &RepositoryName, missing: Refusal) -> Refusal {
        let caller = &self.principal.caller;
        if !self.covers(Action::Pull, repository)
            && self.policy.grants_any(caller, Action::Pull, repository)
        {
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
