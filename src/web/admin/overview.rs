//! `/ui/admin`: whether all is well.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::Section;
use crate::service::api::status::{self, Check, Standing, Word};
use crate::web::Web;
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::Trouble;
use crate::web::session::SignedIn;
use crate::web::shown::{Moment, span};

#[derive(Template)]
#[template(path = "admin/overview.html")]
struct Page<'a> {
    frame: Frame<'a>,
    section: Section,
    standing: Standing,
}

impl Page<'_> {
    fn moment(&self, at: &jiff::Timestamp) -> Moment {
        Moment::of(*at)
    }

    fn uptime(&self) -> String {
        span(self.standing.now.duration_since(self.standing.started_at))
    }

    /// In one word for all of it: the worst.
    fn whole(&self) -> Word {
        let is_there = |word: &Word| self.standing.checks.iter().any(|check| check.state == *word);
        let worst = [Word::Bad, Word::Attention, Word::Unknown].into_iter().find(is_there);
        worst.unwrap_or(Word::Good)
    }
}

impl Word {
    fn text(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Attention => "look at it",
            Self::Bad => "bad",
            Self::Unknown => "not known",
            Self::Off => "off",
        }
    }

    fn class(&self) -> &'static str {
        match self {
            Self::Good => "passed",
            Self::Attention | Self::Unknown => "warned",
            Self::Bad => "held",
            Self::Off => "",
        }
    }
}

impl Check {
    /// Where there is more about it.
    fn page(&self) -> Option<&'static str> {
        let section = match self.check {
            "policy" => Section::Reloads,
            "shadow policy" => Section::Shadow,
            "scanner" => Section::Scanning,
            "trusted gates" => Section::Peers,
            _ => return None,
        };
        Some(section.page())
    }
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
) -> Result<Response, Trouble> {
    let asked = status::show(State(Arc::clone(&web.api)), signed_in.who.clone());
    let Json(standing) = asked.await?;
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Admin, "Administration"),
        section: Section::Overview,
        standing,
    }))
}
