//! How the upstream is reached.

use std::path::PathBuf;
use std::time::Duration;

use http::uri::{Authority, Scheme};

use crate::secret::Secret;

/// The registry behind the gate, resolved from the configuration's `upstream`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Host and port as configured.
    pub authority: Authority,
    /// A path in front of `/v2/`, without a slash at its end; mostly empty.
    pub base_path: String,
    /// Sent as Basic on every request, and to no other origin.
    pub credentials: Option<Credentials>,
    /// Trust these certificates (PEM) instead of the system's.
    pub ca: Option<PathBuf>,
    /// What `Host` says.
    pub host: Host,
    /// What becomes of a blob's redirect to another origin.
    pub redirects: Redirects,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// Idle connections kept for each worker.
    pub idle_connections: usize,
}

/// A user name and where its password is.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// Read at start from `password` (after `${VAR}`) or `password_file`.
    pub password: Secret,
    /// Where it came from, if that is a file: it is read again when it changes.
    pub password_file: Option<PathBuf>,
}

/// Whose name stands in `Host`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Host {
    /// The upstream's own.
    #[default]
    Upstream,
    /// The gate's, as clients know it; never what a client sent, which could name another registry.
    Preserve,
}

/// What becomes of a blob's redirect to another origin, such as object storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redirects {
    /// The client is sent there.
    #[default]
    Pass,
    /// The gate fetches it, without the upstream's credentials.
    Follow,
}

/// Each is a bound on a wait, not on a whole transfer.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until the connection (and its TLS) stands. Default 5 s.
    pub connect: Duration,
    /// From the last byte sent to the head of the answer. Default 60 s.
    pub response: Duration,
    /// Between two pieces of a body, in either direction. Default 60 s.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            response: Duration::from_secs(60),
            idle: Duration::from_secs(60),
        }
    }
}
