//! The errors of the token endpoint.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;

use crate::identity::AuthError;
use crate::issue::ElsewhereError;
use crate::public_url::PublicUrl;
use crate::token::MintError;

/// An error in both of the forms that clients read: OAuth's (RFC 6749, section 5.2) and the
/// registry's `errors`, whose text docker prints.
#[derive(Debug)]
pub(super) struct OauthError {
    status: StatusCode,
    error: &'static str,
    code: &'static str,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl OauthError {
    fn new(
        status: StatusCode,
        error: &'static str,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self { status, error, code, message: message.into(), headers: Vec::new() }
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The request is not one that the endpoint understands.
    pub(super) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", "UNSUPPORTED", message)
    }

    /// A body beyond the limit.
    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "SIZE_INVALID", message)
    }

    /// A body that takes too long.
    pub(super) fn timeout(message: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "invalid_request", "UNSUPPORTED", message)
    }

    /// A grant that there is not.
    pub(super) fn unsupported_grant(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", "UNSUPPORTED", message)
    }

    /// More scopes than a token can hold.
    pub(super) fn invalid_scope(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_scope", "UNSUPPORTED", message)
    }

    /// Neither GET nor POST.
    pub(super) fn method() -> Self {
        let message = "the token endpoint answers GET and POST";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "UNSUPPORTED", message)
            .with(ALLOW, HeaderValue::from_static("GET, POST"))
    }

    /// Something went wrong here; what it was is in the log.
    pub(super) fn internal() -> Self {
        let message = "the gate could not make a token";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "UNKNOWN", message)
    }

    /// Something that the gate needs does not answer; what it was is in the log.
    pub(super) fn unavailable() -> Self {
        let message = "the gate cannot do this at the moment; try again in a few seconds";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "temporarily_unavailable", "UNAVAILABLE", message)
            .with(RETRY_AFTER, HeaderValue::from_static("5"))
    }

    /// Somebody who may have no token for another gate.
    pub(super) fn invalid_target(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_target", "DENIED", message)
    }

    /// A credential that was not accepted. The challenge is Basic (RFC 9110, section 15.5.2 wants
    /// one): a Bearer one would send the client here again, and docker would hide the text.
    pub(super) fn credential(error: &AuthError, issuer: &PublicUrl) -> Self {
        let message = error.to_string();
        let refusal = match error {
            AuthError::Malformed(_) => Self::invalid_request(message),
            AuthError::Invalid { .. } | AuthError::Expired | AuthError::Misused(_) => {
                let challenge = format!(r#"Basic realm="{}", charset="UTF-8""#, issuer.realm());
                let challenge = HeaderValue::try_from(challenge)
                    .unwrap_or_else(|_| HeaderValue::from_static("Basic"));
                Self::new(StatusCode::UNAUTHORIZED, "invalid_grant", "UNAUTHORIZED", message)
                    .with(WWW_AUTHENTICATE, challenge)
            }
            AuthError::Throttled { .. } => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                Self::new(status, "temporarily_unavailable", "TOOMANYREQUESTS", message)
            }
            AuthError::Busy | AuthError::Unavailable => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Self::new(status, "temporarily_unavailable", "UNAVAILABLE", message)
            }
        };
        match error.retry_after() {
            Some(seconds) => refusal.with(RETRY_AFTER, HeaderValue::from(seconds)),
            None => refusal,
        }
    }
}

impl From<MintError> for OauthError {
    fn from(error: MintError) -> Self {
        match error {
            MintError::TooLong => Self::invalid_scope(error.to_string()),
            MintError::NotOurs => Self::invalid_target(error.to_string()),
            error => {
                tracing::error!(error = &error as &dyn std::error::Error, "no token was made");
                Self::internal()
            }
        }
    }
}

impl From<ElsewhereError> for OauthError {
    fn from(error: ElsewhereError) -> Self {
        match error {
            ElsewhereError::Mint(error) => error.into(),
            error => {
                tracing::error!(error = &error as &dyn std::error::Error, "no token was made");
                Self::unavailable()
            }
        }
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let body = json!({
            "error": self.error,
            "error_description": self.message,
            "errors": [{"code": self.code, "message": self.message, "detail": null}],
        });
        let mut response = (self.status, Json(body)).into_response();
        let no_store = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers_mut().extend(self.headers.into_iter().chain([no_store]));
        response
    }
}
