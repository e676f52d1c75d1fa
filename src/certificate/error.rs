//! What is wrong with certificates and keys, and what to do about it.

use std::io;
use std::path::PathBuf;

use document::Mistake;
use jiff::Timestamp;
use x509_parser::error::X509Error;

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
    /// There is no certificate in the file.
    #[error("{} holds no certificate in PEM form", .0.display())]
    NoCertificate(PathBuf),
    /// There is no key in the file, or one that asks for a password.
    #[error("{} holds no private key in PEM form", .0.display())]
    NoKey(PathBuf),
    /// A file begins as PEM and is none.
    #[error("{} is not whole", .0.display())]
    Damaged(PathBuf),
    /// Others on this machine can read or change the key.
    #[error("the key {} is open to others (mode {mode:03o})", path.display())]
    Exposed {
        /// Which key.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The certificate is PEM, and no certificate inside.
    #[error("{} holds no X.509 certificate", path.display())]
    NotX509 {
        /// Which file.
        path: PathBuf,
        /// Where reading ended.
        source: x509_parser::nom::Err<X509Error>,
    },
    /// It is a key of a kind that TLS does not use.
    #[error("TLS cannot use the key {}", path.display())]
    UnusableKey {
        /// Which key.
        path: PathBuf,
        /// What TLS says to it.
        source: rustls::Error,
    },
    /// The key belongs to another certificate.
    #[error("the certificate {} and the key {} do not go together", certificate.display(), key.display())]
    Mismatch {
        /// Which certificate.
        certificate: PathBuf,
        /// Which key.
        key: PathBuf,
    },
    /// A certificate cannot be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// It is no longer valid.
    #[error("{} ended on {}", path.display(), end.strftime("%Y-%m-%d"))]
    Ended {
        /// Which certificate.
        path: PathBuf,
        /// When it ended.
        end: Timestamp,
    },
    /// The CA of the folder is no longer valid.
    #[error("the CA {} ended on {}", path.display(), end.strftime("%Y-%m-%d"))]
    CaEnded {
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
        let help = match self {
            Self::Unreadable { path, source } if source.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().unwrap_or(path).display();
                return Some(format!(
                    "put it there, or make some for development: `portcullis certs dev {folder}`"
                ));
            }
            Self::Exposed { path, .. } => {
                return Some(format!("run `chmod 600 {}`", path.display()));
            }
            Self::Unreadable { .. } => "it must be a file that the gate's user may read",
            Self::NoCertificate(_) => "it must be PEM, with `BEGIN CERTIFICATE`",
            Self::NoKey(_) => "it must be PEM, with `BEGIN PRIVATE KEY`, and not encrypted",
            Self::Damaged(_) => "copy it again, every line of it",
            Self::NotX509 { .. } => "issue it again",
            Self::UnusableKey { .. } => "use ECDSA P-256 or P-384, Ed25519 or RSA",
            Self::Mismatch { .. } => {
                "the first certificate of the file must be the one made for this key"
            }
            Self::Ended { .. } => "put a new one in its place; no restart is needed",
            Self::CaEnded { .. } | Self::WrongCa(_) => {
                "remove ca.crt and ca.key to have a new CA, and give clients the new ca.crt"
            }
            Self::Make(_) | Self::Unwritable { .. } => return None,
        };
        Some(help.to_owned())
    }

    /// The same, to be noted at the place in a file that names the certificate.
    #[must_use]
    pub fn mistake(&self) -> Mistake {
        Mistake::of(self).maybe_help(self.help())
    }
}
