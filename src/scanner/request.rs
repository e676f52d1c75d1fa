//! What a scanner is asked for.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use oci::{Digest, RepositoryName, Tag};
use serde_json::{Map, Value, json};

use super::{Error, Metadata, RegistryAuthorization, ReportType};
use crate::secret::Secret;

/// How a scanner gets an image.
#[derive(Debug, Clone)]
pub struct Pull {
    /// The address of the registry, as the scanner reaches it, such as `https://registry.example`.
    pub registry: String,
    /// The repository.
    pub repository: RepositoryName,
    /// The manifest; never an index.
    pub digest: Digest,
    /// A tag for people.
    pub tag: Option<Tag>,
    /// The media type of the manifest.
    pub media_type: String,
    /// The name that goes with the token, for scanners that want one; without a `:`.
    pub user: String,
    /// A token for this pull, which lives longer than the scan may take.
    pub token: Secret,
}

/// A scan as a scanner is asked for it.
#[derive(Debug, Clone)]
pub struct ScanRequest {
    pub(super) pull: Pull,
    pub(super) authorization: Secret,
    pub(super) report: ReportType,
    pub(super) is_typed: bool,
}

impl ScanRequest {
    /// Asks a scanner that can do this for this pull.
    ///
    /// # Errors
    /// The user's name cannot be told from the token.
    pub fn new(metadata: &Metadata, pull: Pull) -> Result<Self, Error> {
        let authorization = match metadata.registry_authorization {
            RegistryAuthorization::Bearer => format!("Bearer {}", pull.token.expose()),
            RegistryAuthorization::Basic if pull.user.contains(':') => {
                return Err(Error::UserName(pull.user));
            }
            RegistryAuthorization::Basic => {
                let pair = Secret::new(format!("{}:{}", pull.user, pull.token.expose()));
                format!("Basic {}", BASE64_STANDARD.encode(pair.expose()))
            }
        };
        let authorization = Secret::new(authorization);
        Ok(Self { authorization, report: metadata.report, is_typed: metadata.is_typed, pull })
    }

    /// Which manifest is scanned.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.pull.digest
    }

    pub(super) fn media_type(&self) -> &'static str {
        match self.is_typed {
            true => "application/vnd.scanner.adapter.scan.request+json; version=1.1",
            false => "application/vnd.scanner.adapter.scan.request+json; version=1.0",
        }
    }

    pub(super) fn json(&self) -> Value {
        let mut artifact = Map::from_iter([
            ("repository".to_owned(), self.pull.repository.as_str().into()),
            ("digest".to_owned(), self.pull.digest.to_string().into()),
            ("mime_type".to_owned(), self.pull.media_type.clone().into()),
        ]);
        if let Some(tag) = &self.pull.tag {
            artifact.insert("tag".to_owned(), tag.as_str().into());
        }
        let registry = json!({
            "url": self.pull.registry,
            "authorization": self.authorization.expose(),
        });
        let mut request = Map::from_iter([
            ("registry".to_owned(), registry),
            ("artifact".to_owned(), artifact.into()),
        ]);
        if self.is_typed {
            let capabilities = json!([{
                "type": "vulnerability",
                "produces_mime_types": [self.report.media_type()],
            }]);
            request.insert("enabled_capabilities".to_owned(), capabilities);
        }
        request.into()
    }
}

/// The name that a scanner gives a scan: 1 to 256 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanRequestId(String);

impl ScanRequestId {
    /// None for what would not stay one step of a path.
    pub(super) fn new(text: &str) -> Option<Self> {
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        let is_one = printable && (1..=256).contains(&text.len()) && !matches!(text, "." | "..");
        is_one.then(|| Self(text.to_owned()))
    }

    /// As the scanner wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScanRequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
