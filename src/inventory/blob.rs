//! The blobs of the upstream.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use oci::{Digest, Manifest, Operation, Read, RepositoryName};

use super::graph::Found;
use super::upstream::{MAX_MANIFEST, ask, failed, identity};
use crate::content;
use crate::upstream::{Answer, Error, Upstream};

/// What stands where the upstream fails to give a manifest, judged by the bytes of the blob of that
/// digest; none if there is no such blob, or if it may well be a manifest: many registries serve
/// these as blobs, too.
///
/// A manifest is a JSON object, so of other content no more is read than it takes to see that it
/// begins as none.
pub(super) async fn instead_of_manifest(
    upstream: &Upstream,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<Found>, Error> {
    let Some(answer) = open_blob(upstream, repository, digest).await? else { return Ok(None) };
    let mut body = answer.stream(Arc::default());
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.trim_ascii_start().first().is_some_and(|&first| first != b'{') {
            return Ok(Some(Found::Absent));
        }
        if bytes.len() > MAX_MANIFEST {
            return Ok(None);
        }
    }
    check_blob(digest, &bytes)?;
    Ok(Manifest::parse(&bytes, None).err().map(|_| Found::Unreadable))
}

/// A blob of at most `most` bytes, from wherever the upstream keeps it; none where it is gone.
pub(crate) async fn fetch_blob(
    upstream: &Upstream,
    repository: &RepositoryName,
    digest: &Digest,
    most: usize,
) -> Result<Option<Bytes>, Error> {
    let Some(answer) = open_blob(upstream, repository, digest).await? else { return Ok(None) };
    let bytes = answer.collect(most).await?;
    check_blob(digest, &bytes)?;
    Ok(Some(bytes))
}

/// The answer that holds a blob, from wherever the upstream keeps it; none where it is gone.
async fn open_blob(
    upstream: &Upstream,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<Answer>, Error> {
    let (repository, digest) = (repository.clone(), digest.clone());
    let operation = Operation::ReadBlob { read: Read::Get, repository, digest };
    let mut answer = ask(upstream, Method::GET, &operation).await?;
    if let Some(elsewhere) = upstream.redirect(&answer)? {
        answer.discard().await;
        answer = upstream.follow(elsewhere, &Method::GET, &identity()).await?;
    }
    match answer.head.status() {
        StatusCode::OK => Ok(Some(answer)),
        StatusCode::NOT_FOUND => {
            answer.discard().await;
            Ok(None)
        }
        status => Err(failed(&answer, format!("it answered {status} to a blob"))),
    }
}

/// That these bytes are the blob of that digest.
fn check_blob(digest: &Digest, bytes: &[u8]) -> Result<(), Error> {
    if content::digest(digest.algorithm(), bytes) == *digest {
        return Ok(());
    }
    Err(Error::Wrong("a blob has another digest than it was asked for".to_owned()))
}

/// Whether it is certain that there is no such blob.
pub(super) async fn lacks_blob(
    upstream: &Upstream,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<bool, Error> {
    let (repository, digest) = (repository.clone(), digest.clone());
    let operation = Operation::ReadBlob { read: Read::Head, repository, digest };
    let answer = ask(upstream, Method::HEAD, &operation).await?;
    let lacks = answer.head.status() == StatusCode::NOT_FOUND;
    answer.discard().await;
    Ok(lacks)
}
