//! Public keys that check tokens.

use std::collections::BTreeMap;
use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::jwk::{Jwk, PublicKey};

/// The longest JWK set, in bytes.
pub const MAX_JWKS: usize = 256 * 1024;

/// The most keys in a JWK set.
pub const MAX_JWKS_KEYS: usize = 100;

/// Public keys by name (`kid`). Each has one algorithm, which follows from what it is, so that a
/// token can neither choose another one nor bring its own key (RFC 8725, section 3.1).
#[derive(Clone, Default)]
pub struct VerifyingKeys(BTreeMap<String, Verifier>);

#[derive(Clone)]
struct Verifier {
    public: PublicKey,
    key: DecodingKey,
}

/// Why a JWK set is not taken.
#[derive(Debug, thiserror::Error)]
pub enum BadJwks {
    /// Beyond [`MAX_JWKS`].
    #[error("the key set is longer than {MAX_JWKS} bytes")]
    TooLong,
    /// No JSON object with a list `keys` of objects (RFC 7517, section 5).
    #[error("this is no JWK set: an object with a list of objects, `keys`, is expected")]
    Form(#[source] serde_json::Error),
    /// Beyond [`MAX_JWKS_KEYS`].
    #[error("the key set has more than {MAX_JWKS_KEYS} keys")]
    TooMany,
    /// A key with its private part.
    #[error(
        "the key set holds a private key (number {0}); whoever published it must replace that key"
    )]
    Private(usize),
    /// Two different keys of one name.
    #[error("the key set holds two different keys with the `kid` {0:?}")]
    Ambiguous(String),
    /// Nothing is left that could check a token.
    #[error(
        "the key set holds no key that can be used here: one of Ed25519 (EdDSA), P-256 (ES256) or \
         RSA with 2048 to 8192 bits (RS256), for signatures and with a `kid`"
    )]
    Unusable,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Map<String, Value>>,
}

impl VerifyingKeys {
    /// Reads a JWK set (RFC 7517, section 5) of another gate or of an OIDC provider. What is for
    /// other uses or algorithms is passed over, as providers publish such keys beside those that
    /// sign; so are keys without a name, and symmetric ones.
    ///
    /// # Errors
    /// See [`BadJwks`].
    pub fn from_jwks(json: &[u8]) -> Result<Self, BadJwks> {
        if json.len() > MAX_JWKS {
            return Err(BadJwks::TooLong);
        }
        let Set { keys } = serde_json::from_slice(json).map_err(BadJwks::Form)?;
        if keys.len() > MAX_JWKS_KEYS {
            return Err(BadJwks::TooMany);
        }
        let mut usable = Self::default();
        for (place, members) in keys.iter().enumerate() {
            match Jwk::read(members) {
                Jwk::Usable(id, key) => {
                    if usable.0.get(&id).is_some_and(|other| other.public != key) {
                        return Err(BadJwks::Ambiguous(id));
                    }
                    usable.insert(id, key);
                }
                Jwk::Other => {}
                Jwk::Private => return Err(BadJwks::Private(place + 1)),
            }
        }
        if usable.is_empty() { Err(BadJwks::Unusable) } else { Ok(usable) }
    }

    pub(super) fn insert(&mut self, id: String, public: PublicKey) {
        // Whichever features other crates switch on, it is this one. An error says that it has been
        // installed before.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let key = public.decoding_key();
        self.0.insert(id, Verifier { public, key });
    }

    /// The key of that name, and the one algorithm that it checks.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<(Algorithm, &DecodingKey)> {
        self.0.get(kid).map(|verifier| (verifier.public.algorithm(), &verifier.key))
    }

    /// Whether there is none, so that no token holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names, in order.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The keys as a JWK set, ordered by name.
    #[must_use]
    pub fn jwks(&self) -> Value {
        let keys: Vec<_> = self.0.iter().map(|(id, verifier)| verifier.public.jwk(id)).collect();
        json!({ "keys": keys })
    }
}

impl fmt::Debug for VerifyingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifyingKeys").field(&self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests;
