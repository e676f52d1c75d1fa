//! Certificates and keys in PEM files: reading them, judging them, making some for development.

mod development;
mod expiry;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use document::Mistake;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

pub use development::{Development, Host, InvalidHost, make_development};
pub use expiry::not_after;
use jiff::Timestamp;

use crate::proxy::Tls;

/// Why a certificate or key is of no use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not PEM, or the part that is looked for is not in it.
    #[error("{} holds no {what} in PEM form", path.display())]
    NotPem {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// Others on this machine can read or change the key.
    #[error("the key {} is open to others (mode {mode:03o})", path.display())]
    Exposed {
        /// Which key.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key belongs to another certificate.
    #[error("the certificate {} and the key {} do not go together", certificate.display(), key.display())]
    Mismatch {
        /// Which certificate.
        certificate: PathBuf,
        /// Which key.
        key: PathBuf,
    },
    /// The certificate or the key is of a kind that TLS cannot use.
    #[error("TLS cannot use the certificate {} with the key {}", certificate.display(), key.display())]
    Unusable {
        /// Which certificate.
        certificate: PathBuf,
        /// Which key.
        key: PathBuf,
        /// What TLS says to it.
        source: rustls::Error,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// The CA of the folder is no longer valid.
    #[error("the CA {} ended on {}", path.display(), end.strftime("%Y-%m-%d"))]
    Ended {
        /// Which CA.
        path: PathBuf,
        /// When it ended.
        end: Timestamp,
    },
    /// The CA of the folder does not belong to the key beside it.
    #[error("the CA {} does not vouch for what the key beside it signs", .0.display())]
    WrongCa(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Unreadable { path, source } if source.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().unwrap_or(path).display();
                Some(format!(
                    "put it there, or make some for development: `portcullis certs dev {folder}`"
                ))
            }
            Self::Exposed { path, .. } => Some(format!("run `chmod 600 {}`", path.display())),
            Self::Mismatch { .. } => {
                Some("the first certificate of the file must be the one made for this key".into())
            }
            Self::WrongCa { .. } => Some(
                "remove ca.crt and ca.key to have a new CA, and give clients the new ca.crt".into(),
            ),
            _ => None,
        }
    }

    /// The same, to be noted at the place in a file that names the certificate.
    #[must_use]
    pub fn mistake(&self) -> Mistake {
        Mistake::of(self).maybe_help(self.help())
    }
}

/// Reads the certificates of a PEM file; at least one.
///
/// # Errors
/// The file cannot be read or holds none.
pub fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(path)?;
    let what = "certificate";
    let not_pem = |source| Error::NotPem { path: path.to_owned(), what, source };
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(not_pem)?;
    if chain.is_empty() { Err(not_pem(pem::Error::NoItemsFound)) } else { Ok(chain) }
}

/// Reads the private key of a PEM file that nobody but its owner and group may read, and nobody but
/// its owner change (Kubernetes mounts secrets with mode 0440).
///
/// # Errors
/// The file cannot be read, is open to others or holds no key.
pub fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    refuse_exposed(path)?;
    let what = "private key";
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|source| Error::NotPem {
        path: path.to_owned(),
        what,
        source,
    })
}

/// The pair that TLS serves.
///
/// # Errors
/// The key is not the certificate's; `tls` says which files to name then.
pub fn certified_key(
    tls: &Tls,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    CertifiedKey::from_der(chain, key, &provider).map_err(|source| {
        let (certificate, key) = (tls.certificate.clone(), tls.key.clone());
        match source {
            rustls::Error::InconsistentKeys(_) => Error::Mismatch { certificate, key },
            _ => Error::Unusable { certificate, key, source },
        }
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })
}

fn refuse_exposed(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let metadata =
        fs::metadata(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o027 == 0 {
        return Ok(());
    }
    Err(Error::Exposed { path: path.to_owned(), mode })
}

#[cfg(test)]
mod tests;
