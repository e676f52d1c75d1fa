//! `DELETE /api/v1/tokens/{id}` and `/api/v1/tokens/revoke`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Api;
use super::input::Body;
use super::problem::Problem;
use super::requester::{Requester, Visitor};
use super::tokens::{id_of, subject};
use crate::audit::Record;
use crate::issue::Ending;
use crate::secret::Secret;

/// What is to be revoked: one of `value`, `subject` and `everything`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct Revoking {
    value: Option<String>,
    subject: Option<String>,
    everything: Option<bool>,
    before: Option<Timestamp>,
}

/// How many tokens that held were revoked.
#[derive(Serialize)]
pub(crate) struct RevokedCount {
    revoked: u64,
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let ending = api.issue.revoke_id(who.maker(), &id_of(&id)?, api.now()).await;
    let ending = ending.map_err(|error| who.refused(error))?;
    api.audit.flush(record(who.record("token.revoked"), &ending, "by id")).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn revoke(
    State(api): State<Arc<Api>>,
    visitor: Visitor,
    Body(revoking): Body<Revoking>,
) -> Result<Json<RevokedCount>, Problem> {
    let Revoking { value, subject, everything, before } = revoking;
    match (value, subject, everything) {
        (Some(value), None, None) if before.is_none() => {
            by_value(&api, &visitor, &Secret::new(value)).await
        }
        (None, Some(subject), None) => {
            of_subject(&api, &visitor.requester(&api)?, &subject, before).await
        }
        (None, None, Some(true)) => all(&api, &visitor.requester(&api)?, before).await,
        _ => Err(Problem::wrong(
            "name one of `value`, `subject` and `everything: true`; `before` goes with the last \
             two",
        )),
    }
}

/// Whoever has the value may revoke it, and need not say who they are.
async fn by_value(
    api: &Api,
    visitor: &Visitor,
    value: &Secret,
) -> Result<Json<RevokedCount>, Problem> {
    let ending = api.issue.revoke_value(value, api.now()).await;
    let ending = ending.map_err(|error| visitor.refused(error))?;
    let Some(ending) = ending else { return Ok(Json(RevokedCount { revoked: 0 })) };
    api.audit.flush(record(visitor.record("token.revoked"), &ending, "by value")).await?;
    Ok(Json(RevokedCount { revoked: ending.count }))
}

async fn of_subject(
    api: &Api,
    who: &Requester,
    text: &str,
    before: Option<Timestamp>,
) -> Result<Json<RevokedCount>, Problem> {
    let refused = |error| who.refused(error);
    let subject = subject("subject", text).map_err(refused)?;
    let now = api.now();
    let ending = api.issue.revoke_subject(who.maker(), subject, before.unwrap_or(now), now).await;
    let ending = ending.map_err(refused)?;
    api.audit.flush(record(who.record("token.revoked"), &ending, "all")).await?;
    Ok(Json(RevokedCount { revoked: ending.count }))
}

async fn all(
    api: &Api,
    who: &Requester,
    before: Option<Timestamp>,
) -> Result<Json<RevokedCount>, Problem> {
    let now = api.now();
    let ending = api.issue.revoke_everything(who.maker(), before.unwrap_or(now), now).await;
    let ending = ending.map_err(|error| who.refused(error))?;
    api.audit.flush(record(who.record("token.revoked"), &ending, "everything")).await?;
    Ok(Json(RevokedCount { revoked: ending.count }))
}

/// The record of a revocation: what was named, and what ended.
fn record(record: Record, ending: &Ending, what: &str) -> Record {
    let of = ending.subject.as_ref().map(|subject| format!(" of {subject}")).unwrap_or_default();
    Record {
        token_id: ending.id.as_ref().map(ToString::to_string),
        reason: Some(format!("{what}{of}: {} ended", ending.count)),
        ..record
    }
}
