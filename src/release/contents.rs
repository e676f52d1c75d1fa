//! What images are by their bytes, as far as gates look at it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use oci::{Descriptor, Digest, Kind, Manifest, Platform, RepositoryName};
use serde::Deserialize;
use serde_json::Value;

use crate::inventory::{Budget, Inventory, fetch, fetch_blob};
use crate::recent::Recent;
use crate::upstream::{Error, Upstream};

/// How many manifests are remembered, and as many again that were used less.
const MANIFESTS: usize = 50_000;

/// Likewise, configurations.
const CONFIGS: usize = 10_000;

/// More than any image's configuration has, in bytes.
const MAX_CONFIG: usize = 4 << 20;

/// What a manifest is. A digest never says anything else, so this holds for ever.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Something that engines run.
    Image {
        /// Where its platform and labels stand.
        config: Descriptor,
        /// The bytes of its configuration and layers together, as it says.
        size: u64,
        /// The types of its layers, each once.
        media_types: Vec<Box<str>>,
        /// Its layers, from the bottom.
        layers: Box<[Digest]>,
    },
    /// Several, with what each runs on as the index says it.
    Index(Vec<(Option<Platform>, Digest)>),
    /// A signature, an attestation, an SBOM, by its content.
    Artifact,
    /// Something else that no engine runs.
    NotRunnable,
    /// Nobody understands it.
    Unreadable(String),
}

/// The part of an image's configuration that gates look at (image spec, "Image Configuration").
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Config {
    /// None if it cannot be read.
    pub(crate) platform: Option<Platform>,
    /// Likewise.
    pub(crate) labels: Option<BTreeMap<String, String>>,
    /// When it was made, as it says. Builders that make the same bytes each time write the beginning
    /// of time: that is not known.
    pub(crate) created: Option<Timestamp>,
}

/// Where the upstream is asked, and how often it may be.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    /// The registry.
    pub(crate) upstream: &'a Arc<Upstream>,
    /// There.
    pub(crate) repository: &'a RepositoryName,
    /// So often.
    pub(crate) budget: &'a Arc<Budget>,
    /// Knows what is in it.
    pub(crate) inventory: &'a Inventory,
}

/// Contents, remembered by digest.
pub(crate) struct Contents {
    manifests: Recent<Digest, Arc<Content>>,
    configs: Recent<Digest, Arc<Config>>,
}

impl Contents {
    pub(crate) fn new() -> Self {
        Self { manifests: Recent::new(MANIFESTS), configs: Recent::new(CONFIGS) }
    }

    /// What is known of the bytes of a manifest that the caller has at hand.
    pub(crate) fn learn(&self, digest: &Digest, manifest: Option<&Manifest>) {
        if let Some(manifest) = manifest {
            self.keep(digest, || Content::of(manifest));
        }
    }

    /// What stands under that digest, which the upstream is asked for where it is not remembered;
    /// none where it is gone.
    ///
    /// # Errors
    /// The upstream did not answer as it should, or may not be asked any more.
    pub(crate) async fn manifest(
        &self,
        asking: Asking<'_>,
        digest: &Digest,
    ) -> Result<Option<Arc<Content>>, Error> {
        if let Some(content) = self.manifests.get(digest) {
            return Ok(Some(content));
        }
        asking.budget.spend()?;
        let content = match fetch(asking.upstream, asking.repository, digest).await {
            Ok(Some(manifest)) => Content::of(&manifest),
            Ok(None) => return Ok(None),
            Err(Error::Unreadable(_, error)) => Content::Unreadable(error.to_string()),
            Err(error) => return Err(error),
        };
        Ok(Some(self.keep(digest, || content)))
    }

    /// The configuration of an image.
    ///
    /// # Errors
    /// As for [`Contents::manifest`]; also if it is gone, as its image is not whole then.
    pub(crate) async fn config(
        &self,
        asking: Asking<'_>,
        config: &Descriptor,
    ) -> Result<Arc<Config>, Error> {
        if let Some(config) = self.configs.get(&config.digest) {
            return Ok(config);
        }
        let read = if config.size > MAX_CONFIG as u64 {
            Config::default()
        } else {
            asking.budget.spend()?;
            let (upstream, repository) = (asking.upstream, asking.repository);
            let bytes = fetch_blob(upstream, repository, &config.digest, MAX_CONFIG).await?;
            let gone = || Error::Wrong(format!("the configuration {} is gone", config.digest));
            Config::read(&bytes.ok_or_else(gone)?)
        };
        Ok(self.configs.get_or_insert_with(config.digest.clone(), || Arc::new(read)))
    }

    fn keep(&self, digest: &Digest, content: impl FnOnce() -> Content) -> Arc<Content> {
        self.manifests.get_or_insert_with(digest.clone(), || Arc::new(content()))
    }
}

impl Content {
    fn of(manifest: &Manifest) -> Self {
        match (manifest.kind(), &manifest.config) {
            (Kind::Index, _) => {
                let children = manifest.children.iter();
                Self::Index(
                    children.map(|child| (child.platform.clone(), child.digest.clone())).collect(),
                )
            }
            _ if manifest.is_artifact_by_content() => Self::Artifact,
            (Kind::Image, Some(config)) if manifest.has_image_config() => {
                let parts = std::iter::once(config).chain(&manifest.layers);
                let types = manifest.layers.iter().map(|layer| layer.media_type.as_str());
                Self::Image {
                    config: config.clone(),
                    size: parts.fold(0, |sum, part| sum.saturating_add(part.size)),
                    media_types: types
                        .collect::<BTreeSet<_>>()
                        .into_iter()
                        .map(Box::from)
                        .collect(),
                    layers: manifest.layers.iter().map(|layer| layer.digest.clone()).collect(),
                }
            }
            (Kind::Image, _) => Self::NotRunnable,
        }
    }
}

impl Config {
    /// What cannot be read tells nothing, and that is not the same as having no labels.
    fn read(bytes: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Written {
            #[serde(flatten)]
            platform: Platform,
            #[serde(default)]
            config: Option<Execution>,
            #[serde(default)]
            created: Value,
        }
        #[derive(Deserialize)]
        struct Execution {
            #[serde(rename = "Labels", default)]
            labels: Option<BTreeMap<String, String>>,
        }
        let Ok(written) = serde_json::from_slice::<Written>(bytes) else { return Self::default() };
        let labels = written.config.and_then(|config| config.labels).unwrap_or_default();
        let created = written.created.as_str().and_then(|text| text.parse().ok());
        let created = created.filter(|at| *at > Timestamp::UNIX_EPOCH);
        Self { platform: Some(written.platform), labels: Some(labels), created }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_tells_platform_and_labels() {
        let config = Config::read(
            br#"{"os": "linux", "architecture": "arm64", "variant": "v8",
                "config": {"Labels": {"a": "b"}, "Cmd": ["x"]}, "rootfs": {}}"#,
        );
        let platform = config.platform.unwrap();
        assert_eq!(
            (&*platform.os, &*platform.architecture, &*platform.variant),
            ("linux", "arm64", "v8")
        );
        assert_eq!(config.labels, Some(BTreeMap::from([("a".to_owned(), "b".to_owned())])));
    }

    #[test]
    fn the_time_at_which_an_image_was_made_is_what_it_says_if_that_is_one() {
        let created = |text: &str| {
            Config::read(format!(r#"{{"os": "linux", "created": {text}}}"#).as_bytes()).created
        };
        let at = "2026-01-02T03:04:05.000000006Z";
        assert_eq!(created(&format!(r#""{at}""#)), Some(at.parse().unwrap()));
        for none in
            ["7", "null", "\"soon\"", "\"1970-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00Z\""]
        {
            assert_eq!(created(none), None, "{none}");
        }
    }

    #[test]
    fn an_image_without_labels_has_none_and_an_unreadable_one_is_not_known_to() {
        for none in [r#"{"os": "linux"}"#, r#"{"config": null}"#, r#"{"config": {"Labels": null}}"#]
        {
            assert_eq!(Config::read(none.as_bytes()).labels, Some(BTreeMap::new()), "{none}");
        }
        for unreadable in ["", "[]", r#"{"config": {"Labels": {"a": 1}}}"#, r#"{"os": 7}"#] {
            assert_eq!(Config::read(unreadable.as_bytes()), Config::default(), "{unreadable}");
        }
    }
}
