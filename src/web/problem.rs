//! Pages that say what went wrong, and what to do next.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::WWW_AUTHENTICATE;

use super::frame::{Frame, rendered};
use super::session::Visitor;
use crate::proxy::request_id;
use crate::service::api::Problem;

/// What went wrong with a page.
#[derive(Debug)]
pub(super) struct Trouble(Box<Problem>);

#[derive(Template)]
#[template(path = "problem.html")]
struct Page<'a> {
    frame: Frame<'a>,
    heading: &'static str,
    detail: &'a str,
    remedy: &'static str,
    /// By which those who look after the gate find it.
    request_id: Option<String>,
}

impl Trouble {
    /// The page was asked for in a way that it does not understand.
    pub(super) fn wrong(detail: impl Into<String>) -> Self {
        Problem::wrong(detail).into()
    }

    /// A form that does not come from this gate's own pages, or from a session that has ended.
    pub(super) fn foreign_form() -> Self {
        let detail = "this form was not sent from a page of the gate that is still good";
        Problem::new(StatusCode::FORBIDDEN, detail).into()
    }

    /// What it is about, in a few words.
    fn heading(&self) -> &'static str {
        match self.0.status() {
            StatusCode::UNAUTHORIZED => "You are not signed in",
            StatusCode::FORBIDDEN => "You may not do this",
            StatusCode::NOT_FOUND => "There is nothing here",
            StatusCode::TOO_MANY_REQUESTS => "Too many attempts",
            StatusCode::CONFLICT => "This does not fit what is there",
            status if status.is_server_error() => "This did not work",
            _ => "The gate did not understand this",
        }
    }

    fn remedy(&self) -> &'static str {
        match self.0.status() {
            StatusCode::UNAUTHORIZED => "Sign in and try again.",
            StatusCode::FORBIDDEN => {
                "If you need it, ask whoever keeps the policies of this gate, and name the image."
            }
            StatusCode::NOT_FOUND => {
                "Look at how it is spelled, or search for it. What you may not see is not shown either."
            }
            StatusCode::TOO_MANY_REQUESTS => "Wait a little, then try again.",
            status if status.is_server_error() => {
                "Try again in a moment. If it goes on, the log of the gate says why."
            }
            _ => "Go back, change what you wrote, and try again.",
        }
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

/// As the API answers it, with a page in the place of the document.
impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let page = rendered(&Page {
            frame: Frame::plain(self.heading()),
            heading: self.heading(),
            detail: self.0.detail(),
            remedy: self.remedy(),
            request_id: request_id::current(),
        });
        let (mut head, _) = self.0.into_response().into_parts();
        // A browser that is challenged asks for a password in a window of its own.
        head.headers.remove(WWW_AUTHENTICATE);
        head.headers.extend(page.headers().clone());
        Response::from_parts(head, page.into_body())
    }
}

/// There is no such page.
pub(super) async fn no_page(_: Visitor) -> Trouble {
    Problem::new(StatusCode::NOT_FOUND, "the gate has no such page").into()
}
