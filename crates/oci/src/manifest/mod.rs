//! Manifests: what an image, an index or an artifact is made of.

mod descriptor;
mod document;
mod json;
mod kind;

pub use descriptor::{Descriptor, DescriptorFault, Place, Platform};
pub use kind::{Kind, ManifestType};

use crate::{Digest, media_type};
use document::Document;

/// What one manifest says: an OCI image manifest or index, or Docker's equivalents.
///
/// It exists only where every reader understands the same from the bytes: one kind, no key twice or
/// in another case, and no disagreement with the type that it was sent as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What it is.
    pub media_type: ManifestType,
    /// An image's configuration. Never there in an index, always in an image.
    pub config: Option<Descriptor>,
    /// An image's layers, or an artifact's content; empty in an index.
    pub layers: Vec<Descriptor>,
    /// An index's manifests; empty in an image.
    pub children: Vec<Descriptor>,
    /// What it is attached to.
    pub subject: Option<Descriptor>,
    /// What kind of artifact it says it is, as written.
    pub artifact_type: Option<String>,
}

/// Why bytes are no manifest that can be judged.
#[derive(Debug, thiserror::Error)]
pub enum InvalidManifest {
    /// Not JSON, or JSON that two readers could understand in different ways.
    #[error("the manifest's JSON cannot be used: {0}")]
    Json(serde_json::Error),
    /// Docker's old format, which names layers in other ways.
    #[error("schema 1 is not supported; push the image again with a current client")]
    Schema1,
    /// Another version than 2, or none.
    #[error("the manifest's `schemaVersion` is not 2")]
    SchemaVersion,
    /// A type that is none of the four.
    #[error(
        "the {0} of the manifest is none that is supported: \
         OCI image manifest or index, Docker manifest version 2 or manifest list"
    )]
    MediaType(TypeSource),
    /// `Content-Type` and `mediaType` differ.
    #[error("the manifest was sent as another type than its `mediaType` says")]
    Disagreement,
    /// Both an image and an index, or not what its type says (CVE-2021-41190).
    #[error(
        "the manifest is ambiguous: an index has `manifests` and an image has `config` and \
         `layers`, and its type must say which"
    )]
    Ambiguous,
    /// An image must have one.
    #[error("the manifest has no `config`")]
    NoConfig,
    /// One of its descriptors.
    #[error("{place} of the manifest cannot be used: {fault}")]
    Descriptor {
        /// Which one.
        place: Place,
        /// What is wrong with it.
        fault: DescriptorFault,
    },
}

/// Where a manifest's type was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeSource {
    /// By the header of the message.
    ContentType,
    /// By `mediaType` in the body.
    Body,
}

impl std::fmt::Display for TypeSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ContentType => "`Content-Type`",
            Self::Body => "`mediaType`",
        })
    }
}

impl Manifest {
    /// Reads a manifest. `content_type` is the header that it came with. The caller bounds the size.
    ///
    /// Absent and `null` are the same, as some clients write empty lists as `null`.
    ///
    /// # Errors
    /// Says what to mend. Anything that can be understood in two ways is an error, as a gate and a
    /// client could then see different images in the same bytes.
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, InvalidManifest> {
        let document = Document::read(bytes)?;
        let media_type = kind::determine(&document, content_type)?;
        let manifest = Self {
            media_type,
            config: descriptor::one("config", document.config)?,
            layers: descriptor::list("layers", document.layers)?,
            children: descriptor::list("manifests", document.manifests)?,
            subject: descriptor::one("subject", document.subject)?,
            artifact_type: document.artifact_type,
        };
        if manifest.kind() == Kind::Image && manifest.config.is_none() {
            return Err(InvalidManifest::NoConfig);
        }
        Ok(manifest)
    }

    /// An image (or an artifact, which has the same form) or an index.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.media_type.kind()
    }

    /// Everything that it is made of: configuration, layers and children, but not the subject.
    pub fn references(&self) -> impl Iterator<Item = &Digest> {
        self.config.iter().chain(&self.layers).chain(&self.children).map(|part| &part.digest)
    }

    /// Whether its configuration is that of an image, which engines run.
    #[must_use]
    pub fn has_image_config(&self) -> bool {
        self.config.as_ref().is_some_and(|config| media_type::is_image_config(&config.media_type))
    }

    /// The first part that clients may fetch from somewhere else than the registry, where there is
    /// one: a "foreign" layer.
    #[must_use]
    pub fn foreign(&self) -> Option<&Descriptor> {
        let parts = self.config.iter().chain(&self.layers).chain(&self.children);
        parts.chain(&self.subject).find(|part| part.has_urls)
    }

    /// Whether it can only be a signature, an attestation, an SBOM or the like, judged by the types
    /// of its configuration and all its layers. A type that nobody listed makes it none, whatever
    /// `artifactType` says.
    ///
    /// The configuration of an image is no objection where there are layers to judge by: cosign
    /// and BuildKit use it.
    #[must_use]
    pub fn is_artifact_by_content(&self) -> bool {
        let Some(config) = &self.config else {
            return false;
        };
        let config_fits = media_type::is_artifact_config(&config.media_type)
            || media_type::is_image_config(&config.media_type) && !self.layers.is_empty();
        config_fits
            && self.layers.iter().all(|layer| media_type::is_artifact_layer(&layer.media_type))
    }
}

#[cfg(test)]
mod tests;
