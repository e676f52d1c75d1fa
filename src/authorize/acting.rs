//! What is done to images beside reading and writing them: flags, reports, scans, broken glass.

use oci::{Reference, RepositoryName};
use policy::{Action, Tags};

use super::Question;
use crate::refusal::Refusal;

/// Whether the upstream may be asked what leads to a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// It is asked for what is not known.
    Whole,
    /// What memory and the state know has to do, as in lists.
    Known,
}

impl Question<'_> {
    /// Whether policy and credential let the caller do this to an image. By digest, some tag has to
    /// lead there for which it is granted, or it has to be granted for the whole repository. That the
    /// caller pushed it is not enough: what is asked here is no part of a push.
    ///
    /// # Errors
    /// It could not be told.
    pub(crate) async fn may(
        &self,
        action: Action,
        repository: &RepositoryName,
        reference: &Reference,
        effort: Effort,
    ) -> Result<bool, Refusal> {
        if !self.covers(action, repository) {
            return Ok(false);
        }
        let digest = match reference {
            Reference::Tag(tag) => return Ok(self.grants(action, repository, Some(tag))),
            Reference::Digest(digest) => digest,
        };
        match self.policy.tags(&self.principal.caller, action, repository) {
            Tags::All => Ok(true),
            Tags::None => Ok(false),
            tags @ Tags::Some(_) => {
                let reader = self.reader_for(action, repository, tags).only(&|_| true);
                let reader = match effort {
                    Effort::Whole => reader,
                    Effort::Known => reader.without_asking(),
                };
                Ok(reader.first_unreadable([digest]).await?.is_none())
            }
        }
    }

    /// Whether the caller may know of all tags of a repository, whatever these are called. False says
    /// nothing of any one of them.
    pub(crate) fn may_know_all_of(&self, repository: &RepositoryName) -> bool {
        [Action::Pull, Action::Inspect].into_iter().any(|action| {
            let tags = self.policy.tags(&self.principal.caller, action, repository);
            self.covers(action, repository) && matches!(tags, Tags::All)
        })
    }

    /// Whether the caller may know of the image: it may be read, or would be but for release gates.
    ///
    /// # Errors
    /// It could not be told.
    pub(crate) async fn may_know(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        effort: Effort,
    ) -> Result<bool, Refusal> {
        for action in [Action::Pull, Action::Inspect] {
            if self.may(action, repository, reference, effort).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
