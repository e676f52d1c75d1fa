//! What content is: its digest and its type.

use aws_lc_rs::digest::{SHA256, SHA512, digest as hash};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use oci::{Algorithm, Digest};

/// The digest of these bytes.
#[must_use]
pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    match algorithm {
        Algorithm::Sha256 => {
            let mut value = [0; 32];
            value.copy_from_slice(hash(&SHA256, bytes).as_ref());
            Digest::Sha256(value)
        }
        Algorithm::Sha512 => {
            let mut value = [0; 64];
            value.copy_from_slice(hash(&SHA512, bytes).as_ref());
            Digest::Sha512(Box::new(value))
        }
    }
}

/// `Docker-Content-Digest` (spec, "Legacy Docker support HTTP headers"), if it is there and one.
#[must_use]
pub fn digest_header(headers: &HeaderMap) -> Option<Digest> {
    headers.get("docker-content-digest")?.to_str().ok()?.parse().ok()
}

/// `Content-Type`, if it is text.
#[must_use]
pub fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        assert_eq!(
            digest(Algorithm::Sha256, b"").to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert!(digest(Algorithm::Sha512, b"").to_string().starts_with("sha512:cf83e1357eefb8bd"));
    }
}
