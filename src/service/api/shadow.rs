//! `/api/v1/policy/shadow`: what the shadow policy would have decided differently.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;

use super::Api;
use super::input::Asked;
use super::problem::Problem;
use super::requester::Requester;
use crate::shadow::Page;

/// On a page, unless the client says how many.
const PAGE: usize = 100;
const MAX_PAGE: usize = 1000;

/// Which part of the report.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    pub(crate) limit: Option<usize>,
    pub(crate) cursor: Option<String>,
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(part): Asked<Part>,
) -> Result<Json<Page>, Problem> {
    who.administrator()?;
    let Some(shadow) = &api.shadow else {
        let text = "there is no shadow policy: name its folder in the configuration, with \
                    `shadow_policies`";
        return Err(Problem::new(StatusCode::NOT_FOUND, text));
    };
    let limit = part.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::wrong(format!("`limit` has to be 1 to {MAX_PAGE}")));
    }
    let page = shadow.page(part.cursor.as_deref(), limit, api.now());
    page.map(Json).map_err(|error| Problem::wrong(error.to_string()))
}
