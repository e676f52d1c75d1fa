//! `/ui/admin/policy`: what is in force.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use jiff::SignedDuration;

use super::Section;
use crate::service::api::in_force::{self, InForce};
use crate::web::Web;
use crate::web::address::{policy_file, policy_line};
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::Trouble;
use crate::web::session::SignedIn;
use crate::web::shown::{Moment, size, span};

/// How many files, and groups, are on the page.
const MOST: usize = 500;

#[derive(Template)]
#[template(path = "admin/policy.html")]
struct Page<'a> {
    frame: Frame<'a>,
    section: Section,
    policy: InForce,
    /// How many are not shown.
    more_files: usize,
    more_groups: usize,
}

impl Page<'_> {
    fn moment(&self, at: &jiff::Timestamp) -> Moment {
        Moment::of(*at)
    }

    fn file(&self, name: &str) -> String {
        policy_file(name)
    }

    fn line(&self, file: &str, line: &usize) -> String {
        policy_line(file, *line)
    }

    fn size(&self, bytes: &usize) -> String {
        size(u64::try_from(*bytes).unwrap_or(u64::MAX))
    }

    fn after(&self, seconds: &i64) -> String {
        span(SignedDuration::from_secs(*seconds))
    }
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
) -> Result<Response, Trouble> {
    let asked = in_force::show(State(Arc::clone(&web.api)), signed_in.who.clone());
    let Json(mut policy) = asked.await?;
    let more_files = policy.files.len().saturating_sub(MOST);
    let more_groups = policy.groups.len().saturating_sub(MOST);
    policy.files.truncate(MOST);
    policy.groups.truncate(MOST);
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Admin, "Policy"),
        section: Section::Policy,
        policy,
        more_files,
        more_groups,
    }))
}
