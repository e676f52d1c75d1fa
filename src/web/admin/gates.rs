//! `/ui/admin/gates`: what all gates hold, and will.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::Section;
use crate::service::api::gate::list::{self, ShownGate};
use crate::service::api::gate::survey::{Counted, Kind, OfGate};
use crate::web::Web;
use crate::web::address::{image_page, policy_line};
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::Trouble;
use crate::web::session::SignedIn;
use crate::web::shown::Moment;

const IN_GRACE: &str = "In grace";

#[derive(Template)]
#[template(path = "admin/gates.html")]
struct Page<'a> {
    frame: Frame<'a>,
    section: Section,
    gates: Vec<ShownGate>,
    /// None while it is counted for the first time.
    counted: Option<Arc<Counted>>,
}

impl Page<'_> {
    fn moment(&self, at: &jiff::Timestamp) -> Moment {
        Moment::of(*at)
    }

    fn line(&self, gate: &ShownGate) -> String {
        policy_line(&gate.file, gate.line)
    }

    fn image(&self, image: &str) -> String {
        image_page(image)
    }

    /// What the time of an example means.
    fn at(&self, heading: &str) -> &'static str {
        if heading == IN_GRACE { "Until (UTC)" } else { "From (UTC)" }
    }

    /// What was counted of a gate, each kind under its heading.
    fn kinds(&self, gate: &ShownGate) -> Vec<(&'static str, &'static str, &Kind)> {
        let Some(OfGate { held, week, month, in_grace }) =
            self.counted.as_ref().and_then(|counted| counted.gates.get(&gate.gate))
        else {
            return Vec::new();
        };
        let is_audit = gate.mode == "audit";
        let now = if is_audit { "Would hold now" } else { "Holds now" };
        let class = if is_audit { "warned" } else { "held" };
        vec![
            (now, class, held),
            ("Within 7 days", "warned", week),
            ("Within 30 days", "warned", month),
            (IN_GRACE, "warned", in_grace),
        ]
    }
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
) -> Result<Response, Trouble> {
    let asked = list::list(State(Arc::clone(&web.api)), signed_in.who.clone());
    let Json(list::Gates { gates }) = asked.await?;
    let counted = if gates.is_empty() { None } else { web.survey.look(&web.api).await };
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Admin, "Gates"),
        section: Section::Gates,
        gates,
        counted,
    }))
}
