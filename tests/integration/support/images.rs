//! Images made here, without any network, each different from the next by its seed.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
pub(crate) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// What an artifact without a configuration names (image spec, "Guidance for an Empty Descriptor").
pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// `sha256:…` of these bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// A finished hash as a digest.
pub(crate) fn hex(hash: &[u8]) -> String {
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Some content with its type.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) bytes: Vec<u8>,
}

impl Blob {
    pub(crate) fn new(media_type: &str, bytes: Vec<u8>) -> Self {
        Self { media_type: media_type.to_owned(), digest: sha256(&bytes), bytes }
    }

    pub(crate) fn json(media_type: &str, value: &Value) -> Self {
        Self::new(media_type, serde_json::to_vec_pretty(value).unwrap())
    }

    pub(crate) fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// An image for one platform, or an artifact.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) manifest: Blob,
    pub(crate) config: Blob,
    pub(crate) layers: Vec<Blob>,
    /// The uncompressed layers, as `docker load` wants them.
    tars: Vec<Vec<u8>>,
    architecture: String,
}

impl Image {
    /// An OCI image with two layers.
    pub(crate) fn oci(seed: &str) -> Self {
        Self::build(seed, "amd64", [OCI_MANIFEST, OCI_CONFIG, OCI_LAYER])
    }

    /// The same in Docker's schema 2.
    pub(crate) fn docker(seed: &str) -> Self {
        Self::build(seed, "amd64", [DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER])
    }

    fn build(seed: &str, architecture: &str, types: [&str; 3]) -> Self {
        let [manifest_type, config_type, layer_type] = types;
        let tars = ["base", "app"].map(|name| layer_tar(&format!("{seed}/{architecture}/{name}")));
        let layers: Vec<_> = tars.iter().map(|tar| Blob::new(layer_type, gzip(tar))).collect();
        let config = Blob::json(
            config_type,
            &json!({
                "architecture": architecture, "os": "linux",
                "config": {"Labels": {"seed": seed}},
                "rootfs": {"type": "layers", "diff_ids": tars.iter().map(|t| sha256(t)).collect::<Vec<_>>()},
                "history": [{"created_by": "base"}, {"created_by": "app"}],
            }),
        );
        let manifest = manifest(manifest_type, &config, &layers, None);
        let tars = tars.to_vec();
        Self { manifest, config, layers, tars, architecture: architecture.to_owned() }
    }

    /// An artifact (signature, SBOM) about `subject`.
    pub(crate) fn artifact(seed: &str, subject: &Blob) -> Self {
        let config = Blob::new(EMPTY, b"{}".to_vec());
        let layers = vec![Blob::new("application/spdx+json", format!("\"{seed}\"").into_bytes())];
        Self::made_of(manifest(OCI_MANIFEST, &config, &layers, Some(subject)), config, layers)
    }

    /// Of what is at hand.
    pub(crate) fn made_of(manifest: Blob, config: Blob, layers: Vec<Blob>) -> Self {
        Self { manifest, config, layers, tars: Vec::new(), architecture: String::new() }
    }

    /// Config and layers.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Blob> {
        std::iter::once(&self.config).chain(&self.layers)
    }

    /// Manifest, config and layers.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Blob> {
        std::iter::once(&self.manifest).chain(self.blobs())
    }

    pub(crate) fn digest(&self) -> &str {
        &self.manifest.digest
    }

    /// Writes what `docker load` reads.
    pub(crate) fn write_docker_archive(&self, path: &Path, name: &str) {
        let mut archive = tar::Builder::new(fs::File::create(path).unwrap());
        let mut add = |name: &str, bytes: &[u8]| append(&mut archive, name, bytes);
        add("config.json", &self.config.bytes);
        let names: Vec<_> = (0..self.tars.len()).map(|n| format!("{n}/layer.tar")).collect();
        names.iter().zip(&self.tars).for_each(|(name, tar)| add(name, tar));
        let listing = json!([{"Config": "config.json", "RepoTags": [name], "Layers": names}]);
        add("manifest.json", &serde_json::to_vec(&listing).unwrap());
        archive.finish().unwrap();
    }

    /// Writes an image layout (image spec, "Image Layout") that holds it under `tag`.
    pub(crate) fn write_layout(&self, folder: &Path, tag: &str) {
        write_layout(folder, tag, &self.manifest, std::slice::from_ref(self));
    }
}

/// One name for several platforms.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    pub(crate) manifest: Blob,
    pub(crate) images: Vec<Image>,
}

impl Index {
    /// For amd64 and arm64.
    pub(crate) fn oci(seed: &str) -> Self {
        Self::build(seed, OCI_INDEX, [OCI_MANIFEST, OCI_CONFIG, OCI_LAYER])
    }

    /// A manifest list, for amd64 and arm64.
    pub(crate) fn docker(seed: &str) -> Self {
        Self::build(seed, DOCKER_LIST, [DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER])
    }

    fn build(seed: &str, media_type: &str, types: [&str; 3]) -> Self {
        let images: Vec<_> =
            ["amd64", "arm64"].map(|platform| Image::build(seed, platform, types)).into();
        let manifest = index_of(media_type, images.iter().map(|image| &image.manifest));
        let mut value: Value = serde_json::from_slice(&manifest.bytes).unwrap();
        for (entry, image) in value["manifests"].as_array_mut().unwrap().iter_mut().zip(&images) {
            entry["platform"] = json!({"os": "linux", "architecture": image.architecture});
        }
        Self { manifest: Blob::json(media_type, &value), images }
    }

    pub(crate) fn write_layout(&self, folder: &Path, tag: &str) {
        write_layout(folder, tag, &self.manifest, &self.images);
    }
}

/// A manifest of these parts.
pub(crate) fn manifest(
    media_type: &str,
    config: &Blob,
    layers: &[Blob],
    subject: Option<&Blob>,
) -> Blob {
    let mut value = json!({
        "schemaVersion": 2, "mediaType": media_type,
        "config": config.descriptor(),
        "layers": layers.iter().map(Blob::descriptor).collect::<Vec<_>>(),
    });
    if let Some(subject) = subject {
        value["subject"] = subject.descriptor();
        value["artifactType"] = json!("application/vnd.example.sbom");
    }
    Blob::json(media_type, &value)
}

/// An index that names these manifests and no platforms.
pub(crate) fn index_of<'a>(media_type: &str, children: impl Iterator<Item = &'a Blob>) -> Blob {
    let children: Vec<_> = children.map(Blob::descriptor).collect();
    Blob::json(
        media_type,
        &json!({"schemaVersion": 2, "mediaType": media_type, "manifests": children}),
    )
}

/// The tag under which older tools keep what belongs to an image: `sha256-<hex>`, with `.sig` and
/// the like behind it.
pub(crate) fn fallback_tag(digest: &str, suffix: &str) -> String {
    format!("{}{suffix}", digest.replace(':', "-"))
}

fn write_layout(folder: &Path, tag: &str, top: &Blob, images: &[Image]) {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let put = |blob: &Blob| {
        fs::write(blobs.join(blob.digest.strip_prefix("sha256:").unwrap()), &blob.bytes).unwrap();
    };
    put(top);
    images.iter().flat_map(Image::all).for_each(put);
    let mut entry = top.descriptor();
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
    let index = json!({"schemaVersion": 2, "manifests": [entry]});
    fs::write(folder.join("index.json"), serde_json::to_vec(&index).unwrap()).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#).unwrap();
}

fn layer_tar(seed: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    append(&mut archive, &format!("{}.txt", seed.replace('/', "-")), seed.as_bytes());
    archive.into_inner().unwrap()
}

fn append<W: std::io::Write>(archive: &mut tar::Builder<W>, name: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    archive.append_data(&mut header, name, bytes).unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
