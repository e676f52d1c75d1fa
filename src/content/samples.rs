//! Small manifests for tests: real bytes with their real digests.

use oci::{Algorithm, Digest, Manifest, ManifestType};
use serde_json::{Value, json};

pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const SIGNATURE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// A manifest as it would be pushed.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
    pub(crate) manifest: Manifest,
}

impl Sample {
    fn new(media_type: ManifestType, mut body: Value, subject: Option<&Digest>) -> Self {
        body["schemaVersion"] = json!(2);
        body["mediaType"] = json!(media_type.as_str());
        if let Some(subject) = subject {
            body["subject"] = descriptor(ManifestType::OciImage.as_str(), subject);
        }
        let bytes = body.to_string().into_bytes();
        let digest = super::digest(Algorithm::Sha256, &bytes);
        let manifest = Manifest::parse(&bytes, None).unwrap();
        Self { bytes, digest, manifest }
    }

    pub(crate) fn media_type(&self) -> &'static str {
        self.manifest.media_type.as_str()
    }
}

/// The digest of some content that only its name tells from other content.
pub(crate) fn blob(name: &str) -> Digest {
    super::digest(Algorithm::Sha256, name.as_bytes())
}

/// An image with a configuration and layers of these names.
pub(crate) fn image(config: &str, layers: &[&str]) -> Sample {
    image_about(config, layers, None)
}

/// An image whose configuration has this digest.
pub(crate) fn image_with(config: &Digest, layers: &[&str]) -> Sample {
    made_of(config, IMAGE_CONFIG, layers, LAYER, None)
}

/// An image whose configuration has this digest, and which says this of itself.
pub(crate) fn annotated(config: &Digest, layers: &[&str], annotations: &Value) -> Sample {
    let layers: Vec<_> = layers.iter().map(|name| descriptor(LAYER, &blob(name))).collect();
    let config = descriptor(IMAGE_CONFIG, config);
    let body = json!({ "config": config, "layers": layers, "annotations": annotations });
    Sample::new(ManifestType::OciImage, body, None)
}

/// An image that claims to be attached to something.
pub(crate) fn image_about(config: &str, layers: &[&str], subject: Option<&Digest>) -> Sample {
    made_of(&blob(config), IMAGE_CONFIG, layers, LAYER, subject)
}

/// A signature: an artifact by its content, made of one blob of this name.
pub(crate) fn signature(content: &str, subject: Option<&Digest>) -> Sample {
    made_of(&blob("{}"), EMPTY, &[content], SIGNATURE, subject)
}

/// An index of these manifests.
pub(crate) fn index(children: &[&Sample]) -> Sample {
    index_about(children, None)
}

/// An index that says what each of these runs on, such as `linux/arm64`.
pub(crate) fn index_for(children: &[(&str, &Sample)]) -> Sample {
    let children = children.iter().map(|(platform, child)| {
        let (os, architecture) = platform.split_once('/').unwrap();
        let mut child = descriptor(child.media_type(), &child.digest);
        child["platform"] = json!({ "os": os, "architecture": architecture });
        child
    });
    let children: Vec<_> = children.collect();
    Sample::new(ManifestType::OciIndex, json!({ "manifests": children }), None)
}

/// An index that claims to be attached to something.
pub(crate) fn index_about(children: &[&Sample], subject: Option<&Digest>) -> Sample {
    let children: Vec<_> =
        children.iter().map(|child| descriptor(child.media_type(), &child.digest)).collect();
    Sample::new(ManifestType::OciIndex, json!({ "manifests": children }), subject)
}

/// An image whose only layer is this content.
pub(crate) fn made_of_layer(layer: &Digest) -> Sample {
    let body = json!({
        "config": descriptor(IMAGE_CONFIG, &blob("config")), "layers": [descriptor(LAYER, layer)],
    });
    Sample::new(ManifestType::OciImage, body, None)
}

/// An image that names a place elsewhere wherever an image can.
pub(crate) fn elsewhere(url: &str) -> Sample {
    let mut layer = descriptor(LAYER, &blob("layer"));
    layer["urls"] = json!([url]);
    let body = json!({
        "config": descriptor(IMAGE_CONFIG, &blob("config")),
        "layers": [layer],
        "annotations": {"org.opencontainers.image.source": url, "org.opencontainers.image.url": url},
    });
    Sample::new(ManifestType::OciImage, body, None)
}

fn made_of(
    config: &Digest,
    config_type: &str,
    layers: &[&str],
    layer_type: &str,
    subject: Option<&Digest>,
) -> Sample {
    let layers: Vec<_> = layers.iter().map(|name| descriptor(layer_type, &blob(name))).collect();
    let body = json!({ "config": descriptor(config_type, config), "layers": layers });
    Sample::new(ManifestType::OciImage, body, subject)
}

fn descriptor(media_type: &str, digest: &Digest) -> Value {
    json!({ "mediaType": media_type, "digest": digest.to_string(), "size": 2 })
}
