//! `/ui/start`: how to use the registry from here, filled in for this gate and person.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::Web;
use super::frame::{Frame, Place, rendered};
use super::session::SignedIn;

#[derive(Template)]
#[template(path = "start.html")]
struct Page<'a> {
    frame: Frame<'a>,
    /// Host and port.
    gate: &'a str,
    /// With a scheme.
    origin: &'a str,
    /// Under which name they log in.
    login: String,
}

pub(super) async fn show(State(web): State<Arc<Web>>, signed_in: SignedIn) -> Response {
    let issuer = web.api.issue.authenticator.issuer();
    let subject = signed_in.who.to_string();
    let login = subject.strip_prefix("user:").unwrap_or("token").to_owned();
    rendered(&Page {
        frame: Frame::around(&signed_in, Place::Start, "Use this registry"),
        gate: issuer.service(),
        origin: issuer.as_str(),
        login,
    })
}
