//! Sigstore bundles of version 0.3 that were made with a key pair.
//!
//! The forms are those of sigstore's `Bundle` message in protobuf's JSON, of the DSSE protocol and
//! of in-toto's statement, version 1.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Digest as Hash, SHA256};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use oci::Digest;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::rejected::{Part, Rejected};
use super::trusted::TrustedKeys;

/// The media type of a bundle, in the registry and in itself.
pub(super) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// What an envelope of a signature holds.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The statement that it is (in-toto, "Statement", `_type`).
const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// The predicate of a signature. All others attest something.
pub(super) const SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Option<Envelope>,
    message_signature: Option<MessageSignature>,
}

/// By what the signature is to be verified. The hint in `publicKey` is not read: it is not signed,
/// and there are few keys to try. Nor are the entries of logs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    public_key: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageSignature {
    message_digest: MessageDigest,
    signature: String,
}

#[derive(Deserialize)]
struct MessageDigest {
    algorithm: String,
    digest: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
}

#[derive(Deserialize)]
struct Subject {
    digest: BTreeMap<String, String>,
}

/// The name of the key that signed the image by a bundle.
///
/// # Errors
/// Why it is no signature of that image by a trusted key.
pub fn bundle<'k>(
    keys: &'k TrustedKeys,
    image: &Digest,
    bytes: &[u8],
) -> Result<&'k str, Rejected> {
    let bundle: Bundle =
        serde_json::from_slice(bytes).map_err(|error| Rejected::Unreadable(Part::Bundle, error))?;
    if bundle.media_type != BUNDLE {
        return Err(Rejected::Kind(Part::Bundle));
    }
    if bundle.verification_material.public_key.is_none() {
        return Err(Rejected::Keyless);
    }
    match (&bundle.dsse_envelope, &bundle.message_signature) {
        (Some(envelope), None) => enveloped(keys, image, envelope),
        (None, Some(message)) => bare(keys, image, message),
        (None, None) => Err(Rejected::NoSignature),
        // Readers could differ in which of the two they take.
        (Some(_), Some(_)) => Err(Rejected::Kind(Part::Bundle)),
    }
}

/// A statement in an envelope: what `cosign sign` makes.
fn enveloped<'k>(
    keys: &'k TrustedKeys,
    image: &Digest,
    envelope: &Envelope,
) -> Result<&'k str, Rejected> {
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(Rejected::Kind(Part::Envelope));
    }
    let [signature] = envelope.signatures.as_slice() else {
        return Err(Rejected::Signatures(envelope.signatures.len()));
    };
    let (payload, signature) = (decode(&envelope.payload)?, decode(&signature.sig)?);
    let signed = pre_authentication_encoding(&envelope.payload_type, &payload);
    let signer = keys.signer(|key| key.signed(&signed, &signature))?;
    let statement: Statement = serde_json::from_slice(&payload)
        .map_err(|error| Rejected::Unreadable(Part::Statement, error))?;
    if statement.kind != STATEMENT {
        return Err(Rejected::Kind(Part::Statement));
    }
    if statement.predicate_type != SIGN {
        return Err(Rejected::Attestation);
    }
    let algorithm = image.algorithm().as_str();
    let is_image = |subject: &Subject| {
        let hex = subject.digest.get(algorithm);
        hex.is_some_and(|hex| Digest::new(&format!("{algorithm}:{hex}")).as_ref() == Ok(image))
    };
    if statement.subject.iter().any(is_image) { Ok(signer) } else { Err(Rejected::OtherImage) }
}

/// A signature of the manifest's own bytes, of which the digest is the hash.
fn bare<'k>(
    keys: &'k TrustedKeys,
    image: &Digest,
    message: &MessageSignature,
) -> Result<&'k str, Rejected> {
    let (digest, signature) =
        (decode(&message.message_digest.digest)?, decode(&message.signature)?);
    // What is signed is the hash, so it has to be the image's, whatever the bundle says beside it.
    let Digest::Sha256(hash) = image else { return Err(Rejected::OtherImage) };
    if message.message_digest.algorithm != "SHA2_256" || digest != hash {
        return Err(Rejected::OtherImage);
    }
    let hash = Hash::import_less_safe(hash, &SHA256).map_err(|_| Rejected::Content)?;
    keys.signer(|key| key.signed_hash(&hash, &signature))
}

fn decode(text: &str) -> Result<Vec<u8>, Rejected> {
    BASE64_STANDARD.decode(text).map_err(|_| Rejected::Base64)
}

/// What the signature of an envelope signs (DSSE protocol, "Signature Definition").
pub(super) fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let (type_length, length) = (payload_type.len(), payload.len());
    let mut encoded = format!("DSSEv1 {type_length} {payload_type} {length} ").into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}
