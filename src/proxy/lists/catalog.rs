//! `_catalog`: the repositories of which the caller may read something.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Response, StatusCode};
use oci::{ErrorCode, Operation, Page, Read, RepositoryName, Tag};
use policy::{Action, Tags};
use serde::Serialize;

use super::walk::{Listing, Source, ask_page, first_page, if_cut, next_page, walk};
use super::{Paging, respond, room};
use crate::authorize::Question;
use crate::body::Body;
use crate::inventory::{Budget, ends_early, entry_text, read_page};
use crate::proxy::forward::Forwarding;
use crate::refusal::Refusal;
use crate::upstream::Error;

/// The repositories of one page whose tags the upstream is asked for. Whoever has rights on tags of
/// thousands gets them in several pages.
const MAX_LOOKS: usize = 256;

/// Of a repository with more tags than that, no list is learned on the way.
const MAX_LEARNED: usize = 1000;

/// As it is sent.
#[derive(Serialize)]
struct Catalog<'a> {
    repositories: Vec<&'a str>,
}

/// The repositories that the caller may read something of: such that are granted as a whole, and
/// such that have a tag that may be read.
struct ReadableRepositories<'a> {
    question: Question<'a>,
    budget: Budget,
    looks: AtomicUsize,
}

pub(super) async fn answer(
    forwarding: &Forwarding<'_>,
    page: &Page,
) -> Result<Response<Body>, Refusal> {
    let target = |page| Operation::Catalog { read: Read::Get, page }.canonical_target();
    let paging = Paging { forwarding, target: &target };
    let mut from = paging.begin(page, first_page(&target(Page::default())))?;
    let question = forwarding.question;
    let listing = ReadableRepositories {
        question,
        budget: Budget::new(question.max_requests),
        looks: AtomicUsize::new(0),
    };
    let first = ask_page(question.upstream, &listing.budget, &mut from.at).await?;
    if first.head.status() == StatusCode::NOT_FOUND {
        first.discard().await;
        return Err(match page.cursor {
            Some(_) => ends_early().into(),
            None => Refusal::Missing {
                code: ErrorCode::Unsupported,
                message: "the registry has no catalogue",
            },
        });
    }
    let room = room(page.n);
    let found =
        walk(question.upstream, &listing, from, Source::Coming(Box::new(first)), room).await?;
    let last = found.entries.last().map(|(name, _)| name.clone()).or_else(|| page.last.clone());
    let repositories = found.entries.iter().map(|(name, _)| name.as_str()).collect();
    let body = serde_json::to_vec(&Catalog { repositories })
        .map_err(|_| Refusal::Internal("names are text"))?;
    // Nobody reads on where nothing was asked for.
    let more = found.more.filter(|_| page.n != Some(0));
    let link = more.map(|next| paging.link(room, last, &next)).transpose()?;
    respond(forwarding, "application/json", body, link)
}

impl ReadableRepositories<'_> {
    fn tags(&self, repository: &RepositoryName) -> Tags<'_> {
        let Question { policy, principal, .. } = self.question;
        policy.tags(&principal.caller, Action::Pull, repository)
    }

    /// Whether there is a tag that the caller may read. The upstream is asked, unless it was just
    /// now, and what it says is learned.
    async fn has_readable_tag(&self, repository: &RepositoryName) -> Result<bool, Refusal> {
        let Tags::Some(filter) = self.tags(repository) else { return Ok(false) };
        let Question { inventory, upstream, now, .. } = self.question;
        if let Some(has) = inventory.has_tag(repository, |tag| filter.allows(tag), now) {
            return Ok(has);
        }
        if self.looks.fetch_add(1, Ordering::Relaxed) >= MAX_LOOKS {
            return Err(Error::Budget(MAX_LOOKS).into());
        }
        let mut at = Some(first_page(&format!("/v2/{repository}/tags/list")));
        let (mut tags, mut is_found) = (Vec::new(), false);
        while let Some(mut target) = at.take() {
            let answer = ask_page(upstream, &self.budget, &mut target).await?;
            if answer.head.status() == StatusCode::NOT_FOUND {
                answer.discard().await;
                return Ok(false);
            }
            let end = read_page(upstream, answer, "tags", |entry| {
                if let Ok(tag) = Tag::new(&entry_text(entry)?) {
                    is_found |= filter.allows(&tag);
                    tags.push(tag);
                }
                let is_long = tags.len() > MAX_LEARNED;
                tags.truncate(MAX_LEARNED + 1);
                Ok(if is_found && is_long {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            });
            let end = end.await?;
            at = if_cut(&target, &end).map(str::to_owned).or(end.next);
            if at.is_none() && tags.len() <= MAX_LEARNED {
                inventory.saw_list(repository, &tags, now);
            }
            if is_found {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Listing for ReadableRepositories<'_> {
    const MEMBER: &'static str = "repositories";
    const AT_ONCE: usize = 8;
    /// Whether policy alone says that it is shown.
    type Kept = bool;

    fn name<'e>(&self, entry: &'e [u8]) -> Result<Option<Cow<'e, str>>, Error> {
        entry_text(entry).map(Some)
    }

    fn keep(&self, name: &str, _: &[u8]) -> Option<bool> {
        match self.tags(&RepositoryName::new(name).ok()?) {
            Tags::All => Some(true),
            Tags::None => None,
            Tags::Some(filter) => Some(filter.includes_untagged()),
        }
    }

    async fn is_visible(&self, name: &str, &is_shown: &bool) -> Result<bool, Refusal> {
        match RepositoryName::new(name) {
            Ok(repository) if !is_shown => self.has_readable_tag(&repository).await,
            _ => Ok(is_shown),
        }
    }

    async fn open(&self, at: &str) -> Result<Source, Refusal> {
        next_page(self.question.upstream, &self.budget, at).await
    }
}
