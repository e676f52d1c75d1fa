//! The keys that sign and check tokens.

use std::collections::HashMap;
use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Value, json};

/// Ed25519 keys: one signs, all of them check. Each key has one algorithm, and its name follows
/// from what it is, so a token can neither choose another algorithm nor bring its own key.
pub struct KeyRing {
    signer: (String, EncodingKey),
    /// By name, together with the public key that it checks with.
    verifiers: HashMap<String, (DecodingKey, String)>,
}

/// The bytes are no Ed25519 private key in PKCS#8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no Ed25519 private key in PKCS#8 form")]
pub struct BadKey;

impl KeyRing {
    /// Takes the key that signs and the others that still check, in PKCS#8 DER (RFC 8410).
    ///
    /// # Errors
    /// When one of them is no Ed25519 private key.
    pub fn new<'a>(
        signer: &'a [u8],
        others: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, BadKey> {
        // Whichever features other crates switch on, it is this one. An error says that it has been
        // installed before.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let mut verifiers = HashMap::new();
        for der in others {
            let (id, key, x) = verifier(der)?;
            verifiers.insert(id, (key, x));
        }
        let (id, key, x) = verifier(signer)?;
        verifiers.insert(id.clone(), (key, x));
        Ok(Self { signer: (id, EncodingKey::from_ed_der(signer)), verifiers })
    }

    /// The name of the key that signs, and the key.
    pub(super) fn signer(&self) -> (&str, &EncodingKey) {
        (&self.signer.0, &self.signer.1)
    }

    /// The key of that name.
    pub(super) fn verifier(&self, id: &str) -> Option<&DecodingKey> {
        self.verifiers.get(id).map(|(key, _)| key)
    }

    /// The public keys as a JWK set (RFC 7517, section 5; RFC 8037), ordered by name.
    #[must_use]
    pub fn jwks(&self) -> Value {
        let mut keys: Vec<_> = self.verifiers.iter().collect();
        keys.sort_unstable_by_key(|&(id, _)| id);
        let keys: Vec<_> = keys
            .into_iter()
            .map(|(id, (_, x))| {
                json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": id, "x": x})
            })
            .collect();
        json!({ "keys": keys })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("signer", &self.signer.0).finish_non_exhaustive()
    }
}

fn verifier(der: &[u8]) -> Result<(String, DecodingKey, String), BadKey> {
    let pair = Ed25519KeyPair::from_pkcs8(der).map_err(|_| BadKey)?;
    let public = pair.public_key().as_ref();
    let x = URL_SAFE_NO_PAD.encode(public);
    Ok((thumbprint(&x), DecodingKey::from_ed_der(public), x))
}

/// The JWK thumbprint (RFC 7638, section 3; the members of RFC 8037, section 2).
fn thumbprint(x: &str) -> String {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_the_one_of_the_rfc() {
        // RFC 8037, appendix A.3.
        assert_eq!(
            thumbprint("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn other_bytes_are_no_key() {
        assert_eq!(KeyRing::new(b"", []).err(), Some(BadKey));
        assert_eq!(KeyRing::new(&[0; 48], []).err(), Some(BadKey));
    }
}
