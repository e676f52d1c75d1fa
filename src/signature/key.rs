//! One public key.

use std::fmt;

use aws_lc_rs::digest::Digest as Hash;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519,
    ParsedPublicKey, VerificationAlgorithm,
};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;

/// What stands in the first line of every private key in PEM form, sealed by a password or not.
const PRIVATE: &[u8] = b"PRIVATE KEY-----";

/// How a key of each known kind may sign. On P-384 cosign hashes with SHA-256, and its later
/// versions with the hash of the curve's own strength.
const KINDS: [&[&'static dyn VerificationAlgorithm]; 3] =
    [&[&ECDSA_P256_SHA256_ASN1], &[&ECDSA_P384_SHA384_ASN1, &ECDSA_P384_SHA256_ASN1], &[&ED25519]];

/// A public key that signatures are checked with: ECDSA on P-256, as `cosign generate-key-pair`
/// makes it, or on P-384, or Ed25519. What the key is decides how it may have signed; no signature
/// says.
pub struct PublicKey {
    /// Its `SubjectPublicKeyInfo` (RFC 5280, section 4.1.2.7), in the one form that DER has for it.
    der: Vec<u8>,
    /// One for each way of signing.
    ways: Vec<ParsedPublicKey>,
}

/// Why a file holds no public key that signatures can be checked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// A private key was put where a public one belongs.
    #[error("it holds a private key")]
    Private,
    /// No `PUBLIC KEY` in PEM form (RFC 7468, section 13).
    #[error("it holds no public key in PEM form")]
    None,
    /// Several of them.
    #[error("it holds more than one public key")]
    Several,
    /// It begins as PEM and is none.
    #[error("it is not whole")]
    Damaged,
    /// RSA, another curve, or no key inside.
    #[error("its key is none that is known here: ECDSA on P-256 or P-384, or Ed25519")]
    Kind,
}

impl InvalidKey {
    /// What to do about it.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::Private => {
                "the gate only checks: leave that key with whoever signs, and name the file that \
                 `cosign public-key --key cosign.key` prints"
            }
            Self::None | Self::Damaged => {
                "name what `cosign generate-key-pair` calls `cosign.pub`; it begins with \
                 `-----BEGIN PUBLIC KEY-----`"
            }
            Self::Several => "put each into a file of its own, under a name of its own",
            Self::Kind => "`cosign generate-key-pair` makes one on P-256",
        }
    }
}

impl PublicKey {
    /// Reads a file with one key, `SubjectPublicKeyInfo` as PEM: cosign's `cosign.pub`.
    ///
    /// # Errors
    /// See [`InvalidKey`].
    pub fn from_pem(text: &[u8]) -> Result<Self, InvalidKey> {
        if text.windows(PRIVATE.len()).any(|window| window == PRIVATE) {
            return Err(InvalidKey::Private);
        }
        let mut keys = SubjectPublicKeyInfoDer::pem_slice_iter(text);
        let first = keys.next().ok_or(InvalidKey::None)?.map_err(|_| InvalidKey::Damaged)?;
        if keys.next().is_some() {
            return Err(InvalidKey::Several);
        }
        Self::from_der(&first).ok_or(InvalidKey::Kind)
    }

    fn from_der(der: &[u8]) -> Option<Self> {
        let parse = |way: &&'static dyn VerificationAlgorithm| {
            let key = ParsedPublicKey::new(*way, der).ok()?;
            // A bare point is taken by the parser, too, and is no such structure.
            is_written(&key, der).then_some(key)
        };
        KINDS.iter().find_map(|kind| {
            let ways: Option<Vec<_>> = kind.iter().map(parse).collect();
            Some(Self { der: der.to_vec(), ways: ways? })
        })
    }

    /// Whether this key made the signature of the message.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.ways.iter().any(|way| way.verify_sig(message, signature).is_ok())
    }

    /// The same of a message of which only the hash is at hand. Ed25519 signs no hash, so such a
    /// key never did.
    pub(super) fn signed_hash(&self, hash: &Hash, signature: &[u8]) -> bool {
        self.ways.iter().any(|way| way.verify_digest_sig(hash, signature).is_ok())
    }
}

/// Whether `der` is the key as DER writes it.
fn is_written(key: &ParsedPublicKey, der: &[u8]) -> bool {
    use aws_lc_rs::encoding::AsDer as _;
    key.as_der().is_ok_and(|written| written.as_ref() == der)
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("ways", &self.ways).finish_non_exhaustive()
    }
}
