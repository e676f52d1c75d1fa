//! From an [`Operation`] to a request target.

use std::fmt::Write as _;

use crate::query::Parameter;
use crate::session::is_unreserved;
use crate::{Algorithm, Operation, Page, RepositoryName, UploadStart};

impl Operation {
    /// Path and query for the upstream, built from the value alone.
    ///
    /// Nothing for the operations on an upload session, whose address at the upstream is sealed in
    /// the session. Lists come without their page: the caller reads the upstream's pages itself,
    /// as it shows only what may be seen. The filter of `referrers` stays.
    #[must_use]
    pub fn target(&self) -> Option<String> {
        match self {
            Self::UploadStatus { .. }
            | Self::UploadChunk { .. }
            | Self::FinishUpload { .. }
            | Self::CancelUpload { .. } => None,
            Self::ListTags { repository, .. } => Some(format!("/v2/{repository}/tags/list")),
            Self::Catalog { .. } => Some("/v2/_catalog".to_owned()),
            Self::Referrers { repository, digest, artifact_type, .. } => {
                let target = Target::new(format!("/v2/{repository}/referrers/{digest}"));
                Some(target.with(Parameter::ArtifactType, artifact_type.as_deref()).text)
            }
            _ => Some(self.canonical_target()),
        }
    }

    /// Path and query as a client would write them to the gate: the one spelling of this operation.
    /// [`Operation::parse`] reads the same value from it.
    ///
    /// The session of an upload is in it, so it is no text for logs.
    #[must_use]
    pub fn canonical_target(&self) -> String {
        match self {
            Self::Ping(_) => "/v2/".to_owned(),
            Self::ReadManifest { repository, reference, .. }
            | Self::DeleteManifest { repository, reference } => {
                format!("/v2/{repository}/manifests/{reference}")
            }
            Self::PutManifest { repository, reference, tags } => {
                let target = Target::new(format!("/v2/{repository}/manifests/{reference}"));
                let tags = tags.iter().map(|tag| Some(tag.as_str()));
                tags.fold(target, |target, tag| target.with(Parameter::Tag, tag)).text
            }
            Self::ReadBlob { repository, digest, .. } | Self::DeleteBlob { repository, digest } => {
                format!("/v2/{repository}/blobs/{digest}")
            }
            Self::StartUpload { repository, start } => {
                let target = Target::new(format!("/v2/{repository}/blobs/uploads/"));
                target.with_start(start).text
            }
            Self::UploadStatus { repository, session }
            | Self::UploadChunk { repository, session }
            | Self::CancelUpload { repository, session } => {
                format!("/v2/{repository}/blobs/uploads/{}", session.as_str())
            }
            Self::FinishUpload { repository, session, digest } => {
                let session = session.as_str();
                let target = Target::new(format!("/v2/{repository}/blobs/uploads/{session}"));
                target.with(Parameter::Digest, Some(&digest.to_string())).text
            }
            Self::ListTags { repository, page, .. } => {
                Target::new(format!("/v2/{repository}/tags/list")).with_page(page).text
            }
            Self::Catalog { page, .. } => {
                Target::new("/v2/_catalog".to_owned()).with_page(page).text
            }
            Self::Referrers { repository, digest, artifact_type, cursor, .. } => {
                Target::new(format!("/v2/{repository}/referrers/{digest}"))
                    .with(Parameter::ArtifactType, artifact_type.as_deref())
                    .with(Parameter::Cursor, cursor.as_deref())
                    .text
            }
        }
    }
}

/// A request target that grows a query.
struct Target {
    text: String,
    separator: char,
}

impl Target {
    fn new(path: String) -> Self {
        Self { text: path, separator: '?' }
    }

    /// Adds a parameter if it has a value, encoded wherever a character is not unreserved.
    fn with(mut self, parameter: Parameter, value: Option<&str>) -> Self {
        let Some(value) = value else {
            return self;
        };
        self.text.push(self.separator);
        self.separator = '&';
        self.text.push_str(parameter.as_str());
        self.text.push('=');
        for byte in value.bytes() {
            if is_unreserved(byte) {
                self.text.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(self.text, "%{byte:02X}");
            }
        }
        self
    }

    fn with_start(self, start: &UploadStart) -> Self {
        match start {
            UploadStart::Session { algorithm } => {
                self.with(Parameter::DigestAlgorithm, algorithm.map(Algorithm::as_str))
            }
            UploadStart::Monolithic { digest } => {
                self.with(Parameter::Digest, Some(&digest.to_string()))
            }
            UploadStart::Mount { digest, from } => self
                .with(Parameter::Mount, Some(&digest.to_string()))
                .with(Parameter::From, from.as_ref().map(RepositoryName::as_str)),
        }
    }

    fn with_page(self, page: &Page) -> Self {
        self.with(Parameter::N, page.n.map(|n| n.to_string()).as_deref())
            .with(Parameter::Last, page.last.as_deref())
            .with(Parameter::Cursor, page.cursor.as_deref())
    }
}
