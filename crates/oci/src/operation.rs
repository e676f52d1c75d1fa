//! The whole distribution API as one type.

use crate::{Algorithm, Digest, Reference, RepositoryName, SessionId, Tag};

/// What a request to `/v2/` asks for. One value per meaning: there is no other way to say the same.
///
/// [`Operation::parse`] is the only reader of request targets, and [`Operation::target`] builds the
/// target for the upstream from the value alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// `GET /v2/`: is this a registry, and am I signed in (end-1).
    Ping(Read),
    /// `GET|HEAD /v2/R/manifests/REFERENCE` (end-3).
    ReadManifest {
        /// With or without the body.
        read: Read,
        /// Where.
        repository: RepositoryName,
        /// Which one.
        reference: Reference,
    },
    /// `PUT /v2/R/manifests/REFERENCE[?tag=…]` (end-7). `tags` are further tags to set, and only
    /// with a digest as reference.
    PutManifest {
        /// Where.
        repository: RepositoryName,
        /// The tag to set, or the digest that the body must have.
        reference: Reference,
        /// Further tags to set: all different, in the order of the request.
        tags: Vec<Tag>,
    },
    /// `DELETE /v2/R/manifests/REFERENCE` (end-9).
    DeleteManifest {
        /// Where.
        repository: RepositoryName,
        /// A tag, or a digest and with it every tag that points there.
        reference: Reference,
    },
    /// `GET|HEAD /v2/R/blobs/DIGEST` (end-2).
    ReadBlob {
        /// With or without the body.
        read: Read,
        /// Where.
        repository: RepositoryName,
        /// Which one.
        digest: Digest,
    },
    /// `DELETE /v2/R/blobs/DIGEST` (end-10).
    DeleteBlob {
        /// Where.
        repository: RepositoryName,
        /// Which one.
        digest: Digest,
    },
    /// `POST /v2/R/blobs/uploads/` (end-4a, end-4b, end-11).
    StartUpload {
        /// Where the blob shall be.
        repository: RepositoryName,
        /// How it gets there.
        start: UploadStart,
    },
    /// `GET /v2/R/blobs/uploads/SESSION` (end-13).
    UploadStatus {
        /// Where.
        repository: RepositoryName,
        /// Which upload.
        session: SessionId,
    },
    /// `PATCH /v2/R/blobs/uploads/SESSION` (end-5).
    UploadChunk {
        /// Where.
        repository: RepositoryName,
        /// Which upload.
        session: SessionId,
    },
    /// `PUT /v2/R/blobs/uploads/SESSION?digest=` (end-6).
    FinishUpload {
        /// Where.
        repository: RepositoryName,
        /// Which upload.
        session: SessionId,
        /// What the whole must have.
        digest: Digest,
    },
    /// `DELETE /v2/R/blobs/uploads/SESSION` (end-14).
    CancelUpload {
        /// Where.
        repository: RepositoryName,
        /// Which upload.
        session: SessionId,
    },
    /// `GET /v2/R/tags/list` (end-8a, end-8b).
    ListTags {
        /// With or without the body.
        read: Read,
        /// Where.
        repository: RepositoryName,
        /// Which part of the list.
        page: Page,
    },
    /// `GET /v2/_catalog` (docker-registry's, not in the spec).
    Catalog {
        /// With or without the body.
        read: Read,
        /// Which part of the list.
        page: Page,
    },
    /// `GET /v2/R/referrers/DIGEST` (end-12a, end-12b).
    Referrers {
        /// With or without the body.
        read: Read,
        /// Where.
        repository: RepositoryName,
        /// What the artifacts are attached to; it need not exist.
        digest: Digest,
        /// Only artifacts of this type: 1 to 255 printable ASCII characters.
        artifact_type: Option<String>,
        /// Where an earlier page of the gate ended; as in [`Page`].
        cursor: Option<String>,
    },
}

/// GET and HEAD: the same question, with or without the body of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Read {
    /// With the body.
    Get,
    /// The head alone.
    Head,
}

/// The three ways to begin an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadStart {
    /// A session for later chunks; the client may name the digest algorithm that it will use.
    Session {
        /// The algorithm, where it was named.
        algorithm: Option<Algorithm>,
    },
    /// The whole blob in the body of the POST.
    Monolithic {
        /// What the body must have.
        digest: Digest,
    },
    /// A blob of another repository; without `from` the registry may look everywhere.
    Mount {
        /// Which blob.
        digest: Digest,
        /// The repository that has it.
        from: Option<RepositoryName>,
    },
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// At most so many entries.
    pub n: Option<u32>,
    /// Only what sorts after this text: 1 to 255 bytes without control characters.
    pub last: Option<String>,
    /// Where an earlier page of the gate ended (sealed by the gate; RFC 3986 unreserved characters,
    /// at most 4096).
    pub cursor: Option<String>,
}

impl Read {
    /// The HTTP method.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

impl Operation {
    /// The HTTP method.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Ping(read)
            | Self::ReadManifest { read, .. }
            | Self::ReadBlob { read, .. }
            | Self::ListTags { read, .. }
            | Self::Catalog { read, .. }
            | Self::Referrers { read, .. } => read.method(),
            Self::UploadStatus { .. } => "GET",
            Self::PutManifest { .. } | Self::FinishUpload { .. } => "PUT",
            Self::StartUpload { .. } => "POST",
            Self::UploadChunk { .. } => "PATCH",
            Self::DeleteManifest { .. } | Self::DeleteBlob { .. } | Self::CancelUpload { .. } => {
                "DELETE"
            }
        }
    }

    /// The repository that the operation is about; nothing for `/v2/` and the catalogue.
    #[must_use]
    pub fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Ping(_) | Self::Catalog { .. } => None,
            Self::ReadManifest { repository, .. }
            | Self::PutManifest { repository, .. }
            | Self::DeleteManifest { repository, .. }
            | Self::ReadBlob { repository, .. }
            | Self::DeleteBlob { repository, .. }
            | Self::StartUpload { repository, .. }
            | Self::UploadStatus { repository, .. }
            | Self::UploadChunk { repository, .. }
            | Self::FinishUpload { repository, .. }
            | Self::CancelUpload { repository, .. }
            | Self::ListTags { repository, .. }
            | Self::Referrers { repository, .. } => Some(repository),
        }
    }

    /// A fixed name for metrics and the audit trail.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ping(_) => "ping",
            Self::ReadManifest { .. } => "manifest_read",
            Self::PutManifest { .. } => "manifest_put",
            Self::DeleteManifest { .. } => "manifest_delete",
            Self::ReadBlob { .. } => "blob_read",
            Self::DeleteBlob { .. } => "blob_delete",
            Self::StartUpload { .. } => "upload_start",
            Self::UploadStatus { .. } => "upload_status",
            Self::UploadChunk { .. } => "upload_chunk",
            Self::FinishUpload { .. } => "upload_finish",
            Self::CancelUpload { .. } => "upload_cancel",
            Self::ListTags { .. } => "tags_list",
            Self::Catalog { .. } => "catalog",
            Self::Referrers { .. } => "referrers",
        }
    }
}
