//! New connections to the upstream.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Error, Origin};
use crate::body::Body;

/// Opens connections, each within a time limit.
pub(super) struct Connector {
    tls: TlsConnector,
    within: Duration,
}

impl Connector {
    /// `ca` replaces the system's trusted certificates.
    pub(super) fn new(ca: Option<&Path>, within: Duration) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(ca)?)
            .with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), within })
    }

    pub(super) async fn connect(&self, origin: &Origin) -> Result<SendRequest<Body>, Error> {
        let authority = || origin.authority.to_string();
        match timeout(self.within, self.open(origin)).await {
            Ok(connected) => connected,
            Err(_) => Err(Error::ConnectTimeout { authority: authority(), within: self.within }),
        }
    }

    async fn open(&self, origin: &Origin) -> Result<SendRequest<Body>, Error> {
        let failed = |source| Error::Connect { authority: origin.authority.to_string(), source };
        let host = origin.authority.host();
        // A literal IPv6 address stands in brackets in a URL, and without them everywhere else.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = origin.authority.port_u16().unwrap_or(if origin.tls { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        if origin.tls {
            let name =
                ServerName::try_from(host.to_owned()).map_err(|_| Error::Name(host.to_owned()))?;
            let stream = self.tls.connect(name, stream).await.map_err(failed)?;
            serve(stream).await
        } else {
            serve(stream).await
        }
    }
}

/// Hands the connection to hyper, and the connection's own work to a task beside us.
async fn serve<T>(stream: T) -> Result<SendRequest<Body>, Error>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // Whoever waits for an answer on this connection gets the error; here it says nothing new.
        if let Err(error) = connection.await {
            tracing::debug!(%error, "upstream connection ended");
        }
    });
    Ok(sender)
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca {
        let refused = |reason: String| Error::Ca { path: path.to_owned(), reason };
        let certificates =
            CertificateDer::pem_file_iter(path).map_err(|error| refused(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| refused(error.to_string()))?;
            roots.add(certificate).map_err(|error| refused(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(refused("there is no certificate in it".to_owned()));
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
    }
    Ok(roots)
}
