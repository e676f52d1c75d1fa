//! Signatures of images: who signed, by which of the keys that the configuration trusts.
//!
//! Two forms are read, both verified offline and against configured public keys alone: cosign's
//! "simple signing" (the specification of its signatures, sections "Storage" and "Payloads"), and
//! sigstore bundles of version 0.3, as cosign 3 attaches them. What is found at an image is written
//! by anybody who may attach something, so each of it is a signature by a trusted key or is passed
//! over with a reason; nothing of it can fail the question. The upstream can.
//!
//! No certificates, no transparency log, no clock: a key counts until it is taken out of the
//! configuration.

mod bundle;
mod gather;
mod key;
mod key_files;
mod rejected;
#[cfg(test)]
pub(crate) mod sample;
mod simple;
mod stored;
mod trusted;

pub use bundle::bundle;
pub use gather::{Found, signatures, signers};
pub use key::{InvalidKey, PublicKey};
pub use key_files::{KeyFiles, KeyFilesError, read_key};
pub use rejected::Rejected;
pub use simple::simple_signing;
pub use trusted::{InvalidKeyName, MAX_KEYS, TrustedKeys, UnfitKeys, check_name};

/// The largest payload or bundle that is read, in bytes. Real ones have a few hundred to twelve
/// thousand; attestations, which are larger, are no signatures.
pub const MAX_CONTENT: usize = 256 << 10;

/// How many pieces of content are looked at in each place where signatures may be: the tag, and what
/// refers to the image.
pub const MAX_LAYERS: usize = 64;

#[cfg(test)]
mod tests;
