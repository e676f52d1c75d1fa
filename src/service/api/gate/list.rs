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
pub(in crate::service::api) struct ShownGate {
    gate: String,
    mode: &'static str,
    on: Vec<&'static str>,
    /// All that it says, a line each.
    says: Vec<String>,
    /// What of that it asks for.
    requires: Vec<String>,
    file: String,
    line: usize,
}

/// All gates.
#[derive(Serialize)]
pub(in crate::service::api) struct Gates {
    gates: Vec<ShownGate>,
}

/// Whether a gate holds, or only watches, in a word.
pub(super) fn mode(gate: &Gate) -> &'static str {
    if gate.is_enforced() { "enforce" } else { "audit" }
}

pub(super) fn on(gate: &Gate) -> Vec<&'static str> {
    gate.on().iter().map(|on: &Occasion| on.as_str()).collect()
}

/// Gates tell of images and groups that are not everybody's business.
pub(in crate::service::api) async fn list(
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
