//! The server's side of TLS: one configuration for all workers, and a certificate that is replaced
//! while it serves.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use x509_parser::parse_x509_certificate;
use zeroize::Zeroizing;

use super::settings::Tls;
use crate::watch::{Fingerprint, Reloaded, Source};

/// Tickets that a client gets after a handshake; docker opens connections in pairs.
const TICKETS: usize = 2;

/// Bits of a file's mode that let users in who are neither its owner nor in its group.
const OTHERS: u32 = 0o007;

/// What the listeners need for TLS.
#[derive(Debug)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    pair: Arc<Pair>,
}

/// Why there is no TLS, or why a new certificate is not used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not there.
    #[error(
        "`{setting}` names `{}`, which does not exist: correct the path, or make a certificate \
         with `portcullis certs dev`", path.display()
    )]
    Missing {
        /// The key in the configuration.
        setting: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read `{}` (`{setting}`): it must be a file that this user may read", path.display())]
    Unreadable {
        /// The key in the configuration.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is damaged.
    #[error("`{}` (`{setting}`) is not whole: copy it again, every line of it", path.display())]
    Damaged {
        /// The key in the configuration.
        setting: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// There is no certificate in the file.
    #[error(
        "`{}` (`tls.certificate`) holds no certificate: it must be PEM, with `BEGIN CERTIFICATE`, \
         the server's own first and then those that signed it", path.display()
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There is no key in the file, or one that asks for a password.
    #[error(
        "`{}` (`tls.key`) holds no key: it must be PEM, with `BEGIN PRIVATE KEY`, \
         and not encrypted", path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Anyone on the machine can take the key.
    #[error(
        "`{}` (`tls.key`) is open to every user of this machine (mode {mode:04o}): \
         run `chmod o-rwx` on it", path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The certificate is PEM, and not a certificate inside.
    #[error("`{}` (`tls.certificate`) is not an X.509 certificate: issue it again", path.display())]
    NotX509 {
        /// The file.
        path: PathBuf,
        /// Where reading ended.
        source: x509_parser::nom::Err<x509_parser::error::X509Error>,
    },
    /// It is a key of a kind that TLS does not use.
    #[error(
        "`{}` (`tls.key`) is no key that can be used: use ECDSA P-256 or P-384, Ed25519 or RSA",
        path.display()
    )]
    UnusableKey {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// They are not a pair.
    #[error(
        "the key `{}` does not belong to the first certificate in `{}`: replace both together, \
         with the server's own certificate first", key.display(), certificate.display()
    )]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// The library refuses, such as when the system has no random numbers.
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

impl ServerTls {
    /// Reads the certificate and its key, and sets TLS up with them: 1.2 and 1.3, HTTP/2 and
    /// HTTP/1.1, resumption by stateless tickets.
    ///
    /// # Errors
    /// Says which file is wrong and what to do.
    pub fn load(settings: &Tls) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let files = PairFiles { settings: settings.clone(), provider: Arc::clone(&provider) };
        let pair = Arc::new(Pair(Reloaded::start(files)?));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&pair) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        config.send_tls13_tickets = TICKETS;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self { config: Arc::new(config), pair })
    }

    /// For every acceptor. It stays the same when the certificate is replaced.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Looks at the files and uses them from the next handshake if they changed. True if they did.
    /// Blocks on the files.
    ///
    /// # Errors
    /// They changed and are wrong, such as a certificate whose key is still the old one. The old
    /// pair goes on serving. Told once for each content.
    pub fn reload(&self) -> Result<bool, TlsError> {
        self.pair.0.poll()
    }

    /// When the certificate in use ends.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.pair.0.current().expires_at
    }
}

/// Gives every client the pair in force.
#[derive(Debug)]
struct Pair(Reloaded<PairFiles>);

impl ResolvesServerCert for Pair {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current().certified))
    }
}

/// A certificate and the key that belongs to it.
struct Loaded {
    certified: Arc<CertifiedKey>,
    expires_at: Timestamp,
}

/// Where the pair is.
struct PairFiles {
    settings: Tls,
    provider: Arc<CryptoProvider>,
}

/// Both files as read.
struct PairContent {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Source for PairFiles {
    type Content = PairContent;
    type Value = Loaded;
    type Error = TlsError;

    fn name(&self) -> &'static str {
        "the server certificate"
    }

    fn read(&self) -> Result<PairContent, TlsError> {
        let Tls { certificate, key } = &self.settings;
        let mut content = PairContent { certificate: Vec::new(), key: Zeroizing::default() };
        read("tls.certificate", certificate, &mut content.certificate)?;
        let mode = read("tls.key", key, &mut content.key)?;
        if mode & OTHERS != 0 {
            return Err(TlsError::Exposed { path: key.clone(), mode });
        }
        Ok(content)
    }

    fn fingerprint(content: &PairContent) -> Fingerprint {
        Fingerprint::of([content.certificate.as_slice(), content.key.as_slice()])
    }

    fn load(&self, content: PairContent) -> Result<Loaded, TlsError> {
        let Tls { certificate, key } = &self.settings;
        let chain = CertificateDer::pem_slice_iter(&content.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| damaged("tls.certificate", certificate))?;
        let Some(leaf) = chain.first() else {
            return Err(TlsError::NoCertificate { path: certificate.clone() });
        };
        let expires_at = expiry(leaf)
            .map_err(|source| TlsError::NotX509 { path: certificate.clone(), source })?;
        let der = PrivateKeyDer::from_pem_slice(&content.key).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError::NoKey { path: key.clone() },
            _ => damaged("tls.key", key),
        })?;
        let signer = self
            .provider
            .key_provider
            .load_private_key(der)
            .map_err(|source| TlsError::UnusableKey { path: key.clone(), source })?;
        let certified = CertifiedKey::new(chain, signer);
        // A key that cannot tell its public half is refused too: every kind that we load can.
        certified.keys_match().map_err(|_| TlsError::Mismatch {
            key: key.clone(),
            certificate: certificate.clone(),
        })?;
        Ok(Loaded { certified: Arc::new(certified), expires_at })
    }
}

/// Reads a whole file and gives its permissions, of the same file even if it is replaced meanwhile.
fn read(setting: &'static str, path: &Path, into: &mut Vec<u8>) -> Result<u32, TlsError> {
    let mut open = || {
        let mut file = File::open(path)?;
        file.read_to_end(into)?;
        Ok(file.metadata()?.permissions().mode() & 0o7777)
    };
    open().map_err(|source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => TlsError::Missing { setting, path: path.to_owned() },
        _ => TlsError::Unreadable { setting, path: path.to_owned(), source },
    })
}

/// What the library says of the place is bytes as numbers, which helps nobody.
fn damaged(setting: &'static str, path: &Path) -> TlsError {
    TlsError::Damaged { setting, path: path.to_owned() }
}

/// The end of a certificate's validity. What lies after the year 9999 counts as the end of time.
fn expiry(
    leaf: &CertificateDer<'_>,
) -> Result<Timestamp, x509_parser::nom::Err<x509_parser::error::X509Error>> {
    let (_, certificate) = parse_x509_certificate(leaf)?;
    let seconds = certificate.validity().not_after.timestamp();
    Ok(Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests;
