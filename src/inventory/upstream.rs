//! Asking the upstream what it holds, where guessing is not good enough.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use oci::{
    Algorithm, Digest, InvalidManifest, Manifest, Operation, Read, Reference, RepositoryName, Tag,
};
use serde::Deserialize;

use super::Inventory;
use super::blob::instead_of_manifest;
use super::list::{MAX_TAGS, ask_list, ends_early, list_tags, not_a_list, read_page};
use super::many::{AT_ONCE, many};
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
pub(super) const MAX_MANIFEST: usize = 4 << 20;

/// How many requests one question may still cost. Several may be under way at once.
#[derive(Debug)]
pub struct Budget {
    left: AtomicUsize,
    whole: usize,
}

impl Budget {
    /// For so many requests.
    #[must_use]
    pub fn new(requests: usize) -> Self {
        Self { left: AtomicUsize::new(requests), whole: requests }
    }

    /// To be called before each request.
    ///
    /// # Errors
    /// There is none left.
    pub fn spend(&self) -> Result<(), Error> {
        let one_less = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Budget(self.whole)),
        }
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
    let found = match answer.head.status() {
        StatusCode::OK => content::digest_header(answer.head.headers())
            .map(Some)
            .ok_or_else(|| Error::Wrong("it does not say the digest of a manifest".to_owned())),
        StatusCode::NOT_FOUND => Ok(None),
        status => Err(failed(&answer, format!("it answered {status} when asked for a manifest"))),
    };
    // There is no body; it is what tells the connection that it may serve the next request.
    answer.discard().await;
    found
}

/// Every tag of the repository with what it points at. What is remembered does not count.
pub(crate) async fn tag_digests(
    upstream: &Arc<Upstream>,
    repository: &RepositoryName,
    budget: &Budget,
) -> Result<Vec<(Tag, Digest)>, Error> {
    let names = list_tags(upstream, repository, budget).await?.unwrap_or_default();
    // Paid for before they are asked, as they outlive this.
    let affordable = names.iter().take_while(|_| budget.spend().is_ok()).count();
    let mut tags = Vec::new();
    let asked = names.iter().take(affordable).cloned();
    let ask = |tag: Tag| {
        let (upstream, repository) = (Arc::clone(upstream), repository.clone());
        async move {
            let digest = head_tag(&upstream, &repository, &tag).await?;
            Ok::<_, Error>(digest.map(|digest| (tag, digest)))
        }
    };
    many(asked, AT_ONCE, ask, |found| {
        tags.extend(found);
        Ok(false)
    })
    .await?;
    if affordable < names.len() { Err(Error::Budget(budget.whole)) } else { Ok(tags) }
}

/// Learns what these manifests are, where that is not known yet; tells which of them are gone. One
/// that cannot be read teaches nothing, so it is taken for no artifact.
pub(crate) async fn learn_manifests(
    inventory: &Inventory,
    upstream: &Upstream,
    repository: &RepositoryName,
    digests: &[Digest],
    budget: &Budget,
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
            // An index may name blobs, which docker-registry 2.8 fails to give as manifests.
            Err(error @ Error::Unavailable { status: StatusCode::INTERNAL_SERVER_ERROR, .. }) => {
                budget.spend()?;
                if instead_of_manifest(upstream, repository, digest).await?.is_none() {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(gone)
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
    let reference = Reference::Digest(digest.clone());
    let fetched = fetch_any(upstream, repository, reference, |_| digest.algorithm()).await?;
    match fetched {
        Some(fetched) if fetched.digest != *digest => Err(other_digest()),
        fetched => Ok(fetched.map(|fetched| (fetched.bytes, fetched.content_type))),
    }
}

/// What the tag points at now, and what that says if anybody understands it; none where there is no
/// such tag.
pub(super) async fn fetch_tag(
    upstream: &Upstream,
    repository: &RepositoryName,
    tag: &Tag,
) -> Result<Option<(Digest, Result<Manifest, InvalidManifest>)>, Error> {
    let mut named = None;
    let fetched = fetch_any(upstream, repository, Reference::Tag(tag.clone()), |headers| {
        named = content::digest_header(headers);
        named.as_ref().map_or(Algorithm::Sha256, Digest::algorithm)
    });
    let Some(Fetched { bytes, digest, content_type }) = fetched.await? else { return Ok(None) };
    if named.is_some_and(|named| named != digest) {
        return Err(other_digest());
    }
    Ok(Some((digest, Manifest::parse(&bytes, content_type.as_deref()))))
}

/// The bytes of what a tag points at now and the type that the upstream gives them; none where there
/// is no such tag.
pub(crate) async fn fetch_tagged(
    upstream: &Upstream,
    repository: &RepositoryName,
    tag: &Tag,
) -> Result<Option<(Bytes, Option<String>)>, Error> {
    let reference = Reference::Tag(tag.clone());
    let fetched = fetch_any(upstream, repository, reference, |_| Algorithm::Sha256).await?;
    Ok(fetched.map(|fetched| (fetched.bytes, fetched.content_type)))
}

struct Fetched {
    bytes: Bytes,
    digest: Digest,
    content_type: Option<String>,
}

fn other_digest() -> Error {
    Error::Wrong("a manifest has another digest than it was asked for".to_owned())
}

async fn fetch_any(
    upstream: &Upstream,
    repository: &RepositoryName,
    reference: Reference,
    algorithm: impl FnOnce(&HeaderMap) -> Algorithm,
) -> Result<Option<Fetched>, Error> {
    let repository = repository.clone();
    let operation = Operation::ReadManifest { read: Read::Get, repository, reference };
    let answer = ask(upstream, Method::GET, &operation).await?;
    match answer.head.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => {
            answer.discard().await;
            return Ok(None);
        }
        status => return Err(failed(&answer, format!("it answered {status} to a manifest"))),
    }
    let algorithm = algorithm(answer.head.headers());
    let content_type = content::content_type(answer.head.headers()).map(str::to_owned);
    let bytes = answer.collect(MAX_MANIFEST).await?;
    Ok(Some(Fetched { digest: content::digest(algorithm, &bytes), bytes, content_type }))
}

/// What refers to the manifest; none where the upstream has no such list.
pub(super) async fn referrers(
    upstream: &Upstream,
    repository: &RepositoryName,
    digest: &Digest,
    budget: &Budget,
) -> Result<Option<Vec<Digest>>, Error> {
    #[derive(Deserialize)]
    struct Descriptor {
        digest: String,
    }
    let mut found = Vec::new();
    let listed = each_referrer(upstream, repository, digest, budget, |entry| {
        // What names no digest cannot be asked for either.
        let named = serde_json::from_slice::<Descriptor>(entry).ok();
        found.extend(named.and_then(|named| Digest::new(&named.digest).ok()));
        if found.len() > MAX_TAGS {
            return Err(Error::TooMany(MAX_TAGS));
        }
        Ok(ControlFlow::Continue(()))
    });
    Ok(listed.await?.then_some(found))
}

/// Hands out each entry of the list of what refers to the manifest, a descriptor in JSON, until
/// there was enough. False where the upstream has no such list.
pub(crate) async fn each_referrer(
    upstream: &Upstream,
    repository: &RepositoryName,
    digest: &Digest,
    budget: &Budget,
    mut each: impl FnMut(&[u8]) -> Result<ControlFlow<()>, Error>,
) -> Result<bool, Error> {
    let operation = Operation::Referrers {
        read: Read::Get,
        repository: repository.clone(),
        digest: digest.clone(),
        artifact_type: None,
        cursor: None,
    };
    let (mut target, mut is_first, mut enough) = (operation.target(), true, false);
    while let Some(at) = target.take() {
        budget.spend()?;
        let answer = ask_list(upstream, &at).await?;
        match answer.head.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND if is_first => {
                answer.discard().await;
                return Ok(false);
            }
            StatusCode::NOT_FOUND => return Err(ends_early()),
            _ => return Err(not_a_list(&answer)),
        }
        is_first = false;
        let page = read_page(upstream, answer, "manifests", |entry| {
            let flow = each(entry)?;
            enough = flow.is_break();
            Ok(flow)
        });
        target = page.await?.next.filter(|_| !enough);
    }
    Ok(!is_first)
}

/// An answer that is none: the upstream cannot answer now, or it answers as it should not.
pub(super) fn failed(answer: &Answer, wrong: String) -> Error {
    let status = answer.head.status();
    if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
        return Error::Wrong(wrong);
    }
    let after = answer.head.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = after.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
    Error::Unavailable { status, after }
}

pub(super) async fn ask(
    upstream: &Upstream,
    method: Method,
    operation: &Operation,
) -> Result<Answer, Error> {
    let target = operation
        .target()
        .ok_or_else(|| Error::Wrong("the operation has no target of its own".to_owned()))?;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(MANIFEST_TYPES));
    send(upstream, method, &target, headers).await
}

pub(super) async fn send(
    upstream: &Upstream,
    method: Method,
    target: &str,
    mut headers: HeaderMap,
) -> Result<Answer, Error> {
    headers.extend(identity());
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

/// What is hashed is not to be packed on the way.
pub(super) fn identity() -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))])
}
