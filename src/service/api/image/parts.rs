//! What an image is made of, as far as it is spoken of here.

use std::sync::Arc;

use oci::{Digest, Platform, RepositoryName};
use serde::Serialize;

use super::super::problem::Problem;
use super::super::{Api, Images};
use super::named::Named;
use crate::inventory::Budget;
use crate::release::{Asking, Content};

/// How deep indexes may stand in each other.
const MAX_DEPTH: usize = 4;

/// The most manifests that an index is looked at for.
const MAX_PARTS: usize = 1000;

/// An image for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The manifest.
    pub(crate) digest: Digest,
    /// Its configuration, which engines call the image's id.
    pub(crate) config: Digest,
    /// As its index says.
    pub(crate) platform: Option<Platform>,
    /// Of its configuration and layers, in bytes.
    pub(crate) size: u64,
}

/// A manifest with all that is below it.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    /// A word for what it is.
    pub(crate) kind: Kind,
    /// What runs: the image itself, or the children of an index at any depth.
    pub(crate) images: Vec<Part>,
    /// It, and all below it.
    pub(crate) digests: Vec<Digest>,
}

/// What a manifest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Image,
    Index,
    /// A signature, an SBOM and the like.
    Artifact,
    /// Something else that no engine runs, or that nobody understands.
    Other,
}

impl Kind {
    /// The word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Index => "index",
            Self::Artifact => "artifact",
            Self::Other => "other",
        }
    }
}

impl Api {
    /// Asks with a budget of its own.
    pub(crate) fn budget(&self) -> Arc<Budget> {
        Arc::new(Budget::new(self.max_requests()))
    }

    pub(crate) fn asking<'a>(
        &'a self,
        repository: &'a RepositoryName,
        budget: &'a Arc<Budget>,
    ) -> Asking<'a> {
        let Images { upstream, inventory, .. } = &self.images;
        Asking { upstream, repository, budget, inventory }
    }

    /// What it is made of.
    pub(crate) async fn parts(&self, image: &Named) -> Result<Parts, Problem> {
        let budget = self.budget();
        let asking = self.asking(&image.repository, &budget);
        let mut parts = Parts { kind: Kind::Other, images: Vec::new(), digests: Vec::new() };
        let mut ahead = vec![(image.digest.clone(), None, 0)];
        while let Some((digest, platform, depth)) = ahead.pop() {
            if parts.digests.len() == MAX_PARTS || parts.digests.contains(&digest) {
                continue;
            }
            parts.digests.push(digest.clone());
            // A child may be gone, or never have been pushed.
            let Some(content) = self.images.release.content(asking, &digest).await? else {
                continue;
            };
            let kind = parts.take(&content, &digest, platform);
            if let Content::Index(children) = &*content
                && depth < MAX_DEPTH
            {
                let below = children.iter().rev();
                ahead.extend(
                    below.map(|(platform, child)| (child.clone(), platform.clone(), depth + 1)),
                );
            }
            if depth == 0 {
                parts.kind = kind;
            }
        }
        Ok(parts)
    }
}

impl Parts {
    fn take(
        &mut self,
        content: &Arc<Content>,
        digest: &Digest,
        platform: Option<Platform>,
    ) -> Kind {
        match &**content {
            Content::Image { config, size, .. } => {
                let (digest, config) = (digest.clone(), config.digest.clone());
                self.images.push(Part { digest, config, platform, size: *size });
                Kind::Image
            }
            Content::Index(_) => Kind::Index,
            Content::Artifact => Kind::Artifact,
            Content::NotRunnable | Content::Unreadable(_) => Kind::Other,
        }
    }
}

impl Part {
    /// "linux/arm64"; nothing where it is not said.
    pub(crate) fn platform_text(&self) -> Option<String> {
        self.platform.as_ref().and_then(platform_text)
    }
}

/// "linux/arm/v7"
pub(crate) fn platform_text(platform: &Platform) -> Option<String> {
    let Platform { os, architecture, variant } = platform;
    let parts = [os, architecture, variant].map(String::as_str);
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}
