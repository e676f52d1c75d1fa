//! The client of an adapter.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use document::Mistake;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Error;
use super::metadata::{Metadata, ReportType, Written};
use super::request::{ScanRequest, ScanRequestId};
use crate::fetch::{FetchError, tls};
use crate::secret::Secret;

/// To have a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// To have one whole answer; a report may be large.
const DEADLINE: Duration = Duration::from_secs(60);
/// Bytes of an answer that is no report.
const SMALL: usize = 1 << 20;
/// Characters of what an adapter says of a failure.
const SAID: usize = 500;

/// The address of an adapter: http or https, a host, perhaps a path, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterUrl(Url);

impl AdapterUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// It is another kind of address, or none.
    pub fn new(text: &str) -> Result<Self, Mistake> {
        let help = "write it whole, such as `http://scanner.example:8080`";
        let url = Url::parse(text).map_err(|_| Mistake::new("not an address").help(help))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(Mistake::new("an address that is neither http nor https").help(help));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Mistake::new("a user name or a password in an address")
                .help("put the header into a file, and name it in `authorization_file`"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Mistake::new("a `?` or a `#` in an address").help("leave it out"));
        }
        Ok(Self(url))
    }

    /// Whether it is spoken to with TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host and the port, if it is not the usual one.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// One of the addresses of the API; each step is written so that it stays one.
    fn at(&self, steps: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1"]).extend(steps);
        }
        url
    }
}

impl fmt::Display for AdapterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Where the adapter is, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Its address.
    pub url: AdapterUrl,
    /// Holds the value of the `Authorization` header that it wants. It is read before each request, so
    /// that it may be replaced at any time.
    pub authorization_file: Option<PathBuf>,
    /// Replaces the certificates that the system trusts.
    pub ca: Option<PathBuf>,
}

/// An adapter.
#[derive(Debug, Clone)]
pub struct Adapter {
    client: Client,
    url: AdapterUrl,
    authorization_file: Option<PathBuf>,
    deadline: Duration,
}

/// What an adapter says when it is asked for a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Not yet.
    NotReady {
        /// When to ask again, if it says so.
        after: Option<Duration>,
    },
    /// Here it is.
    Ready {
        /// The report.
        bytes: Vec<u8>,
        /// Its form.
        report: ReportType,
    },
    /// There will be none.
    Failed {
        /// Why: a stranger's words, without control characters, of bounded length.
        reason: String,
    },
}

#[derive(Deserialize)]
struct Accepted {
    id: String,
}

#[derive(Deserialize)]
struct Failure {
    error: Said,
}

#[derive(Deserialize)]
struct Said {
    message: String,
}

impl Adapter {
    /// A client for it. Nothing is asked yet.
    ///
    /// # Errors
    /// The CA file cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, FetchError> {
        Self::within(DEADLINE, settings)
    }

    pub(super) fn within(deadline: Duration, settings: &Settings) -> Result<Self, FetchError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls(settings.ca.as_deref())?)
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(deadline)
            .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| FetchError::Setup(error.into()))?;
        let (url, authorization_file) = (settings.url.clone(), settings.authorization_file.clone());
        Ok(Self { client, url, authorization_file, deadline })
    }

    /// Where it is, for people.
    #[must_use]
    pub fn host(&self) -> String {
        self.url.host()
    }

    /// What it can do (`GET /api/v1/metadata`).
    ///
    /// # Errors
    /// It does not say so, or cannot do what is needed.
    pub async fn metadata(&self) -> Result<Metadata, Error> {
        const ASKED: &str = "asked what it can do";
        let request = self.client.get(self.url.at(&["metadata"]));
        let answer = self.send(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.refused(answer, ASKED).await);
        }
        let written: Written = self.json(answer, ASKED).await?;
        Metadata::of(written).map_err(|problem| Error::Incapable { host: self.host(), problem })
    }

    /// Asks for a scan (`POST /api/v1/scan`).
    ///
    /// # Errors
    /// It does not take it.
    pub async fn submit(&self, request: &ScanRequest) -> Result<ScanRequestId, Error> {
        const ASKED: &str = "asked for a scan";
        let body = Secret::new(request.json().to_string());
        let post = self.client.post(self.url.at(&["scan"]));
        let post = post.header(CONTENT_TYPE, request.media_type()).body(body.expose().to_owned());
        let answer = self.send(post).await?;
        if !matches!(answer.status(), StatusCode::ACCEPTED | StatusCode::CREATED) {
            return Err(self.refused(answer, ASKED).await);
        }
        let accepted: Accepted = self.json(answer, ASKED).await?;
        let problem = "its `id` is not 1 to 256 printable characters";
        ScanRequestId::new(&accepted.id).ok_or_else(|| self.misread(ASKED, problem))
    }

    /// Asks for the report of a scan (`GET /api/v1/scan/{id}/report`), of `most` bytes.
    ///
    /// # Errors
    /// It gives an answer that the specification does not know, or none.
    pub async fn report(
        &self,
        id: &ScanRequestId,
        report: ReportType,
        most: usize,
    ) -> Result<Answer, Error> {
        const ASKED: &str = "asked for a report";
        let url = self.url.at(&["scan", id.as_str(), "report"]);
        let request = self.client.get(url).header(ACCEPT, report.media_type());
        let answer = self.send_unless_found(request).await?;
        match answer.status() {
            // Wherever it points to: it stands for "not ready" in this API, and for nothing else.
            StatusCode::FOUND => Ok(Answer::NotReady { after: after(answer.headers()) }),
            StatusCode::OK => {
                let found = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
                let found = found.unwrap_or("nothing");
                let Some(report) = ReportType::of(found) else {
                    let problem = format!("the report is of the media type `{}`", plain(found));
                    return Err(self.misread(ASKED, problem));
                };
                Ok(Answer::Ready { bytes: self.bytes(answer, ASKED, most).await?, report })
            }
            StatusCode::INTERNAL_SERVER_ERROR => {
                let said = self.said(answer).await;
                Ok(Answer::Failed { reason: said.unwrap_or_else(|| "it does not say why".into()) })
            }
            StatusCode::NOT_FOUND => {
                Ok(Answer::Failed { reason: "it knows nothing of the scan any more".into() })
            }
            _ => Err(self.refused(answer, ASKED).await),
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let answer = self.send_unless_found(request).await?;
        match answer.status() {
            StatusCode::FOUND => Err(Error::Redirect { host: self.host() }),
            _ => Ok(answer),
        }
    }

    /// Refuses all redirects but the one that means something.
    async fn send_unless_found(&self, mut request: RequestBuilder) -> Result<Response, Error> {
        if let Some(path) = &self.authorization_file {
            request = request.header(AUTHORIZATION, authorization(path).await?);
        }
        let answer = request.send().await.map_err(|error| self.failed(error))?;
        match answer.status() {
            status if status.is_redirection() && status != StatusCode::FOUND => {
                Err(Error::Redirect { host: self.host() })
            }
            _ => Ok(answer),
        }
    }

    async fn json<T: DeserializeOwned>(
        &self,
        answer: Response,
        asked: &'static str,
    ) -> Result<T, Error> {
        let bytes = self.bytes(answer, asked, SMALL).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.misread(asked, error.to_string()))
    }

    async fn bytes(
        &self,
        mut answer: Response,
        asked: &'static str,
        most: usize,
    ) -> Result<Vec<u8>, Error> {
        let too_large = || Error::TooLarge { host: self.host(), asked, most };
        if answer.content_length().is_some_and(|length| length > most as u64) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| self.failed(error))? {
            if bytes.len() + piece.len() > most {
                return Err(too_large());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    async fn refused(&self, answer: Response, asked: &'static str) -> Error {
        let status = answer.status();
        Error::Refused { host: self.host(), asked, status, said: self.said(answer).await }
    }

    /// What it says of a failure, if that can be had.
    async fn said(&self, answer: Response) -> Option<String> {
        let failure: Failure = self.json(answer, "it failed").await.ok()?;
        Some(plain(&failure.error.message)).filter(|said| !said.is_empty())
    }

    fn misread(&self, asked: &'static str, problem: impl Into<String>) -> Error {
        Error::Misread { host: self.host(), asked, problem: problem.into() }
    }

    /// The address may stand in the error too: once is enough.
    fn failed(&self, error: reqwest::Error) -> Error {
        match error.is_timeout() {
            true => Error::Slow { host: self.host(), within: self.deadline },
            false => Error::Unreachable { host: self.host(), source: error.without_url() },
        }
    }
}

/// The beginning of a stranger's words, on one line.
fn plain(said: &str) -> String {
    let line = said.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(SAID).collect()
}

/// In how many seconds to ask again.
fn after(headers: &HeaderMap) -> Option<Duration> {
    let told = headers.get("refresh-after").or_else(|| headers.get(RETRY_AFTER))?;
    told.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

async fn authorization(path: &Path) -> Result<HeaderValue, Error> {
    let unusable = |source| Error::Authorization { path: path.to_owned(), source };
    let text = tokio::fs::read_to_string(path).await;
    let text = Secret::new(text.map_err(|error| unusable(Some(error)))?);
    let line = text.expose().trim_end_matches(['\r', '\n']);
    let value = HeaderValue::from_str(line).ok().filter(|value| !value.is_empty());
    let mut value = value.ok_or_else(|| unusable(None))?;
    value.set_sensitive(true);
    Ok(value)
}
