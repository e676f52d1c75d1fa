//! The whole distribution API as one type.

use crate::{Algorithm, Digest, Reference, RepositoryName, Tag};

/// What a request to `/v2/` asks for. One value per meaning: there is no other way to say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// `GET /v2/`: is this a registry, and am I signed in (end-1).
    Ping(Read),
    /// `GET|HEAD /v2/R/manifests/REFERENCE` (end-3).
    ReadManifest { read: Read, repository: RepositoryName, reference: Reference },
    /// `PUT /v2/R/manifests/REFERENCE[?tag=…]` (end-7). `tags` are further tags to set, and only
    /// with a digest as reference.
    PutManifest { repository: RepositoryName, reference: Reference, tags: Vec<Tag> },
    /// `DELETE /v2/R/manifests/REFERENCE` (end-9).
    DeleteManifest { repository: RepositoryName, reference: Reference },
    /// `GET|HEAD /v2/R/blobs/DIGEST` (end-2).
    ReadBlob { read: Read, repository: RepositoryName, digest: Digest },
    /// `DELETE /v2/R/blobs/DIGEST` (end-10).
    DeleteBlob { repository: RepositoryName, digest: Digest },
    /// `POST /v2/R/blobs/uploads/` (end-4a, end-4b, end-11).
    StartUpload { repository: RepositoryName, start: UploadStart },
    /// `GET /v2/R/blobs/uploads/SESSION` (end-13).
    UploadStatus { repository: RepositoryName, session: SessionId },
    /// `PATCH /v2/R/blobs/uploads/SESSION` (end-5).
    UploadChunk { repository: RepositoryName, session: SessionId },
    /// `PUT /v2/R/blobs/uploads/SESSION?digest=` (end-6).
    FinishUpload { repository: RepositoryName, session: SessionId, digest: Digest },
    /// `DELETE /v2/R/blobs/uploads/SESSION` (end-14).
    CancelUpload { repository: RepositoryName, session: SessionId },
    /// `GET /v2/R/tags/list` (end-8a, end-8b).
    ListTags { read: Read, repository: RepositoryName, page: Page },
    /// `GET /v2/_catalog` (docker-registry's, not in the spec).
    Catalog { read: Read, page: Page },
    /// `GET /v2/R/referrers/DIGEST` (end-12a, end-12b).
    Referrers {
        read: Read,
        repository: RepositoryName,
        digest: Digest,
        artifact_type: Option<String>,
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
    Session { algorithm: Option<Algorithm> },
    /// The whole blob in the body of the POST.
    Monolithic { digest: Digest },
    /// A blob of another repository; without `from` the registry may look everywhere.
    Mount { digest: Digest, from: Option<RepositoryName> },
}

/// The last path segment of an upload's location. Which characters it has is the gate's affair, as
/// the gate issues it: unreserved ones (RFC 3986 §2.3), at most 4096.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionId(Box<str>);

/// Which part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// At most so many entries.
    pub n: Option<u32>,
    /// Only what sorts after this text.
    pub last: Option<String>,
    /// Where an earlier page of the gate ended (sealed by the gate; RFC 3986 unreserved characters).
    pub cursor: Option<String>,
}
