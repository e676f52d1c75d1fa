//! Keys and signatures for tests, in the bytes that cosign writes.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use oci::{Algorithm, Digest};
use serde_json::{Value, json};

use super::bundle::{BUNDLE, SIGN, pre_authentication_encoding};
use super::{PublicKey, TrustedKeys};
use crate::content::{self, samples};
use crate::pem;

/// A key pair: what `cosign generate-key-pair` makes, and its likes.
pub(crate) enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Pair {
    pub(crate) fn p256() -> Self {
        Self::ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING)
    }

    pub(crate) fn p384() -> Self {
        Self::ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING)
    }

    pub(crate) fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    pub(crate) fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        Self::Ecdsa(EcdsaKeyPair::generate(algorithm).unwrap())
    }

    /// RFC 5280's `SubjectPublicKeyInfo`.
    pub(crate) fn der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Ecdsa(pair) => pair.public_key().as_der().unwrap(),
            Self::Ed25519(pair) => pair.public_key().as_der().unwrap(),
        };
        der.as_ref().to_vec()
    }

    /// The file `cosign.pub`: the same between PEM's lines.
    pub(crate) fn pem(&self) -> String {
        pem::encode("PUBLIC KEY", &self.der()).to_string()
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::from_pem(self.pem().as_bytes()).unwrap()
    }

    /// ECDSA as the DER sequence of RFC 3279, section 2.2.3: Go's `ecdsa.SignASN1`.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ecdsa(pair) => {
                pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
            }
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// The signature as it stands in JSON.
    pub(crate) fn sign_text(&self, message: &[u8]) -> String {
        BASE64_STANDARD.encode(self.sign(message))
    }
}

/// These keys by these names.
pub(crate) fn trusted(keys: &[(&str, &Pair)]) -> TrustedKeys {
    let keys = keys.iter().map(|(name, pair)| ((*name).into(), pair.public()));
    TrustedKeys::new(keys.collect()).unwrap()
}

/// The payload that cosign signs: Go's `json.Marshal` of its `SimpleContainerImage`, so without
/// spaces, in this order, and with `null` where no annotations were given. The specification of
/// cosign's signatures, section "Simple Signing", shows it spread out.
pub(crate) fn payload(image: &Digest) -> Vec<u8> {
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"registry.example/team/app"}},"image":{{"docker-manifest-digest":"{image}"}},"type":"cosign container image signature"}},"optional":null}}"#
    )
    .into_bytes()
}

/// One layer of a signature's manifest (section "OCI Image Manifest V1"): the payload by its
/// descriptor, the signature as an annotation of that.
pub(crate) fn simple_layer(payload: &[u8], signature: &str) -> Value {
    json!({
        "mediaType": samples::SIGNATURE,
        "size": payload.len(),
        "digest": digest(payload).to_string(),
        "annotations": { "dev.cosignproject.cosign/signature": signature },
    })
}

/// The manifest at `sha256-HEX.sig`.
pub(crate) fn signature_manifest(layers: &[Value]) -> Vec<u8> {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": samples::IMAGE_CONFIG,
            "size": 233,
            "digest": samples::blob("config").to_string(),
        },
        "layers": layers,
    })
    .to_string()
    .into_bytes()
}

/// The statement that cosign 3 signs; the real bundle of the tests holds these very members.
pub(crate) fn statement(image: &Digest) -> Value {
    let digest = image.to_string();
    let (algorithm, hex) = digest.split_once(':').unwrap();
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "digest": { algorithm: hex }, "annotations": {} }],
        "predicateType": SIGN,
    })
}

/// A bundle around a statement: protobuf's JSON of sigstore's `Bundle`, in which bytes are base64,
/// with the envelope of the DSSE protocol. A key pair is named by a hint, where a keyless bundle has
/// a certificate.
pub(crate) fn bundle_of(pair: &Pair, statement: &Value) -> Value {
    let (kind, payload) = ("application/vnd.in-toto+json", statement.to_string());
    let signed = pre_authentication_encoding(kind, payload.as_bytes());
    json!({
        "mediaType": BUNDLE,
        "verificationMaterial": material(pair),
        "dsseEnvelope": {
            "payload": BASE64_STANDARD.encode(payload),
            "payloadType": kind,
            "signatures": [{ "sig": pair.sign_text(&signed) }],
        },
    })
}

/// A bundle that signs a manifest's own bytes, as `cosign sign-blob` does it.
pub(crate) fn message_bundle(pair: &Pair, manifest: &[u8]) -> Value {
    json!({
        "mediaType": BUNDLE,
        "verificationMaterial": material(pair),
        "messageSignature": {
            "messageDigest": {
                "algorithm": "SHA2_256",
                "digest": BASE64_STANDARD.encode(digest(manifest).as_bytes()),
            },
            "signature": pair.sign_text(manifest),
        },
    })
}

/// The hint is the base64 of the hash of the key.
fn material(pair: &Pair) -> Value {
    let hint = BASE64_STANDARD.encode(digest(&pair.der()).as_bytes());
    json!({ "publicKey": { "hint": hint }, "tlogEntries": [] })
}

/// The manifest that attaches a bundle to an image (cosign, "Cosign Bundle Specification",
/// "Publishing").
pub(crate) fn bundle_manifest(bundle: &[u8], image: &Digest) -> Vec<u8> {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": BUNDLE,
        "config": {
            "mediaType": samples::EMPTY,
            "size": 2,
            "digest": digest(b"{}").to_string(),
        },
        "layers": [{
            "mediaType": BUNDLE,
            "size": bundle.len(),
            "digest": digest(bundle).to_string(),
        }],
        "subject": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "size": 2,
            "digest": image.to_string(),
        },
    })
    .to_string()
    .into_bytes()
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    content::digest(Algorithm::Sha256, bytes)
}
