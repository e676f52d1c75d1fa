//! `/ui/admin/users`: who can sign in with a password. They are changed in their files.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::Section;
use crate::service::api::users::{self, User, Users};
use crate::web::Web;
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::Trouble;
use crate::web::session::SignedIn;

/// How many are on the page.
const MOST: usize = 1000;

#[derive(Template)]
#[template(path = "admin/users.html")]
struct Page<'a> {
    frame: Frame<'a>,
    section: Section,
    users: Vec<User>,
    /// How many are not shown.
    more: usize,
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
) -> Result<Response, Trouble> {
    let asked = users::list(State(Arc::clone(&web.api)), signed_in.who.clone());
    let Json(Users { mut users }) = asked.await?;
    let more = users.len().saturating_sub(MOST);
    users.truncate(MOST);
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Admin, "Users"),
        section: Section::Users,
        users,
        more,
    }))
}
