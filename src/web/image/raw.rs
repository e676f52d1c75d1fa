//! `/ui/image/raw`: a manifest, or a configuration, as it is.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;

use super::super::Web;
use super::super::problem::Trouble;
use super::super::query::Query;
use super::super::session::SignedIn;
use super::contents::MAX_CONFIG;
use super::may_look_inside;
use crate::inventory::{fetch_blob, fetch_bytes};
use crate::service::api::image::named::{Named, Need};
use crate::service::api::{Api, Problem};

#[derive(Deserialize)]
pub(in crate::web) struct Asking {
    r#ref: String,
    #[serde(default)]
    of: File,
}

/// Which of an image's files.
#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum File {
    #[default]
    Manifest,
    /// That of the image, or of the first platform, which is the one that its page tells.
    Config,
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
    let bytes = match (may, asking.of) {
        (false, _) => None,
        (true, File::Manifest) => manifest(api, &named).await?,
        (true, File::Config) => config(api, &named).await?,
    };
    let (word, disposition) = match asking.of {
        File::Manifest => ("manifest", "inline; filename=\"manifest.json\""),
        File::Config => ("configuration", "inline; filename=\"config.json\""),
    };
    let Some(bytes) = bytes else {
        let text = format!("there is no {word} of {}, or none that you may read", named.text());
        return Err(Problem::new(StatusCode::NOT_FOUND, text).into());
    };
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CONTENT_DISPOSITION, disposition)];
    Ok((headers, bytes).into_response())
}

async fn manifest(api: &Api, named: &Named) -> Result<Option<Bytes>, Problem> {
    let fetched = fetch_bytes(&api.images.upstream, &named.repository, &named.digest).await?;
    Ok(fetched.map(|(bytes, _)| bytes))
}

async fn config(api: &Api, named: &Named) -> Result<Option<Bytes>, Problem> {
    let parts = api.parts(named).await?;
    let Some(first) = parts.images.first() else { return Ok(None) };
    let upstream = &api.images.upstream;
    Ok(fetch_blob(upstream, &named.repository, &first.config, MAX_CONFIG).await?)
}
