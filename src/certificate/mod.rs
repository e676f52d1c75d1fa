//! Certificates and keys in PEM files: reading them, judging them, making some for development.

mod development;
mod error;

use std::io;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::parse_x509_certificate;
use zeroize::Zeroizing;

pub use development::{Development, Host, InvalidHost, make_development};
pub use error::Error;

use crate::files::{self, Exposed};
use crate::proxy::Tls;
use crate::watch::Fingerprint;

/// Larger than the certificates of all the CAs that a system trusts.
const MAX_SIZE: u64 = 4 << 20;

/// A certificate and the key that belongs to it, for TLS to serve.
#[derive(Debug)]
pub struct Pair {
    /// Both, and the certificates that signed the first one.
    pub certified: Arc<CertifiedKey>,
    /// When the certificate ends.
    pub ends: Timestamp,
}

/// The files of a pair as they were read.
#[derive(Debug)]
pub struct PairFiles {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl PairFiles {
    /// Reads both files.
    ///
    /// # Errors
    /// One of them cannot be read, or others can read or change the key.
    pub fn read(Tls { certificate, key }: &Tls) -> Result<Self, Error> {
        Ok(Self { certificate: read(certificate)?, key: read_closed(key)? })
    }

    /// Stands for the content of both.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of([self.certificate.as_slice(), &self.key])
    }

    /// Understands both; `tls` says how to call them.
    ///
    /// # Errors
    /// They are no pair that TLS can serve.
    pub fn pair(&self, tls: &Tls) -> Result<Pair, Error> {
        let chain = chain(&tls.certificate, &self.certificate)?;
        pair(tls, chain, &private_key(&tls.key, &self.key)?)
    }
}

/// Reads the certificates of a PEM file; at least one.
///
/// # Errors
/// The file cannot be read or holds none.
pub fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    chain(path, &read(path)?)
}

/// Reads the private key of a PEM file that nobody but its owner and group may read, and nobody but
/// its owner change.
///
/// # Errors
/// The file cannot be read, is open to others or holds no key.
pub fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    private_key(path, &read_closed(path)?)
}

/// The pair that TLS serves; `tls` says how to call its files.
///
/// # Errors
/// TLS cannot use one of them, or the key is not the certificate's.
pub fn pair(
    tls: &Tls,
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'static>,
) -> Result<Pair, Error> {
    let ends = not_after(&tls.certificate, &chain)?;
    let key = aws_lc_rs::default_provider()
        .key_provider
        .load_private_key(key.clone_key())
        .map_err(|source| Error::UnusableKey { path: tls.key.clone(), source })?;
    let certified = CertifiedKey::new(chain, key);
    // A key that cannot tell its public half is refused too: every kind that we load can.
    certified.keys_match().map_err(|_| Error::Mismatch {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
    })?;
    Ok(Pair { certified: Arc::new(certified), ends })
}

/// When the first certificate of the file at `path` ends (RFC 5280 §4.1.2.5). What lies behind the
/// year 9999 counts as the end of time.
///
/// # Errors
/// There is none in `chain`, or it is none inside.
pub fn not_after(path: &Path, chain: &[CertificateDer<'_>]) -> Result<Timestamp, Error> {
    let Some(first) = chain.first() else {
        return Err(Error::NoCertificate(path.to_owned()));
    };
    let (_, certificate) = parse_x509_certificate(first)
        .map_err(|source| Error::NotX509 { path: path.to_owned(), source })?;
    let seconds = certificate.validity().not_after.timestamp();
    Ok(Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX))
}

fn chain(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    // What the parser says of a place is bytes as numbers, which helps nobody.
    let chain: Vec<_> = CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|_| Error::Damaged(path.to_owned()))?;
    if chain.is_empty() { Err(Error::NoCertificate(path.to_owned())) } else { Ok(chain) }
}

fn private_key(path: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        pem::Error::NoItemsFound => Error::NoKey(path.to_owned()),
        _ => Error::Damaged(path.to_owned()),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    let bytes = files::read(path, MAX_SIZE).map_err(unreadable)?;
    bytes.ok_or_else(|| unreadable(io::ErrorKind::FileTooLarge.into()))
}

fn read_closed(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let secret = files::read_secret(path)
        .map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    secret.map_err(|Exposed(mode)| Error::Exposed { path: path.to_owned(), mode })
}

#[cfg(test)]
mod tests;
