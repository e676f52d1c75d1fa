//! `/ui/admin/exceptions`: who broke the glass of which gate, and breaking it.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use jiff::Timestamp;

use super::Section;
use crate::service::api::gate::exceptions::{self, Addition, Exceptions, ShownException};
use crate::service::api::input::Body;
use crate::web::Web;
use crate::web::address::{image_page, policy_line};
use crate::web::form::Sent;
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::{Mistake, Trouble};
use crate::web::session::SignedIn;
use crate::web::shown::Moment;

/// How many that are over are shown.
const MOST: usize = 100;

/// An exception that stands in the policy.
struct Written {
    vulnerability: String,
    reason: String,
    by: String,
    expires: Timestamp,
    is_over: bool,
    file: String,
    line: usize,
}

#[derive(Template)]
#[template(path = "admin/exceptions.html")]
struct Page<'a> {
    frame: Frame<'a>,
    section: Section,
    gates: Vec<String>,
    in_force: Vec<ShownException>,
    over: Vec<ShownException>,
    /// How many that are over are not shown.
    more: usize,
    written: Vec<Written>,
    filled: &'a Filled,
    /// What is wrong with that.
    mistake: Option<&'a str>,
}

/// What stands in the form.
struct Filled {
    gate: String,
    image: String,
    reason: String,
    expires_in: String,
}

impl Default for Filled {
    fn default() -> Self {
        let [gate, image, reason] = [const { String::new() }; 3];
        Self { gate, image, reason, expires_in: "4h".to_owned() }
    }
}

impl Page<'_> {
    fn moment(&self, at: &Timestamp) -> Moment {
        Moment::of(*at)
    }

    fn image(&self, exception: &ShownException) -> String {
        image_page(&exception.image)
    }

    fn line(&self, written: &Written) -> String {
        policy_line(&written.file, written.line)
    }
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
) -> Result<Response, Trouble> {
    page(&web, &signed_in, &Filled::default(), None).await
}

async fn page(
    web: &Web,
    signed_in: &SignedIn,
    filled: &Filled,
    mistake: Option<&Mistake>,
) -> Result<Response, Trouble> {
    signed_in.who.administrator()?;
    let asked = exceptions::list(State(Arc::clone(&web.api)), signed_in.who.clone());
    let Json(Exceptions { exceptions }) = asked.await?;
    let (in_force, mut over): (Vec<_>, Vec<_>) =
        exceptions.into_iter().partition(|exception| !exception.is_over());
    let more = over.len().saturating_sub(MOST);
    over.truncate(MOST);
    let (policy, now) = (web.api.policy(), web.api.now());
    let written = policy.exceptions().map(|exception| {
        let (file, line) = exception.place();
        Written {
            vulnerability: exception.vulnerability().to_string(),
            reason: exception.reason().to_owned(),
            by: exception.by().to_owned(),
            expires: exception.expires(),
            is_over: exception.expires() <= now,
            file: file.to_owned(),
            line,
        }
    });
    let page = rendered(&Page {
        frame: Frame::around(signed_in, Place::Admin, "Exceptions"),
        section: Section::Exceptions,
        gates: policy.gates().map(|gate| gate.name().to_owned()).collect(),
        in_force,
        over,
        more,
        written: written.take(MOST).collect(),
        filled,
        mistake: mistake.map(|mistake| &*mistake.text),
    });
    let status = mistake.map_or(StatusCode::OK, |mistake| mistake.status);
    Ok((status, page).into_response())
}

/// Breaks the glass, as the API does it: with the right to, audited, and for three days at most.
pub(super) async fn add(
    State(web): State<Arc<Web>>,
    Sent { signed_in, form }: Sent,
) -> Result<Response, Trouble> {
    signed_in.who.administrator()?;
    form.only(&["gate", "image", "reason", "expires_in"])?;
    let text = |name: &str| form.text(name).trim().to_owned();
    let filled = Filled {
        gate: text("gate"),
        image: text("image"),
        reason: text("reason"),
        expires_in: text("expires_in"),
    };
    let addition = Addition {
        gate: filled.gate.clone(),
        image: filled.image.clone(),
        reason: filled.reason.clone(),
        expires_at: None,
        expires_in: Some(filled.expires_in.clone()).filter(|text| !text.is_empty()),
    };
    let (api, who) = (State(Arc::clone(&web.api)), signed_in.who.clone());
    if let Err(problem) = exceptions::add(api, who, Body(addition)).await {
        let mistake = Trouble::mistake(problem)?;
        return page(&web, &signed_in, &filled, Some(&mistake)).await;
    }
    web.survey.forget();
    Ok(Redirect::to(Section::Exceptions.page()).into_response())
}

pub(super) async fn remove(
    State(web): State<Arc<Web>>,
    Sent { signed_in, form }: Sent,
) -> Result<Response, Trouble> {
    signed_in.who.administrator()?;
    form.only(&["id"])?;
    let id = Path(form.text("id").to_owned());
    let _ = exceptions::remove(State(Arc::clone(&web.api)), signed_in.who, id).await?;
    web.survey.forget();
    Ok(Redirect::to(Section::Exceptions.page()).into_response())
}
