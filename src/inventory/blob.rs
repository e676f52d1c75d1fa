//! Telling a blob from a manifest that the upstream fails to give.

use std::sync::Arc;

use bytes::BytesMut;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use oci::{Digest, Manifest, Operation, Read, RepositoryName};

use super::graph::Found;
use super::upstream::{MAX_MANIFEST, ask, failed};
use crate::content;
use crate::upstream::{Error, Upstream};

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
    let operation = Operation::ReadBlob {
        read: Read::Get,
        repository: repository.clone(),
        digest: digest.clone(),
    };
    let mut answer = ask(upstream, Method::GET, &operation).await?;
    if let Some(redirected) = upstream.redirect(&answer)? {
        answer.discard().await;
        answer = upstream.follow(redirected, &Method::GET, &HeaderMap::new()).await?;
    }
    match answer.head.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => {
            answer.discard().await;
            return Ok(None);
        }
        status => return Err(failed(&answer, format!("it answered {status} to a blob"))),
    }
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
    if content::digest(digest.algorithm(), &bytes) != *digest {
        return Err(Error::Wrong("a blob has another digest than it was asked for".to_owned()));
    }
    Ok(Manifest::parse(&bytes, None).err().map(|_| Found::Unreadable))
}
