//! `/ui/admin`: whether all is well.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::Section;
use crate::web::Web;
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::Trouble;
use crate::web::session::SignedIn;

#[derive(Template)]
#[template(path = "admin/overview.html")]
struct Page<'a> {
    frame: Frame<'a>,
    section: Section,
    rules: usize,
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
) -> Result<Response, Trouble> {
    signed_in.who.administrator()?;
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Admin, "Administration"),
        section: Section::Overview,
        rules: web.api.policy().rule_count(),
    }))
}
