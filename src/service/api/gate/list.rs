//! `/api/v1/gates`: the gates of the policy.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use policy::gate::{Gate, Occasion};
use serde::Serialize;

use super::super::Api;
use super::super::problem::Problem;
use super::super::requester::Requester;

/// A gate as it is shown.
#[derive(Serialize)]
pub(crate) struct ShownGate {
    pub(crate) gate: String,
    pub(crate) mode: &'static str,
    pub(crate) on: Vec<&'static str>,
    /// All that it says, a line each.
    pub(crate) says: Vec<String>,
    /// What of that it asks for.
    pub(crate) requires: Vec<String>,
    pub(crate) file: String,
    pub(crate) line: usize,
}

/// All gates.
#[derive(Serialize)]
pub(crate) struct Gates {
    pub(crate) gates: Vec<ShownGate>,
}

/// Whether a gate holds, or only watches, in a word.
pub(in crate::service::api) fn mode(gate: &Gate) -> &'static str {
    if gate.is_enforced() { "enforce" } else { "audit" }
}

pub(super) fn on(gate: &Gate) -> Vec<&'static str> {
    gate.on().iter().map(|on: &Occasion| on.as_str()).collect()
}

/// Gates tell of images and groups that are not everybody's business.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    who: Requester,
) -> Result<Json<Gates>, Problem> {
    who.administrator()?;
    let policy = api.policy();
    let show = |gate: &Arc<Gate>| ShownGate {
        gate: gate.name().to_owned(),
        mode: mode(gate),
        on: on(gate),
        says: gate.lines(),
        requires: gate.requirements(),
        file: gate.place().file.to_owned(),
        line: gate.place().line,
    };
    Ok(Json(Gates { gates: policy.gates().map(show).collect() }))
}
