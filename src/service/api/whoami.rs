//! `/api/v1/whoami`: how the gate sees whoever asks.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;

use super::Api;
use super::problem::Problem;
use super::requester::Visitor;

/// Whoever asks.
#[derive(Serialize)]
pub(super) struct Whoami {
    subject: String,
    kind: &'static str,
    groups: Vec<String>,
    administrator: bool,
    expires_at: Option<Timestamp>,
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    visitor: Visitor,
) -> Result<Json<Whoami>, Problem> {
    let who = visitor.known(&api)?;
    let maker = who.maker();
    let Some(known) = maker.credential() else {
        return Ok(Json(Whoami {
            subject: maker.to_string(),
            kind: "local",
            groups: Vec::new(),
            administrator: maker.is_administrator(),
            expires_at: None,
        }));
    };
    let caller = &known.principal.caller;
    let carried =
        |group: &String| caller.granting.as_ref().is_none_or(|granting| granting.contains(group));
    let groups = api.policy().groups_of(caller).into_iter().filter(carried).collect();
    Ok(Json(Whoami {
        subject: maker.to_string(),
        kind: known.grant.kind.as_str(),
        groups,
        administrator: maker.is_administrator(),
        expires_at: known.expires,
    }))
}
