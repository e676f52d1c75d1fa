//! Reading what is asked for: JSON bodies and queries, of known fields and nothing else.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Json, Query, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::Api;
use super::problem::Problem;

/// The longest body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// For a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A body: one JSON object.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// A query.
#[derive(Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Api>> for Body<T> {
    type Rejection = Problem;

    async fn from_request(mut request: Request, _: &Arc<Api>) -> Result<Self, Problem> {
        // No form of a web page can send this type to the gate under its reader's name.
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body has to be JSON, with the content type application/json",
            ));
        }
        DefaultBodyLimit::max(MAX_BODY).apply(&mut request);
        let body = timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await;
        let body = body.map_err(|_| {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")
        })?;
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "a body has at most 64 KiB here")
            }
            _ => Problem::wrong("the body did not come whole"),
        })?;
        // A list of values without names would do for `serde`.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(Problem::wrong("the body has to be a JSON object"));
        }
        match Json::from_bytes(&body) {
            Ok(Json(value)) => Ok(Self(value)),
            Err(error) => Err(Problem::wrong(format!("the body: {}", innermost(&error)))),
        }
    }
}

impl<T: DeserializeOwned> FromRequestParts<Arc<Api>> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(error) => Err(Problem::wrong(format!("the query: {}", innermost(&error)))),
        }
    }
}

/// What the reader found, with its place, and without what is around it.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    // The last but one: it knows the path to the field as well.
    while let Some(source) = innermost.source().filter(|source| source.source().is_some()) {
        innermost = source;
    }
    innermost.to_string()
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else { return false };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// Refuses a query where none is known: who sends one means something by it, and a token does not
/// belong there.
pub(crate) async fn no_query(request: Request, next: Next) -> Response {
    match request.uri().query() {
        None | Some("") => next.run(request).await,
        Some(_) => Problem::wrong("there are no parameters in the query here").into_response(),
    }
}
