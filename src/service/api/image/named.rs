//! The image that a request names, and whether whoever asks may do so.

use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use oci::{Digest, Reference, RepositoryName, Tag};
use policy::{Action, Policy};
use serde::Serialize;

use super::super::problem::Problem;
use super::super::requester::Requester;
use super::super::{Api, Deciding};
use crate::audit::Record;
use crate::authorize::{Effort, Locks};
use crate::inventory::{head_digest, head_tag};

/// What is wanted of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// To know of it: for whoever may read it, and administrators.
    Know,
    /// To do something that policy grants. On the gate's own machine everything is.
    Do(Action),
}

/// An image that is there, for somebody who may do what they want.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) repository: RepositoryName,
    /// As it was named.
    pub(crate) reference: Reference,
    /// What that is now.
    pub(crate) digest: Digest,
}

/// An image as answers name it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Shown {
    pub(crate) repository: String,
    pub(crate) reference: String,
    pub(crate) digest: String,
}

/// Reads `REPOSITORY:TAG` or `REPOSITORY@DIGEST`.
pub(crate) fn parse(field: &str, text: &str) -> Result<(RepositoryName, Reference), Problem> {
    let wrong = |error: &dyn std::fmt::Display| Problem::wrong(format!("`{field}`: {error}"));
    let (repository, reference) = match (text.split_once('@'), text.split_once(':')) {
        (Some((repository, _)), _) if repository.contains(':') => {
            return Err(wrong(&"name a tag or a digest, not both"));
        }
        (Some((repository, digest)), _) => {
            (repository, Reference::Digest(Digest::new(digest).map_err(|error| wrong(&error))?))
        }
        (None, Some((repository, tag))) => {
            (repository, Reference::Tag(Tag::new(tag).map_err(|error| wrong(&error))?))
        }
        (None, None) => {
            return Err(wrong(&"name one image: `REPOSITORY:TAG` or `REPOSITORY@DIGEST`"));
        }
    };
    Ok((RepositoryName::new(repository).map_err(|error| wrong(&error))?, reference))
}

impl Named {
    /// Decides, and then asks the registry what the name stands for now.
    pub(crate) async fn find(
        api: &Api,
        who: &Requester,
        policy: &Arc<Policy>,
        (field, text): (&str, &str),
        need: Need,
    ) -> Result<Self, Problem> {
        let (repository, reference) = parse(field, text)?;
        who.needs(api, policy, (&repository, &reference), need).await?;
        let upstream = &api.images.upstream;
        let found = match &reference {
            Reference::Tag(tag) => head_tag(upstream, &repository, tag).await?,
            Reference::Digest(digest) => head_digest(upstream, &repository, digest).await?,
        };
        match found {
            Some(digest) => Ok(Self { repository, reference, digest }),
            None => Err(missing(&repository, &reference)),
        }
    }

    /// `team/app:v1`, as it was named.
    pub(crate) fn text(&self) -> String {
        written(&self.repository, &self.reference)
    }

    pub(crate) fn shown(&self) -> Shown {
        Shown {
            repository: self.repository.to_string(),
            reference: self.reference.to_string(),
            digest: self.digest.to_string(),
        }
    }

    /// What the audit trail says of it.
    pub(crate) fn record(&self, record: Record) -> Record {
        Record {
            repository: Some(self.repository.to_string()),
            reference: Some(self.reference.to_string()),
            digest: Some(self.digest.to_string()),
            ..record
        }
    }
}

pub(super) fn written(repository: &RepositoryName, reference: &Reference) -> String {
    match reference {
        Reference::Tag(tag) => format!("{repository}:{tag}"),
        Reference::Digest(digest) => format!("{repository}@{digest}"),
    }
}

/// The same for what is not there and for what must not be known.
pub(super) fn missing(repository: &RepositoryName, reference: &Reference) -> Problem {
    let image = written(repository, reference);
    let text = format!("there is no image {image}, or none that you may see");
    Problem::new(StatusCode::NOT_FOUND, text)
}

impl Requester {
    /// What decides about images, for somebody with a credential.
    pub(in crate::service::api) fn deciding(
        &self,
        policy: &Arc<Policy>,
        now: Timestamp,
    ) -> Option<Deciding> {
        let known = self.maker().credential()?;
        let policy = Arc::clone(policy);
        let mut principal = known.principal.clone();
        principal.caller.circumstances.at = Some(now);
        principal.caller.circumstances.address = self.address();
        Some(Deciding { policy, principal, now, locks: Locks::unshared() })
    }

    /// For looking at many images, each of which costs little then.
    pub(crate) fn eyes<'a>(&self, api: &'a Api, policy: &Arc<Policy>) -> Eyes<'a> {
        let deciding = match self.maker().is_administrator() {
            true => None,
            false => self.deciding(policy, api.now()),
        };
        Eyes { api, deciding }
    }

    /// Whether they may know of an image.
    pub(crate) async fn knows(
        &self,
        api: &Api,
        policy: &Arc<Policy>,
        image: (&RepositoryName, &Reference),
        effort: Effort,
    ) -> Result<bool, Problem> {
        if self.maker().is_administrator() {
            return Ok(true);
        }
        self.reads(api, policy, image, effort).await
    }

    /// Whether they may see what is in an image. Administrators know of all images, and read no more
    /// than policy grants them.
    pub(crate) async fn reads(
        &self,
        api: &Api,
        policy: &Arc<Policy>,
        image: (&RepositoryName, &Reference),
        effort: Effort,
    ) -> Result<bool, Problem> {
        let Some(deciding) = self.deciding(policy, api.now()) else { return Ok(true) };
        Ok(api.question(&deciding).may_know(image.0, image.1, effort).await?)
    }

    /// Whether policy grants them an action. On the gate's own machine everything is.
    pub(crate) async fn may(
        &self,
        api: &Api,
        policy: &Arc<Policy>,
        image: (&RepositoryName, &Reference),
        action: Action,
    ) -> Result<bool, Problem> {
        let Some(deciding) = self.deciding(policy, api.now()) else { return Ok(true) };
        Ok(api.question(&deciding).may(action, image.0, image.1, Effort::Whole).await?)
    }

    /// Refuses whoever may not. What they may not even know of looks as if it were not there.
    pub(crate) async fn needs(
        &self,
        api: &Api,
        policy: &Arc<Policy>,
        image: (&RepositoryName, &Reference),
        need: Need,
    ) -> Result<(), Problem> {
        let (repository, reference) = image;
        let knows = self.knows(api, policy, image, Effort::Whole);
        let Need::Do(action) = need else {
            return if knows.await? { Ok(()) } else { Err(missing(repository, reference)) };
        };
        if self.may(api, policy, image, action).await? {
            return Ok(());
        }
        if !knows.await? {
            return Err(missing(repository, reference));
        }
        let image = written(repository, reference);
        Err(self.denied(&format!("{action} of {image} is denied: no rule of the policy grants it")))
    }
}

/// Which tags somebody may know of, as lists show them: nobody is asked but memory and the state.
pub(crate) struct Eyes<'a> {
    api: &'a Api,
    /// None for those who may know of all.
    deciding: Option<Deciding>,
}

impl Eyes<'_> {
    /// Whether they may know of all tags of a repository, whatever these are called.
    pub(crate) fn know_all_of(&self, repository: &RepositoryName) -> bool {
        let Some(deciding) = &self.deciding else { return true };
        self.api.question(deciding).may_know_all_of(repository)
    }

    /// Whether they may know of a tag.
    pub(crate) async fn know(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<bool, Problem> {
        let Some(deciding) = &self.deciding else { return Ok(true) };
        let reference = Reference::Tag(tag.clone());
        Ok(self.api.question(deciding).may_know(repository, &reference, Effort::Known).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_by_tag_or_by_digest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for text in ["team/app:v1".to_owned(), format!("team/app@{digest}")] {
            let (repository, reference) = parse("ref", &text).unwrap();
            assert_eq!(written(&repository, &reference), text);
        }
        for wrong in
            ["", "team/app", "team/app:", "Team:v1", "team@sha256:0", &format!("team:v1@{digest}")]
        {
            assert!(parse("ref", wrong).is_err(), "{wrong}");
        }
    }
}
