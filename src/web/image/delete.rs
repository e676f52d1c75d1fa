//! `/ui/image/delete`: what would go, and the button that has it go.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Deserialize;

use super::super::Web;
use super::super::address::{image_page, repository_page};
use super::super::form::Sent;
use super::super::frame::{Frame, Place, rendered};
use super::super::problem::Trouble;
use super::super::query::Query;
use super::super::session::SignedIn;
use crate::service::api::Problem;
use crate::service::api::image::delete::{self as api, Deletion, Way};
use crate::service::api::image::flags::Which;
use crate::service::api::input::Asked;

#[derive(Deserialize)]
pub(in crate::web) struct Asking {
    r#ref: String,
}

/// What would go.
#[derive(Template)]
#[template(path = "delete.html")]
struct Page<'a> {
    frame: Frame<'a>,
    named: &'a str,
    /// What is deleted by the tag alone, and with the digest.
    choices: Vec<Choice>,
    /// Why it was not done just now.
    trouble: Option<&'a str>,
}

/// One way to delete it.
struct Choice {
    /// `REPOSITORY:TAG` or `REPOSITORY@DIGEST`.
    named: String,
    is_digest: bool,
    told: Deletion,
}

/// It is gone.
#[derive(Template)]
#[template(path = "deleted.html")]
struct Done<'a> {
    frame: Frame<'a>,
    repository: &'a str,
    repository_page: String,
}

impl Page<'_> {
    /// Whether anything of it may be deleted.
    fn is_offered(&self) -> bool {
        self.choices.iter().any(|choice| choice.told.allowed)
    }

    fn image_page(&self) -> String {
        image_page(self.named)
    }
}

impl Choice {
    fn page_of(&self, tag: &str) -> String {
        image_page(&format!("{}:{tag}", self.told.repository))
    }

    fn page_of_digest(&self, digest: &str) -> String {
        image_page(&format!("{}@{digest}", self.told.repository))
    }
}

async fn told(web: &Web, signed_in: &SignedIn, named: &str) -> Result<Deletion, Problem> {
    let which = Asked(Which { r#ref: named.to_owned() });
    let told = api::preview(State(Arc::clone(&web.api)), signed_in.who.clone(), which).await;
    told.map(|Json(told)| told)
}

/// The page before it is done, and after it was not.
async fn page(
    web: &Web,
    signed_in: &SignedIn,
    named: &str,
    trouble: Option<&Problem>,
) -> Result<Response, Trouble> {
    let told_of_this = told(web, signed_in, named).await?;
    let digest = format!("{}@{}", told_of_this.repository, told_of_this.digest);
    let is_digest = told_of_this.reference == told_of_this.digest;
    let mut choices = vec![Choice { named: named.to_owned(), is_digest, told: told_of_this }];
    if !is_digest {
        // What may not be known of by its digest is no choice.
        if let Ok(told) = told(web, signed_in, &digest).await {
            choices.push(Choice { named: digest, is_digest: true, told });
        }
    }
    let title = format!("Delete {named}");
    let status = trouble.map_or(StatusCode::OK, Problem::status);
    let page = Page {
        frame: Frame::around(signed_in, Place::Search, &title),
        named,
        choices,
        trouble: trouble.map(Problem::detail),
    };
    Ok((status, rendered(&page)).into_response())
}

pub(in crate::web) async fn confirm(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
    Query(asking): Query<Asking>,
) -> Result<Response, Trouble> {
    page(&web, &signed_in, &asking.r#ref, None).await
}

/// Deletes it, if it still is what the page showed.
pub(in crate::web) async fn delete(
    State(web): State<Arc<Web>>,
    way: Way,
    Sent { signed_in, form }: Sent,
) -> Result<Response, Trouble> {
    form.only(&["ref", "digest"])?;
    let named = form.text("ref");
    let which = Asked(Which { r#ref: named.to_owned() });
    let shown = form.text("digest");
    // A digest is what it is.
    if !shown.is_empty() && !named.contains('@') {
        let now = told(&web, &signed_in, named).await?;
        if now.digest != shown {
            let text = format!(
                "{named} is {} by now: look at what would go, and delete it then",
                now.digest
            );
            let moved = Problem::new(StatusCode::CONFLICT, text);
            return page(&web, &signed_in, named, Some(&moved)).await;
        }
    }
    let who = signed_in.who.clone();
    match api::delete(State(Arc::clone(&web.api)), who, way, which).await {
        Ok(Json(deleted)) => {
            let title = format!("{named} is deleted");
            Ok(rendered(&Done {
                frame: Frame::around(&signed_in, Place::Search, &title),
                repository_page: repository_page(&deleted.repository),
                repository: &deleted.repository,
            }))
        }
        // The registry does it in another way, or not at all: the page says in which.
        Err(problem) if problem.status() == StatusCode::CONFLICT => {
            page(&web, &signed_in, named, Some(&problem)).await
        }
        Err(problem) => Err(problem.into()),
    }
}
