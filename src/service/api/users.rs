//! `/api/v1/users`: who can log in with a password.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use policy::{Caller, Subject};
use serde::Serialize;

use super::Api;
use super::problem::Problem;
use super::requester::Requester;
use crate::identity::users::Source;

/// A user as it is shown.
#[derive(Serialize)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
    pub(crate) disabled: bool,
    pub(crate) source: &'static str,
}

/// All users.
#[derive(Serialize)]
pub(crate) struct Users {
    pub(crate) users: Vec<User>,
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    who: Requester,
) -> Result<Json<Users>, Problem> {
    who.administrator()?;
    let (policy, users) = (api.policy(), api.users.load());
    let users = users.iter().map(|(name, user)| {
        let caller = Caller::new(Subject::User(name.to_owned()), user.groups.clone());
        User {
            name: name.to_owned(),
            groups: policy.groups_of(&caller).into_iter().collect(),
            disabled: user.disabled,
            source: match user.source {
                Source::Users => "users",
                Source::Htpasswd => "htpasswd",
            },
        }
    });
    Ok(Json(Users { users: users.collect() }))
}
