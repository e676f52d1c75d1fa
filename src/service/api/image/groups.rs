//! `/api/v1/images/groups`: the groups by whose pulls images may be looked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;

use super::super::Api;
use super::super::problem::Problem;
use super::super::requester::Requester;

/// The most groups that are told.
const MOST: u32 = 1000;

/// By name.
#[derive(Serialize)]
pub(crate) struct Groups {
    pub(crate) groups: Vec<String>,
}

/// Administrators may know of all groups that policy names or that pulled something, others of those
/// that they are in.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    who: Requester,
) -> Result<Json<Groups>, Problem> {
    let mut groups = own(&api, &who);
    if who.maker().is_administrator() {
        groups.extend(api.policy().group_names().map(str::to_owned));
        let state = &api.issue.state;
        groups.extend(state.ask(|store| async move { store.pulling_groups(MOST).await }).await?);
    }
    Ok(Json(Groups { groups: groups.into_iter().collect() }))
}

/// Refuses whoever may not know what members of the group pull.
pub(super) fn may_know(api: &Api, who: &Requester, group: &str) -> Result<(), Problem> {
    if who.maker().is_administrator() || own(api, who).contains(group) {
        return Ok(());
    }
    let text = "`pulled_by` has to be a group that you are in; administrators may name any";
    Err(Problem::new(StatusCode::FORBIDDEN, text.to_owned()))
}

/// The groups that whoever asks is in, as far as their credential carries them.
fn own(api: &Api, who: &Requester) -> BTreeSet<String> {
    let Some(known) = who.maker().credential() else { return BTreeSet::new() };
    let caller = &known.principal.caller;
    let carried =
        |group: &String| caller.granting.as_ref().is_none_or(|granting| granting.contains(group));
    api.policy().groups_of(caller).into_iter().filter(carried).collect()
}
