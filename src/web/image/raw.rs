//! `/ui/image/raw`: a manifest as it is, and what it is configured with.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;

use super::super::Web;
use super::super::problem::Trouble;
use super::super::session::SignedIn;
use super::may_look_inside;
use crate::inventory::fetch_bytes;
use crate::service::api::Problem;
use crate::service::api::image::named::{Named, Need};

#[derive(Deserialize)]
pub(in crate::web) struct Asking {
    r#ref: String,
}

/// The bytes, as text: whatever a manifest calls itself, no browser does anything with it.
pub(in crate::web) async fn raw(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
    Query(asking): Query<Asking>,
) -> Result<Response, Trouble> {
    let (api, who, policy) = (&web.api, &signed_in.who, web.api.policy());
    let named = Named::find(api, who, &policy, ("ref", &asking.r#ref), Need::Know).await?;
    let may = may_look_inside(api, who, &policy, &named).await?;
    let bytes = match may {
        true => fetch_bytes(&api.images.upstream, &named.repository, &named.digest).await,
        false => Ok(None),
    };
    let Some((bytes, _)) = bytes.map_err(Problem::from)? else {
        let text = format!("there is no manifest of {}, or none that you may read", named.text());
        return Err(Problem::new(StatusCode::NOT_FOUND, text).into());
    };
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CONTENT_DISPOSITION, "inline; filename=\"manifest.json\""),
    ];
    Ok((headers, bytes).into_response())
}
