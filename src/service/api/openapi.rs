//! `/api/v1/openapi.json`: the description of all of it.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;

/// OpenAPI 3.1.
pub(super) const DESCRIPTION: &str = include_str!("openapi.json");

/// For everyone: it holds nothing that is not public.
pub(super) async fn show() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], DESCRIPTION).into_response()
}
