//! What the makers of an image say of vulnerabilities in it, as it is kept.

use jiff::Timestamp;
use oci::{Digest, RepositoryName};
use policy::Subject;
use reports::vex;

/// An OpenVEX document about one digest, in one repository. A later one of the same name (its `@id`) by
/// the same sender replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptStatements {
    /// The repository that it was sent for, and where it counts.
    pub repository: RepositoryName,
    /// The manifest that it is about.
    pub digest: Digest,
    /// Who sent it.
    pub by: Subject,
    /// When.
    pub at: Timestamp,
    /// As it was read.
    pub document: vex::Document,
}
