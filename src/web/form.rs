//! Reading the forms of pages, and making sure that they are ours.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts as _, Request};
use bytes::Bytes;
use http::StatusCode;
use tokio::time::timeout;

use super::Web;
use super::guard::is_from_here;
use super::problem::Trouble;
use super::session::{SignedIn, Stranger};
use crate::service::api::Problem;

/// The longest form, in bytes.
const MAX_FORM: usize = 64 * 1024;

/// For a form to arrive.
const FORM_TIMEOUT: Duration = Duration::from_secs(30);

/// Under which name forms carry the token of their session.
const FORM_TOKEN: &str = "form_token";

/// What somebody filled in, on a page of this gate.
pub(super) struct Form(Vec<(String, String)>);

/// The same, from a page of their own session.
pub(super) struct Sent {
    pub(super) signed_in: SignedIn,
    pub(super) form: Form,
}

impl Form {
    /// What stands in a field; nothing where it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// Refuses fields that the page has not, and any that is there twice: whoever sends more than that
    /// means something by it, and it is not to be passed over.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), Trouble> {
        let mut seen = BTreeSet::new();
        for (field, _) in &self.0 {
            let is_known = field == FORM_TOKEN || names.contains(&field.as_str());
            if !is_known || !seen.insert(field) {
                let field = field.escape_debug();
                return Err(Trouble::wrong(format!(
                    "the form has no field `{field}`, or it is there twice"
                )));
            }
        }
        Ok(())
    }

    /// What stands in fields of the same name.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let of_this_name =
            move |(field, value): &'a (String, String)| (field == name).then_some(value.as_str());
        self.0.iter().filter_map(of_this_name)
    }
}

impl FromRequest<Arc<Web>> for Form {
    type Rejection = Trouble;

    async fn from_request(mut request: Request, web: &Arc<Web>) -> Result<Self, Trouble> {
        if !is_from_here(request.headers(), web.api.issue.authenticator.issuer()) {
            return Err(Trouble::foreign_form());
        }
        DefaultBodyLimit::max(MAX_FORM).apply(&mut request);
        match timeout(FORM_TIMEOUT, Bytes::from_request(request, &())).await {
            Ok(Ok(body)) => Ok(Self(form_urlencoded::parse(&body).into_owned().collect())),
            Ok(Err(_)) => Err(Trouble::wrong("the form is too long, or did not come whole")),
            Err(_) => {
                let text = "the form did not arrive in time";
                Err(Problem::new(StatusCode::REQUEST_TIMEOUT, text).into())
            }
        }
    }
}

impl FromRequest<Arc<Web>> for Sent {
    type Rejection = Stranger;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Self, Stranger> {
        let (mut parts, body) = request.into_parts();
        let signed_in = SignedIn::from_request_parts(&mut parts, web).await?;
        let form = Form::from_request(Request::from_parts(parts, body), web).await;
        let form = form.map_err(Stranger::Trouble)?;
        match signed_in.sent(form.text(FORM_TOKEN)) {
            true => Ok(Self { signed_in, form }),
            false => Err(Stranger::Trouble(Trouble::foreign_form())),
        }
    }
}
