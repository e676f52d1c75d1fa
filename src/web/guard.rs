//! What holds for every page: what a browser may do with it, and from where a form may come.

use std::sync::Arc;

use axum::extract::{FromRequestParts as _, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Web;
use super::problem::{Told, Trouble};
use super::session::SignedIn;
use crate::public_url::PublicUrl;
use crate::service::api::{Denial, Problem};

/// Nothing from elsewhere, nothing inline, in no frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Without a referrer, browsers do not say where a form comes from either.
const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (REFERRER_POLICY, "same-origin"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// What was denied stands in the audit trail before anybody hears of it; and what went wrong is told
/// within the menu of whoever reads it.
pub(super) async fn settle(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    let asked = Request::from_parts(head.clone(), body);
    let mut response = next.run(asked).await;
    if let Some(Denial(record)) = response.extensions_mut().remove()
        && let Err(unwritten) = web.api.audit.flush(record).await
    {
        response = Trouble::from(Problem::from(unwritten)).into_response();
    }
    let Some(told) = response.extensions_mut().remove::<Told>() else { return response };
    match SignedIn::from_request_parts(&mut head, &web).await {
        Ok(reader) => {
            let (mut head, _) = response.into_parts();
            head.headers.remove(CONTENT_LENGTH);
            Response::from_parts(head, told.to(&reader).into_body())
        }
        Err(_) => response,
    }
}

/// Refuses what another site has its reader's browser send. Browsers name the origin of each form
/// that they send, and no page can keep them from it.
pub(super) fn is_from_here(headers: &HeaderMap, here: &PublicUrl) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    matches!((origins.next(), origins.next()), (Some(origin), None) if origin == here.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_comes_from_one_place_and_that_is_here() {
        let here = PublicUrl::new("https://gate.example:5443").unwrap();
        let from = |origins: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for origin in origins {
                headers.append(ORIGIN, HeaderValue::from_static(origin));
            }
            is_from_here(&headers, &here)
        };
        assert!(from(&["https://gate.example:5443"]));
        for wrong in [
            &[][..],
            &["null"],
            &["https://gate.example"],
            &["http://gate.example:5443"],
            &["https://evil.example"],
            &["https://gate.example:5443", "https://evil.example"],
        ] {
            assert!(!from(wrong), "{wrong:?}");
        }
    }
}
