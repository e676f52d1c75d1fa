//! Which kind of manifest it is.

use super::document::Document;
use super::{InvalidManifest, TypeSource};
use crate::media_type::essence;

/// The types of manifests that can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ManifestType {
    /// An OCI image manifest (image spec, "Image Manifest").
    OciImage,
    /// An OCI index (image spec, "Image Index").
    OciIndex,
    /// Docker's image manifest, version 2 schema 2.
    DockerImage,
    /// Docker's manifest list.
    DockerList,
}

/// What a manifest has: layers, or other manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A configuration and layers: an image or an artifact.
    Image,
    /// Other manifests.
    Index,
}

/// How the types of Docker's schema 1 begin, signed or not.
const SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+";

impl ManifestType {
    const ALL: [Self; 4] = [Self::OciImage, Self::OciIndex, Self::DockerImage, Self::DockerList];

    /// The media type.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OciImage => "application/vnd.oci.image.manifest.v1+json",
            Self::OciIndex => "application/vnd.oci.image.index.v1+json",
            Self::DockerImage => "application/vnd.docker.distribution.manifest.v2+json",
            Self::DockerList => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    /// What a manifest of this type has.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::OciImage | Self::DockerImage => Kind::Image,
            Self::OciIndex | Self::DockerList => Kind::Index,
        }
    }

    fn read(text: &str, source: TypeSource) -> Result<Self, InvalidManifest> {
        if text.starts_with(SCHEMA1) {
            return Err(InvalidManifest::Schema1);
        }
        let found = Self::ALL.into_iter().find(|known| known.as_str() == text);
        found.ok_or(InvalidManifest::MediaType(source))
    }
}

/// Header, body and shape must agree. Where the header and the body say nothing, the shape decides:
/// OCI manifests need not carry their type.
pub(super) fn determine(
    document: &Document,
    content_type: Option<&str>,
) -> Result<ManifestType, InvalidManifest> {
    let header =
        content_type.map(|text| ManifestType::read(&essence(text), TypeSource::ContentType));
    let body =
        document.media_type.as_deref().map(|text| ManifestType::read(text, TypeSource::Body));
    let declared = match (header.transpose()?, body.transpose()?) {
        (Some(header), Some(body)) if header != body => return Err(InvalidManifest::Disagreement),
        (header, body) => header.or(body),
    };
    let shape = match (
        document.manifests.is_some(),
        document.layers.is_some() || document.config.is_some(),
    ) {
        (true, true) => return Err(InvalidManifest::Ambiguous),
        (true, false) => Some(ManifestType::OciIndex),
        (false, true) => Some(ManifestType::OciImage),
        (false, false) => None,
    };
    match (declared, shape) {
        (Some(declared), Some(shape)) if declared.kind() != shape.kind() => {
            Err(InvalidManifest::Ambiguous)
        }
        (declared, shape) => declared.or(shape).ok_or(InvalidManifest::Ambiguous),
    }
}
