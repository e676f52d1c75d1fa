//! What the registries of these worlds hold, known by how it was made and not by reading it.

use std::collections::BTreeMap;
use std::fmt;

use oci::{Algorithm, Digest};
use serde_json::{Value, json};

use crate::content::digest;
use crate::content::samples::{EMPTY, IMAGE_CONFIG, LAYER, SIGNATURE};

pub(super) const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// The name of a blob. From 90 on it goes by its SHA-512.
pub(super) type BlobName = u8;

/// The name of a manifest in its world.
pub(super) type Name = usize;

/// How a manifest is made. What it names was made before; what is no longer there is left out.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) what: What,
    /// Made with the media types of Docker, where it can be.
    pub(super) docker: bool,
    /// Known by its SHA-512.
    pub(super) sha512: bool,
    pub(super) subject: Option<Name>,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    /// A configuration and filesystem layers.
    Image {
        config: BlobName,
        layers: Vec<BlobName>,
    },
    /// A signature, an SBOM: no filesystem layer. cosign gives it the configuration of an image.
    Artifact {
        config: Option<BlobName>,
        parts: Vec<BlobName>,
        artifact_type: &'static str,
    },
    Index {
        children: Vec<Name>,
    },
}

/// A manifest with what it says.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) digest: Digest,
    pub(super) bytes: Vec<u8>,
    pub(super) media_type: &'static str,
    pub(super) is_artifact: bool,
    pub(super) artifact_type: Option<&'static str>,
    pub(super) children: Vec<Digest>,
    pub(super) blobs: Vec<Digest>,
    pub(super) subject: Option<Digest>,
}

impl Made {
    pub(super) fn is_index(&self) -> bool {
        matches!(self.media_type, OCI_INDEX | DOCKER_LIST)
    }

    /// An index that has children, all of which are such.
    pub(super) fn lists_only(&self, is_such: impl Fn(&Digest) -> bool) -> bool {
        self.is_index() && !self.children.is_empty() && self.children.iter().all(is_such)
    }

    /// As a list of manifests describes it.
    pub(super) fn descriptor(&self) -> Value {
        let mut descriptor = described(self.media_type, &self.digest, self.bytes.len());
        if let Some(artifact_type) = self.artifact_type {
            descriptor["artifactType"] = json!(artifact_type);
        }
        descriptor
    }
}

/// Everything that was ever made, wherever it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Library {
    pub(super) manifests: BTreeMap<Digest, Made>,
    pub(super) blobs: BTreeMap<Digest, Vec<u8>>,
    names: BTreeMap<Name, Digest>,
}

impl Library {
    /// Makes them all.
    pub(super) fn of(recipes: &BTreeMap<Name, Recipe>) -> Self {
        let mut library = Self::default();
        for (&name, recipe) in recipes {
            let made = library.make(recipe);
            library.names.insert(name, made);
        }
        library
    }

    pub(super) fn named(&self, name: Name) -> Option<&Made> {
        self.names.get(&name).map(|digest| &self.manifests[digest])
    }

    /// What a digest is called, so that people can read about it.
    pub(super) fn call(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, digest) in &self.names {
            let digest = digest.to_string();
            text = text.replace(&digest, &format!("c{name}"));
            if let Some(hex) = digest.strip_prefix("sha256:") {
                text = text.replace(hex, &format!("<c{name}>"));
            }
        }
        for number in 0..=u8::MAX {
            let digest = blob_digest(number);
            if self.blobs.contains_key(&digest) {
                text = text.replace(&digest.to_string(), &format!("blob{number}"));
            }
        }
        text
    }

    /// Keeps a blob.
    pub(super) fn blob(&mut self, name: BlobName) -> Digest {
        let digest = blob_digest(name);
        self.blobs.insert(digest.clone(), blob_bytes(name));
        digest
    }

    /// Makes one, and tells its digest.
    pub(super) fn make(&mut self, recipe: &Recipe) -> Digest {
        let subject = recipe.subject.and_then(|name| self.named(name)).cloned();
        let children: Vec<Made> = match &recipe.what {
            What::Index { children } => {
                children.iter().filter_map(|&name| self.named(name)).cloned().collect()
            }
            _ => Vec::new(),
        };
        self.write(recipe, &children, subject.as_ref().map(|made| (made.media_type, &made.digest)))
    }

    /// Makes one of these children, or about this subject.
    pub(super) fn write(
        &mut self,
        recipe: &Recipe,
        children: &[Made],
        subject: Option<(&str, &Digest)>,
    ) -> Digest {
        let (mut body, media_type, blobs) = match &recipe.what {
            What::Image { config, layers } => self.image(recipe.docker, *config, layers),
            What::Artifact { config, parts, .. } => self.artifact(*config, parts),
            What::Index { .. } => {
                let listed: Vec<Value> = children.iter().map(Made::descriptor).collect();
                let media_type = if recipe.docker { DOCKER_LIST } else { OCI_INDEX };
                (json!({ "manifests": listed }), media_type, Vec::new())
            }
        };
        let is_artifact = matches!(recipe.what, What::Artifact { .. });
        let artifact_type = match recipe.what {
            What::Artifact { artifact_type, .. } => Some(artifact_type),
            _ => None,
        };
        body["schemaVersion"] = json!(2);
        body["mediaType"] = json!(media_type);
        if let Some(artifact_type) = artifact_type {
            body["artifactType"] = json!(artifact_type);
        }
        if let Some((media_type, subject)) = subject {
            body["subject"] = described(media_type, subject, 2);
        }
        let bytes = body.to_string().into_bytes();
        let algorithm = if recipe.sha512 { Algorithm::Sha512 } else { Algorithm::Sha256 };
        let digest = digest(algorithm, &bytes);
        let made = Made {
            digest: digest.clone(),
            bytes,
            media_type,
            is_artifact,
            artifact_type,
            children: children.iter().map(|child| child.digest.clone()).collect(),
            blobs,
            subject: subject.map(|(_, digest)| digest.clone()),
        };
        self.manifests.insert(digest.clone(), made);
        digest
    }

    /// An image that has a manifest for its layer.
    pub(super) fn around(&mut self, layer: &Made) -> Digest {
        let config = self.blob(60);
        let body = json!({
            "schemaVersion": 2,
            "mediaType": OCI_IMAGE,
            "config": described(IMAGE_CONFIG, &config, 2),
            "layers": [described(LAYER, &layer.digest, layer.bytes.len())],
        });
        let bytes = body.to_string().into_bytes();
        let digest = digest(Algorithm::Sha256, &bytes);
        let blobs = vec![config, layer.digest.clone()];
        let made = Made {
            digest: digest.clone(),
            bytes,
            media_type: OCI_IMAGE,
            is_artifact: false,
            artifact_type: None,
            children: Vec::new(),
            blobs,
            subject: None,
        };
        self.manifests.insert(digest.clone(), made);
        digest
    }

    fn image(
        &mut self,
        docker: bool,
        config: BlobName,
        layers: &[BlobName],
    ) -> (Value, &'static str, Vec<Digest>) {
        let (config_type, layer_type, media_type) = match docker {
            true => (DOCKER_CONFIG, DOCKER_LAYER, DOCKER_IMAGE),
            false => (IMAGE_CONFIG, LAYER, OCI_IMAGE),
        };
        self.parts((config, config_type), layers, layer_type, media_type)
    }

    fn artifact(
        &mut self,
        config: Option<BlobName>,
        parts: &[BlobName],
    ) -> (Value, &'static str, Vec<Digest>) {
        let config = config.map_or((NOTHING, EMPTY), |config| (config, IMAGE_CONFIG));
        self.parts(config, parts, SIGNATURE, OCI_IMAGE)
    }

    fn parts(
        &mut self,
        (config, config_type): (BlobName, &str),
        layers: &[BlobName],
        layer_type: &str,
        media_type: &'static str,
    ) -> (Value, &'static str, Vec<Digest>) {
        let config = self.blob(config);
        let layers: Vec<Digest> = layers.iter().map(|&layer| self.blob(layer)).collect();
        let describe = |digest: &Digest, media_type: &str| {
            described(media_type, digest, self.blobs[digest].len())
        };
        let listed: Vec<Value> = layers.iter().map(|layer| describe(layer, layer_type)).collect();
        let body = json!({ "config": describe(&config, config_type), "layers": listed });
        let blobs = std::iter::once(config).chain(layers).collect();
        (body, media_type, blobs)
    }
}

/// The configuration of what has none.
const NOTHING: BlobName = 0;

fn blob_bytes(name: BlobName) -> Vec<u8> {
    format!("these are the bytes of blob {name}").into_bytes()
}

pub(super) fn blob_digest(name: BlobName) -> Digest {
    let algorithm = if name >= 90 { Algorithm::Sha512 } else { Algorithm::Sha256 };
    digest(algorithm, &blob_bytes(name))
}

fn described(media_type: &str, digest: &Digest, size: usize) -> Value {
    json!({ "mediaType": media_type, "digest": digest.to_string(), "size": size })
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blobs = |blobs: &[BlobName]| {
            blobs.iter().map(|name| format!("blob{name}")).collect::<Vec<_>>().join(" ")
        };
        match &self.what {
            What::Image { config, layers } => {
                write!(f, "image of blob{config}, {}", blobs(layers))?;
            }
            What::Artifact { config: Some(config), parts, .. } => {
                write!(f, "artifact of blob{config}, {}", blobs(parts))?;
            }
            What::Artifact { config: None, parts, .. } => {
                write!(f, "artifact of {}", blobs(parts))?;
            }
            What::Index { children } => {
                let children: Vec<_> = children.iter().map(|name| format!("c{name}")).collect();
                write!(f, "index of {}", children.join(" "))?;
            }
        }
        if let Some(subject) = self.subject {
            write!(f, ", about c{subject}")?;
        }
        if self.docker {
            f.write_str(", Docker's")?;
        }
        if self.sha512 {
            f.write_str(", sha512")?;
        }
        Ok(())
    }
}
