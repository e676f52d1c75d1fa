//! Signatures as cosign makes and keeps them, with keys that are made here.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::images::{Blob, EMPTY, Image, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};

const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// What `cosign generate-key-pair` makes.
pub(crate) struct Pair(EcdsaKeyPair);

impl Pair {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    /// `cosign.pub`.
    pub(crate) fn public(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
        let text = BASE64_STANDARD.encode(der.as_ref());
        let (first, rest) = text.split_at(64);
        format!("-----BEGIN PUBLIC KEY-----\n{first}\n{rest}\n-----END PUBLIC KEY-----\n")
    }

    fn sign(&self, bytes: &[u8]) -> String {
        BASE64_STANDARD.encode(self.0.sign(&SystemRandom::new(), bytes).unwrap().as_ref())
    }

    /// A signature of that digest ("Simple Signing").
    pub(crate) fn simple(&self, digest: &str) -> Simple {
        let payload = format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"registry.example/prod/api"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":null}}"#
        );
        let payload = Blob::new(SIMPLE_SIGNING, payload.into_bytes());
        let mut entry = payload.descriptor();
        let signature = self.sign(&payload.bytes);
        entry["annotations"] = json!({"dev.cosignproject.cosign/signature": signature});
        Simple { payload, entry }
    }

    /// A bundle that refers to `subject` and signs this digest.
    pub(crate) fn bundle(&self, subject: &Blob, digest: &str) -> Image {
        let (algorithm, hex) = digest.split_once(':').unwrap();
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {algorithm: hex}}],
            "predicateType": "https://sigstore.dev/cosign/sign/v1",
        })
        .to_string();
        // DSSE protocol, "Signature Definition".
        let signed = format!("DSSEv1 {} {IN_TOTO} {} {statement}", IN_TOTO.len(), statement.len());
        let bundle = json!({
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": "none"}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": BASE64_STANDARD.encode(&statement),
                "payloadType": IN_TOTO,
                "signatures": [{"sig": self.sign(signed.as_bytes())}],
            },
        });
        let (config, layer) = (Blob::new(EMPTY, b"{}".to_vec()), Blob::json(BUNDLE, &bundle));
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": BUNDLE,
            "config": config.descriptor(), "layers": [layer.descriptor()],
            "subject": subject.descriptor(),
        });
        Image::made_of(Blob::json(OCI_MANIFEST, &manifest), config, vec![layer])
    }
}

/// One signature: what is signed, and the entry for it in a manifest.
#[derive(Clone)]
pub(crate) struct Simple {
    payload: Blob,
    entry: Value,
}

/// What stands at `sha256-HEX.sig`: a layer for each signature ("OCI Image Manifest V1").
pub(crate) fn signatures(signatures: &[Simple]) -> Image {
    let layers: Vec<_> = signatures.iter().map(|signature| signature.payload.clone()).collect();
    let entries: Vec<_> = signatures.iter().map(|signature| &signature.entry).collect();
    let diffs: Vec<_> = layers.iter().map(|layer| &layer.digest).collect();
    let config = Blob::json(
        OCI_CONFIG,
        &json!({
            "architecture": "", "os": "", "config": {}, "created": "0001-01-01T00:00:00Z",
            "history": diffs.iter().map(|_| json!({"created": "0001-01-01T00:00:00Z"})).collect::<Vec<_>>(),
            "rootfs": {"type": "layers", "diff_ids": diffs},
        }),
    );
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": config.descriptor(), "layers": entries,
    });
    Image::made_of(Blob::json(OCI_MANIFEST, &manifest), config, layers)
}

/// What clients keep at `sha256-HEX` for a registry without a list of referrers.
pub(crate) fn referrers(artifacts: &[&Image]) -> Blob {
    let entry = |artifact: &&Image| {
        let mut entry = artifact.manifest.descriptor();
        entry["artifactType"] = json!(BUNDLE);
        entry
    };
    let entries: Vec<_> = artifacts.iter().map(entry).collect();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries});
    Blob::json(OCI_INDEX, &index)
}
