//! Upload locations of the gate's own.
//!
//! The upstream's location is opaque and may be anywhere on it. The client gets a path below
//! `/v2/R/blobs/uploads/` whose last segment is that location, encrypted together with who began
//! the upload, where and when. So it is bound to them, needs no state, works on every replica with
//! the same key, and shows nothing of the upstream.

use http::header::LOCATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use oci::RepositoryName;

use super::seal::{Seal, SealedUpload};
use crate::refusal::Refusal;
use crate::upstream::Error;

/// What stays the same from step to step of an upload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    /// When it began.
    pub(super) started: Timestamp,
}

/// `Location` and `Docker-Upload-UUID` for the next step.
pub(super) fn seal_location(
    seal: &Seal,
    location: String,
    subject: String,
    repository: &RepositoryName,
    session: Session,
) -> Result<HeaderMap, Refusal> {
    let upload = SealedUpload {
        location,
        subject,
        repository: repository.clone(),
        started: session.started,
    };
    let sealed = seal.seal_upload(&upload).map_err(|error| Error::Wrong(error.to_string()))?;
    let value = |text: &str| {
        HeaderValue::from_str(text).map_err(|_| Refusal::Internal("a location is unprintable"))
    };
    let mut headers = HeaderMap::new();
    headers.insert(LOCATION, value(&format!("/v2/{repository}/blobs/uploads/{sealed}"))?);
    headers.insert(HeaderName::from_static("docker-upload-uuid"), value(&sealed)?);
    Ok(headers)
}
