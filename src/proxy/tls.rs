//! The server's side of TLS: one configuration for all workers, and a certificate that is replaced
//! while it serves.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};

use super::settings::Tls;
use crate::certificate::{self, PairFiles};
use crate::watch::{Fingerprint, Reloaded, Source};

/// Tickets that a client gets after a handshake; docker opens connections in pairs.
const TICKETS: usize = 2;

/// What the listeners need for TLS.
#[derive(Debug)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    pair: Arc<Pair>,
}

/// Why there is no TLS, or why a new certificate is not used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate or its key.
    #[error(transparent)]
    Pair(#[from] certificate::Error),
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
        let pair = Arc::new(Pair(Reloaded::start(Files(settings.clone()))?));
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
    pub fn reload(&self) -> Result<bool, certificate::Error> {
        self.pair.0.poll()
    }

    /// When the certificate in use ends.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.pair.0.current().ends
    }
}

/// Gives every client the pair in force.
#[derive(Debug)]
struct Pair(Reloaded<Files>);

impl ResolvesServerCert for Pair {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current().certified))
    }
}

/// Where the pair is.
struct Files(Tls);

impl Source for Files {
    type Content = PairFiles;
    type Value = certificate::Pair;
    type Error = certificate::Error;

    fn name(&self) -> &'static str {
        "the server certificate"
    }

    fn read(&self) -> Result<PairFiles, certificate::Error> {
        PairFiles::read(&self.0)
    }

    fn fingerprint(content: &PairFiles) -> Fingerprint {
        content.fingerprint()
    }

    fn load(&self, content: PairFiles) -> Result<certificate::Pair, certificate::Error> {
        content.pair(&self.0)
    }

    fn help(error: &certificate::Error) -> Option<String> {
        error.help()
    }
}

#[cfg(test)]
mod tests;
