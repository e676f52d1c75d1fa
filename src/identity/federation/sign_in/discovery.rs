//! Where a provider has people sign in, and gives out tokens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use document::Mistake;
use jiff::Timestamp;
use serde::Deserialize;

use crate::fetch::{FetchError, Fetcher, HttpsUrl};
use crate::jwks::{MAX_DISCOVERY, is_within};
use crate::log::Causes;

/// What was found so long ago is looked for again before it is used.
const FRESH: Duration = Duration::from_secs(5 * 60);

/// Between two attempts lies at least so much, whoever wants to sign in.
const BETWEEN: Duration = Duration::from_secs(10);

/// What was found serves for so long while nothing new is to be had.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What of a provider's discovery document counts here (OpenID Connect Discovery, section 3).
#[derive(Debug)]
pub(super) struct Endpoints {
    /// Where browsers go.
    pub(super) authorization: HttpsUrl,
    /// Where the gate asks for tokens.
    pub(super) token: HttpsUrl,
    /// Whether each of its answers says that it is its own (RFC 9207, section 3).
    pub(super) names_itself: bool,
}

/// Finds them, and follows them. What an issuer says is kept for a while, as [`crate::jwks`] does it.
#[derive(Debug)]
pub(super) struct Discovery(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    issuer: HttpsUrl,
    fetcher: Fetcher,
    state: Mutex<State>,
    /// Held by the one who is asking.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    kept: Option<Kept>,
    tried: Option<Timestamp>,
    failed: Option<DiscoveryError>,
}

#[derive(Debug, Clone)]
struct Kept {
    endpoints: Arc<Endpoints>,
    found: Timestamp,
}

/// Why it is not known where a provider has people sign in.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{of} does not tell where people sign in")]
pub struct DiscoveryError {
    of: String,
    #[source]
    cause: Arc<Cause>,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(
        "the discovery document lacks `issuer`, `authorization_endpoint` or `token_endpoint`; look \
         whether people can sign in at this provider"
    )]
    Document(#[source] serde_json::Error),
    #[error("the discovery document is of the issuer `{0}`; write `issuer` just like that")]
    OtherIssuer(String),
    #[error("the `{0}` of the discovery document is {message}", message = .1.message())]
    Endpoint(&'static str, Mistake),
    #[error("the attempt to find out broke off")]
    BrokeOff,
}

impl Discovery {
    pub(super) fn new(issuer: HttpsUrl, fetcher: Fetcher) -> Self {
        let (state, flight) = Default::default();
        Self(Arc::new(Inner { issuer, fetcher, state, flight }))
    }

    /// What the provider says, not much longer than five minutes ago if it is to be reached, and
    /// within a day if not. It is not asked twice within ten seconds, nor by two at a time.
    pub(super) async fn endpoints(&self, now: Timestamp) -> Result<Arc<Endpoints>, DiscoveryError> {
        if let Some(endpoints) = self.0.within(FRESH, now) {
            return Ok(endpoints);
        }
        let inner = Arc::clone(&self.0);
        // A task of its own, as whoever asked may go away: what they began counts as an attempt and
        // must come to an end.
        let flight = tokio::spawn(async move {
            let _flight = inner.flight.lock().await;
            if inner.is_due(now) {
                inner.refresh(now).await;
            }
        });
        let failed = match flight.await {
            Ok(()) => self.0.state().failed.clone(),
            Err(_) => None,
        };
        let kept = self.0.within(LONGEST, now);
        kept.ok_or_else(|| failed.unwrap_or_else(|| self.0.error(Cause::BrokeOff)))
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is a single assignment: there is nothing half done to be seen.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, cause: Cause) -> DiscoveryError {
        DiscoveryError { of: self.issuer.host(), cause: Arc::new(cause) }
    }

    fn within(&self, span: Duration, now: Timestamp) -> Option<Arc<Endpoints>> {
        let state = self.state();
        let kept = state.kept.as_ref().filter(|kept| is_within(span, kept.found, now))?;
        Some(Arc::clone(&kept.endpoints))
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let is_fresh = self.within(FRESH, now).is_some();
        !is_fresh && self.state().tried.is_none_or(|tried| !is_within(BETWEEN, tried, now))
    }

    async fn refresh(&self, now: Timestamp) {
        self.state().tried = Some(now);
        match self.find().await {
            Ok(endpoints) => {
                self.state().kept = Some(Kept { endpoints: Arc::new(endpoints), found: now });
            }
            Err(cause) => {
                let error = self.error(cause);
                // Without anything that serves, whoever wanted it tells.
                if self.within(LONGEST, now).is_some() {
                    let error = Causes(&error);
                    tracing::warn!(%error, "what a provider said last serves for a while");
                }
                self.state().failed = Some(error);
            }
        }
    }

    async fn find(&self) -> Result<Endpoints, Cause> {
        let document = self.fetcher.json(&self.issuer.discovery(), MAX_DISCOVERY).await?;
        let document: Document = serde_json::from_value(document).map_err(Cause::Document)?;
        // Section 4.3: otherwise one who hosts many could speak for the others.
        if document.issuer != self.issuer.as_str() {
            return Err(Cause::OtherIssuer(document.issuer));
        }
        let endpoint = |name, text: &str| {
            self.issuer.leads_to(text).map_err(|mistake| Cause::Endpoint(name, mistake))
        };
        Ok(Endpoints {
            authorization: endpoint("authorization_endpoint", &document.authorization_endpoint)?,
            token: endpoint("token_endpoint", &document.token_endpoint)?,
            names_itself: document.authorization_response_iss_parameter_supported,
        })
    }
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}
