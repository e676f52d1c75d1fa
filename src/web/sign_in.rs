//! `/ui/sign-in` and `/ui/sign-out`.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::Web;
use super::form::{Form, Sent};
use super::frame::{Frame, rendered};
use super::problem::Trouble;
use super::query::Query;
use super::session::{SignedIn, Visitor, forgotten, kept, shown};
use crate::audit::Record;
use crate::identity::federation::Offer;
use crate::identity::{AuthError, Authenticated, ClientAddress, Credentials};
use crate::issue::Occasion;
use crate::secret::Secret;
use crate::service::api::Problem;

/// Where to go on.
#[derive(Deserialize)]
pub(super) struct Way {
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page<'a> {
    frame: Frame<'a>,
    gate: &'a str,
    username: &'a str,
    next: &'a str,
    /// What was wrong with the last attempt.
    wrong: Option<String>,
    /// Where one can sign in as well.
    offers: Vec<Offer<'a>>,
    /// Whether a browser keeps the cookie of a session here.
    is_https: bool,
}

/// A place within the pages, or the front page.
pub(super) fn local(next: &str) -> &str {
    // Browsers take `//host` and `/\host` for another site, and drop what they cannot print.
    let is_local = next.starts_with('/')
        && !next[1..].starts_with(['/', '\\'])
        && next.bytes().all(|byte| byte.is_ascii_graphic());
    if is_local { next } else { "/" }
}

fn page(web: &Web, username: &str, next: &str, wrong: Option<String>) -> Response {
    let issuer = web.api.issue.authenticator.issuer();
    rendered(&Page {
        frame: Frame::plain("Sign in"),
        gate: issuer.service(),
        username,
        next: local(next),
        wrong,
        offers: web.api.issue.authenticator.sign_ins().collect(),
        is_https: issuer.is_https(),
    })
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    Visitor(visitor): Visitor,
    Query(way): Query<Way>,
) -> Response {
    match visitor {
        Some(_) => Redirect::to(local(&way.next)).into_response(),
        None => page(&web, "", &way.next, None),
    }
}

/// Takes a name and a password, or what stands in its place.
pub(super) async fn sign_in(
    State(web): State<Arc<Web>>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Trouble> {
    form.only(&["username", "password", "next"])?;
    let issue = &web.api.issue;
    let (username, next) = (form.text("username"), form.text("next"));
    let password = Secret::new(form.text("password").to_owned());
    let occasion = Occasion { address, now: (issue.now)() };
    let credentials = Credentials::Basic { username: username.to_owned(), password };
    let known = match issue.authenticator.check(&credentials, address, occasion.now).await {
        Ok(known) => known,
        Err(error) => return Ok(refused(&web, username, next, &error)),
    };
    match begin(&web, &headers, &known, next, occasion).await? {
        Some(response) => Ok(response),
        None => {
            let text = "this token is for the registry: use your password, or a token of your own \
                        that reaches as far as you do";
            Ok(again(&web, username, next, StatusCode::FORBIDDEN, text.to_owned()))
        }
    }
}

/// Begins a session under a new name for somebody who is known, and leads on: one that was there
/// before is not taken over, whoever put it there, but ended. None if there is none for them.
pub(super) async fn begin(
    web: &Web,
    headers: &HeaderMap,
    known: &Authenticated,
    next: &str,
    occasion: Occasion,
) -> Result<Option<Response>, Trouble> {
    let issue = &web.api.issue;
    let session = issue.begin_session(known, occasion).await.map_err(Problem::from)?;
    let Some(session) = session else { return Ok(None) };
    if let Some(former) = shown(headers) {
        // It ends by itself before long, if it does not end now.
        let _ = issue.revoke_value(&former.written(), occasion.now).await;
    }
    let record = Record {
        subject: Some(known.grant.subject.to_string()),
        kind: Some(known.grant.kind.as_str()),
        address: Some(occasion.address),
        reason: Some(match &known.grant.via {
            Some(provider) => format!("oidc:{provider}"),
            None => known.by.label().to_owned(),
        }),
        ..Record::new("session.began")
    };
    web.api.audit.flush(record).await.map_err(Problem::from)?;
    Ok(Some(([(SET_COOKIE, kept(&session))], Redirect::to(local(next))).into_response()))
}

fn refused(web: &Web, username: &str, next: &str, error: &AuthError) -> Response {
    let (status, text) = match error {
        AuthError::Throttled { .. } => (StatusCode::TOO_MANY_REQUESTS, error.to_string()),
        AuthError::Busy | AuthError::Unavailable => {
            (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
        }
        AuthError::Misused(text) => (StatusCode::FORBIDDEN, (*text).to_owned()),
        // The same for a name that is not known and for a password that is not the right one.
        AuthError::Malformed(_) | AuthError::Invalid { .. } | AuthError::Expired => {
            let text = "this name and password do not go together";
            (StatusCode::UNAUTHORIZED, text.to_owned())
        }
    };
    let mut response = again(web, username, next, status, text);
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// The form once more, with what was wrong.
pub(super) fn again(
    web: &Web,
    username: &str,
    next: &str,
    status: StatusCode,
    text: String,
) -> Response {
    let mut response = page(web, username, next, Some(text));
    *response.status_mut() = status;
    response
}

pub(super) async fn sign_out(
    State(web): State<Arc<Web>>,
    Sent { signed_in, form }: Sent,
) -> Result<Response, Trouble> {
    form.only(&[])?;
    let SignedIn { who, session, .. } = signed_in;
    let (issue, now) = (&web.api.issue, web.api.now());
    let ended = issue.revoke_id(who.maker(), &session, now).await;
    ended.map_err(|refused| who.refused(refused))?;
    web.api.audit.flush(who.record("session.ended")).await.map_err(Problem::from)?;
    Ok(([(SET_COOKIE, forgotten())], Redirect::to("/ui/sign-in")).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_leads_nowhere_else() {
        for place in ["/", "/ui/image?ref=team/app:v1", "/ui/search?q=a%20b"] {
            assert_eq!(local(place), place);
        }
        for place in [
            "",
            "ui",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil",
            "/ü",
        ] {
            assert_eq!(local(place), "/", "{place}");
        }
    }
}
