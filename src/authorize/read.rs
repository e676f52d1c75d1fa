//! Reading: by tag, by digest, and lists.

use oci::{Digest, ErrorCode, Operation, Read, Reference, RepositoryName, Tag};
use policy::{Action, Image, Subject, Tags};

use super::{Granted, Permit, Question, WRITES, unknown_blob, unknown_manifest};
use crate::inventory::Sight;
use crate::refusal::Refusal;

impl<'a> Question<'a> {
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
                    (false, Read::Head) if self.lacks_scope(repository) => {
                        Err(Refusal::InsufficientScope)
                    }
                    (false, Read::Head) => Err(unknown_blob()),
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
        if self.reader(repository).follows(tag) {
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
        self.reader(repository).first_unreadable([digest]).is_none()
    }

    /// What the caller may read there.
    pub(crate) fn reader<'r>(&self, repository: &'r RepositoryName) -> Reader<'a, 'r> {
        let tags = match self.covers(Action::Pull, repository) {
            true => self.policy.tags(&self.principal.caller, Action::Pull, repository),
            false => Tags::None,
        };
        Reader { question: *self, repository, tags }
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

/// What a caller may read in one repository: found out once, asked about many digests.
pub(crate) struct Reader<'a, 'r> {
    question: Question<'a>,
    repository: &'r RepositoryName,
    tags: Tags<'a>,
}

impl Reader<'_, '_> {
    /// The first of these that the caller may not read.
    pub(crate) fn first_unreadable<'d>(
        &self,
        digests: impl IntoIterator<Item = &'d Digest>,
    ) -> Option<&'d Digest> {
        let Self { question, repository, tags } = self;
        let owner = &question.principal.caller;
        // One's own recent content, as long as one still has any right there. Anonymous callers
        // are many, and nothing is one's own.
        let may_own = owner.subject != Subject::Anonymous && question.reaches(repository);
        let is_own = |digest: &&Digest| {
            may_own && question.inventory.is_own(repository, owner, digest, question.now)
        };
        if let Tags::All = tags {
            return None;
        }
        // All of them now, as the inventory is locked while it is asked the next question.
        let others: Vec<&Digest> = digests.into_iter().filter(|digest| !is_own(digest)).collect();
        if let Tags::None = tags {
            return others.first().copied();
        }
        let sight = |tag: &Tag| self.sight(tag);
        question.inventory.first_unvouched(repository, &others, sight, question.now)
    }

    /// Whether that is the whole repository.
    pub(crate) fn reads_all(&self) -> bool {
        matches!(self.tags, Tags::All)
    }

    /// What policy says of reading that tag.
    pub(crate) fn sight(&self, tag: &Tag) -> Sight {
        match &self.tags {
            Tags::All => Sight::Open,
            Tags::None => Sight::Closed,
            Tags::Some(filter) if filter.allows(tag) => Sight::Open,
            Tags::Some(_) => {
                let image = Image { repository: self.repository, tag: Some(tag) };
                let caller = &self.question.principal.caller;
                let decision = self.question.policy.decide(caller, Action::Pull, image);
                if decision.rule().is_none() { Sight::Silent } else { Sight::Closed }
            }
        }
    }

    /// Whether that is a fallback referrers tag, no rule speaks of it, and the caller may read the
    /// image that it names.
    pub(crate) fn follows(&self, tag: &Tag) -> bool {
        tag.referrers_subject().is_some_and(|image| {
            self.sight(tag) == Sight::Silent && self.first_unreadable([&image]).is_none()
        })
    }
}
