//! How signatures lie in a registry: manifests whose layers are signatures, and lists of manifests.

use std::collections::BTreeMap;

use oci::Digest;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::MAX_CONTENT;
use super::bundle::{BUNDLE, SIGN, bundle};
use super::rejected::Rejected;
use super::simple::simple_signing;
use super::trusted::TrustedKeys;
use crate::content;

/// The media type of a simple signing payload.
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// What cosign calls a manifest of such payloads that refers to its image.
const SIGNATURE_ARTIFACT: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";

/// Where the signature of a payload stands.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// There when the signature was made with a certificate.
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";

/// Where the list of referrers repeats what a bundle attests.
const PREDICATE_TYPE: &str = "dev.sigstore.bundle.predicateType";

/// A layer that may be a signature.
pub(super) struct Layer {
    pub(super) digest: Digest,
    form: Form,
}

enum Form {
    Simple { signature: String, has_certificate: bool },
    Bundle,
}

#[derive(Deserialize)]
struct RawManifest {
    #[serde(default)]
    layers: Vec<RawLayer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLayer {
    media_type: String,
    digest: String,
    size: u64,
    annotations: Option<BTreeMap<String, String>>,
}

/// The layers of a signature's manifest, each with what it could be. Nothing of this is signed: it
/// says what to try.
pub(super) fn layers(manifest: &[u8]) -> Result<Vec<Result<Layer, Rejected>>, Rejected> {
    let manifest: RawManifest = serde_json::from_slice(manifest).map_err(Rejected::Manifest)?;
    Ok(manifest.layers.into_iter().map(Layer::read).collect())
}

impl Layer {
    fn read(raw: RawLayer) -> Result<Self, Rejected> {
        let mut annotations = raw.annotations.unwrap_or_default();
        let form = match raw.media_type.as_str() {
            SIMPLE_SIGNING => Form::Simple {
                signature: annotations.remove(SIGNATURE).ok_or(Rejected::NoSignature)?,
                has_certificate: annotations.contains_key(CERTIFICATE),
            },
            BUNDLE => Form::Bundle,
            _ => return Err(Rejected::Form),
        };
        if raw.size > MAX_CONTENT as u64 {
            return Err(Rejected::TooLarge);
        }
        let digest = Digest::new(&raw.digest).map_err(|_| Rejected::Content)?;
        Ok(Self { digest, form })
    }

    /// The name of the key that signed the image, by this layer and its content.
    pub(super) fn signer<'k>(
        &self,
        keys: &'k TrustedKeys,
        image: &Digest,
        bytes: &[u8],
    ) -> Result<&'k str, Rejected> {
        if bytes.len() > MAX_CONTENT {
            return Err(Rejected::TooLarge);
        }
        if content::digest(self.digest.algorithm(), bytes) != self.digest {
            return Err(Rejected::Content);
        }
        match &self.form {
            Form::Bundle => bundle(keys, image, bytes),
            Form::Simple { signature, has_certificate } => {
                simple_signing(keys, image, bytes, signature).map_err(|why| match why {
                    Rejected::UnknownKey if *has_certificate => Rejected::Keyless,
                    why => why,
                })
            }
        }
    }
}

/// An entry of a list of referrers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReferrer {
    digest: String,
    artifact_type: Option<String>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct RawIndex<'a> {
    #[serde(borrow)]
    manifests: Vec<&'a RawValue>,
}

/// The entries of a list of referrers that is kept as an index, under a tag.
pub(super) fn entries(index: &[u8]) -> Result<Vec<&[u8]>, Rejected> {
    let index: RawIndex<'_> = serde_json::from_slice(index).map_err(Rejected::Manifest)?;
    Ok(index.manifests.into_iter().map(|entry| entry.get().as_bytes()).collect())
}

/// The manifest that an entry of a list of referrers names, if there may be a signature in it. A
/// list that does not say what its entries are leaves no choice but to look.
pub(super) fn candidate(entry: &[u8]) -> Option<Digest> {
    let entry: RawReferrer = serde_json::from_slice(entry).ok()?;
    let kind = entry.artifact_type.unwrap_or_default();
    let attests = |annotations: &BTreeMap<String, String>| {
        annotations.get(PREDICATE_TYPE).is_some_and(|predicate| predicate != SIGN)
    };
    let may_sign = ["", BUNDLE, SIGNATURE_ARTIFACT, SIMPLE_SIGNING].contains(&kind.as_str());
    if !may_sign || entry.annotations.as_ref().is_some_and(attests) {
        return None;
    }
    Digest::new(&entry.digest).ok()
}
