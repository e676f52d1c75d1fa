//! How clients reach the gate.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Where. Port 0 takes a free one.
    pub address: SocketAddr,
    /// Off only behind something else that terminates TLS.
    pub tls: bool,
}

/// The server certificate.
#[derive(Debug, Clone)]
pub struct Tls {
    /// PEM, leaf first.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

/// What one client, or all of them, may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections. Default 10 000.
    pub connections: usize,
    /// Open connections of one address. Default 1 000.
    pub connections_per_address: usize,
    /// Bytes of a manifest, held in memory while it is judged. Default 4 MiB (spec, "Pushing
    /// Manifests").
    pub manifest_size: usize,
    /// For a TLS handshake to finish. Default 10 s.
    pub handshake_timeout: Duration,
    /// For a request's head to arrive. Default 10 s.
    pub header_timeout: Duration,
    /// Between two pieces of a body that a client sends or takes. Default 60 s.
    pub idle_timeout: Duration,
    /// Bytes a second, measured over a minute, below which a body is given up. Default 100.
    pub minimum_rate: u64,
    /// How long requests under way may go on after a stop signal. Default 30 s.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 1_000,
            manifest_size: 4 << 20,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            minimum_rate: 100,
            drain_timeout: Duration::from_secs(30),
        }
    }
}
