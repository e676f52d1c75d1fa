//! Images as buildx pushes them unless it is told otherwise: an index with an attestation beside each
//! image. The bytes are those of BuildKit's encoder, with members in its order and two spaces a level
//! (BuildKit, "Image Attestation Storage").

use std::collections::BTreeMap;

use serde::Serialize;

use super::client::Client;
use super::images::{
    Blob, EMPTY, Image, Index, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, sha256,
};

const IN_TOTO: &str = "application/vnd.in-toto+json";
const PREDICATE: &str = "https://slsa.dev/provenance/v0.2";

/// How attestations are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kept {
    /// In the form of an image that nothing can run.
    AsImages,
    /// As artifacts that refer to their image.
    AsArtifacts,
}

/// What one build pushes, for amd64 and arm64.
pub(crate) struct Build {
    pub(crate) index: Blob,
    pub(crate) images: Vec<Image>,
    /// One for each image.
    pub(crate) attestations: Vec<Image>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u8,
    media_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'a str>,
    config: Part<'a>,
    layers: Vec<Part<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Part<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    schema_version: u8,
    media_type: &'a str,
    manifests: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    media_type: &'a str,
    digest: &'a str,
    size: usize,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform<'a>>,
}

#[derive(Serialize)]
struct Platform<'a> {
    architecture: &'a str,
    os: &'a str,
}

impl<'a> Part<'a> {
    fn of(blob: &'a Blob) -> Self {
        Self {
            media_type: &blob.media_type,
            digest: &blob.digest,
            size: blob.bytes.len(),
            annotations: BTreeMap::new(),
            data: None,
            platform: None,
        }
    }
}

impl Build {
    pub(crate) fn new(seed: &str, kept: Kept) -> Self {
        let mut images = Index::oci(seed).images;
        for image in &mut images {
            image.manifest = image_manifest(image);
        }
        let attestations: Vec<_> =
            images.iter().map(|image| attestation(&image.manifest, kept)).collect();
        let of_images = images.iter().zip(["amd64", "arm64"]).map(|(image, architecture)| Part {
            platform: Some(Platform { architecture, os: "linux" }),
            ..Part::of(&image.manifest)
        });
        let of_attestations = attestations.iter().zip(&images).map(|(attestation, image)| Part {
            annotations: BTreeMap::from([
                ("vnd.docker.reference.digest", image.digest()),
                ("vnd.docker.reference.type", "attestation-manifest"),
            ]),
            platform: Some(Platform { architecture: "unknown", os: "unknown" }),
            ..Part::of(&attestation.manifest)
        });
        let manifests = of_images.chain(of_attestations).collect();
        let index =
            written(OCI_INDEX, &List { schema_version: 2, media_type: OCI_INDEX, manifests });
        Self { index, images, attestations }
    }

    /// Everything by its digest, then the index by its tag.
    pub(crate) fn push(&self, client: &Client, repository: &str, tag: &str) {
        for part in self.images.iter().chain(&self.attestations) {
            client.push(repository, part.digest(), part);
        }
        client.put_manifest(repository, tag, &self.index).expect(201);
    }
}

fn image_manifest(image: &Image) -> Blob {
    let manifest = Manifest {
        schema_version: 2,
        media_type: OCI_MANIFEST,
        artifact_type: None,
        config: Part::of(&image.config),
        layers: image.layers.iter().map(Part::of).collect(),
        subject: None,
    };
    assert!(manifest.layers.iter().all(|layer| layer.media_type == OCI_LAYER));
    written(OCI_MANIFEST, &manifest)
}

/// The provenance of an image, in a manifest of its own.
fn attestation(image: &Blob, kept: Kept) -> Image {
    let hex = image.digest.strip_prefix("sha256:").unwrap();
    let statement = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"{PREDICATE}","subject":[{{"name":"_","digest":{{"sha256":"{hex}"}}}}],"predicate":{{"builder":{{"id":""}},"buildType":"https://mobyproject.org/buildkit@v1"}}}}"#
    );
    let layer = Blob::new(IN_TOTO, statement.into_bytes());
    let config = match kept {
        Kept::AsImages => Blob::new(
            OCI_CONFIG,
            format!(
                r#"{{"architecture":"unknown","os":"unknown","config":{{}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
                sha256(&layer.bytes)
            )
            .into_bytes(),
        ),
        Kept::AsArtifacts => Blob::new(EMPTY, b"{}".to_vec()),
    };
    let is_artifact = matches!(kept, Kept::AsArtifacts);
    let manifest = Manifest {
        schema_version: 2,
        media_type: OCI_MANIFEST,
        artifact_type: is_artifact.then_some("application/vnd.docker.attestation.manifest.v1+json"),
        config: Part { data: is_artifact.then_some("e30="), ..Part::of(&config) },
        layers: vec![Part {
            annotations: BTreeMap::from([("in-toto.io/predicate-type", PREDICATE)]),
            ..Part::of(&layer)
        }],
        subject: is_artifact.then(|| Part::of(image)),
    };
    let manifest = written(OCI_MANIFEST, &manifest);
    Image::made_of(manifest, config, vec![layer])
}

/// As Go's encoder indents it.
fn written(media_type: &str, value: &impl Serialize) -> Blob {
    Blob::new(media_type, serde_json::to_vec_pretty(value).unwrap())
}
