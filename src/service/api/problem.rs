//! The errors of the API, as problem documents (RFC 9457).

use std::net::IpAddr;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;

use super::NOT_STORED;
use crate::audit::{Decision, Record, Unwritten};
use crate::identity::AuthError;
use crate::inventory::Undecided;
use crate::issue::{LoginError, Refused};
use crate::log::Causes;
use crate::proxy::request_id;
use crate::public_url::PublicUrl;
use crate::refusal::Refusal;
use crate::release::Unknown;
use crate::store::StoreError;
use crate::token::MintError;
use crate::upstream;

/// What went wrong with a request: a status, and a text that may be shown.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    denial: Option<Box<Denial>>,
}

/// A denial, as an extension of the response to which it led: it is to stand in the audit trail
/// before the client hears of it.
#[derive(Debug, Clone)]
pub(crate) struct Denial(pub(crate) Record);

/// How long a client should wait for what is not there at the moment, in seconds.
const SOON: u32 = 2;

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), headers: Vec::new(), denial: None }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// What may be there in a moment.
    pub(crate) fn soon(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::new(status, detail).with(RETRY_AFTER, HeaderValue::from(SOON))
    }

    /// The text, which may be shown.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The request is not one that the API understands.
    pub(crate) fn wrong(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// What is told, where what was sent is at fault and neither whoever sent it nor the gate.
    pub(super) fn of_the_content(&self) -> Option<&str> {
        let is_content = matches!(
            self.status,
            StatusCode::CONFLICT | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
        );
        is_content.then_some(&*self.detail)
    }

    /// There is nothing at this path.
    pub(crate) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing here; see /api/v1/openapi.json")
    }

    /// There is something at this path that knows other methods.
    pub(crate) fn method(allowed: Option<HeaderValue>) -> Self {
        let detail = "this method is not one of those in the Allow header";
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, detail);
        match allowed {
            Some(allowed) => problem.with(ALLOW, allowed),
            None => problem,
        }
    }

    /// Something went wrong here; what it was is in the log.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the gate could not do this; its log says why")
    }

    /// Nobody said who they are.
    pub(crate) fn no_credential(issuer: &PublicUrl) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "log in with a password or a token").challenged(issuer)
    }

    /// A credential that was not accepted.
    pub(crate) fn credential(error: &AuthError, issuer: &PublicUrl) -> Self {
        let detail = error.to_string();
        let problem = match error {
            AuthError::Malformed(_) => Self::wrong(detail),
            AuthError::Invalid { .. } | AuthError::Expired | AuthError::Misused(_) => {
                Self::new(StatusCode::UNAUTHORIZED, detail).challenged(issuer)
            }
            AuthError::Throttled { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, detail),
            AuthError::Busy | AuthError::Unavailable => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
        };
        match error.retry_after() {
            Some(seconds) => problem.with(RETRY_AFTER, HeaderValue::from(seconds)),
            None => problem,
        }
    }

    /// Basic, as that is what a client without a token can answer (RFC 9110, section 15.5.2).
    fn challenged(self, issuer: &PublicUrl) -> Self {
        let challenge = format!(r#"Basic realm="{issuer}", charset="UTF-8""#);
        let challenge =
            HeaderValue::try_from(challenge).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
        self.with(WWW_AUTHENTICATE, challenge)
    }

    /// Whoever asks may not.
    pub(crate) fn denied(who: String, address: Option<IpAddr>, detail: String) -> Self {
        let record = Record {
            request_id: request_id::current(),
            subject: Some(who),
            address,
            decision: Some(Decision::Deny),
            reason: Some(detail.clone()),
            status: Some(StatusCode::FORBIDDEN.as_u16()),
            ..Record::new("api.denied")
        };
        let denial = Some(Box::new(Denial(record)));
        Self { denial, ..Self::new(StatusCode::FORBIDDEN, detail) }
    }

    /// What the domain says, to somebody at some address.
    pub(crate) fn refused(refused: Refused, who: String, address: Option<IpAddr>) -> Self {
        match refused {
            Refused::Wrong(text) => Self::wrong(text),
            Refused::Denied(text) => Self::denied(who, address, text),
            Refused::Missing(text) => Self::new(StatusCode::NOT_FOUND, text),
            Refused::Conflict(text) => Self::new(StatusCode::CONFLICT, text),
            Refused::Mint(error) => error.into(),
            Refused::State(error) => error.into(),
        }
    }
}

impl From<MintError> for Problem {
    fn from(error: MintError) -> Self {
        if matches!(error, MintError::TooLong) {
            return Self::wrong("the token would be too long: name fewer images and groups");
        }
        tracing::error!(error = %Causes(&error), "no token was made");
        Self::internal()
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Store(error) => error.into(),
            LoginError::Random(error) => {
                tracing::error!(error = %Causes(&error), "nobody can sign in");
                Self::internal()
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %Causes(&error), "the API cannot use the state");
        match error {
            StoreError::Failed { .. } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the state of the gate does not answer at the moment",
            )
            .with(RETRY_AFTER, HeaderValue::from(SOON)),
            StoreError::Damaged(_) => Self::internal(),
        }
    }
}

/// What is refused on the way to an image. A denial is told by whoever asks for the decision.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, text) = (refusal.status(), refusal.to_string());
        match refusal {
            Refusal::State(error) => error.into(),
            refusal if status.is_server_error() => {
                tracing::warn!(error = %Causes(&refusal), "the API cannot tell of an image");
                Self::new(status, text).with(RETRY_AFTER, HeaderValue::from(SOON))
            }
            _ => Self::new(status, text),
        }
    }
}

impl From<upstream::Error> for Problem {
    fn from(error: upstream::Error) -> Self {
        Refusal::from(Undecided::Upstream(error)).into()
    }
}

impl From<Unknown> for Problem {
    fn from(unknown: Unknown) -> Self {
        Refusal::from(unknown).into()
    }
}

impl From<Unwritten> for Problem {
    fn from(_: Unwritten) -> Self {
        let detail = "the audit trail cannot be written at the moment";
        Self::soon(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "request_id": request_id::current(),
        });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, NOT_STORED);
        headers.extend(self.headers);
        if let Some(denial) = self.denial {
            response.extensions_mut().insert(*denial);
        }
        response
    }
}
