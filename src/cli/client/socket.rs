//! A gate on this machine, over its own socket, which knows its callers by their user id.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use document::Mistake;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::super::failure::{Exit, Failure};
use super::Payload;
use super::answer::{self, Answer};

/// For all of a request.
const WHOLE: Duration = Duration::from_secs(60);

/// A socket that somebody listens on.
#[derive(Debug)]
pub(in crate::cli) struct Socket {
    path: PathBuf,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("cannot connect to the gate at {path}")]
    Connect { path: String, source: io::Error },
    #[error("no answer from the gate at {path}")]
    Http { path: String, source: hyper::Error },
    #[error("the gate at {path} cannot be asked")]
    Request { path: String, source: http::Error },
    #[error("no whole answer from the gate at {path}")]
    Body { path: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("no answer from the gate at {path} in time")]
    Late { path: String },
}

impl Socket {
    /// The one at `path`. `None`: nobody listens there, so no gate is running.
    ///
    /// # Errors
    /// Somebody does, but not to us.
    pub(in crate::cli) async fn find(path: &Path) -> Result<Option<Self>, Failure> {
        match UnixStream::connect(path).await {
            Ok(_) => Ok(Some(Self { path: path.to_owned() })),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(source) => Err(failure(&NoAnswer::Connect { path: shown(path), source })),
        }
    }

    /// The path, for people.
    pub(super) fn name(&self) -> String {
        shown(&self.path)
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Payload>,
    ) -> Result<Answer, Failure> {
        let answer = timeout(WHOLE, self.exchange(method, path, body)).await;
        answer
            .unwrap_or_else(|_| Err(NoAnswer::Late { path: self.name() }))
            .map_err(|error| failure(&error))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<Payload>,
    ) -> Result<Answer, NoAnswer> {
        let http = |source| NoAnswer::Http { path: self.name(), source };
        let stream = UnixStream::connect(&self.path)
            .await
            .map_err(|source| NoAnswer::Connect { path: self.name(), source })?;
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "gate");
        if let Some(body) = &body {
            request = request.header(header::CONTENT_TYPE, body.kind);
        }
        let request = request
            .body(Full::new(body.map_or(Bytes::new(), |body| body.bytes)))
            .map_err(|source| NoAnswer::Request { path: self.name(), source })?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(http)?;
        tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await.map_err(http)?.into_parts();
        let body = Limited::new(body, answer::MAX_SIZE).collect().await;
        let body = body.map_err(|source| NoAnswer::Body { path: self.name(), source })?;
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

fn failure(error: &NoAnswer) -> Failure {
    let help = match error {
        NoAnswer::Connect { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            Some("run this as root or as the user that the gate runs as")
        }
        _ => None,
    };
    Failure::new(Exit::Impossible, &Mistake::of(error).maybe_help(help))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
