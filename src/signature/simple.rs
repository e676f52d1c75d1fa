//! cosign's signatures by "simple signing" (cosign, "Signature Specifications").

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use oci::Digest;
use serde::Deserialize;

use super::rejected::{Part, Rejected};
use super::trusted::TrustedKeys;

/// `critical.type` of every signature of an image.
const TYPE: &str = "cosign container image signature";

/// What is signed. `critical.identity` is not read: it is what the signer called the image, and
/// images are copied.
#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    #[serde(rename = "type")]
    kind: String,
    image: Image,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// The name of the key that signed the image, by a payload whose bytes are those of the layer and a
/// signature as it stands in the layer's annotation, in base64.
///
/// # Errors
/// Why it is no signature of that image by a trusted key.
pub fn simple_signing<'k>(
    keys: &'k TrustedKeys,
    image: &Digest,
    payload: &[u8],
    signature: &str,
) -> Result<&'k str, Rejected> {
    let signature = BASE64_STANDARD.decode(signature).map_err(|_| Rejected::Base64)?;
    // First: nothing of what strangers write needs to be understood.
    let signer = keys.signer(|key| key.signed(payload, &signature))?;
    let payload: Payload = serde_json::from_slice(payload)
        .map_err(|error| Rejected::Unreadable(Part::Payload, error))?;
    if payload.critical.kind != TYPE {
        return Err(Rejected::Kind(Part::Payload));
    }
    match Digest::new(&payload.critical.image.digest) {
        Ok(signed) if signed == *image => Ok(signer),
        _ => Err(Rejected::OtherImage),
    }
}
