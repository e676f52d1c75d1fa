//! `/ui/denial`: why a request was denied, or what else became of it.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::{Query, State};
use axum::response::Response;
use document::printable;
use http::StatusCode;
use serde::Deserialize;

use super::Web;
use super::address::{
    audit_page, denial_page, image_page, policy_line, repository_page, what_if_page,
};
use super::frame::{Frame, Place, rendered};
use super::problem::Trouble;
use super::session::SignedIn;
use crate::proxy::RequestIds;
use crate::service::api::Problem;
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
    /// Where to look further back.
    next: Option<String>,
}

impl Page<'_> {
    fn shown(&self, text: &str) -> String {
        printable(text).into_owned()
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

    fn repository_page(&self, name: &str) -> String {
        repository_page(name)
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
        let text = "there is no id of a request in this: it is in the message of a denial, as in \
                    `(request 00c0ffee00c0ffee-7)`";
        return Err(Trouble::wrong(text));
    };
    let query = Asked(denial::Query { id: id.to_owned(), cursor: asking.cursor });
    let told = denial::show(State(Arc::clone(&web.api)), signed_in.who.clone(), query).await;
    let Json(denial::Answer { request, cursor }) =
        told.map_err(|problem| match problem.status() {
            StatusCode::NOT_FOUND => Trouble::from(unknown(id)),
            _ => problem.into(),
        })?;
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Search, "A request"),
        id,
        request,
        next: cursor.map(|cursor| denial_page(id, Some(&cursor))),
    }))
}

/// The same for what is somebody else's.
fn unknown(id: &str) -> Problem {
    let text = format!(
        "there is no request {id} in what this gate keeps of its audit trail, or it is somebody \
         else's. Of several gates each keeps its own"
    );
    Problem::new(StatusCode::NOT_FOUND, text)
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
