//! What can go wrong with a scanner.

use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use oci::Digest;

/// Why there is no report. Each message names the adapter by its host, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The header for the adapter cannot be read.
    #[error(
        "{} cannot be used as `scanner.authorization_file`; it must hold the value of an \
         `Authorization` header on one line, such as `Bearer …`",
        path.display()
    )]
    Authorization {
        /// Which file.
        path: PathBuf,
        /// Why; none where it was read and is no such value.
        source: Option<std::io::Error>,
    },
    /// A name that the adapter could not tell from its password.
    #[error(
        "the scanner's user name `{0}` has a `:` in it, which Basic authorization cannot carry"
    )]
    UserName(String),
    /// No connection, or it broke off.
    #[error(
        "the scanner at {host} cannot be reached, or broke off; look whether it runs, at the network \
         and, for https, at its certificate"
    )]
    Unreachable {
        /// Host and port.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
    /// One answer takes too long.
    #[error("the scanner at {host} gave no whole answer within {} s; look whether it works", within.as_secs())]
    Slow {
        /// Host and port.
        host: String,
        /// The time that it had.
        within: Duration,
    },
    /// The answer points elsewhere.
    #[error(
        "the scanner at {host} redirects, which is not followed; set `scanner.url` to its own address"
    )]
    Redirect {
        /// Host and port.
        host: String,
    },
    /// It says no.
    #[error("the scanner at {host} answers {status}{} when {asked}; {}", in_brackets(said), remedy(*status))]
    Refused {
        /// Host and port.
        host: String,
        /// What it was asked.
        asked: &'static str,
        /// What it answers.
        status: StatusCode,
        /// What it says of it; a stranger's words, without control characters.
        said: Option<String>,
    },
    /// The answer is longer than one of that kind may be.
    #[error("the scanner at {host} sends more than {most} bytes when {asked}; look at its log")]
    TooLarge {
        /// Host and port.
        host: String,
        /// What it was asked.
        asked: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// The answer is not what the specification says.
    #[error(
        "the scanner at {host} answers what cannot be understood when {asked}: {problem}; look \
         whether `scanner.url` is that of a Harbor scanner adapter"
    )]
    Misread {
        /// Host and port.
        host: String,
        /// What it was asked.
        asked: &'static str,
        /// What is wrong, and where.
        problem: String,
    },
    /// It cannot do what is needed.
    #[error(
        "the scanner at {host} {problem}; use an adapter that scans images for vulnerabilities"
    )]
    Incapable {
        /// Host and port.
        host: String,
        /// What it lacks.
        problem: String,
    },
    /// It gave up.
    #[error("the scanner at {host} failed: {reason}")]
    Failed {
        /// Host and port.
        host: String,
        /// What it says.
        reason: String,
    },
    /// There was no report in time.
    #[error(
        "the scanner at {host} had no report after {} s; look at its log, or give it more resources",
        after.as_secs()
    )]
    Late {
        /// Host and port.
        host: String,
        /// How long it was waited.
        after: Duration,
    },
    /// The report cannot be read.
    #[error("the report of the scanner at {host} cannot be used")]
    Report {
        /// Host and port.
        host: String,
        /// Why.
        source: reports::Refused,
    },
    /// The report is not of the image that was to be scanned.
    #[error("the scanner at {host} reports on {found}, and was asked for {asked}; look at its log")]
    OtherImage {
        /// Host and port.
        host: String,
        /// The image that was to be scanned.
        asked: Digest,
        /// The one that it reports on.
        found: Digest,
    },
}

impl Error {
    /// Whether the same question may be answered a little later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Slow { .. } => true,
            Self::Refused { status, .. } => {
                matches!(status.as_u16(), 429 | 502 | 503 | 504)
            }
            _ => false,
        }
    }
}

fn in_brackets(said: &Option<String>) -> String {
    said.as_ref().map(|said| format!(" ({said})")).unwrap_or_default()
}

fn remedy(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "look at `scanner.authorization_file`",
        StatusCode::NOT_FOUND => "look whether `scanner.url` is right",
        _ => "look at its log",
    }
}
