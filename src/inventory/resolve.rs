//! Asking the upstream what it holds, where guessing is not good enough.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, LINK};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use oci::{
    Digest, Kind, Manifest, ManifestType, Operation, Page, Read, Reference, RepositoryName, Tag,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Inventory;
use crate::body::Body;
use crate::content;
use crate::upstream::{Answer, Error, Outgoing, Upstream};

/// Every manifest type that the gate reads, so that the upstream converts none; and any other, so
/// that none looks absent.
pub(crate) const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json, */*";

/// The largest manifest that is read (spec, "Pushing Manifests").
const MAX_MANIFEST: usize = 4 << 20;

/// The most tags of one repository that are held at once.
const MAX_TAGS: usize = 1_000_000;

/// The largest page of a list that is read.
const MAX_PAGE: usize = 32 << 20;

/// How deep indexes may be nested.
const MAX_DEPTH: usize = 4;

/// How many requests one question may still cost.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
    whole: usize,
}

impl Budget {
    pub(crate) fn new(requests: usize) -> Self {
        Self { left: requests, whole: requests }
    }

    fn spend(&mut self) -> Result<(), Error> {
        self.left = self.left.checked_sub(1).ok_or(Error::Budget(self.whole))?;
        Ok(())
    }
}

/// What the tag points at now; none where there is no such tag.
pub(crate) async fn head_tag(
    upstream: &Upstream,
    repository: &RepositoryName,
    tag: &Tag,
) -> Result<Option<Digest>, Error> {
    head(upstream, repository, Reference::Tag(tag.clone())).await
}

/// The digest itself, if there is such a manifest.
pub(crate) async fn head_digest(
    upstream: &Upstream,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<Digest>, Error> {
    head(upstream, repository, Reference::Digest(digest.clone())).await
}

async fn head(
    upstream: &Upstream,
    repository: &RepositoryName,
    reference: Reference,
) -> Result<Option<Digest>, Error> {
    let repository = repository.clone();
    let operation = Operation::ReadManifest { read: Read::Head, repository, reference };
    let answer = ask(upstream, Method::HEAD, &operation).await?;
    match answer.head.status() {
        StatusCode::OK => content::digest_header(answer.head.headers())
            .map(Some)
            .ok_or_else(|| Error::Wrong("it does not say the digest of a manifest".to_owned())),
        StatusCode::NOT_FOUND => Ok(None),
        status => Err(Error::Wrong(format!("it answered {status} when asked for a manifest"))),
    }
}

/// Every tag of the repository with what it points at.
pub(crate) async fn tag_digests(
    upstream: &Upstream,
    repository: &RepositoryName,
    budget: &mut Budget,
) -> Result<Vec<(Tag, Digest)>, Error> {
    let mut tags = Vec::new();
    for tag in list_tags(upstream, repository, budget).await?.unwrap_or_default() {
        budget.spend()?;
        if let Some(digest) = head_tag(upstream, repository, &tag).await? {
            tags.push((tag, digest));
        }
    }
    Ok(tags)
}

/// The names of all tags; none where there is no such repository.
pub(crate) async fn list_tags(
    upstream: &Upstream,
    repository: &RepositoryName,
    budget: &mut Budget,
) -> Result<Option<Vec<Tag>>, Error> {
    #[derive(Deserialize)]
    struct TagList {
        // docker-registry says `null` for a repository whose tags were all deleted.
        tags: Option<Vec<String>>,
    }
    let operation = Operation::ListTags {
        read: Read::Get,
        repository: repository.clone(),
        page: Page::default(),
    };
    let mut target = operation.target();
    let mut tags: Option<Vec<Tag>> = None;
    while let Some(at) = target.take() {
        let page = list_page::<TagList>(upstream, &at, budget).await?;
        let page = match (page, &tags) {
            (Some(page), _) => page,
            (None, None) => return Ok(None),
            // Half a list is none: a delete must know every tag.
            (None, Some(_)) => return Err(Error::Wrong("a list ended in the middle".to_owned())),
        };
        // A name that is no tag cannot be asked for either.
        let names = page.body.tags.unwrap_or_default();
        let tags = tags.get_or_insert_default();
        tags.extend(names.iter().filter_map(|name| Tag::new(name).ok()));
        if tags.len() > MAX_TAGS {
            return Err(Error::TooMany(MAX_TAGS));
        }
        target = page.next;
    }
    Ok(tags)
}

/// One page of a list, and where the next one is.
pub(crate) struct ListPage<T> {
    pub(crate) body: T,
    pub(crate) next: Option<String>,
}

/// Fetches a page of a list; none where the upstream says 404.
pub(crate) async fn list_page<T: DeserializeOwned>(
    upstream: &Upstream,
    target: &str,
    budget: &mut Budget,
) -> Result<Option<ListPage<T>>, Error> {
    budget.spend()?;
    let answer = send(upstream, Method::GET, target, HeaderMap::new()).await?;
    match answer.head.status() {
        StatusCode::OK => read_page(upstream, answer).await.map(Some),
        StatusCode::NOT_FOUND => {
            answer.discard().await;
            Ok(None)
        }
        status => Err(Error::Wrong(format!("it answered {status} to a list"))),
    }
}

/// Reads a page of a list.
pub(crate) async fn read_page<T: DeserializeOwned>(
    upstream: &Upstream,
    answer: Answer,
) -> Result<ListPage<T>, Error> {
    let next = next_link(answer.head.headers())?;
    let next = next.map(|target| upstream.path_of(&target).to_owned());
    let bytes = answer.collect(MAX_PAGE).await?;
    let body = serde_json::from_slice(&bytes)
        .map_err(|error| Error::Wrong(format!("a list cannot be read: {error}")))?;
    Ok(ListPage { body, next })
}

/// The target of `Link: <…>; rel="next"` (RFC 8288), on the upstream's own origin. A link that is not
/// understood is an error: a list that seems to end early hides tags, and a tag that nobody knows of
/// protects nothing from being deleted.
fn next_link(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let unclear = || Error::Wrong("a list does not say clearly how it goes on".to_owned());
    for line in headers.get_all(LINK) {
        let mut rest = line.to_str().map_err(|_| unclear())?;
        while !rest.is_empty() {
            let (target, after) =
                rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).ok_or_else(unclear)?;
            let (parameters, links) = after.split_at(after.find('<').unwrap_or(after.len()));
            if parameters.split([';', ',']).any(is_rel_next) {
                // The path alone is used, so that a list cannot send the gate to another place.
                let uri: http::Uri = target.parse().map_err(|_| unclear())?;
                let path = uri.path_and_query().filter(|path| path.as_str().starts_with('/'));
                return path.map(|path| Some(path.as_str().to_owned())).ok_or_else(unclear);
            }
            rest = links;
        }
    }
    Ok(None)
}

fn is_rel_next(parameter: &str) -> bool {
    parameter.trim().split_once('=').is_some_and(|(name, value)| {
        name.eq_ignore_ascii_case("rel") && value.trim_matches('"').eq_ignore_ascii_case("next")
    })
}

/// Whether `digest` is the manifest `at`, or a child of it at any depth.
pub(crate) async fn holds(
    upstream: &Upstream,
    repository: &RepositoryName,
    at: &Digest,
    digest: &Digest,
    budget: &mut Budget,
) -> Result<bool, Error> {
    let mut ahead = vec![(at.clone(), 0)];
    while let Some((at, depth)) = ahead.pop() {
        if at == *digest {
            return Ok(true);
        }
        budget.spend()?;
        let Some(manifest) = fetch(upstream, repository, &at).await? else { continue };
        if depth == MAX_DEPTH && manifest.kind() == Kind::Index {
            return Err(Error::Wrong("indexes are nested too deep".to_owned()));
        }
        for child in &manifest.children {
            if child.digest == *digest {
                return Ok(true);
            }
            if is_index_type(&child.media_type) {
                ahead.push((child.digest.clone(), depth + 1));
            }
        }
    }
    Ok(false)
}

/// Learns what these manifests are, where that is not known yet; tells which of them are gone. One
/// that cannot be read teaches nothing, so it is taken for no artifact.
pub(crate) async fn learn_manifests(
    inventory: &Inventory,
    upstream: &Upstream,
    repository: &RepositoryName,
    digests: &[Digest],
    budget: &mut Budget,
) -> Result<Vec<Digest>, Error> {
    let mut gone = Vec::new();
    for digest in digests {
        if inventory.knows(repository, digest) {
            continue;
        }
        budget.spend()?;
        match fetch(upstream, repository, digest).await {
            Ok(Some(manifest)) => inventory.saw_manifest(repository, digest, &manifest),
            Ok(None) => gone.push(digest.clone()),
            Err(Error::Unreadable(..)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(gone)
}

fn is_index_type(media_type: &str) -> bool {
    [ManifestType::OciIndex, ManifestType::DockerList]
        .iter()
        .any(|index| index.as_str() == media_type)
}

/// A manifest by digest; none where it is gone.
pub(crate) async fn fetch(
    upstream: &Upstream,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<Manifest>, Error> {
    let Some((bytes, content_type)) = fetch_bytes(upstream, repository, digest).await? else {
        return Ok(None);
    };
    Manifest::parse(&bytes, content_type.as_deref())
        .map(Some)
        .map_err(|error| Error::Unreadable(digest.clone(), error))
}

/// The bytes of a manifest and the type that the upstream gives it; none where it is gone.
pub(crate) async fn fetch_bytes(
    upstream: &Upstream,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<(Bytes, Option<String>)>, Error> {
    let operation = Operation::ReadManifest {
        read: Read::Get,
        repository: repository.clone(),
        reference: Reference::Digest(digest.clone()),
    };
    let answer = ask(upstream, Method::GET, &operation).await?;
    match answer.head.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => {
            answer.discard().await;
            return Ok(None);
        }
        status => return Err(Error::Wrong(format!("it answered {status} to a manifest"))),
    }
    let content_type = content::content_type(answer.head.headers()).map(str::to_owned);
    let bytes = answer.collect(MAX_MANIFEST).await?;
    if content::digest(digest.algorithm(), &bytes) != *digest {
        return Err(Error::Wrong("a manifest has another digest than it was asked for".to_owned()));
    }
    Ok(Some((bytes, content_type)))
}

async fn ask(upstream: &Upstream, method: Method, operation: &Operation) -> Result<Answer, Error> {
    let target = operation
        .target()
        .ok_or_else(|| Error::Wrong("the operation has no target of its own".to_owned()))?;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(MANIFEST_TYPES));
    send(upstream, method, &target, headers).await
}

async fn send(
    upstream: &Upstream,
    method: Method,
    target: &str,
    mut headers: HeaderMap,
) -> Result<Answer, Error> {
    headers
        .insert(HeaderName::from_static("accept-encoding"), HeaderValue::from_static("identity"));
    upstream
        .send(Outgoing {
            method,
            target: upstream.target(target),
            headers,
            body: Body::Empty,
            progress: Arc::default(),
        })
        .await
}
