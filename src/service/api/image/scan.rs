//! `/api/v1/image/scan`: having an image scanned.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use policy::Action;
use serde::Serialize;

use super::super::Api;
use super::super::input::Asked;
use super::super::problem::Problem;
use super::super::requester::Requester;
use super::flags::Which;
use super::named::{Named, Need, Shown};
use super::parts::Part;
use crate::audit::Record;
use crate::release::{Cause, Progress, Scan};

/// A scan as it is shown.
#[derive(Serialize)]
pub(crate) struct ShownScan {
    pub(crate) digest: String,
    pub(crate) platform: Option<String>,
    pub(crate) state: &'static str,
    pub(crate) requested_at: Option<Timestamp>,
    pub(crate) attempts: u32,
    pub(crate) done_at: Option<Timestamp>,
    pub(crate) failing_since: Option<Timestamp>,
    pub(crate) reason: Option<String>,
}

/// The scans of an image: one, or those of an index.
#[derive(Serialize)]
pub(crate) struct Scans {
    #[serde(flatten)]
    pub(crate) image: Shown,
    pub(crate) scans: Vec<ShownScan>,
}

impl ShownScan {
    pub(super) fn of(part: &Part, scan: Option<&Scan>) -> Self {
        let shown = Self {
            digest: part.digest.to_string(),
            platform: part.platform_text(),
            state: "never",
            requested_at: scan.map(|scan| scan.requested_at),
            attempts: scan.map_or(0, |scan| scan.attempts),
            done_at: None,
            failing_since: None,
            reason: None,
        };
        let Some(scan) = scan else { return shown };
        let failing = |state, failing: Option<&(Timestamp, String)>| Self {
            state,
            failing_since: failing.map(|(since, _)| *since),
            reason: failing.map(|(_, reason)| reason.clone()),
            ..Self::of(part, None)
        };
        let by_progress = match &scan.progress {
            Progress::Waiting { failing: told, .. } => failing("waiting", told.as_ref()),
            Progress::Running { failing: told, .. } => failing("running", told.as_ref()),
            Progress::Done(at) => {
                Self { state: "done", done_at: Some(*at), ..Self::of(part, None) }
            }
            Progress::Failed { since, reason } => {
                failing("failed", Some(&(*since, reason.clone())))
            }
        };
        Self { requested_at: shown.requested_at, attempts: shown.attempts, ..by_progress }
    }
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(which): Asked<Which>,
) -> Result<Json<Scans>, Problem> {
    let policy = api.policy();
    let image = Named::find(&api, &who, &policy, ("ref", &which.r#ref), Need::Know).await?;
    let mut scans = Vec::new();
    for part in &api.parts(&image).await?.images {
        let known = api.images.release.known(&part.digest).await?;
        let here = known.kept.scans.iter().find(|scan| scan.repository == image.repository);
        scans.push(ShownScan::of(part, here));
    }
    Ok(Json(Scans { image: image.shown(), scans }))
}

pub(crate) async fn request(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(which): Asked<Which>,
) -> Result<(StatusCode, Json<Scans>), Problem> {
    let policy = api.policy();
    let need = Need::Do(Action::Scan);
    let image = Named::find(&api, &who, &policy, ("ref", &which.r#ref), need).await?;
    if !api.images.has_scanner {
        let text = "there is no scanner: name one in the configuration, with `scanner`, or send \
                    the report of another one";
        return Err(Problem::new(StatusCode::CONFLICT, text));
    }
    let parts = api.parts(&image).await?.images;
    if parts.is_empty() {
        let text = format!("{} is no image that a scanner can look at", image.text());
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text));
    }
    let mut scans = Vec::new();
    for part in &parts {
        let (repository, digest, now) = (image.repository.clone(), part.digest.clone(), api.now());
        let scan = api.change(move |store| async move {
            store.request_scan(&repository, &digest, Cause::Demand, now).await
        });
        scans.push(ShownScan::of(part, Some(&scan.await?)));
    }
    let reason = Some(format!("{} to scan", parts.len()));
    api.audit.flush(Record { reason, ..image.record(who.record("scan.requested")) }).await?;
    Ok((StatusCode::ACCEPTED, Json(Scans { image: image.shown(), scans })))
}
