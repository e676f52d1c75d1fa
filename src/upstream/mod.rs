//! The registry behind the gate: one narrow call, [`Upstream::send`], over pooled connections.

mod connect;
mod contact;
mod error;
#[cfg(test)]
pub(crate) mod fake;
mod password;
mod pool;
mod redirect;
mod settings;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio::time::sleep;

use crate::body::{Body, End, Pace, Progress, Transfer};
use crate::secret::Secret;
use connect::Connector;
pub use contact::{Contact, Failed};
pub use error::{Error, Kind};
pub use password::{PasswordError, read_password};
pub use pool::Lease;
pub use redirect::Redirected;
pub use settings::{Credentials, Host, Redirects, Settings, Timeouts};

/// Where a connection goes. Connections of different origins are never mixed up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Whether TLS protects it.
    pub tls: bool,
    /// Host and port as they stand in a URL.
    pub authority: Authority,
}

/// The upstream, ready to be asked.
pub struct Upstream {
    settings: Settings,
    origin: Origin,
    public: Origin,
    authorization: ArcSwapOption<HeaderValue>,
    connector: Connector,
    contact: Contact,
}

/// What is sent: a head without `Host` and `Authorization`, which are added here and nowhere else.
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Path and query, with the upstream's base path.
    pub target: String,
    /// From the allow-list.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// How the body gets on: the wait for an answer begins when it stops moving.
    pub progress: Arc<Progress>,
}

impl Upstream {
    /// Prepares connections; opens none. `public` is where clients find the gate: registries that
    /// are told (`X-Forwarded-Host`) give out locations there and mean themselves.
    ///
    /// # Errors
    /// The CA file is unreadable or the credentials cannot stand in a header.
    pub fn new(settings: Settings, public: Origin) -> Result<Self, Error> {
        let origin =
            Origin { tls: settings.scheme == Scheme::HTTPS, authority: settings.authority.clone() };
        let authorization = settings.credentials.as_ref();
        let authorization = authorization
            .map(|credentials| basic(&credentials.username, &credentials.password))
            .transpose()?;
        let authorization = ArcSwapOption::new(authorization.map(Arc::new));
        let connector = Connector::new(settings.ca.as_deref(), settings.timeouts.connect)?;
        let contact = Contact::default();
        Ok(Self { settings, origin, public, authorization, connector, contact })
    }

    /// Sends another password from now on.
    ///
    /// # Errors
    /// It cannot stand in a header.
    pub fn set_password(&self, password: &Secret) -> Result<(), Error> {
        if let Some(credentials) = &self.settings.credentials {
            let authorization = basic(&credentials.username, password)?;
            self.authorization.store(Some(Arc::new(authorization)));
        }
        Ok(())
    }

    /// How it is reached.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// When it was heard of last.
    #[must_use]
    pub fn contact(&self) -> &Contact {
        &self.contact
    }

    /// The target of a path below the registry's root, such as `/v2/…`.
    #[must_use]
    pub fn target(&self, path_and_query: &str) -> String {
        format!("{}{path_and_query}", self.settings.base_path)
    }

    /// Sends one request to the registry and gives the head of the answer; the body streams.
    ///
    /// A request that met a kept connection which had already died is sent once more on a new one,
    /// if nothing of a body was sent.
    ///
    /// # Errors
    /// Where it failed: connecting, waiting, or in the protocol. A 401 is an error too: it is about
    /// the gate's credentials, not about the client's.
    pub async fn send(&self, outgoing: Outgoing) -> Result<Answer, Error> {
        let answer = self.answered(outgoing).await;
        self.contact.note(answer.as_ref().map(|answer| answer.head.status()));
        answer
    }

    async fn answered(&self, outgoing: Outgoing) -> Result<Answer, Error> {
        let Outgoing { method, target, mut headers, body, progress } = outgoing;
        headers.insert(HOST, self.host()?);
        if let Some(authorization) = &*self.authorization.load() {
            headers.insert(AUTHORIZATION, HeaderValue::clone(authorization));
        }
        let request = request(method, &target, headers, body)?;
        let answer = self.exchange(&self.origin, request, &progress).await?;
        if demands_credentials(&answer) {
            return Err(Error::Refused(answer.head.status()));
        }
        Ok(answer)
    }

    /// Where a redirect points to, if the answer is one.
    ///
    /// # Errors
    /// It points nowhere that can be used.
    pub fn redirect(&self, answer: &Answer) -> Result<Option<Redirected>, Error> {
        if redirect::is_redirect(answer.head.status()) {
            Redirected::read(&self.origin, answer.head.headers()).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Whether it is the registry's own origin.
    #[must_use]
    pub fn is_own(&self, redirected: &Redirected) -> bool {
        redirected.origin == self.origin || redirected.origin == self.public
    }

    /// Follows a redirect with a GET or HEAD, and those after it up to a bound. The gate's
    /// credentials go to the registry's own origin alone.
    ///
    /// # Errors
    /// As [`Self::send`]; and too many redirects.
    pub async fn follow(
        &self,
        mut redirected: Redirected,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Answer, Error> {
        let mut from_tls = self.origin.tls;
        for _ in 0..redirect::MAX_REDIRECTS {
            let is_own = self.is_own(&redirected);
            if from_tls && !redirected.origin.tls && !is_own {
                return Err(Error::Redirect("it leads from https to http"));
            }
            if is_own {
                redirected.origin = self.origin.clone();
            }
            let mut headers = headers.clone();
            if is_own {
                headers.insert(HOST, self.host()?);
                if let Some(authorization) = &*self.authorization.load() {
                    headers.insert(AUTHORIZATION, HeaderValue::clone(authorization));
                }
            } else {
                // Another place is told nothing of the client or of the gate.
                headers = redirect::conditions(&headers);
                headers.insert(HOST, authority_value(&redirected.origin.authority)?);
            }
            let request = request(method.clone(), &redirected.target, headers, Body::Empty)?;
            let answer = self.exchange(&redirected.origin, request, &Progress::default()).await?;
            if demands_credentials(&answer) {
                return Err(match is_own {
                    true => Error::Refused(answer.head.status()),
                    false => Error::Redirect("its place demands credentials"),
                });
            }
            if !redirect::is_redirect(answer.head.status()) {
                return Ok(answer);
            }
            from_tls = redirected.origin.tls;
            redirected = Redirected::read(&redirected.origin, answer.head.headers())?;
        }
        Err(Error::Redirect("there are too many in a row"))
    }

    /// Path and query of a location that the registry gave out for itself, under its own name or the
    /// gate's.
    ///
    /// # Errors
    /// It points to another origin, or nowhere.
    pub fn own_target(&self, headers: &HeaderMap) -> Result<String, Error> {
        let redirected = Redirected::read(&self.origin, headers)?;
        if self.is_own(&redirected) {
            Ok(redirected.target)
        } else {
            Err(Error::Wrong("it gave out a location on another origin".to_owned()))
        }
    }

    /// The path below the registry's root of a target on its origin: what [`Self::target`] undoes.
    #[must_use]
    pub fn path_of<'t>(&self, target: &'t str) -> &'t str {
        target.strip_prefix(&self.settings.base_path).unwrap_or(target)
    }

    fn host(&self) -> Result<HeaderValue, Error> {
        authority_value(match self.settings.host {
            Host::Upstream => &self.origin.authority,
            Host::Preserve => &self.public.authority,
        })
    }

    async fn exchange(
        &self,
        origin: &Origin,
        request: Request<Body>,
        progress: &Progress,
    ) -> Result<Answer, Error> {
        let lease = |sender| Lease::new(origin.clone(), sender, self.settings.idle_connections);
        let request = match pool::take(origin) {
            None => request,
            Some(sender) => {
                let spare = spare(&request);
                let mut lease = lease(sender);
                match self.attempt(lease.sender(), request, progress).await {
                    Ok(head) => return Ok(self.answer(head, lease)),
                    // Nothing of it was written: this very request may be sent again.
                    Err(Attempt::Unsent(request)) => *request,
                    Err(Attempt::Broken(error)) => match spare {
                        Some(spare) => spare,
                        None => return Err(error.into()),
                    },
                    Err(Attempt::Timeout(error)) => return Err(error),
                }
            }
        };
        let mut lease = lease(self.connector.connect(origin).await?);
        match self.attempt(lease.sender(), request, progress).await {
            Ok(head) => Ok(self.answer(head, lease)),
            Err(Attempt::Unsent(_)) => Err(Error::Wrong("it closed a new connection".to_owned())),
            Err(Attempt::Broken(error)) => Err(error.into()),
            Err(Attempt::Timeout(error)) => Err(error),
        }
    }

    /// Waits for the head of the answer, as long as the body moves.
    async fn attempt(
        &self,
        sender: &mut SendRequest<Body>,
        request: Request<Body>,
        progress: &Progress,
    ) -> Result<Response<Incoming>, Attempt> {
        let within = self.settings.timeouts.response;
        let mut head = std::pin::pin!(sender.try_send_request(request));
        let mut seen = progress.bytes();
        loop {
            tokio::select! {
                biased;
                answered = &mut head => return answered.map_err(|mut failed| {
                    match failed.take_message() {
                        Some(request) => Attempt::Unsent(Box::new(request)),
                        None => Attempt::Broken(failed.into_error()),
                    }
                }),
                () = sleep(within) => {
                    let now = progress.bytes();
                    if now == seen {
                        return Err(Attempt::Timeout(Error::ResponseTimeout(within)));
                    }
                    seen = now;
                }
            }
        }
    }

    fn answer(&self, response: Response<Incoming>, lease: Lease) -> Answer {
        let (head, body) = response.into_parts();
        let head = Response::from_parts(head, ());
        let pace = Pace { idle: self.settings.timeouts.idle, minimum_rate: 0 };
        Answer { head, body, lease, pace }
    }
}

/// An answer whose body is still at the upstream.
pub struct Answer {
    /// Status and headers, as they came.
    pub head: Response<()>,
    body: Incoming,
    lease: Lease,
    pace: Pace,
}

impl Answer {
    /// Passes the body on; the connection is kept if it is read to its end.
    pub fn stream(self, progress: Arc<Progress>) -> Body {
        Body::Stream(Box::new(self.transfer(progress)))
    }

    /// Holds the body, up to `limit` bytes.
    ///
    /// # Errors
    /// It is larger, or broke off.
    pub async fn collect(self, limit: usize) -> Result<Bytes, Error> {
        let mut transfer = self.transfer(Arc::default());
        Ok(transfer.collect(limit).await?)
    }

    fn transfer(self, progress: Arc<Progress>) -> Transfer {
        let Self { body, lease, pace, .. } = self;
        Transfer::new(body, pace, progress, move |end| {
            if end == End::Complete {
                lease.release();
            }
        })
    }

    /// Reads the rest of a body that nobody wants, if it is short, so that the connection is kept.
    pub async fn discard(self) {
        const SHORT: usize = 64 << 10;
        // A failure costs the connection, and nothing else.
        drop(self.collect(SHORT).await);
    }
}

enum Attempt {
    Unsent(Box<Request<Body>>),
    Broken(hyper::Error),
    Timeout(Error),
}

fn request(
    method: Method,
    target: &str,
    headers: HeaderMap,
    body: Body,
) -> Result<Request<Body>, Error> {
    let mut request = Request::builder().method(method).uri(target).body(body)?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Such an answer is about the gate's credentials, not about the client's.
fn demands_credentials(answer: &Answer) -> bool {
    matches!(
        answer.head.status(),
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED
    )
}

/// The same request once more, if it has no body. None of the registry's operations without one
/// does harm when it is done twice.
fn spare(request: &Request<Body>) -> Option<Request<Body>> {
    request.body().is_end_stream().then(|| {
        let mut spare = Request::new(Body::Empty);
        *spare.method_mut() = request.method().clone();
        *spare.uri_mut() = request.uri().clone();
        *spare.headers_mut() = request.headers().clone();
        spare
    })
}

fn authority_value(authority: &Authority) -> Result<HeaderValue, Error> {
    Ok(HeaderValue::from_str(authority.as_str()).map_err(http::Error::from)?)
}

fn basic(username: &str, password: &Secret) -> Result<HeaderValue, Error> {
    let pair = format!("{username}:{}", password.expose());
    let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(pair)))
        .map_err(|_| Error::Credentials)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
