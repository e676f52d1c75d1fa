//! What the gate learns of a repository, one fact at a time.
//!
//! A lesson is what memory takes in, what the state keeps, and what one replica tells another: all
//! three see the same facts, so none of them can know more than it was told.

use std::sync::Arc;

use jiff::Timestamp;
use oci::{Digest, Kind, Manifest, Tag};

/// One fact about a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lesson {
    /// The tag pointed at the manifest when it was seen.
    Tag {
        /// Which.
        tag: Tag,
        /// The manifest.
        digest: Digest,
        /// When that was seen.
        at: Timestamp,
    },
    /// There was no such tag: it was deleted through the gate, or the upstream says so.
    NoTag {
        /// Which.
        tag: Tag,
        /// When that was seen.
        at: Timestamp,
        /// It was deleted through the gate: what it pointed at, it vouches for no longer. Else it
        /// vanished outside, and what it pointed at lingers.
        deleted: bool,
    },
    /// The manifest was deleted through the gate, and with it every tag on it.
    NoManifest {
        /// Which.
        digest: Digest,
        /// When.
        at: Timestamp,
    },
    /// What the manifest says. A digest never says anything else, so this holds for ever.
    Manifest {
        /// Which.
        digest: Digest,
        /// What reading depends on.
        facts: Arc<Facts>,
    },
    /// Somebody brought content into the repository: pushed, uploaded or mounted it.
    Push {
        /// Which content.
        digest: Digest,
        /// Who, and with which bounds of its credential, as [`Pusher`](super::Pusher) writes it.
        pusher: Box<str>,
        /// When.
        at: Timestamp,
    },
}

/// What a manifest says, as far as reading depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// It names manifests, not blobs.
    pub is_index: bool,
    /// It has no filesystem layer (and is no index): a signature, an SBOM, an attestation.
    pub is_artifact: bool,
    /// What it is attached to.
    pub subject: Option<Digest>,
    /// The manifests of an index.
    pub children: Box<[Digest]>,
    /// Config and layers of an image.
    pub blobs: Box<[Digest]>,
}

impl From<&Manifest> for Facts {
    fn from(manifest: &Manifest) -> Self {
        let blobs = manifest.config.iter().chain(&manifest.layers);
        Self {
            is_index: manifest.kind() == Kind::Index,
            is_artifact: manifest.is_artifact_by_content(),
            subject: manifest.subject.as_ref().map(|subject| subject.digest.clone()),
            children: manifest.children.iter().map(|child| child.digest.clone()).collect(),
            blobs: blobs.map(|blob| blob.digest.clone()).collect(),
        }
    }
}
