//! Telling a blob from a manifest that the upstream fails to give.

use std::sync::Arc;

use bytes::BytesMut;
use http_body_util::BodyExt as _;
use oci::{Digest, Manifest, RepositoryName};

use super::graph::Found;
use super::upstream::{MAX_MANIFEST, check_blob, open_blob};
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
