//! Everything that is not a forwarded answer, and the one place that turns it into a response.

mod withheld;

use std::time::Duration;

use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderValue, Response, StatusCode, Version};
use hyper::ext::ReasonPhrase;
use oci::{BadRequest, Digest, ErrorBody, ErrorCode, InvalidManifest, Operation};
use policy::Action;
use serde_json::json;

use crate::body::Body;
use crate::identity::{AuthError, Challenge, Complaint, Scope};
use crate::public_url::PublicUrl;
use crate::store::{LockError, StoreError};
use crate::{inventory, upstream};
pub use withheld::Withheld;

/// How much of a message fits into a reason phrase.
const MAX_PHRASE: usize = 200;

/// How much of that is left for the request's id. The rest is the same for every request.
const NAME_ROOM: usize = 38;

/// Why a request is not forwarded, or its answer not passed on.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The target is none.
    #[error(transparent)]
    Target(#[from] BadRequest),
    /// The HTTP message is not one that the gate understands in one way only.
    #[error("{0}")]
    Malformed(&'static str),
    /// No credential came.
    #[error("authentication required")]
    NoCredential,
    /// A credential came and was not accepted.
    #[error(transparent)]
    Credential(#[from] AuthError),
    /// Another token of the same caller would do.
    #[error("the token does not cover this: ask for one with the scope of the challenge")]
    InsufficientScope,
    /// Policy says no.
    #[error("{action} of {image} is denied: {reason}")]
    Denied {
        /// What was asked for.
        action: Action,
        /// Of what.
        image: String,
        /// The rule that denies, where one does.
        rule: Option<String>,
        /// In words.
        reason: String,
    },
    /// Policy would allow it, and a release gate holds it back.
    #[error(transparent)]
    Held(Box<Withheld>),
    /// It is not there, or the caller cannot know that it is.
    #[error("{message}")]
    Missing {
        /// For the kind of thing.
        code: ErrorCode,
        /// In words; the same whether it is there or not.
        message: &'static str,
    },
    /// The manifest cannot be stored.
    #[error("the manifest is invalid: {0}")]
    Manifest(#[source] InvalidManifest),
    /// The content contradicts the request.
    #[error("{message}")]
    Content {
        /// The kind of contradiction.
        code: ErrorCode,
        /// In words.
        message: String,
    },
    /// A manifest names content that is not there, or that the caller may not read.
    #[error("the manifest names {0}, which is not in this repository")]
    UnknownContent(Digest),
    /// A manifest over the limit.
    #[error("a manifest has at most {0} bytes here")]
    TooLarge(usize),
    /// The gate holds as much as it may for other requests.
    #[error("too many manifests or lists at once; try again in a moment")]
    Full,
    /// The client's body did not come whole.
    #[error("the request's body broke off")]
    ClientBroke,
    /// It is not this request's turn to change the repository.
    #[error(transparent)]
    Turn(#[from] LockError),
    /// The upstream failed.
    #[error("the registry behind the gate did not answer as it should")]
    Upstream(#[from] upstream::Error),
    /// It could not be told whether the caller may read it. The answer is the same whether it is
    /// there or not.
    #[error("the registry behind the gate could not be asked who may read this; try again later")]
    Undecided(#[source] inventory::Undecided),
    /// The state does not say what the decision depends on.
    #[error("the state of the gate does not answer at the moment; try again later")]
    State(#[source] StoreError),
    /// The audit trail cannot be written, so nothing is done that must stand in it.
    #[error("the audit trail cannot be written at the moment")]
    Audit(#[from] crate::audit::Unwritten),
    /// The gate contradicts itself.
    #[error("internal error")]
    Internal(&'static str),
}

/// A wrong answer is the upstream's fault, and asking again does not help; all else may pass.
impl From<inventory::Undecided> for Refusal {
    fn from(undecided: inventory::Undecided) -> Self {
        use upstream::Error::{Budget, ConnectTimeout, ResponseTimeout, Unavailable};
        match undecided {
            inventory::Undecided::Upstream(error)
                if !matches!(
                    error,
                    Budget(_) | ConnectTimeout { .. } | ResponseTimeout(_) | Unavailable { .. }
                ) =>
            {
                Self::Upstream(error)
            }
            undecided => Self::Undecided(undecided),
        }
    }
}

/// What the response depends on beside the refusal.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// For challenges.
    pub issuer: &'a PublicUrl,
    /// What was asked for, if that was understood.
    pub operation: Option<&'a Operation>,
    /// Reason phrases exist in HTTP/1 alone.
    pub version: Version,
    /// Told to the client, so that it can be found in the log.
    pub request_id: &'a str,
}

impl Refusal {
    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Target(bad) => {
                StatusCode::from_u16(bad.status()).unwrap_or(StatusCode::BAD_REQUEST)
            }
            Self::Malformed(_) | Self::Manifest(_) | Self::Content { .. } | Self::ClientBroke => {
                StatusCode::BAD_REQUEST
            }
            Self::NoCredential | Self::InsufficientScope => StatusCode::UNAUTHORIZED,
            Self::Credential(error) => match error {
                AuthError::Malformed(_) => StatusCode::BAD_REQUEST,
                AuthError::Invalid { .. } | AuthError::Expired | AuthError::Misused(_) => {
                    StatusCode::UNAUTHORIZED
                }
                AuthError::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
                AuthError::Busy | AuthError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            },
            Self::Denied { .. } | Self::Held(_) => StatusCode::FORBIDDEN,
            Self::Missing { .. } | Self::UnknownContent(_) => StatusCode::NOT_FOUND,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Upstream(error) => match error {
                upstream::Error::Budget(_) => StatusCode::SERVICE_UNAVAILABLE,
                upstream::Error::ConnectTimeout { .. } | upstream::Error::ResponseTimeout(_) => {
                    StatusCode::GATEWAY_TIMEOUT
                }
                _ => StatusCode::BAD_GATEWAY,
            },
            Self::Undecided(_) | Self::State(_) | Self::Audit(_) | Self::Full | Self::Turn(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A word for the metrics, of a fixed set.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Denied { rule: Some(_), .. } => "rule",
            Self::Denied { rule: None, .. } => "default",
            Self::Held(_) => "gate",
            Self::Missing { .. } | Self::UnknownContent(_) => "not_visible",
            Self::InsufficientScope => "scope",
            Self::NoCredential => "no_credential",
            Self::Credential(_) => "credential",
            Self::Target(_)
            | Self::Malformed(_)
            | Self::Manifest(_)
            | Self::Content { .. }
            | Self::TooLarge(_)
            | Self::ClientBroke => "invalid",
            Self::Upstream(_) => "upstream",
            Self::Undecided(_) => "undecided",
            Self::State(_) | Self::Audit(_) | Self::Full | Self::Turn(_) | Self::Internal(_) => {
                "internal"
            }
        }
    }

    /// Whether it is a decision about the caller, which must stand in the audit trail before the
    /// caller hears of it.
    #[must_use]
    pub fn is_decision(&self) -> bool {
        matches!(
            self,
            Self::Denied { .. } | Self::Held(_) | Self::Missing { .. } | Self::UnknownContent(_)
        ) || matches!(
            self,
            Self::Credential(
                AuthError::Invalid { .. } | AuthError::Misused(_) | AuthError::Throttled { .. }
            )
        )
    }

    /// The rule behind a denial.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        match self {
            Self::Denied { rule, .. } => rule.as_deref(),
            _ => None,
        }
    }

    /// The gate that holds it.
    #[must_use]
    pub fn gate(&self) -> Option<&str> {
        match self {
            Self::Held(withheld) => Some(&withheld.gate),
            _ => None,
        }
    }

    /// What went wrong at the upstream, if that is why.
    #[must_use]
    pub fn upstream(&self) -> Option<&upstream::Error> {
        match self {
            Self::Upstream(error) | Self::Undecided(inventory::Undecided::Upstream(error)) => {
                Some(error)
            }
            _ => None,
        }
    }

    fn code(&self) -> ErrorCode {
        match self {
            Self::Target(bad) => bad.code(),
            Self::Malformed(_) | Self::ClientBroke => ErrorCode::Unsupported,
            Self::NoCredential | Self::InsufficientScope => ErrorCode::Unauthorized,
            Self::Credential(error) => match error {
                AuthError::Malformed(_) => ErrorCode::Unsupported,
                AuthError::Invalid { .. } | AuthError::Expired | AuthError::Misused(_) => {
                    ErrorCode::Unauthorized
                }
                AuthError::Throttled { .. } => ErrorCode::TooManyRequests,
                AuthError::Busy | AuthError::Unavailable => ErrorCode::Unavailable,
            },
            Self::Denied { .. } | Self::Held(_) => ErrorCode::Denied,
            Self::Missing { code, .. } | Self::Content { code, .. } => *code,
            Self::Manifest(_) => ErrorCode::ManifestInvalid,
            Self::UnknownContent(_) => ErrorCode::ManifestBlobUnknown,
            Self::TooLarge(_) => ErrorCode::SizeInvalid,
            Self::Upstream(_)
            | Self::Undecided(_)
            | Self::State(_)
            | Self::Audit(_)
            | Self::Full
            | Self::Turn(_) => ErrorCode::Unavailable,
            Self::Internal(_) => ErrorCode::Unknown,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Credential(AuthError::Throttled { retry_after }) => Some(*retry_after),
            Self::Credential(AuthError::Busy | AuthError::Unavailable)
            | Self::State(_)
            | Self::Audit(_)
            | Self::Turn(_)
            | Self::Full => Some(Duration::from_secs(2)),
            Self::Undecided(undecided) => Some(undecided.retry_after()),
            Self::Upstream(upstream::Error::Budget(_)) => Some(Duration::from_secs(30)),
            _ => None,
        }
    }

    fn challenge(&self, context: &Context<'_>) -> Option<HeaderValue> {
        let complaint = match self {
            Self::NoCredential => None,
            Self::Credential(
                AuthError::Invalid { .. } | AuthError::Expired | AuthError::Misused(_),
            ) => Some(Complaint::InvalidToken),
            Self::InsufficientScope => Some(Complaint::InsufficientScope),
            _ => return None,
        };
        let scope = context.operation.and_then(scope);
        let challenge = Challenge { issuer: context.issuer, scope: scope.as_ref(), complaint };
        Some(challenge.header())
    }

    /// The message for the client. What the upstream did is for the log; the client gets the id.
    #[must_use]
    pub fn message(&self, request_id: &str) -> String {
        format!("{self}{}", self.named(request_id))
    }

    /// The request's id, where whoever reads the message may want to ask about it. Most clients show
    /// the message alone. What is told to be absent stays the same whoever asks, and whenever.
    fn named(&self, request_id: &str) -> String {
        match self {
            Self::Denied { .. }
            | Self::Held(_)
            | Self::Upstream(_)
            | Self::Undecided(_)
            | Self::Internal(_) => format!(" (request {request_id})"),
            _ => String::new(),
        }
    }

    /// The response: OCI JSON on every method, one challenge, and on HTTP/1.1 the reason as the
    /// reason phrase, because the containerd family shows the status line of a failed HEAD and
    /// nothing else.
    #[must_use]
    pub fn response(&self, context: &Context<'_>) -> Response<Body> {
        let message = self.message(context.request_id);
        let mut body = match self {
            Self::Held(withheld) => {
                let link = withheld.link(context);
                ErrorBody::new(self.code(), format!("{message}; see {link}"))
            }
            _ => ErrorBody::new(self.code(), message),
        };
        if let Some(detail) = self.detail(context) {
            body = body.with_detail(detail);
        }
        let body = body.to_json();
        let length = body.len();
        let mut response = Response::new(Body::full(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge(context) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(after) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        // Where one request ends and the next begins may be in doubt too.
        if matches!(self, Self::Malformed(_)) && context.version <= Version::HTTP_11 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Self::Target(bad) = self
            && let Some(allow) = bad.allow()
        {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        let explains = matches!(self.status(), StatusCode::FORBIDDEN | StatusCode::BAD_GATEWAY);
        if explains
            && context.version <= Version::HTTP_11
            && let Some(phrase) =
                phrase(self.status(), &self.to_string(), &self.named(context.request_id))
        {
            response.extensions_mut().insert(phrase);
        }
        response
    }

    fn detail(&self, context: &Context<'_>) -> Option<serde_json::Value> {
        match self {
            Self::Denied { action, image, rule, reason } => Some(json!({
                "action": action.as_str(), "image": image, "rule": rule, "reason": reason,
                "request_id": context.request_id,
            })),
            Self::Held(withheld) => Some(withheld.detail(context)),
            Self::UnknownContent(digest) => Some(json!({ "digest": digest.to_string() })),
            Self::Upstream(_) | Self::Undecided(_) | Self::Internal(_) => {
                Some(json!({ "request_id": context.request_id }))
            }
            _ => None,
        }
    }
}

/// The scope that a client should ask for. Some clients never ask for more than the challenge of
/// their first request, so a write asks for reading too.
fn scope(operation: &Operation) -> Option<Scope> {
    let repository = operation.repository().cloned();
    match operation {
        Operation::Ping(_) => None,
        Operation::Catalog { .. } => Some(Scope::Catalog),
        Operation::ReadManifest { .. }
        | Operation::ReadBlob { .. }
        | Operation::ListTags { .. }
        | Operation::Referrers { .. } => repository.map(Scope::Pull),
        Operation::DeleteManifest { .. } | Operation::DeleteBlob { .. } => {
            repository.map(Scope::Delete)
        }
        Operation::PutManifest { .. }
        | Operation::StartUpload { .. }
        | Operation::UploadStatus { .. }
        | Operation::UploadChunk { .. }
        | Operation::FinishUpload { .. }
        | Operation::CancelUpload { .. } => repository.map(Scope::Push),
    }
}

/// `Forbidden: …` in printable ASCII and nothing else, so that no message can end the line. What the
/// request is called stands there in any case.
fn phrase(status: StatusCode, message: &str, named: &str) -> Option<ReasonPhrase> {
    let canonical = status.canonical_reason().unwrap_or("Error");
    let mut phrase: String = format!("{canonical}: {message}")
        .chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .collect();
    let room = MAX_PHRASE.saturating_sub(named.len().max(NAME_ROOM));
    if phrase.len() > room {
        phrase.truncate(room.saturating_sub(3));
        phrase.push_str("...");
    }
    phrase.push_str(named);
    ReasonPhrase::try_from(phrase).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(issuer: &PublicUrl, version: Version) -> Context<'_> {
        Context { issuer, operation: None, version, request_id: "r1" }
    }

    fn denied(reason: &str) -> Refusal {
        Refusal::Denied {
            action: Action::Pull,
            image: "team/app:v2".to_owned(),
            rule: Some("no-v2".to_owned()),
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn a_denial_says_why_in_the_reason_phrase_of_http_1() {
        let issuer = PublicUrl::new("https://gate.example").unwrap();
        let response =
            denied("rule `no-v2` denies it").response(&context(&issuer, Version::HTTP_11));
        let phrase = response.extensions().get::<ReasonPhrase>().unwrap();
        assert_eq!(
            phrase.as_bytes(),
            b"Forbidden: pull of team/app:v2 is denied: rule `no-v2` denies it (request r1)"
        );
        let response = denied("x").response(&context(&issuer, Version::HTTP_2));
        assert!(response.extensions().get::<ReasonPhrase>().is_none());
    }

    #[test]
    fn a_phrase_is_short_and_cannot_end_the_line() {
        let issuer = PublicUrl::new("https://gate.example").unwrap();
        let refusal = denied(&format!("a\r\nSet-Cookie: é {}", "x".repeat(300)));
        let response = refusal.response(&context(&issuer, Version::HTTP_11));
        let phrase = response.extensions().get::<ReasonPhrase>().unwrap().as_bytes();
        assert_eq!(phrase.len(), MAX_PHRASE - NAME_ROOM + " (request r1)".len());
        assert!(phrase.ends_with(b"xxx... (request r1)"));
        assert!(phrase.iter().all(|byte| (0x20..0x7f).contains(byte)));
    }

    #[test]
    fn what_the_upstream_did_stays_in_the_log() {
        let issuer = PublicUrl::new("https://gate.example").unwrap();
        let refusal = Refusal::from(upstream::Error::Name("internal.example".to_owned()));
        let response = refusal.response(&context(&issuer, Version::HTTP_2));
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
        let Body::Full(body) = response.into_body() else { panic!("a body") };
        insta::assert_snapshot!(
            String::from_utf8_lossy(&body),
            @r#"{"errors":[{"code":"UNAVAILABLE","message":"the registry behind the gate did not answer as it should (request r1)","detail":{"request_id":"r1"}}]}"#
        );
    }
}
