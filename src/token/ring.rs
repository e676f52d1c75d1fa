//! The keys that sign and check tokens.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use serde_json::Value;

use super::jwk::PublicKey;
use super::key_files::KeyState;
use super::keys::ListedKey;
use super::verifying::VerifyingKeys;
use crate::secret::Secret;

/// The gate's own keys, Ed25519 or P-256: one signs, all of them check. The name of a key is its
/// thumbprint (RFC 7638), so it follows from what the key is.
pub struct KeyRing {
    signer: Signer,
    verifying: VerifyingKeys,
}

struct Signer {
    id: String,
    algorithm: Algorithm,
    key: EncodingKey,
}

/// The bytes are no Ed25519 or P-256 private key in PKCS#8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no Ed25519 or P-256 private key in PKCS#8 form")]
pub struct BadKey;

impl KeyRing {
    /// Takes the key that signs and the others that still check, in PKCS#8 DER (RFC 8410, RFC
    /// 5915).
    ///
    /// # Errors
    /// When one of them is another kind of key, or none.
    pub fn new<'a>(
        signer: &'a [u8],
        others: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, BadKey> {
        let mut verifying = BTreeMap::new();
        for der in others {
            let public = public_key(der)?;
            verifying.insert(public.thumbprint(), public);
        }
        let public = public_key(signer)?;
        let (id, algorithm) = (public.thumbprint(), public.algorithm());
        let key = match public {
            PublicKey::Ed25519(_) => EncodingKey::from_ed_der(signer),
            PublicKey::P256 { .. } => EncodingKey::from_ec_der(signer),
            PublicKey::Rsa { .. } => return Err(BadKey),
        };
        verifying.insert(id.clone(), public);
        let verifying = VerifyingKeys::new(verifying);
        Ok(Self { signer: Signer { id, algorithm, key }, verifying })
    }

    /// The name of the key that signs.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.signer.id
    }

    /// The key that signs, as it is listed where there are no files.
    pub(super) fn listed(&self) -> Vec<ListedKey> {
        let algorithm = match self.signer.algorithm {
            Algorithm::ES256 => "ES256",
            _ => "EdDSA",
        };
        let (kid, path) = (self.signer.id.clone(), PathBuf::new());
        vec![ListedKey { kid, algorithm, path, made: None, state: KeyState::Signing }]
    }

    /// A token of that `typ` with these claims, signed with the newest key. Its header has `alg`,
    /// `typ` and `kid` alone.
    ///
    /// # Errors
    /// The claims cannot be written, or the key does not sign.
    pub fn sign(
        &self,
        typ: &str,
        claims: &impl Serialize,
    ) -> Result<Secret, jsonwebtoken::errors::Error> {
        let mut header = Header::new(self.signer.algorithm);
        header.typ = Some(typ.to_owned());
        header.kid = Some(self.signer.id.clone());
        jsonwebtoken::encode(&header, claims, &self.signer.key).map(Secret::new)
    }

    /// The keys that check tokens, the one that signs among them.
    #[must_use]
    pub fn verifying(&self) -> &VerifyingKeys {
        &self.verifying
    }

    /// The public keys as a JWK set (RFC 7517, section 5), ordered by name.
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.verifying.jwks()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("signer", &self.signer.id).finish_non_exhaustive()
    }
}

/// The public half of a private key.
///
/// # Errors
/// It is no key of the two types that sign.
pub(super) fn public_key(der: &[u8]) -> Result<PublicKey, BadKey> {
    if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
        return pair.public_key().as_ref().try_into().map(PublicKey::Ed25519).map_err(|_| BadKey);
    }
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
    PublicKey::p256(pair.map_err(|_| BadKey)?.public_key().as_ref()).ok_or(BadKey)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, RsaKeyPair};
    use serde_json::json;

    use super::*;
    use crate::token::{Expected, verify_signature};

    fn ed25519() -> Vec<u8> {
        Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap().as_ref().to_vec()
    }

    fn p256() -> Vec<u8> {
        let random = SystemRandom::new();
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .unwrap()
            .as_ref()
            .to_vec()
    }

    #[test]
    fn other_keys_do_not_sign() {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let rsa: Pkcs8V1Der<'_> = rsa.as_der().unwrap();
        let random = SystemRandom::new();
        let p384 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
        for der in [b"".as_slice(), &[0; 48], rsa.as_ref(), p384.as_ref()] {
            assert_eq!(KeyRing::new(der, []).err(), Some(BadKey));
            assert_eq!(KeyRing::new(&ed25519(), [der]).err(), Some(BadKey));
        }
    }

    #[test]
    fn the_algorithm_follows_the_key_that_signs() {
        let (ed25519, p256) = (ed25519(), p256());
        let claims = json!({"sub": "x"});
        for (signer, other, algorithm) in
            [(&ed25519, &p256, Algorithm::EdDSA), (&p256, &ed25519, Algorithm::ES256)]
        {
            let ring = KeyRing::new(signer, [other.as_slice()]).unwrap();
            let token = ring.sign("t", &claims).unwrap();
            let header = jsonwebtoken::decode_header(token.expose()).unwrap();
            assert_eq!((header.alg, header.kid.as_deref()), (algorithm, Some(ring.kid())));
            assert_eq!(ring.verifying().get(ring.kid()).unwrap().0, algorithm);
            // A ring in which the other one signs checks it as well.
            let rotated = KeyRing::new(other, [signer.as_slice()]).unwrap();
            let read = verify_signature(token.expose(), rotated.verifying(), Expected::Typed("t"));
            assert_eq!(read, Ok(claims.clone()));
            assert_ne!(rotated.kid(), ring.kid());
            assert_eq!(rotated.jwks(), ring.jwks());
        }
    }

    #[test]
    fn published_keys_hold_no_private_part() {
        let jwks = KeyRing::new(&ed25519(), [p256().as_slice()]).unwrap().jwks();
        let keys = jwks["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 2);
        for key in keys {
            let members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
            let expected: &[_] = match key["kty"].as_str().unwrap() {
                "OKP" => &["alg", "crv", "kid", "kty", "use", "x"],
                _ => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            };
            assert_eq!(members, expected);
        }
    }
}
