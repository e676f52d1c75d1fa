//! `/ui/admin/reloads`: what became of changes of policies.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::Section;
use crate::reloads::{Outcome, Reload, Which};
use crate::service::api::in_force::{self, History};
use crate::web::Web;
use crate::web::address::policy_line;
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::Trouble;
use crate::web::session::SignedIn;
use crate::web::shown::Moment;

#[derive(Template)]
#[template(path = "admin/reloads.html")]
struct Page<'a> {
    frame: Frame<'a>,
    section: Section,
    history: History,
}

impl Page<'_> {
    fn moment(&self, at: &jiff::Timestamp) -> Moment {
        Moment::of(*at)
    }

    fn line(&self, file: &str, line: &usize) -> String {
        policy_line(file, *line)
    }
}

impl Reload {
    fn of_text(&self) -> &'static str {
        match self.of {
            Which::Policy => "policy",
            Which::Shadow => "shadow policy",
        }
    }

    fn result_text(&self) -> &'static str {
        match self.result {
            Outcome::Loaded => "in force",
            Outcome::Refused => "refused",
            Outcome::Restored => "last good one restored",
        }
    }

    fn class(&self) -> &'static str {
        match self.result {
            Outcome::Loaded => "passed",
            Outcome::Refused => "held",
            Outcome::Restored => "warned",
        }
    }

    /// What is refused is in no file that is in force.
    fn has_lines_in_force(&self) -> bool {
        self.of == Which::Policy && self.result != Outcome::Refused
    }
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
) -> Result<Response, Trouble> {
    let asked = in_force::reloads(State(Arc::clone(&web.api)), signed_in.who.clone());
    let Json(history) = asked.await?;
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Admin, "Reloads"),
        section: Section::Reloads,
        history,
    }))
}
