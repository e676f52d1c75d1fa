//! `/ui/denial`: why a request was denied, or what else became of it.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use document::printable;
use http::StatusCode;
use serde::Deserialize;

use super::Web;
use super::address::{audit_page, denial_page, image_page, policy_line, what_if_page};
use super::frame::{Frame, Place, rendered};
use super::problem::Trouble;
use super::query::Query;
use super::session::SignedIn;
use super::shown::to_the_second;
use crate::proxy::RequestIds;
use crate::service::api::image::named::{Named, Need};
use crate::service::api::input::Asked;
use crate::service::api::trail::denial::{self, Decided};

#[derive(Deserialize)]
pub(super) struct Asking {
    /// The id, or a message that has it in it.
    #[serde(default)]
    id: String,
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "denial.html")]
struct Page<'a> {
    frame: Frame<'a>,
    id: &'a str,
    request: Option<Decided>,
    /// Whether it is about an image that whoever reads may see now.
    has_image: bool,
    /// Where to look further back.
    next: Option<String>,
}

/// The box alone, and why what was pasted into it leads nowhere.
#[derive(Template)]
#[template(path = "no_denial.html")]
struct Nothing<'a> {
    frame: Frame<'a>,
    trouble: &'a str,
}

impl Page<'_> {
    fn shown(&self, text: &str) -> String {
        printable(text).into_owned()
    }

    fn moment(&self, request: &Decided) -> String {
        to_the_second(request.time)
    }

    fn is_administrator(&self) -> bool {
        self.frame.reader.as_ref().is_some_and(|reader| reader.is_administrator)
    }

    /// What came of it, and how it is coloured.
    fn outcome(&self, request: &Decided) -> (&'static str, &'static str) {
        match request.decision.as_deref() {
            Some("allow") => ("allowed", "passed"),
            Some("deny") => ("denied", "held"),
            _ => ("not ended", "warned"),
        }
    }

    /// Where the rule stands, for those who may look there.
    fn place(&self, file: &str, line: &usize) -> String {
        policy_line(file, *line)
    }

    fn image_page(&self, image: &str) -> String {
        image_page(image)
    }

    /// What the policy says of the same now.
    fn access_page(&self, request: &Decided) -> Option<String> {
        let subject = request.subject.as_deref()?;
        let action = match request.operation.as_deref()? {
            "manifest_read" => "pull",
            "manifest_put" => "push",
            "manifest_delete" => "delete",
            _ => return None,
        };
        Some(what_if_page(request.image.as_deref()?, subject, action))
    }

    /// Records of the same.
    fn audit_pages(&self, request: &Decided) -> Vec<(&'static str, String)> {
        let image = request.repository.as_deref().map(|it| ("repository", it));
        let person = request.subject.as_deref().map(|it| ("subject", it));
        let address = request.address.as_deref().map(|it| ("address", it));
        let of = |words, pair: Option<_>| pair.map(|pair| (words, audit_page(&[pair])));
        let all = [
            Some(("This request", audit_page(&[("request_id", &request.request_id)]))),
            of("The same repository", image),
            of("The same person", person),
            of("The same address", address),
        ];
        all.into_iter().flatten().collect()
    }
}

/// The first id of a request in a text, such as in the message of a client.
fn find(text: &str) -> Option<&str> {
    let part = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    text.split(part).find(|word| RequestIds::is_one(word))
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
    Query(asking): Query<Asking>,
) -> Result<Response, Trouble> {
    let Some(id) = find(&asking.id) else {
        let text = "There is no id of a request in this: it is in the message of a denial, as in \
                    (request 00c0ffee00c0ffee-7).";
        return Ok(nothing(&signed_in, StatusCode::BAD_REQUEST, text));
    };
    let (api, who) = (&web.api, &signed_in.who);
    let query = Asked(denial::Query { id: id.to_owned(), cursor: asking.cursor });
    let told = match denial::show(State(Arc::clone(api)), who.clone(), query).await {
        Ok(Json(told)) => told,
        // The same for what is somebody else's.
        Err(problem) if problem.status() == StatusCode::NOT_FOUND => {
            let text = format!(
                "There is no request {id} in what this gate keeps of its audit trail, or it is \
                 somebody else's. Of several gates each keeps its own."
            );
            return Ok(nothing(&signed_in, StatusCode::NOT_FOUND, &text));
        }
        Err(problem) => return Err(problem.into()),
    };
    let denial::Answer { request, cursor } = told;
    let has_image = match request.as_ref().and_then(|request| request.image.as_deref()) {
        Some(image) => {
            let policy = api.policy();
            Named::find(api, who, &policy, ("image", image), Need::Know).await.is_ok()
        }
        None => false,
    };
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Search, "A request"),
        id,
        request,
        has_image,
        next: cursor.map(|cursor| denial_page(id, Some(&cursor))),
    }))
}

fn nothing(signed_in: &SignedIn, status: StatusCode, trouble: &str) -> Response {
    let frame = Frame::around(signed_in, Place::Search, "Why was this denied?");
    (status, rendered(&Nothing { frame, trouble })).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_in_what_a_client_printed() {
        for text in [
            "00c0ffee00c0ffee-7",
            " 00c0ffee00c0ffee-7\n",
            "denied: rule `x` (policies/a.yaml:3) denies pull (request 00c0ffee00c0ffee-7)",
            "Forbidden (request 00c0ffee00c0ffee-7); see https://gate.example/ui/image?ref=a:v1",
            "\"request_id\":\"00c0ffee00c0ffee-7\"",
            "x-request-id: 00c0ffee00c0ffee-7",
        ] {
            assert_eq!(find(text), Some("00c0ffee00c0ffee-7"), "{text}");
        }
        for text in ["", "request", "<img>", "00c0ffee00c0ffee", "00c0ffee00c0ffee-7x"] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
