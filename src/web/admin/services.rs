//! `/ui/admin/services`: names that are not people's.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::Section;
use crate::service::api::input::Body;
use crate::service::api::services::{self, Addition, Change, Service, Services};
use crate::web::Web;
use crate::web::form::Sent;
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::Trouble;
use crate::web::session::SignedIn;
use crate::web::shown::Moment;

/// How many are on the page.
const MOST: usize = 1000;

#[derive(Template)]
#[template(path = "admin/services.html")]
struct Page<'a> {
    frame: Frame<'a>,
    section: Section,
    services: Vec<Service>,
    /// How many are not shown.
    more: usize,
}

impl Page<'_> {
    fn moment(&self, at: &jiff::Timestamp) -> Moment {
        Moment::of(*at)
    }
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
) -> Result<Response, Trouble> {
    let asked = services::list(State(Arc::clone(&web.api)), signed_in.who.clone());
    let Json(Services { mut services }) = asked.await?;
    let more = services.len().saturating_sub(MOST);
    services.truncate(MOST);
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Admin, "Services"),
        section: Section::Services,
        services,
        more,
    }))
}

pub(super) async fn add(
    State(web): State<Arc<Web>>,
    Sent { signed_in, form }: Sent,
) -> Result<Response, Trouble> {
    signed_in.who.administrator()?;
    form.only(&["name"])?;
    let addition = Addition { name: form.text("name").trim().to_owned() };
    let _ = services::add(State(Arc::clone(&web.api)), signed_in.who, Body(addition)).await?;
    Ok(Redirect::to(Section::Services.page()).into_response())
}

pub(super) async fn change(
    State(web): State<Arc<Web>>,
    Sent { signed_in, form }: Sent,
) -> Result<Response, Trouble> {
    signed_in.who.administrator()?;
    form.only(&["name", "do"])?;
    let disabled = match form.text("do") {
        "disable" => true,
        "enable" => false,
        _ => return Err(Trouble::wrong("the form does not say what to do with the service")),
    };
    let change = Change { name: form.text("name").to_owned(), disabled };
    let _ = services::change(State(Arc::clone(&web.api)), signed_in.who, Body(change)).await?;
    Ok(Redirect::to(Section::Services.page()).into_response())
}
