//! What can go wrong towards the upstream.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why there is no answer to pass on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of `upstream.ca`.
    #[error("cannot use the certificates in `{}`: {reason}", path.display())]
    Ca {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS configuration was refused.
    #[error("cannot set up TLS towards the upstream")]
    Tls(#[from] rustls::Error),
    /// Control characters in the configured credentials.
    #[error("the upstream's user name or password cannot stand in a header")]
    Credentials,
    /// The name in the URL is neither a host name nor an address.
    #[error("`{0}` is not a host name")]
    Name(String),
    /// No connection.
    #[error("cannot connect to {authority}")]
    Connect {
        /// Host and port.
        authority: String,
        /// Why.
        source: io::Error,
    },
    /// No connection in time.
    #[error("cannot connect to {authority} within {} seconds", within.as_secs())]
    ConnectTimeout {
        /// Host and port.
        authority: String,
        /// The time that it had.
        within: Duration,
    },
    /// No head of an answer in time.
    #[error("no answer within {} seconds", .0.as_secs())]
    ResponseTimeout(Duration),
    /// The connection failed, or what came is not HTTP.
    #[error("the exchange failed")]
    Exchange(#[from] hyper::Error),
    /// The request could not be put together.
    #[error("the request could not be put together")]
    Request(#[from] http::Error),
    /// The body of the answer.
    #[error("the answer broke off")]
    Body(#[from] crate::body::BodyError),
    /// A redirect that the gate does not follow.
    #[error("refused to follow a redirect: {0}")]
    Redirect(&'static str),
    /// The answer contradicts the request or itself.
    #[error("the answer is wrong: {0}")]
    Wrong(String),
    /// The upstream has too much to do, or fails.
    #[error("it answered {status}")]
    Unavailable {
        /// 429 or 5xx.
        status: http::StatusCode,
        /// When it wants to be asked again, if it says so.
        after: Option<Duration>,
    },
    /// A list that is longer than the gate holds.
    #[error("a repository has more than {0} tags, which are too many to list")]
    TooMany(usize),
    /// A manifest that is none, or of a kind that nobody can judge.
    #[error("the manifest {0} cannot be read: {1}")]
    Unreadable(oci::Digest, #[source] oci::InvalidManifest),
    /// The upstream does not accept the gate's own credentials.
    #[error("the upstream refused the gate's credentials with {0}: check `upstream.credentials`")]
    Refused(http::StatusCode),
    /// One question would have cost more requests than `inventory.max_requests`.
    #[error("more than {0} requests would be needed")]
    Budget(usize),
}

/// The same as a label of `portcullis_upstream_errors_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No connection.
    Connect,
    /// Too slow.
    Timeout,
    /// Broken off, or no HTTP.
    Protocol,
    /// A wrong answer, such as other bytes than the digest says.
    Wrong,
    /// The gate's credentials.
    Credentials,
}

impl Error {
    /// The label.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Ca { .. } | Self::Tls(_) | Self::Name(_) | Self::Connect { .. } => Kind::Connect,
            Self::ConnectTimeout { .. } | Self::ResponseTimeout(_) => Kind::Timeout,
            Self::Exchange(_) | Self::Request(_) | Self::Body(_) => Kind::Protocol,
            Self::Redirect(_)
            | Self::Wrong(_)
            | Self::Unreadable(..)
            | Self::TooMany(_)
            | Self::Unavailable { .. }
            | Self::Budget(_) => Kind::Wrong,
            Self::Credentials | Self::Refused(_) => Kind::Credentials,
        }
    }
}

impl Kind {
    /// As it stands in the metric.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Wrong => "wrong",
            Self::Credentials => "credentials",
        }
    }
}
