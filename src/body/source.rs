//! A body that comes as a test sends it.

use std::convert::Infallible;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;

use super::Body;

/// The sender of a body. Dropped, it breaks off what is not complete.
pub(crate) struct Source(DuplexStream);

impl Source {
    /// A body of a declared length.
    pub(crate) async fn of_length(length: usize) -> (Self, Incoming) {
        Self::begin(&format!("content-length: {length}")).await
    }

    /// A body of any length.
    pub(crate) async fn chunked() -> (Self, Incoming) {
        Self::begin("transfer-encoding: chunked").await
    }

    async fn begin(framing: &str) -> (Self, Incoming) {
        let (mut sender, receiver) = duplex(1 << 20);
        let (bodies, mut body) = mpsc::unbounded_channel();
        let service = service_fn(move |request: Request<Incoming>| {
            bodies.send(request.into_body()).unwrap();
            std::future::pending::<Result<Response<Body>, Infallible>>()
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(receiver), service));
        let head = format!("PUT / HTTP/1.1\r\nhost: test\r\n{framing}\r\n\r\n");
        sender.write_all(head.as_bytes()).await.unwrap();
        (Self(sender), body.recv().await.unwrap())
    }

    /// The next bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next bytes as a chunk; none ends the body.
    pub(crate) async fn chunk(&mut self, bytes: &[u8]) {
        let size = format!("{:x}\r\n", bytes.len());
        self.send(&[size.as_bytes(), bytes, b"\r\n"].concat()).await;
    }
}
