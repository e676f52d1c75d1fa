//! `/ui/admin/shadow`: what the shadow policy would have decided differently.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::Section;
use crate::service::api::input::Asked;
use crate::service::api::shadow::{self, Part};
use crate::shadow::{Difference, Verdict};
use crate::web::Web;
use crate::web::address::shadow_more;
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::Trouble;
use crate::web::query::Query;
use crate::web::session::SignedIn;
use crate::web::shown::Moment;

/// How many differences are on a page.
const MOST: usize = 50;

#[derive(Deserialize)]
pub(super) struct Asking {
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "admin/shadow.html")]
struct Page<'a> {
    frame: Frame<'a>,
    section: Section,
    /// None where no shadow policy is configured.
    report: Option<crate::shadow::Page>,
}

impl Page<'_> {
    fn moment(&self, at: &jiff::Timestamp) -> Moment {
        Moment::of(*at)
    }

    fn more(&self, cursor: &str) -> String {
        shadow_more(cursor)
    }
}

impl Difference {
    /// `REPOSITORY:TAG`, `REPOSITORY@DIGEST`, or as much of it as is known.
    fn image(&self) -> String {
        let repository = self.repository.as_deref().unwrap_or("the whole registry");
        match &self.reference {
            None => repository.to_owned(),
            Some(digest) if digest.contains(':') => format!("{repository}@{digest}"),
            Some(tag) => format!("{repository}:{tag}"),
        }
    }

    fn class(&self) -> &'static str {
        match self.shadow {
            Verdict::Allow => "passed",
            Verdict::Deny => "held",
            Verdict::Undecided => "warned",
        }
    }
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
    Query(Asking { cursor }): Query<Asking>,
) -> Result<Response, Trouble> {
    signed_in.who.administrator()?;
    let report = match &web.api.shadow {
        None => None,
        Some(_) => {
            let part = Asked(Part { limit: Some(MOST), cursor });
            let asked = shadow::show(State(Arc::clone(&web.api)), signed_in.who.clone(), part);
            Some(asked.await?.0)
        }
    };
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Admin, "Shadow policy"),
        section: Section::Shadow,
        report,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Decision;

    #[test]
    fn an_image_is_named_as_far_as_it_is_known() {
        let of = |repository: Option<&str>, reference: Option<&str>| {
            Difference {
                subject: String::new(),
                operation: "manifest_read",
                repository: repository.map(str::to_owned),
                reference: reference.map(str::to_owned),
                decision: Decision::Allow,
                shadow: Verdict::Deny,
                shadow_rule: None,
                shadow_reason: None,
            }
            .image()
        };
        assert_eq!(of(Some("a/b"), Some("v1")), "a/b:v1");
        assert_eq!(of(Some("a/b"), Some("sha256:12")), "a/b@sha256:12");
        assert_eq!(of(None, None), "the whole registry");
    }
}
