//! `/ui/admin/policy/file`: the text of a policy file, where decisions point to its lines.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::Section;
use crate::service::api::in_force::{self, FileText, WhichFile};
use crate::service::api::input::Asked;
use crate::web::Web;
use crate::web::address::policy_line;
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::Trouble;
use crate::web::query::Query;
use crate::web::session::SignedIn;

/// How many lines are on a page: a policy may have a hundred thousand.
const LINES: usize = 5000;

#[derive(Deserialize)]
pub(super) struct Asking {
    name: String,
    /// One that is to be on the page.
    #[serde(default)]
    line: usize,
}

#[derive(Template)]
#[template(path = "admin/policy_file.html")]
struct Page<'a> {
    frame: Frame<'a>,
    section: Section,
    name: &'a str,
    sha256: &'a str,
    /// The number of the first line, from 1.
    first: usize,
    lines: Vec<(usize, &'a str)>,
    count: usize,
}

impl Page<'_> {
    fn before(&self) -> Option<String> {
        (self.first > 1).then(|| policy_line(self.name, self.first - 1))
    }

    fn after(&self) -> Option<String> {
        let next = self.first + self.lines.len();
        (next <= self.count).then(|| policy_line(self.name, next))
    }
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
    Query(Asking { name, line }): Query<Asking>,
) -> Result<Response, Trouble> {
    let asked = Asked(WhichFile { name });
    let asked = in_force::file(State(Arc::clone(&web.api)), signed_in.who.clone(), asked);
    let Json(FileText { file, sha256, text }) = asked.await?;
    let first = line.saturating_sub(1) / LINES * LINES + 1;
    let lines = (1..).zip(text.lines()).skip(first - 1).take(LINES);
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Admin, &file),
        section: Section::Policy,
        name: &file,
        sha256: &sha256,
        first,
        lines: lines.collect(),
        count: text.lines().count(),
    }))
}
