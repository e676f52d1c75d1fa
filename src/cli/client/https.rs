//! A gate over the network.

use std::error::Error as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use document::Mistake;
use http::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method};
use reqwest::redirect;
use rustls::CertificateError;

use super::super::failure::{Exit, Failure};
use super::super::trust;
use super::Payload;
use super::answer::{self, Answer};
use super::server::Server;
use crate::log::Causes;
use crate::secret::Secret;

/// To connect and to agree on keys; a gate that is there does it in a fraction of it.
const CONNECT: Duration = Duration::from_secs(10);
/// For all of a request: checking a password may have to wait for others.
const WHOLE: Duration = Duration::from_secs(60);

/// Who asks.
#[derive(Debug, Clone)]
pub(in crate::cli) enum Credential {
    /// Nobody in particular.
    Nobody,
    /// The holder of an access token. `help` is what to do if it is not accepted.
    Token { token: Secret, help: String },
    /// Somebody with a name and a password, or with a token in its place.
    Password { name: String, password: Secret },
}

/// A gate at an address.
#[derive(Debug)]
pub(in crate::cli) struct Https {
    server: Server,
    ca: Option<PathBuf>,
    client: reqwest::Client,
    credential: Credential,
}

impl Https {
    /// One whose certificate the CA in the file `ca` vouches for, or one of the system's.
    ///
    /// # Errors
    /// That file cannot be used.
    pub(in crate::cli) fn new(
        server: Server,
        ca: Option<&Path>,
        credential: Credential,
    ) -> Result<Self, Failure> {
        let agent = concat!("portcullis/", env!("CARGO_PKG_VERSION"));
        let headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(agent))]);
        let client = reqwest::Client::builder();
        // Without TLS a proxy would read the secret, and the gate is on this machine.
        let client = if server.is_https() { client } else { client.no_proxy() };
        let client = client
            .tls_backend_preconfigured(trust::tls(ca)?)
            .default_headers(headers)
            // A secret goes to the gate that was named, and nowhere else.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .build()
            .map_err(|error| Failure::impossible(&error))?;
        Ok(Self { server, ca: ca.map(Path::to_owned), client, credential })
    }

    /// The address, for people.
    pub(super) fn name(&self) -> &str {
        self.server.as_str()
    }

    /// What to do if the gate does not accept the credential.
    pub(super) fn unsigned(&self) -> String {
        match &self.credential {
            Credential::Nobody => {
                format!("sign in with `portcullis login {}`, or add `--token FILE`", self.server)
            }
            Credential::Token { help, .. } => help.clone(),
            Credential::Password { .. } => String::new(),
        }
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Payload>,
    ) -> Result<Answer, Failure> {
        let mut request = self.client.request(method, format!("{}{path}", self.server));
        request = match &self.credential {
            Credential::Nobody => request,
            Credential::Token { token, .. } => request.bearer_auth(token.expose()),
            Credential::Password { name, password } => {
                request.basic_auth(name, Some(password.expose()))
            }
        };
        if let Some(Payload { kind, bytes }) = body {
            request = request.header(CONTENT_TYPE, kind).body(bytes);
        }
        let mut answer = request.send().await.map_err(|error| self.failure(&error))?;
        let mut whole = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| self.failure(&error))? {
            whole.extend_from_slice(&part);
            if whole.len() > answer::MAX_SIZE {
                let mistake = Mistake::new(format!("{} answers without an end", self.server));
                return Err(Failure::new(Exit::Impossible, &mistake));
            }
        }
        let (status, headers) = (answer.status(), answer.headers().clone());
        Ok(Answer { status, headers, body: whole.into() })
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        let server = &self.server;
        let (text, help) = match tls_error(error) {
            Some(tls) => self.about_tls(tls),
            None if error.is_timeout() => (
                format!("no answer from {server} in time"),
                "is it reachable from here, and is the address right?".to_owned(),
            ),
            None if error.is_connect() => (
                format!("cannot connect to {server}: {}", last_cause(error)),
                "is the gate running, and is the address right?".to_owned(),
            ),
            None => (
                format!("no answer from {server}: {}", last_cause(error)),
                "is it the address of a gate?".to_owned(),
            ),
        };
        Failure::new(Exit::Impossible, &Mistake::new(text).help(help))
    }

    fn about_tls(&self, error: &rustls::Error) -> (String, String) {
        let server = &self.server;
        let rustls::Error::InvalidCertificate(wrong) = error else {
            return (
                format!("no TLS with {server}: {}", Causes(error)),
                "is it the address that clients of the gate use?".to_owned(),
            );
        };
        match wrong {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                let help = match &self.ca {
                    Some(ca) => format!("{} is not the CA that made it", ca.display()),
                    None => "name the CA that made it: `--ca FILE`".to_owned(),
                };
                (format!("the certificate of {server} is not trusted here"), help)
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                (
                    format!("the certificate of {server} is for another name"),
                    "use a name that is in the certificate".to_owned(),
                )
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
                format!("the certificate of {server} has ended"),
                "its operator must put a new one in its place; is the clock here right?".to_owned(),
            ),
            _ => (
                format!("the certificate of {server} cannot be accepted: {}", Causes(error)),
                "its operator must put another one in its place".to_owned(),
            ),
        }
    }
}

/// What TLS had against the other side, wherever among the causes it is.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // An `io::Error` does not name what is inside it as its source, but the source of that.
        let mut inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        while let Some(error) = inner {
            if let Some(found) = error.downcast_ref::<rustls::Error>() {
                return Some(found);
            }
            inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        }
        cause = error.source();
    }
    None
}

/// The innermost cause. Those around it repeat the URL and speak of the program's own parts.
fn last_cause(error: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
