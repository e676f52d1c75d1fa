//! The body of a manifest as it is written.

use serde::Deserialize;
use serde::de::{Error, IgnoredAny};

use super::InvalidManifest;
use super::descriptor::RawDescriptor;
use super::json::Unambiguous;

/// The keys of all kinds of manifests together.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    schema_version: Option<i64>,
    pub(super) media_type: Option<String>,
    pub(super) artifact_type: Option<String>,
    pub(super) config: Option<RawDescriptor>,
    pub(super) layers: Option<Vec<RawDescriptor>>,
    pub(super) manifests: Option<Vec<RawDescriptor>>,
    pub(super) subject: Option<RawDescriptor>,
    // What only Docker's schema 1 has.
    fs_layers: Option<IgnoredAny>,
    history: Option<IgnoredAny>,
    signatures: Option<IgnoredAny>,
}

impl Document {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, InvalidManifest> {
        // The JSON reader does not look at text that it skips; others would replace or refuse it.
        let text = std::str::from_utf8(bytes)
            .map_err(|_| InvalidManifest::Json(Error::custom("it is not UTF-8")))?;
        serde_json::from_str::<Unambiguous>(text).map_err(InvalidManifest::Json)?;
        let document: Self = serde_json::from_str(text).map_err(InvalidManifest::Json)?;
        let is_schema1 = document.schema_version == Some(1)
            || document.fs_layers.is_some()
            || document.history.is_some()
            || document.signatures.is_some();
        match document.schema_version {
            _ if is_schema1 => Err(InvalidManifest::Schema1),
            Some(2) => Ok(document),
            _ => Err(InvalidManifest::SchemaVersion),
        }
    }
}
