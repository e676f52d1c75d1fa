//! Pages that say what went wrong, and what to do next.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::WWW_AUTHENTICATE;

use super::frame::{Frame, Place, rendered};
use super::session::{SignedIn, Visitor};
use crate::proxy::request_id;
use crate::service::api::Problem;

/// What went wrong with a page.
#[derive(Debug)]
pub(super) struct Trouble {
    problem: Box<Problem>,
    /// Where it is another than the status suggests.
    remedy: Option<&'static str>,
}

/// What was wrong with a form.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

/// What its page says, as an extension of the response: it is shown within the menu of whoever reads
/// it once that is known.
#[derive(Debug, Clone)]
pub(super) struct Told {
    heading: &'static str,
    detail: String,
    remedy: &'static str,
    /// By which those who look after the gate find it.
    request_id: Option<String>,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct Page<'a> {
    frame: Frame<'a>,
    told: &'a Told,
}

impl Told {
    fn plain(&self) -> Response {
        rendered(&Page { frame: Frame::plain(self.heading), told: self })
    }

    /// The same for somebody who signed in.
    pub(super) fn to(&self, reader: &SignedIn) -> Response {
        let frame = Frame::around(reader, Place::Elsewhere, self.heading);
        rendered(&Page { frame, told: self })
    }
}

impl Trouble {
    /// The page was asked for in a way that it does not understand.
    pub(super) fn wrong(detail: impl Into<String>) -> Self {
        Problem::wrong(detail).into()
    }

    /// A form that does not come from this gate's own pages, or from a session that has ended.
    pub(super) fn foreign_form() -> Self {
        let detail = "this form was not sent from a page of the gate that is still good";
        let problem = Problem::new(StatusCode::FORBIDDEN, detail);
        Self { problem: Box::new(problem), remedy: Some("Load the page anew, and send it again.") }
    }

    /// What was wrong with what somebody filled in, so that the form is shown again with it. Whatever
    /// else went wrong has a page of its own.
    pub(super) fn mistake(problem: Problem) -> Result<Mistake, Self> {
        let status = problem.status();
        match status {
            StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => {
                Ok(Mistake { status, text: problem.detail().to_owned() })
            }
            _ => Err(problem.into()),
        }
    }

    /// What it is about, in a few words.
    fn heading(&self) -> &'static str {
        match self.problem.status() {
            StatusCode::UNAUTHORIZED => "You are not signed in",
            StatusCode::FORBIDDEN => "You may not do this",
            StatusCode::NOT_FOUND => "There is nothing here",
            StatusCode::METHOD_NOT_ALLOWED => "This is no page",
            StatusCode::TOO_MANY_REQUESTS => "Too many attempts",
            StatusCode::CONFLICT => "This does not fit what is there",
            status if status.is_server_error() => "This did not work",
            _ => "The gate did not understand this",
        }
    }

    fn remedy(&self) -> &'static str {
        if let Some(remedy) = self.remedy {
            return remedy;
        }
        match self.problem.status() {
            StatusCode::UNAUTHORIZED => "Sign in and try again.",
            StatusCode::FORBIDDEN => {
                "If you need it, ask whoever keeps the policies of this gate, and name this request."
            }
            StatusCode::NOT_FOUND => {
                "Look at how it is spelled, or search for it. What you may not see is not shown either."
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                "Go to the page that has the button, and press it there."
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
        Self { problem: Box::new(problem), remedy: None }
    }
}

/// As the API answers it, with a page in the place of the document.
impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let told = Told {
            heading: self.heading(),
            detail: self.problem.detail().to_owned(),
            remedy: self.remedy(),
            request_id: request_id::current(),
        };
        let page = told.plain();
        let (mut head, _) = self.problem.into_response().into_parts();
        // A browser that is challenged asks for a password in a window of its own.
        head.headers.remove(WWW_AUTHENTICATE);
        head.headers.extend(page.headers().clone());
        head.extensions.insert(told);
        Response::from_parts(head, page.into_body())
    }
}

/// There is no such page.
pub(super) async fn no_page(_: Visitor) -> Trouble {
    Problem::new(StatusCode::NOT_FOUND, "the gate has no such page").into()
}

/// There is only something to send to.
pub(super) async fn no_way(_: Visitor) -> Trouble {
    let detail = "what this address does is done by a button of a page";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).into()
}
