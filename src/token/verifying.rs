//! Public keys that check tokens.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest;
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
#[derive(Clone)]
pub struct VerifyingKeys {
    keys: BTreeMap<String, Verifier>,
    /// Stands for all of them; equal for equal keys and for no others.
    identity: [u8; 32],
}

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

/// No key: no token holds.
impl Default for VerifyingKeys {
    fn default() -> Self {
        Self::new(BTreeMap::new())
    }
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
        let mut usable = BTreeMap::new();
        for (place, members) in keys.iter().enumerate() {
            match Jwk::read(members) {
                Jwk::Usable(id, key) => {
                    if usable.get(&id).is_some_and(|other| *other != key) {
                        return Err(BadJwks::Ambiguous(id));
                    }
                    usable.insert(id, key);
                }
                Jwk::Other => {}
                Jwk::Private => return Err(BadJwks::Private(place + 1)),
            }
        }
        if usable.is_empty() { Err(BadJwks::Unusable) } else { Ok(Self::new(usable)) }
    }

    pub(super) fn new(keys: BTreeMap<String, PublicKey>) -> Self {
        // Whichever features other crates switch on, it is this one. An error says that it has been
        // installed before.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let mut context = digest::Context::new(&digest::SHA256);
        for (id, public) in &keys {
            context.update(&id.len().to_be_bytes());
            context.update(id.as_bytes());
            // Of one length, so nothing can move between two keys.
            context.update(public.thumbprint().as_bytes());
        }
        let verifier = |public: PublicKey| Verifier { key: public.decoding_key(), public };
        let keys = keys.into_iter().map(|(id, public)| (id, verifier(public))).collect();
        Self { keys, identity: sum(context) }
    }

    /// Stands for a token together with these keys: what is remembered of a token under it is not
    /// found any more when a key has gone or come. Never equal for two tokens.
    #[must_use]
    pub fn fingerprint(&self, token: &str) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.identity);
        context.update(token.as_bytes());
        sum(context)
    }

    /// The key of that name, and the one algorithm that it checks.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<(Algorithm, &DecodingKey)> {
        self.keys.get(kid).map(|verifier| (verifier.public.algorithm(), &verifier.key))
    }

    /// Whether there is none, so that no token holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The names, in order.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// The keys as a JWK set, ordered by name.
    #[must_use]
    pub fn jwks(&self) -> Value {
        let keys: Vec<_> = self.keys.iter().map(|(id, verifier)| verifier.public.jwk(id)).collect();
        json!({ "keys": keys })
    }
}

impl fmt::Debug for VerifyingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifyingKeys").field(&self.keys.keys()).finish()
    }
}

fn sum(context: digest::Context) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(context.finish().as_ref());
    sum
}

#[cfg(test)]
mod tests;
