//! Manifests are small and are read: held, hashed, learned from, then released.

use http::header::{CONTENT_LENGTH, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use oci::{Algorithm, Digest, Manifest, Operation, Read, Reference, RepositoryName, Tag};

use super::forward::{Forwarding, manifest_location, method_of};
use super::headers::to_client;
use crate::authorize::{ManifestContent, is_artifact, unknown_manifest};
use crate::body::Body;
use crate::content;
use crate::refusal::Refusal;
use crate::state::Pulled;
use crate::store::Pushed;
use crate::upstream::{Answer, Error};

/// Reads a manifest, and learns what it says.
pub(super) async fn read(
    forwarding: &mut Forwarding<'_>,
    operation: Operation,
) -> Result<Response<Body>, Refusal> {
    let Operation::ReadManifest { read, repository, reference } = &operation else {
        return Err(Refusal::Internal("not a manifest to be read"));
    };
    if let Reference::Digest(digest) = reference {
        forwarding.must_be_there(repository, digest)?;
    }
    let answer = fetch(forwarding, &operation, *read).await?;
    if answer.head.status() == StatusCode::NOT_FOUND
        && let Reference::Digest(digest) = reference
        && let Some(absent) =
            forwarding.absent(&operation, repository, digest, &unknown_manifest()).await?
    {
        answer.discard().await;
        return Ok(absent);
    }
    if answer.head.status() != StatusCode::OK {
        return Ok(forwarding.stream(answer, HeaderMap::new()));
    }
    match read {
        Read::Head => {
            let named = content::digest_header(answer.head.headers());
            if let (Some(named), Reference::Digest(asked)) = (&named, reference)
                && named != asked
                && named.algorithm() == asked.algorithm()
            {
                return Err(another(asked, named).into());
            }
            if let (Some(digest), Reference::Tag(tag)) = (named, reference) {
                let now = forwarding.question.now;
                forwarding.gate.inventory.saw_tag(repository, tag, &digest, now);
            }
            Ok(forwarding.stream(answer, HeaderMap::new()))
        }
        Read::Get => {
            let held = hold(forwarding, repository, reference, answer).await?;
            note_pull(forwarding, repository, reference, &held.digest);
            Ok(held.response)
        }
    }
}

/// Reads what stands at a fallback referrers tag, for a caller who may read the image that the tag
/// names but was not granted the tag. It is released only if it is an artifact by its content, so
/// HEAD fetches the body too.
pub(super) async fn read_artifact(
    forwarding: &mut Forwarding<'_>,
    operation: Operation,
) -> Result<Response<Body>, Refusal> {
    let Operation::ReadManifest { read, repository, reference } = &operation else {
        return Err(Refusal::Internal("not a manifest to be read"));
    };
    // Without a condition: the answer must be the whole manifest, to be judged.
    forwarding.is_unconditional = true;
    let answer = fetch(forwarding, &operation, Read::Get).await?;
    match answer.head.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => {
            answer.discard().await;
            return Err(unknown_manifest());
        }
        _ => return Ok(forwarding.stream(answer, HeaderMap::new())),
    }
    let Held { mut response, manifest, .. } =
        hold(forwarding, repository, reference, answer).await?;
    let is_artifact = match &manifest {
        None => false,
        Some(manifest) => {
            let gone = forwarding.question.learn_children(repository, manifest).await?;
            is_artifact(&forwarding.gate.inventory, repository, manifest, &gone)
        }
    };
    if !is_artifact {
        return Err(unknown_manifest());
    }
    if *read == Read::Head {
        *response.body_mut() = Body::Empty;
    }
    Ok(response)
}

/// Reads a manifest before which gates stand. What is judged is what is served: a GET holds the bytes
/// until they are judged, and a HEAD is judged by the digest that the upstream names.
pub(super) async fn read_gated(
    forwarding: &mut Forwarding<'_>,
    operation: Operation,
) -> Result<Response<Body>, Refusal> {
    let Operation::ReadManifest { read, repository, reference } = &operation else {
        return Err(Refusal::Internal("not a manifest to be read"));
    };
    // Without a condition: "you have it already" would be an answer about what may be held.
    forwarding.is_unconditional = true;
    let answer = fetch(forwarding, &operation, *read).await?;
    match answer.head.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND if matches!(reference, Reference::Digest(_)) => {
            answer.discard().await;
            return Err(unknown_manifest());
        }
        _ => return Ok(forwarding.stream(answer, HeaderMap::new())),
    }
    let question = forwarding.question;
    match read {
        Read::Head => {
            let digest = named(reference, &answer)?;
            if let Reference::Tag(tag) = reference {
                forwarding.gate.inventory.saw_tag(repository, tag, &digest, question.now);
            }
            let released = question.let_through(repository, reference, &digest).await?;
            forwarding.exchange.released(released.leniency());
            Ok(forwarding.stream(answer, HeaderMap::new()))
        }
        Read::Get => {
            let held = hold(forwarding, repository, reference, answer).await?;
            question.release.learn(&held.digest, held.manifest.as_ref());
            let released = question.let_through(repository, reference, &held.digest).await?;
            forwarding.exchange.released(released.leniency());
            note_pull(forwarding, repository, reference, &held.digest);
            Ok(held.response)
        }
    }
}

/// Notes that it was pulled, unless whoever reads it only looks at it.
fn note_pull(
    forwarding: &Forwarding<'_>,
    repository: &RepositoryName,
    reference: &Reference,
    digest: &Digest,
) {
    let question = forwarding.question;
    if question.inspects(repository, reference) {
        return;
    }
    let tag = match reference {
        Reference::Tag(tag) => Some(tag),
        Reference::Digest(_) => None,
    };
    forwarding.gate.authenticator.state().note_pull(Pulled {
        repository,
        digest,
        tag,
        by: &question.principal.caller.subject,
        groups: forwarding.exchange.groups(),
        at: question.now,
    });
}

/// Which manifest the upstream names in the answer to a HEAD.
fn named(reference: &Reference, answer: &Answer) -> Result<Digest, Refusal> {
    let named = content::digest_header(answer.head.headers());
    match (reference, named) {
        (Reference::Digest(asked), Some(named))
            if named != *asked && named.algorithm() == asked.algorithm() =>
        {
            Err(another(asked, &named).into())
        }
        (Reference::Digest(asked), _) => Ok(asked.clone()),
        (Reference::Tag(_), Some(named)) => Ok(named),
        (Reference::Tag(_), None) => {
            Err(Error::Wrong("it does not say the digest of a manifest".to_owned()).into())
        }
    }
}

async fn fetch(
    forwarding: &mut Forwarding<'_>,
    operation: &Operation,
    read: Read,
) -> Result<Answer, Refusal> {
    let method = method_of(read);
    let answer = forwarding.send(operation, method.clone(), Body::Empty).await?;
    // A manifest is always fetched by the gate, wherever it is.
    let answer = forwarding.settle(operation, &method, answer).await?;
    let status = answer.head.status();
    if status.is_success() && status != StatusCode::OK {
        // It would be passed on without being looked at.
        return Err(Error::Wrong(format!("it answered {status} to a manifest")).into());
    }
    Ok(answer)
}

/// A manifest that was read whole, and not released yet.
struct Held {
    response: Response<Body>,
    digest: Digest,
    /// None where it cannot be parsed.
    manifest: Option<Manifest>,
}

/// Holds the manifest, checks its digest, and learns. What cannot be parsed teaches nothing and is
/// passed on: policy decides about tags, whatever stands there.
async fn hold(
    forwarding: &mut Forwarding<'_>,
    repository: &RepositoryName,
    reference: &Reference,
    answer: Answer,
) -> Result<Held, Refusal> {
    let mut headers = to_client(answer.head.headers());
    let named = content::digest_header(answer.head.headers());
    let content_type = content::content_type(answer.head.headers()).map(str::to_owned);
    let bytes = answer.collect(forwarding.gate.limits.manifest_size).await?;
    let digest = check(reference, named, &bytes)?;
    let manifest = Manifest::parse(&bytes, content_type.as_deref()).ok();
    let inventory = &forwarding.gate.inventory;
    if let Some(manifest) = &manifest {
        inventory.saw_manifest(repository, &digest, manifest);
    }
    if let Reference::Tag(tag) = reference {
        inventory.saw_tag(repository, tag, &digest, forwarding.question.now);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    forwarding.exchange.served(&digest);
    let mut response = Response::new(Body::full(bytes));
    *response.headers_mut() = headers;
    Ok(Held { response, digest, manifest })
}

/// The digest of the bytes, which must be the one that was asked for and the one that the upstream
/// names.
fn check(reference: &Reference, named: Option<Digest>, bytes: &[u8]) -> Result<Digest, Refusal> {
    let asked = match reference {
        Reference::Digest(digest) => Some(digest.clone()),
        Reference::Tag(_) => named,
    };
    let algorithm = asked.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
    let digest = content::digest(algorithm, bytes);
    match asked {
        Some(asked) if asked != digest => Err(another(&asked, &digest).into()),
        _ => Ok(digest),
    }
}

fn another(asked: &Digest, came: &Digest) -> Error {
    Error::Wrong(format!("the manifest {asked} came with the content of {came}"))
}

/// Which of the further tags the upstream has set: it names each in an `OCI-Tag` (spec, "Pushing
/// Manifests"). One that does not know of further tags passes over them, and names none.
fn tags_set(upstream: &HeaderMap) -> Vec<Tag> {
    let values = upstream.get_all("oci-tag").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|tag| Tag::new(tag.trim()).ok()).collect()
}

/// Stores a manifest that was judged, and learns what it says.
pub(super) async fn store(
    forwarding: &mut Forwarding<'_>,
    operation: Operation,
    content: Box<ManifestContent>,
) -> Result<Response<Body>, Refusal> {
    let Operation::PutManifest { repository, reference, tags } = &operation else {
        return Err(Refusal::Internal("not a manifest to be stored"));
    };
    let ManifestContent { bytes, digest, manifest, .. } = *content;
    let answer = forwarding.send(&operation, Method::PUT, Body::full(bytes)).await?;
    let mut headers = HeaderMap::new();
    if answer.head.status().is_success() {
        // By now it is there; what was asked before may have missed it.
        let now = forwarding.gate.clock.now();
        let inventory = &forwarding.gate.inventory;
        let caller = &forwarding.question.principal.caller;
        inventory.saw_manifest(repository, &digest, &manifest);
        inventory.attest(repository, &digest);
        inventory.saw_push(repository, caller, &digest, now);
        forwarding.gate.release.pushed(repository, &digest, &manifest, now);
        let set = tags_set(answer.head.headers());
        let tag = match reference {
            Reference::Tag(tag) => Some(tag),
            Reference::Digest(_) => None,
        };
        let tags: Vec<_> =
            tag.into_iter().chain(tags.iter().filter(|tag| set.contains(*tag))).cloned().collect();
        for tag in &tags {
            inventory.checked_tag(repository, tag, Some(&digest), now);
        }
        forwarding.gate.authenticator.state().note_push(Pushed {
            repository: repository.clone(),
            digest: digest.clone(),
            tags,
            at: now,
            by: caller.subject.clone(),
        });
        headers.insert(LOCATION, manifest_location(repository, &Reference::Digest(digest)));
        forwarding.settle_push(repository).await;
    }
    Ok(forwarding.stream(answer, headers))
}

#[cfg(test)]
mod tests;
