//! `/ui/admin/services`: names that are not people's.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;

use super::Section;
use crate::service::api::input::Body;
use crate::service::api::services::{self, Addition, Change, Service, Services};
use crate::web::Web;
use crate::web::form::Sent;
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::{Mistake, Trouble};
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
    /// What was filled in, and what is wrong with that.
    filled: &'a str,
    mistake: Option<&'a str>,
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
    page(&web, &signed_in, "", None).await
}

async fn page(
    web: &Web,
    signed_in: &SignedIn,
    filled: &str,
    mistake: Option<&Mistake>,
) -> Result<Response, Trouble> {
    let asked = services::list(State(Arc::clone(&web.api)), signed_in.who.clone());
    let Json(Services { mut services }) = asked.await?;
    let more = services.len().saturating_sub(MOST);
    services.truncate(MOST);
    let page = rendered(&Page {
        frame: Frame::around(signed_in, Place::Admin, "Services"),
        section: Section::Services,
        services,
        more,
        filled,
        mistake: mistake.map(|mistake| &*mistake.text),
    });
    let status = mistake.map_or(StatusCode::OK, |mistake| mistake.status);
    Ok((status, page).into_response())
}

pub(super) async fn add(
    State(web): State<Arc<Web>>,
    Sent { signed_in, form }: Sent,
) -> Result<Response, Trouble> {
    signed_in.who.administrator()?;
    form.only(&["name"])?;
    let name = form.text("name").trim();
    let (api, who) = (State(Arc::clone(&web.api)), signed_in.who.clone());
    if let Err(problem) = services::add(api, who, Body(Addition { name: name.to_owned() })).await {
        let mistake = Trouble::mistake(problem)?;
        return page(&web, &signed_in, name, Some(&mistake)).await;
    }
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
