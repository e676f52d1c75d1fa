//! `tags/list`: the tags that the caller may read.

use std::borrow::Cow;

use http::{Response, StatusCode};
use oci::{ErrorCode, Operation, Page, Read, RepositoryName, Tag};
use policy::{Action, Tags};
use serde::Serialize;

use super::walk::{Found, Listing, Source, ask_page, first_page, next_page, walk};
use super::{Paging, respond, room};
use crate::authorize::Reader;
use crate::body::Body;
use crate::inventory::{Budget, Sight, ends_early, entry_text};
use crate::proxy::forward::Forwarding;
use crate::proxy::seal::ListPosition;
use crate::refusal::Refusal;
use crate::upstream::{Error, Upstream};

/// As it is sent.
#[derive(Serialize)]
struct TagList<'a> {
    name: &'a str,
    tags: Vec<&'a str>,
}

/// The tags of a repository, as far as the caller may read them.
struct ReadableTags<'a> {
    upstream: &'a Upstream,
    budget: Budget,
    scope: Tags<'a>,
    reader: Reader<'a, 'a>,
}

pub(super) async fn answer(
    forwarding: &Forwarding<'_>,
    repository: &RepositoryName,
    page: &Page,
) -> Result<Response<Body>, Refusal> {
    let target = |page| {
        let repository = repository.clone();
        Operation::ListTags { read: Read::Get, repository, page }.canonical_target()
    };
    let paging = Paging { forwarding, target: &target };
    let first = first_page(&target(Page::default()));
    let from = paging.begin(page, first.clone())?;
    let question = forwarding.question;
    let listing = ReadableTags {
        upstream: question.upstream,
        budget: Budget::new(question.max_requests),
        scope: question.policy.tags(&question.principal.caller, Action::Pull, repository),
        reader: question.reader(repository),
    };
    let is_first = page.cursor.is_none();
    let Some(found) = listing.found(from, room(page.n)).await? else {
        // The upstream itself named a page that is not there.
        return Err(if is_first { absent() } else { ends_early().into() });
    };
    // To whom no tag is visible the repository is not there; a cursor is given to others alone.
    if is_first && found.entries.is_empty() && !matches!(listing.scope, Tags::All) {
        let is_visible = found.more.is_some()
            || page.last.is_some() && {
                let from = ListPosition { at: first, after: None, floor: None };
                let any = listing.found(from, 0).await?;
                any.is_some_and(|any| any.more.is_some() && !any.is_short)
            };
        if found.is_short {
            return Err(Error::Budget(question.max_requests).into());
        }
        if !is_visible {
            return Err(absent());
        }
    }
    let last = found.entries.last().map(|(name, _)| name.clone()).or_else(|| page.last.clone());
    let tags = found.entries.iter().map(|(name, _)| name.as_str()).collect();
    let body = serde_json::to_vec(&TagList { name: repository.as_str(), tags })
        .map_err(|_| Refusal::Internal("names are text"))?;
    // Nobody reads on where nothing was asked for.
    let more = found.more.filter(|_| page.n != Some(0));
    let link = more.map(|next| paging.link(room(page.n), last, &next)).transpose()?;
    respond(forwarding, "application/json", body, link)
}

/// The one answer for a repository that is not there, or that the caller cannot know to be there.
fn absent() -> Refusal {
    Refusal::Missing {
        code: ErrorCode::NameUnknown,
        message: "repository name not known to registry",
    }
}

impl ReadableTags<'_> {
    /// None where there is no such page.
    async fn found(
        &self,
        mut from: ListPosition,
        room: usize,
    ) -> Result<Option<Found<bool>>, Refusal> {
        let answer = ask_page(self.upstream, &self.budget, &mut from.at).await?;
        if answer.head.status() == StatusCode::NOT_FOUND {
            answer.discard().await;
            return Ok(None);
        }
        walk(self.upstream, self, from, Source::Coming(Box::new(answer)), room).await.map(Some)
    }
}

impl Listing for ReadableTags<'_> {
    const MEMBER: &'static str = "tags";
    /// Whether the name alone says that it is visible.
    type Kept = bool;

    fn name<'e>(&self, entry: &'e [u8]) -> Result<Option<Cow<'e, str>>, Error> {
        entry_text(entry).map(Some)
    }

    fn keep(&self, name: &str, _: &[u8]) -> Option<bool> {
        // A name that is no tag cannot be asked for either.
        let tag = Tag::new(name).ok()?;
        let is_open = match &self.scope {
            Tags::All => true,
            Tags::None => false,
            Tags::Some(filter) => filter.allows(&tag),
        };
        (is_open || self.reader.sight(&tag) == Sight::Silent).then_some(is_open)
    }

    async fn is_visible(&self, name: &str, &is_open: &bool) -> Result<bool, Refusal> {
        match Tag::new(name) {
            Ok(tag) if !is_open => self.reader.follows(&tag).await,
            _ => Ok(is_open),
        }
    }

    async fn open(&self, at: &str) -> Result<Source, Refusal> {
        next_page(self.upstream, &self.budget, at).await
    }
}
