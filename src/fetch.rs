//! Documents of other services: key sets, and what tells where they are.
//!
//! What is fetched comes from addresses of the configuration, or from a document that such an
//! address gave, and never from a token or from a request. It comes over https, from the very
//! address that was asked, in little time and in few bytes.

mod resolve;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use document::Mistake;
use http::HeaderValue;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::dns::Resolve;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use crate::certificate;
use resolve::Careful;

/// To have a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// To have the whole document.
const DEADLINE: Duration = Duration::from_secs(10);

/// Behind the address of an issuer.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// The address of a document: https, a host, and neither a user name nor a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsUrl {
    written: String,
    url: Url,
    from: Source,
}

/// Who says that there is a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The configuration, or a document about the host that the configuration names. That host may
    /// be this machine: it is in its list of hosts then, and nobody elsewhere put it there.
    Configuration,
    /// A provider, of another host than its own.
    Document,
}

impl HttpsUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// It is another kind of address, or none.
    pub fn new(text: &str) -> Result<Self, Mistake> {
        let url = Url::parse(text).map_err(|_| {
            Mistake::new("not an address").help("write it whole, such as `https://idp.example`")
        })?;
        if url.scheme() != "https" {
            return Err(Mistake::new("an address that is not https")
                .help("over plain http, whoever sits on the way decides who may log in"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Mistake::new("a user name or a password in an address")
                .help("such documents are public: leave it out"));
        }
        if url.fragment().is_some() {
            return Err(Mistake::new("a `#` in an address").help("leave out what begins with it"));
        }
        // The parser forgives blanks and line breaks; whoever compares texts would not.
        if text.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
            return Err(Mistake::new("white space in an address").help("remove it"));
        }
        Ok(Self { written: text.to_owned(), url, from: Source::Configuration })
    }

    /// As it was written: issuers are compared letter by letter.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The host and the port, if it is not 443.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Whether there is a `?` in it.
    pub(crate) fn has_query(&self) -> bool {
        self.url.query().is_some()
    }

    /// Where the discovery document of an issuer is (OpenID Connect Discovery, section 4.1).
    pub(crate) fn discovery(&self) -> Self {
        let mut url = self.url.clone();
        let path = format!("{}{DISCOVERY}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Self { written: url.to_string(), url, from: self.from }
    }

    /// An address that stands in a document of this issuer. One of the gate's own machine, or of the
    /// link that it is on, is a secret door there, and none that a provider elsewhere may open; what
    /// a name stands for is seen when it is looked up ([`resolve`]).
    ///
    /// # Errors
    /// It is no address to ask, or one that this issuer cannot speak for.
    pub(crate) fn leads_to(&self, text: &str) -> Result<Self, Mistake> {
        let found = Self::new(text)?;
        if found.is_nearby() && !self.is_nearby() {
            return Err(Mistake::new("an address of this machine or its link")
                .help("a provider elsewhere cannot speak for it"));
        }
        let is_of_ours = self.is_nearby() || found.url.host() == self.url.host();
        let from = if is_of_ours { self.from } else { Source::Document };
        Ok(Self { from, ..found })
    }

    /// Whether it names this machine, or one that no router leads to, such as those that tell
    /// virtual machines their secrets. Private networks are none: providers of companies are there.
    fn is_nearby(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches([']', '.']);
        match host.parse::<IpAddr>() {
            Ok(address) => is_this_machine(address) || is_on_the_link(address),
            Err(_) => is_called_this_machine(host),
        }
    }

    /// The same with more in its query.
    pub(crate) fn with_query(&self, pairs: &[(&str, &str)]) -> String {
        let mut url = self.url.clone();
        url.query_pairs_mut().extend_pairs(pairs);
        url.into()
    }
}

fn is_this_machine(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

/// Where clouds tell virtual machines their secrets, beside 169.254.169.254: at Alibaba, Azure, Oracle
/// and Amazon.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// No router leads there, or none but that of the cloud around the machine.
fn is_on_the_link(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let is_link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    is_link_local || METADATA.contains(&address)
}

/// By a name that stands for nothing else (RFC 6761, section 6.3).
fn is_called_this_machine(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Why there is no document. Each message names the host, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The CA file is of no use.
    #[error("the certificates that are to be trusted cannot be used")]
    Ca(#[source] certificate::Error),
    /// A certificate of the CA file is no CA.
    #[error("{} holds a certificate that cannot be trusted as a CA", path.display())]
    Untrusted {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// There is no client for https.
    #[error("https cannot be set up")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No connection, or it broke off.
    #[error(
        "{host} cannot be reached; look at the network, at the proxy (`HTTPS_PROXY`, `NO_PROXY`) \
         and at the certificate of {host}, whose CA may be named with `ca`"
    )]
    Unreachable {
        /// Host and port.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
    /// It takes too long.
    #[error(
        "{host} gave no whole answer within {} s; look at the network and at {host}",
        within.as_secs()
    )]
    Slow {
        /// Host and port.
        host: String,
        /// The time that it had.
        within: Duration,
    },
    /// The answer points elsewhere.
    #[error("{host} redirects, which is not followed; configure the address that it points to")]
    Redirect {
        /// Host and port.
        host: String,
    },
    /// The answer is no success.
    #[error("{host} answers {status}; look whether the address is right and open to everyone")]
    Status {
        /// Host and port.
        host: String,
        /// What it answers.
        status: StatusCode,
    },
    /// There is more than a document of that kind may have.
    #[error("{host} sends more than {most} bytes; look whether the address is right")]
    TooLarge {
        /// Host and port.
        host: String,
        /// How many there may be.
        most: usize,
    },
    /// It is another kind of document.
    #[error("{host} sends no JSON; look whether the address is right")]
    NotJson {
        /// Host and port.
        host: String,
        /// Where reading ended.
        source: serde_json::Error,
    },
}

/// Fetches documents.
#[derive(Debug, Clone)]
pub struct Fetcher {
    /// For addresses of the configuration.
    configured: Client,
    /// For those that documents name.
    named: Client,
    deadline: Duration,
}

impl Fetcher {
    /// `ca` replaces the certificates that the system trusts. The proxy is the one of the
    /// environment (`HTTPS_PROXY`, `NO_PROXY`).
    ///
    /// # Errors
    /// The CA file cannot be used.
    pub fn new(ca: Option<&Path>) -> Result<Self, FetchError> {
        Self::within(DEADLINE, ca)
    }

    fn within(deadline: Duration, ca: Option<&Path>) -> Result<Self, FetchError> {
        let names: Arc<dyn Resolve> = Arc::new(resolve::System);
        Self::resolving(&names, deadline, ca)
    }

    /// Looks names up with `names`.
    fn resolving(
        names: &Arc<dyn Resolve>,
        deadline: Duration,
        ca: Option<&Path>,
    ) -> Result<Self, FetchError> {
        let tls = tls(ca)?;
        let client = |from| {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .https_only(true)
                .redirect(Policy::none())
                .dns_resolver(Careful { names: Arc::clone(names), from })
                .connect_timeout(CONNECT)
                .timeout(deadline)
                .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")))
                // There are minutes between two documents: a connection would be closed by then.
                .pool_max_idle_per_host(0)
                .build()
                .map_err(|error| FetchError::Setup(error.into()))
        };
        Ok(Self {
            configured: client(Source::Configuration)?,
            named: client(Source::Document)?,
            deadline,
        })
    }

    fn client(&self, url: &HttpsUrl) -> &Client {
        match url.from {
            Source::Configuration => &self.configured,
            Source::Document => &self.named,
        }
    }

    /// The document at `url`, of at most `most` bytes.
    ///
    /// # Errors
    /// It is not to be had in time, or is larger.
    pub async fn bytes(&self, url: &HttpsUrl, most: usize) -> Result<Vec<u8>, FetchError> {
        let answer = self.answer(url, self.client(url).get(url.url.clone())).await?;
        let status = answer.status();
        if status != StatusCode::OK {
            return Err(FetchError::Status { host: url.host(), status });
        }
        self.whole(url, answer, most).await
    }

    /// What comes of sending a form to `url`: a status that is no redirection, and at most `most`
    /// bytes.
    ///
    /// # Errors
    /// There is no answer in time, it points elsewhere, or it is larger.
    pub(crate) async fn post(
        &self,
        url: &HttpsUrl,
        form: String,
        authorization: Option<HeaderValue>,
        most: usize,
    ) -> Result<(StatusCode, Vec<u8>), FetchError> {
        let request = self.client(url).post(url.url.clone()).body(form);
        let request = request
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json");
        let request = match authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        };
        let answer = self.answer(url, request).await?;
        let status = answer.status();
        Ok((status, self.whole(url, answer, most).await?))
    }

    /// The answer of `url`, which was asked for itself and not for another address.
    async fn answer(
        &self,
        url: &HttpsUrl,
        request: RequestBuilder,
    ) -> Result<Response, FetchError> {
        let answer = request.send().await.map_err(|error| self.failed(url, error))?;
        if answer.status().is_redirection() {
            return Err(FetchError::Redirect { host: url.host() });
        }
        Ok(answer)
    }

    async fn whole(
        &self,
        url: &HttpsUrl,
        mut answer: Response,
        most: usize,
    ) -> Result<Vec<u8>, FetchError> {
        let too_large = || FetchError::TooLarge { host: url.host(), most };
        if answer.content_length().is_some_and(|length| length > most as u64) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| self.failed(url, error))? {
            if bytes.len() + piece.len() > most {
                return Err(too_large());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    fn failed(&self, url: &HttpsUrl, error: reqwest::Error) -> FetchError {
        let host = url.host();
        if error.is_timeout() {
            FetchError::Slow { host, within: self.deadline }
        } else {
            // The address may stand in the error too: once is enough.
            FetchError::Unreachable { host, source: error.without_url() }
        }
    }

    /// The JSON document at `url`, of at most `most` bytes. How the answer calls its type is not
    /// looked at: key sets are served as all kinds of JSON, and as plain text.
    ///
    /// # Errors
    /// It is not to be had in time, is larger, or is no JSON.
    pub async fn json(&self, url: &HttpsUrl, most: usize) -> Result<Value, FetchError> {
        let bytes = self.bytes(url, most).await?;
        serde_json::from_slice(&bytes)
            .map_err(|source| FetchError::NotJson { host: url.host(), source })
    }
}

/// TLS towards other services; `ca` replaces the certificates that the system trusts.
pub(crate) fn tls(ca: Option<&Path>) -> Result<ClientConfig, FetchError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| FetchError::Setup(error.into()))?
        .with_root_certificates(roots(ca)?)
        .with_no_client_auth())
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, FetchError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in certificate::read_chain(path).map_err(FetchError::Ca)? {
                roots
                    .add(certificate)
                    .map_err(|source| FetchError::Untrusted { path: path.to_owned(), source })?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}

#[cfg(test)]
mod tests;
