//! `referrers`: the artifacts about an image that the caller may read.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use oci::{Algorithm, Digest, Kind, Manifest, Operation, Page, Read, RepositoryName, Tag};
use serde::Deserialize;

use super::walk::{Listing, Source, next_page, walk};
use super::{MAX_PAGE, Paging, respond};
use crate::authorize::{Question, Reader};
use crate::body::Body;
use crate::content;
use crate::inventory::{
    Budget, Sight, ask_list, ends_early, fetch_tagged, learn_manifests, not_a_list,
};
use crate::proxy::forward::Forwarding;
use crate::proxy::shadow::learn_referrers;
use crate::refusal::Refusal;
use crate::upstream::Error;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// The requests of one page. Each artifact that the gate does not know yet costs one.
const MAX_REQUESTS: usize = 256;

/// What of a descriptor counts here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    #[serde(borrow)]
    digest: Cow<'a, str>,
    #[serde(borrow, default)]
    artifact_type: Option<Cow<'a, str>>,
}

/// The artifacts about one image.
struct ReadableReferrers<'a> {
    question: Question<'a>,
    repository: &'a RepositoryName,
    budget: Budget,
    reader: Reader<'a, 'a>,
    /// The fallback tag, and the type to choose by, where the upstream does not do it.
    fallback: Option<(Tag, Option<&'a str>)>,
}

pub(super) async fn answer(
    forwarding: &mut Forwarding<'_>,
    operation: &Operation,
) -> Result<Response<Body>, Refusal> {
    let Operation::Referrers { repository, digest, artifact_type, cursor, .. } = operation else {
        return Err(Refusal::Internal("not referrers"));
    };
    let target = |page: Page| {
        let (repository, digest) = (repository.clone(), digest.clone());
        let (artifact_type, cursor) = (artifact_type.clone(), page.cursor);
        let read = Read::Get;
        Operation::Referrers { read, repository, digest, artifact_type, cursor }.canonical_target()
    };
    let question = forwarding.question;
    let page = Page { cursor: cursor.clone(), ..Page::default() };
    let paging = Paging { forwarding, target: &target };
    let mut from = paging.begin(&page, target(Page::default()))?;
    let fallback_tag = fallback_tag(digest);
    let fallback_at = fallback_tag.as_ref().map(|tag| format!("/v2/{repository}/manifests/{tag}"));
    let mut listing = ReadableReferrers {
        question,
        repository,
        budget: Budget::new(question.max_requests.min(MAX_REQUESTS)),
        reader: question.reader(repository),
        fallback: None,
    };
    let at_fallback = || Some((fallback_tag.clone()?, artifact_type.as_deref()));
    let mut applied = None;
    let first = if fallback_at.as_ref() == Some(&from.at) {
        listing.fallback = at_fallback();
        listing.open(&from.at).await?
    } else {
        listing.budget.spend()?;
        let answer = ask_list(question.upstream, &from.at).await?;
        match answer.head.status() {
            StatusCode::OK => {
                applied = answer.head.headers().get(FILTERS_APPLIED).cloned();
                Source::Coming(Box::new(answer))
            }
            _ if cursor.is_some() => return Err(ends_early().into()),
            StatusCode::NOT_FOUND => {
                // The registry has no such API, and clients keep what is attached under a tag. If
                // there is none yet, its own answer tells them to go on like that.
                listing.fallback = at_fallback();
                let held = listing.held().await?;
                let (Some(held), Some(at)) = (held, fallback_at) else {
                    return Ok(forwarding.stream(answer, HeaderMap::new()));
                };
                from.at = at;
                Source::Held(held)
            }
            status if status.is_client_error() => {
                return Ok(forwarding.stream(answer, HeaderMap::new()));
            }
            _ => return Err(not_a_list(&answer).into()),
        }
    };
    if listing.fallback.is_some() && artifact_type.is_some() {
        applied = Some(HeaderValue::from_static("artifactType"));
    }
    let found = walk(question.upstream, &listing, from, first, MAX_PAGE).await?;
    if listing.reader.reads_all() {
        let digests = || found.entries.iter().filter_map(|(name, _)| Digest::new(name).ok());
        learn_referrers(forwarding.gate, repository, || digests().collect()).await;
    }
    let body = index(found.entries.iter().map(|(_, entry)| &**entry));
    let link = found.more.map(|next| paging.link(0, None, &next)).transpose()?;
    let mut response = respond(forwarding, INDEX, body, link)?;
    response.headers_mut().extend(applied.map(|applied| (FILTERS_APPLIED, applied)));
    Ok(response)
}

/// The descriptors as an index.
fn index<'e>(entries: impl Iterator<Item = &'e [u8]>) -> Vec<u8> {
    let mut body =
        format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":["#).into_bytes();
    for (place, entry) in entries.enumerate() {
        if place > 0 {
            body.push(b',');
        }
        body.extend_from_slice(entry);
    }
    body.extend_from_slice(b"]}");
    body
}

/// Where clients keep what is attached to an image if the registry has no referrers (spec,
/// "Referrers Tag Schema"). Tags for SHA-512 hold only half of the hash, and name nothing.
fn fallback_tag(image: &Digest) -> Option<Tag> {
    match image.algorithm() {
        Algorithm::Sha256 => Tag::new(&image.to_string().replace(':', "-")).ok(),
        Algorithm::Sha512 => None,
    }
}

impl ReadableReferrers<'_> {
    /// The index at the fallback tag; nothing if there is none that the caller may know of. It
    /// costs the same whether there is none or a rule denies it.
    async fn held(&self) -> Result<Option<Bytes>, Refusal> {
        let Some((tag, _)) = &self.fallback else { return Ok(None) };
        let Question { upstream, inventory, now, .. } = self.question;
        self.budget.spend()?;
        let fetched = fetch_tagged(upstream, self.repository, tag).await?;
        let is_open = self.reader.sight(tag) != Sight::Closed;
        let Some((bytes, content_type)) = fetched.filter(|_| is_open) else { return Ok(None) };
        let index = Manifest::parse(&bytes, content_type.as_deref());
        let Some(index) = index.ok().filter(|index| index.kind() == Kind::Index) else {
            return Ok(None);
        };
        let digest = content::digest(Algorithm::Sha256, &bytes);
        inventory.saw_manifest(self.repository, &digest, &index);
        inventory.saw_tag(self.repository, tag, &digest, now);
        Ok(Some(bytes))
    }
}

impl Listing for ReadableReferrers<'_> {
    const MEMBER: &'static str = "manifests";
    const IS_NEEDED: bool = true;
    const AT_ONCE: usize = 8;
    /// The descriptor as it came.
    type Kept = Box<[u8]>;

    fn name<'e>(&self, entry: &'e [u8]) -> Result<Option<Cow<'e, str>>, Error> {
        let descriptor = serde_json::from_slice::<Descriptor<'_>>(entry).ok();
        let wanted = self.fallback.as_ref().and_then(|(_, wanted)| *wanted);
        let is_wanted = |descriptor: &Descriptor<'_>| {
            wanted.is_none() || descriptor.artifact_type.as_deref() == wanted
        };
        let digest = descriptor.filter(is_wanted).map(|descriptor| descriptor.digest);
        Ok(digest.filter(|digest| Digest::new(digest).is_ok()))
    }

    fn keep(&self, _: &str, entry: &[u8]) -> Option<Self::Kept> {
        Some(entry.into())
    }

    fn size(entry: &Self::Kept) -> usize {
        entry.len()
    }

    /// What is about the image is readable with it, if it is an artifact: so that is asked.
    async fn is_visible(&self, name: &str, _: &Self::Kept) -> Result<bool, Refusal> {
        if self.reader.reads_all() {
            return Ok(true);
        }
        let Ok(digest) = Digest::new(name) else { return Ok(false) };
        let Question { upstream, inventory, .. } = self.question;
        let digests = std::slice::from_ref(&digest);
        learn_manifests(inventory, upstream, self.repository, digests, &self.budget).await?;
        Ok(self.reader.first_unreadable([&digest]).await?.is_none())
    }

    async fn open(&self, at: &str) -> Result<Source, Refusal> {
        if self.fallback.is_some() {
            return self.held().await?.map(Source::Held).ok_or_else(|| ends_early().into());
        }
        next_page(self.question.upstream, &self.budget, at).await
    }
}
