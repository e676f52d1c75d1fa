//! The one plain request that commands make themselves.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// No runtime, or no connection.
    #[error("cannot connect to {to}")]
    Connect { to: String, source: io::Error },
    /// The other side is not trusted, or does not speak TLS.
    #[error("no TLS with {to}")]
    Tls { to: String, source: io::Error },
    /// Nothing that is HTTP came back.
    #[error("no HTTP answer from {to}")]
    Answer { to: String, source: hyper::Error },
    /// The request could not be written down.
    #[error("{to} cannot be asked")]
    Request { to: String, source: http::Error },
    /// It took too long.
    #[error("no answer from {to} within {} s", within.as_secs())]
    Late { to: String, within: Duration },
}

/// Runs `request` to its end, or until `within` has passed.
pub(super) fn block_on<T>(
    to: &str,
    within: Duration,
    request: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Connect { to: to.to_owned(), source })?;
    runtime.block_on(async {
        let late = || Error::Late { to: to.to_owned(), within };
        tokio::time::timeout(within, request).await.map_err(|_| late())?
    })
}

/// Connects to one address.
pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream, Error> {
    let refused = |source| Error::Connect { to: address.to_string(), source };
    TcpStream::connect(address).await.map_err(refused)
}

/// Asks for `path` over a connection that stands, and gives the status of the answer.
pub(super) async fn status(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    host: &str,
    path: &str,
    authorization: Option<header::HeaderValue>,
) -> Result<StatusCode, Error> {
    let answer = |source| Error::Answer { to: host.to_owned(), source };
    let mut request = Request::get(path).header(header::HOST, host);
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|source| Error::Request { to: host.to_owned(), source })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(answer)?;
    tokio::spawn(connection);
    Ok(sender.send_request(request).await.map_err(answer)?.status())
}
