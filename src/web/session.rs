//! Who looks at a page.
//!
//! A session is a family of tokens ([`crate::token::FamilyKind::Session`]) whose secret the browser
//! keeps in a cookie. So it is listed, revoked, and ended by time as every token is.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{COOKIE, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Uri};

use super::Web;
use super::problem::Trouble;
use crate::identity::ClientAddress;
use crate::secret::Secret;
use crate::service::api::{Problem, Requester};
use crate::token::{RefreshToken, TokenId};

/// A browser takes a cookie of such a name from this host alone, over TLS alone, and for all of it
/// (RFC 6265bis, section 4.1.3.2).
const NAME: &str = "__Host-portcullis";

/// Whoever signed in, in a session that holds.
pub(super) struct SignedIn {
    pub(super) who: Requester,
    pub(super) session: TokenId,
    /// What forms of this session carry, which no other site knows.
    pub(super) form_token: Secret,
}

/// Somebody who may have signed in.
pub(super) struct Visitor(pub(super) Option<SignedIn>);

/// Why there is no page for whoever asks.
pub(super) enum Stranger {
    /// They have to sign in, and come back to this place then.
    SignIn(String),
    Trouble(Trouble),
}

impl SignedIn {
    /// Whether a form carries what forms of this session carry.
    pub(super) fn sent(&self, form_token: &str) -> bool {
        let expected = self.form_token.expose().as_bytes();
        aws_lc_rs::constant_time::verify_slices_are_equal(expected, form_token.as_bytes()).is_ok()
    }
}

/// The secret of the session, if a request shows one.
pub(super) fn shown(headers: &HeaderMap) -> Option<RefreshToken> {
    RefreshToken::parse(cookie(headers, NAME)?)
}

/// The value of the cookie of this name, if a request shows one.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Has the browser keep a session until it is closed; when the session ends is the gate's affair.
pub(super) fn kept(token: &RefreshToken) -> HeaderValue {
    let value =
        format!("{NAME}={}; Path=/; Secure; HttpOnly; SameSite=Lax", token.written().expose());
    let mut value = HeaderValue::try_from(value).unwrap_or(forgotten());
    value.set_sensitive(true);
    value
}

/// Has the browser forget it.
pub(super) fn forgotten() -> HeaderValue {
    HeaderValue::from_static(
        "__Host-portcullis=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0",
    )
}

impl FromRequestParts<Arc<Web>> for Visitor {
    type Rejection = Stranger;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Stranger> {
        let Some(&ClientAddress(address)) = parts.extensions.get() else {
            tracing::error!("a request came to the pages without the address of its client");
            return Err(Stranger::Trouble(Problem::internal().into()));
        };
        let Some(token) = shown(&parts.headers) else { return Ok(Self(None)) };
        let issue = &web.api.issue;
        match issue.authenticator.session(&token, address, (issue.now)()).await {
            Ok((known, session)) => {
                let who = Requester::known(known, address, &(issue.policy)());
                let form_token = token.derive("form");
                Ok(Self(Some(SignedIn { who, session, form_token })))
            }
            // It has ended: whoever it was signs in again.
            Err(error) if error.is_rejection() => Ok(Self(None)),
            Err(error) => {
                let problem = Problem::credential(&error, issue.authenticator.issuer());
                Err(Stranger::Trouble(problem.into()))
            }
        }
    }
}

impl FromRequestParts<Arc<Web>> for SignedIn {
    type Rejection = Stranger;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Stranger> {
        let Visitor(signed_in) = Visitor::from_request_parts(parts, web).await?;
        signed_in.ok_or_else(|| Stranger::SignIn(way_back(&parts.method, &parts.uri)))
    }
}

/// Where to go on after signing in. A form is not sent a second time.
fn way_back(method: &Method, uri: &Uri) -> String {
    let wanted = uri.path_and_query().filter(|_| *method == Method::GET);
    wanted.map_or("/", |wanted| wanted.as_str()).to_owned()
}

impl IntoResponse for Stranger {
    fn into_response(self) -> Response {
        match self {
            Self::Trouble(trouble) => trouble.into_response(),
            Self::SignIn(next) => {
                let query = form_urlencoded::Serializer::new(String::new())
                    .append_pair("next", &next)
                    .finish();
                let response = Redirect::to(&format!("/ui/sign-in?{query}"));
                ([(SET_COOKIE, forgotten())], response).into_response()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(COOKIE, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_session_is_found_among_other_cookies() {
        let token = RefreshToken::random().unwrap();
        let written = token.written();
        let cookie = format!("{NAME}={}", written.expose());
        for values in [
            &[cookie.as_str()][..],
            &[&format!("theme=dark; {cookie}")],
            &[&format!("{cookie}; x=y")],
            &["a=b", &cookie],
        ] {
            assert_eq!(shown(&cookies(values)).unwrap().hash(), token.hash(), "{values:?}");
        }
    }

    #[test]
    fn a_cookie_of_another_name_or_form_is_no_session() {
        let written = RefreshToken::random().unwrap().written();
        let of = |name: &str| format!("{name}={}", written.expose());
        for value in [
            of("portcullis"),
            of("X__Host-portcullis"),
            of("__Host-portcullis2"),
            format!("{NAME}=pcr_x"),
        ] {
            assert!(shown(&cookies(&[&value])).is_none(), "{value}");
        }
        assert!(shown(&HeaderMap::new()).is_none());
    }
}
