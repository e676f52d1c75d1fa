//! What somebody said of an image.

use std::net::IpAddr;

use jiff::Timestamp;
use oci::{Digest, RepositoryName};
use policy::Subject;

/// A flag on a digest. It belongs to the digest, never to a tag: a tag may move.
///
/// In one repository a digest has a flag of one name once; setting it again replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Where it was set. Whether it counts elsewhere is for the policy to say.
    pub repository: RepositoryName,
    /// Of which manifest.
    pub digest: Digest,
    /// Its name, as the policy declares it; the policy may have changed since.
    pub name: String,
    /// Who set it.
    pub by: Subject,
    /// From where; none over the admin socket.
    pub from: Option<IpAddr>,
    /// When.
    pub at: Timestamp,
    /// Why, if that was told.
    pub reason: Option<String>,
    /// Where to read on, such as the run of a CI job.
    pub link: Option<String>,
    /// When it ends, if whoever set it said so. The policy's declaration may end it earlier.
    pub expires_at: Option<Timestamp>,
}
