//! `/api/v1/services`: names that are not people's.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Api;
use super::input::Body;
use super::problem::Problem;
use super::requester::Requester;
use crate::audit::Record;
use crate::issue::{InvalidServiceName, ServiceName};
use crate::store;

/// A service as it is shown.
#[derive(Serialize)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) disabled: bool,
    pub(crate) made_at: Timestamp,
}

/// All services.
#[derive(Serialize)]
pub(crate) struct Services {
    pub(crate) services: Vec<Service>,
}

/// A service to be added.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct Addition {
    pub(crate) name: String,
}

/// A service to be disabled or enabled.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) disabled: bool,
}

impl From<store::Service> for Service {
    fn from(service: store::Service) -> Self {
        let store::Service { name, disabled, made_at } = service;
        Self { name, disabled, made_at }
    }
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    who: Requester,
) -> Result<Json<Services>, Problem> {
    who.administrator()?;
    let services = api.issue.state.services().into_iter().map(Service::from).collect();
    Ok(Json(Services { services }))
}

pub(crate) async fn add(
    State(api): State<Arc<Api>>,
    who: Requester,
    Body(Addition { name }): Body<Addition>,
) -> Result<(StatusCode, Json<Service>), Problem> {
    who.administrator()?;
    let name: ServiceName = name.parse().map_err(wrong)?;
    let now = api.now();
    if !api.issue.state.add_service(name.as_str(), now).await? {
        let text = format!("there is a service `{name}` already");
        return Err(Problem::new(StatusCode::CONFLICT, text));
    }
    api.audit.flush(record(&who, "service.added", &name)).await?;
    let service = Service { name: name.to_string(), disabled: false, made_at: now };
    Ok((StatusCode::CREATED, Json(service)))
}

pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    who: Requester,
    Body(Change { name, disabled }): Body<Change>,
) -> Result<Json<Service>, Problem> {
    who.administrator()?;
    let name: ServiceName = name.parse().map_err(wrong)?;
    let done = api.issue.state.set_service_disabled(name.as_str(), disabled).await?;
    let service = api.issue.state.service(name.as_str()).filter(|_| done);
    let Some(service) = service else {
        return Err(Problem::new(StatusCode::NOT_FOUND, format!("there is no service `{name}`")));
    };
    let event = if disabled { "service.disabled" } else { "service.enabled" };
    api.audit.flush(record(&who, event, &name)).await?;
    Ok(Json(service.into()))
}

fn record(who: &Requester, event: &'static str, name: &ServiceName) -> Record {
    Record { reason: Some(format!("service:{name}")), ..who.record(event) }
}

fn wrong(error: InvalidServiceName) -> Problem {
    Problem::wrong(format!("`name`: {error}"))
}
