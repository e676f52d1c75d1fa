//! What manifests name other content by.

use std::fmt;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::InvalidManifest;
use crate::{Digest, InvalidDigest};

/// A piece of content: its type, digest and size (image spec, "Content Descriptors").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// What it is, as written.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// What it runs on; only children of an index say so.
    pub platform: Option<Platform>,
    /// Whether clients may fetch it from somewhere else than the registry ("foreign layers").
    pub has_urls: bool,
}

/// What an image runs on (image spec, "Image Index", `platform`). Not said is the empty text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub struct Platform {
    /// Such as `linux`; `unknown` for an attestation.
    #[serde(default, deserialize_with = "text")]
    pub os: String,
    /// Such as `amd64`.
    #[serde(default, deserialize_with = "text")]
    pub architecture: String,
    /// Such as `v8`.
    #[serde(default, deserialize_with = "text")]
    pub variant: String,
}

/// Where in a manifest a descriptor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    key: &'static str,
    index: Option<usize>,
}

/// What is wrong with a descriptor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorFault {
    /// No `mediaType`, or an empty one.
    #[error("it has no `mediaType`")]
    NoMediaType,
    /// No `digest`.
    #[error("it has no `digest`")]
    NoDigest,
    /// A `digest` that is none.
    #[error(transparent)]
    Digest(InvalidDigest),
    /// No `size`, or one below zero.
    #[error("it has no `size`, or one below zero")]
    Size,
}

/// A descriptor as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawDescriptor {
    media_type: Option<String>,
    digest: Option<String>,
    size: Option<i64>,
    platform: Option<Platform>,
    urls: Option<Vec<IgnoredAny>>,
}

impl RawDescriptor {
    fn check(self) -> Result<Descriptor, DescriptorFault> {
        let media_type = self.media_type.filter(|text| !text.is_empty());
        let digest = self.digest.ok_or(DescriptorFault::NoDigest)?;
        Ok(Descriptor {
            media_type: media_type.ok_or(DescriptorFault::NoMediaType)?,
            digest: Digest::new(&digest).map_err(DescriptorFault::Digest)?,
            size: self.size.and_then(|size| size.try_into().ok()).ok_or(DescriptorFault::Size)?,
            platform: self.platform,
            has_urls: self.urls.is_some_and(|urls| !urls.is_empty()),
        })
    }
}

/// Checks the descriptor under a key.
pub(super) fn one(
    key: &'static str,
    raw: Option<RawDescriptor>,
) -> Result<Option<Descriptor>, InvalidManifest> {
    let at = |fault| InvalidManifest::Descriptor { place: Place { key, index: None }, fault };
    raw.map(|raw| raw.check().map_err(at)).transpose()
}

/// Checks the descriptors under a key.
pub(super) fn list(
    key: &'static str,
    raw: Option<Vec<RawDescriptor>>,
) -> Result<Vec<Descriptor>, InvalidManifest> {
    let check = |(index, raw): (usize, RawDescriptor)| {
        let place = Place { key, index: Some(index) };
        raw.check().map_err(|fault| InvalidManifest::Descriptor { place, fault })
    };
    raw.unwrap_or_default().into_iter().enumerate().map(check).collect()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            None => write!(f, "`{}`", self.key),
            Some(index) => write!(f, "`{}[{index}]`", self.key),
        }
    }
}

/// A text that may be `null`.
fn text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
