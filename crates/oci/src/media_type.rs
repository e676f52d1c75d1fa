//! The media types that tell an artifact from an image.

/// The configuration of an image. cosign and BuildKit give it to signatures and attestations too.
const IMAGE_CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// The configuration that ORAS gives an artifact without one, when it speaks image spec 1.0.
const NO_CONFIG: &str = "application/vnd.unknown.config.v1+json";

/// What signatures, attestations and SBOMs are made of.
const ARTIFACTS: [&str; 20] = [
    "application/vnd.oci.empty.v1+json",
    // Signatures: cosign, sigstore bundles, notation.
    "application/vnd.dev.cosign.simplesigning.v1+json",
    "application/vnd.dev.sigstore.bundle+json",
    "application/vnd.dev.sigstore.bundle.v0.1+json",
    "application/vnd.dev.sigstore.bundle.v0.2+json",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.cncf.notary.signature",
    "application/jose+json",
    "application/cose",
    // Attestations: in-toto statements, bare or in an envelope.
    "application/vnd.in-toto+json",
    "application/vnd.in-toto+dsse",
    "application/vnd.dsse.envelope.v1+json",
    // SBOMs.
    "application/spdx+json",
    "text/spdx",
    "text/spdx+json",
    "text/spdx+xml",
    "application/vnd.cyclonedx",
    "application/vnd.cyclonedx+json",
    "application/vnd.cyclonedx+xml",
    "application/vnd.syft+json",
];

/// A media type without its parameters (RFC 9110 §8.3.1), in lower case.
pub(crate) fn essence(media_type: &str) -> String {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim_matches([' ', '\t']).to_ascii_lowercase()
}

/// Whether a layer of this type can only belong to an artifact. A type that nobody listed cannot.
pub(crate) fn is_artifact_layer(media_type: &str) -> bool {
    ARTIFACTS.contains(&essence(media_type).as_str())
}

/// Whether a configuration of this type says that the manifest is an artifact.
pub(crate) fn is_artifact_config(media_type: &str) -> bool {
    let essence = essence(media_type);
    essence == NO_CONFIG || ARTIFACTS.contains(&essence.as_str())
}

/// Whether this is the type of an image's configuration.
pub(crate) fn is_image_config(media_type: &str) -> bool {
    IMAGE_CONFIGS.contains(&essence(media_type).as_str())
}
