//! A registry client of our own, for what real clients would not send or not show.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Version, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Body;
use hyper::ext::ReasonPhrase;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Every type of manifest there is, as clients ask for them unless a test says otherwise.
pub(crate) const ACCEPT: (&str, &str) = (
    "accept",
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json",
);

/// For one answer, with its body: far more than any test needs.
const PATIENCE: Duration = Duration::from_secs(180);

/// The runtime of everything here that is asynchronous.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    })
}

pub(crate) type Payload = BoxBody<Bytes, Infallible>;

/// A body that is at hand.
pub(crate) fn payload(bytes: impl Into<Bytes>) -> Payload {
    Full::new(bytes.into()).boxed()
}

/// How requests prove who sends them.
#[derive(Debug, Clone)]
pub(crate) enum Credentials {
    None,
    /// On every request, without a token.
    Basic(String, String),
    /// Against a token, as the challenge says: what docker does.
    Tokens(String, String),
    Bearer(String),
}

/// One user of one registry. Every request has a connection of its own.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    /// The name in the certificate and, with the port, in `Host`; none for plain HTTP.
    host: Option<String>,
    tls: Option<Arc<ClientConfig>>,
    http2: bool,
    pub(crate) credentials: Credentials,
    tokens: Arc<Mutex<HashMap<String, String>>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What stands behind the status on HTTP/1.1.
    pub(crate) reason: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the body came to its proper end.
    pub(crate) complete: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status and text, for comparison with another answer, without what tells requests apart.
    pub(crate) fn shape(&self, without: &str) -> (u16, String) {
        let id = self.header("x-request-id").unwrap_or("-");
        (self.status, self.text().replace(without, "…").replace(id, "…"))
    }

    /// The code of the first error in it (distribution spec, "Error Codes").
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The text of the first error in it.
    pub(crate) fn message(&self) -> String {
        self.json()["errors"][0]["message"].as_str().unwrap_or_default().to_owned()
    }

    /// It must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} {:?} {}", self.reason, self.headers, self.text());
        self
    }
}

impl Client {
    /// Over TLS, trusting `ca` alone.
    pub(crate) fn tls(address: SocketAddr, host: &str, ca: &RootCertStore) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(ca.clone())
            .with_no_client_auth();
        Self { tls: Some(Arc::new(config)), host: Some(host.to_owned()), ..Self::plain(address) }
    }

    /// Without TLS.
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self {
            address,
            host: None,
            tls: None,
            http2: false,
            credentials: Credentials::None,
            tokens: Arc::default(),
        }
    }

    #[must_use]
    pub(crate) fn with(&self, credentials: Credentials) -> Self {
        Self { credentials, tokens: Arc::default(), ..self.clone() }
    }

    /// Over HTTP/2 from now on.
    #[must_use]
    pub(crate) fn http2(&self) -> Self {
        let mut config = ClientConfig::clone(self.tls.as_ref().unwrap());
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self { tls: Some(Arc::new(config)), http2: true, ..self.clone() }
    }

    /// `name:port`, as it stands in `Host`.
    pub(crate) fn authority(&self) -> String {
        match &self.host {
            Some(host) => format!("{host}:{}", self.address.port()),
            None => self.address.to_string(),
        }
    }

    /// The TCP connection, with TLS where there is to be any.
    pub(crate) async fn connect(&self) -> Connection {
        self.try_connect().await.expect("a connection, with a TLS handshake")
    }

    async fn try_connect(&self) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        Ok(match (&self.tls, &self.host) {
            (Some(config), Some(host)) => {
                let name = ServerName::try_from(host.clone()).unwrap();
                let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
                Connection::Tls(Box::new(stream))
            }
            _ => Connection::Plain(stream),
        })
    }

    /// Sends it just as it is, without credentials, and gives the body as it comes.
    pub(crate) async fn stream(
        &self,
        request: Request<Payload>,
    ) -> hyper::Result<http::Response<hyper::body::Incoming>> {
        match self.connect().await {
            Connection::Plain(io) => exchange(io, request, self.http2).await,
            Connection::Tls(io) => exchange(*io, request, self.http2).await,
        }
    }

    /// The same with a server that may be gone, at whatever moment.
    pub(crate) async fn try_stream(
        &self,
        request: Request<Payload>,
    ) -> Option<http::Response<hyper::body::Incoming>> {
        match self.try_connect().await.ok()? {
            Connection::Plain(io) => exchange(io, request, self.http2).await.ok(),
            Connection::Tls(io) => exchange(*io, request, self.http2).await.ok(),
        }
    }

    /// A request to this registry, without credentials.
    pub(crate) fn request(&self, method: &str, target: &str) -> http::request::Builder {
        let builder = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap());
        if self.http2 {
            builder.version(Version::HTTP_2).uri(format!("https://{}{target}", self.authority()))
        } else {
            builder.uri(target).header(header::HOST, self.authority())
        }
    }

    /// A `Location` as a request target.
    pub(crate) fn target_of(&self, location: &str) -> String {
        let origin = match self.tls {
            Some(_) => format!("https://{}", self.authority()),
            None => format!("http://{}", self.authority()),
        };
        location.strip_prefix(&origin).unwrap_or(location).to_owned()
    }

    fn once(&self, method: &str, target: &str, ask: &Ask<'_>, token: Option<&str>) -> Answer {
        let mut request = self.request(method, target);
        if !ask.headers.iter().any(|(name, _)| *name == ACCEPT.0) {
            request = request.header(ACCEPT.0, ACCEPT.1);
        }
        if let Some(media_type) = ask.media_type {
            request = request.header(header::CONTENT_TYPE, media_type);
        }
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let request = request.body(payload(ask.body.to_vec())).unwrap();
        let exchange = async {
            let answer = self.stream(request).await;
            collect(answer.unwrap_or_else(|error| panic!("{method} {target}: {error}"))).await
        };
        let answer = runtime().block_on(async { timeout(PATIENCE, exchange).await });
        answer.unwrap_or_else(|_| panic!("{method} {target}: no answer in {PATIENCE:?}"))
    }

    /// Sends one request, signed in as these credentials say, and collects the answer.
    pub(crate) fn send(&self, method: &str, target: &str, ask: &Ask<'_>) -> Answer {
        match &self.credentials {
            Credentials::None => self.once(method, target, ask, None),
            Credentials::Basic(name, password) => {
                self.once(method, target, ask, Some(&basic(name, password)))
            }
            Credentials::Bearer(token) => {
                self.once(method, target, ask, Some(&format!("Bearer {token}")))
            }
            Credentials::Tokens(..) => {
                let challenged = self.once(method, target, ask, None);
                if challenged.status != 401 {
                    return challenged;
                }
                let challenge = challenged.header("www-authenticate").unwrap();
                let scope = challenge_part(challenge, "scope").unwrap_or_default();
                let token = self.token(&[&scope]);
                self.once(method, target, ask, Some(&format!("Bearer {token}")))
            }
        }
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &Ask::default())
    }

    pub(crate) fn head(&self, target: &str) -> Answer {
        self.send("HEAD", target, &Ask::default())
    }

    pub(crate) fn delete(&self, target: &str) -> Answer {
        self.send("DELETE", target, &Ask::default())
    }

    /// An access token for these scopes, asked for once.
    pub(crate) fn token(&self, scopes: &[&str]) -> String {
        let key = scopes.join(" ");
        if let Some(token) = self.tokens.lock().unwrap().get(&key) {
            return token.clone();
        }
        let answer = self.ask_for_token(scopes).expect(200).json();
        let token = answer["token"].as_str().unwrap().to_owned();
        self.tokens.lock().unwrap().insert(key, token.clone());
        token
    }

    /// What the token endpoint says.
    pub(crate) fn ask_for_token(&self, scopes: &[&str]) -> Answer {
        let scopes: Vec<_> = scopes.iter().map(|scope| format!("&scope={scope}")).collect();
        let target = format!("/token?service={}{}", self.authority(), scopes.concat());
        match &self.credentials {
            Credentials::Tokens(name, password) | Credentials::Basic(name, password) => {
                self.once("GET", &target, &Ask::default(), Some(&basic(name, password)))
            }
            Credentials::Bearer(_) | Credentials::None => {
                self.once("GET", &target, &Ask::default(), None)
            }
        }
    }
}

/// Headers and body of a request.
#[derive(Default)]
pub(crate) struct Ask<'a> {
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
    pub(crate) media_type: Option<&'a str>,
}

impl<'a> Ask<'a> {
    pub(crate) fn headers(headers: &'a [(&'a str, &'a str)]) -> Self {
        Self { headers, ..Self::default() }
    }

    pub(crate) fn body(media_type: &'a str, body: &'a [u8]) -> Self {
        Self { headers: &[], body, media_type: Some(media_type) }
    }
}

pub(crate) enum Connection {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

pub(crate) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")))
}

/// A quoted parameter of a challenge.
pub(crate) fn challenge_part(challenge: &str, name: &str) -> Option<String> {
    let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

async fn exchange<T>(
    io: T,
    request: Request<Payload>,
    http2: bool,
) -> hyper::Result<http::Response<hyper::body::Incoming>>
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(io);
    if http2 {
        let (mut sender, driver) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(driver);
        sender.send_request(request).await
    } else {
        let (mut sender, driver) = hyper::client::conn::http1::handshake(io).await?;
        tokio::spawn(driver);
        sender.send_request(request).await
    }
}

/// Reads an answer to its end, proper or not.
pub(crate) async fn collect<B>(answer: http::Response<B>) -> Answer
where
    B: Body<Data = Bytes> + Unpin,
{
    let (head, mut body) = answer.into_parts();
    let (mut bytes, mut complete) = (Vec::new(), true);
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => bytes.extend_from_slice(&data),
            Ok(Err(_trailers)) => {}
            Err(_) => {
                complete = false;
                break;
            }
        }
    }
    let reason = head.extensions.get::<ReasonPhrase>().map_or_else(
        || head.status.canonical_reason().unwrap_or_default().to_owned(),
        |reason| String::from_utf8_lossy(reason.as_bytes()).into_owned(),
    );
    Answer {
        status: head.status.as_u16(),
        reason,
        version: head.version,
        headers: head.headers,
        body: bytes.into(),
        complete,
    }
}
