//! `/ui/sign-in/with` and `/ui/sign-in/callback/NAME`: signing in at an identity provider.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::header::{REFRESH, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::Web;
use super::form::Form;
use super::frame::{Frame, rendered};
use super::problem::Trouble;
use super::session::cookie;
use super::sign_in::{again, begin, local};
use crate::identity::federation::{Arrival, Departure, Offer, SignInError};
use crate::identity::{AuthError, ClientAddress};
use crate::issue::Occasion;
use crate::log::Causes;
use crate::proxy::seal::Purpose;
use crate::service::api::Problem;

/// What a browser keeps meanwhile; of the same kind as the cookie of a session.
const NAME: &str = "__Host-portcullis-sign-in";

/// In seconds. Whether it holds that long is not up to the browser.
const KEPT_FOR: u32 = 600;

#[derive(Template)]
#[template(path = "departure.html")]
struct Page<'a> {
    frame: Frame<'a>,
    title: &'a str,
    target: &'a str,
}

/// Sends a browser to a provider. Not by a redirection: browsers apply the content security policy of
/// the page with the form to that, too, and it lets no form go elsewhere.
pub(super) async fn depart(State(web): State<Arc<Web>>, form: Form) -> Result<Response, Trouble> {
    form.only(&["provider", "next"])?;
    let (name, next) = (form.text("provider"), local(form.text("next")));
    let now = web.api.now();
    let departure = Departure::to(name, next, now).map_err(|error| {
        tracing::error!(error = %Causes(&error), "nobody can sign in");
        Problem::internal()
    })?;
    let authenticator = &web.api.issue.authenticator;
    let target = match authenticator.depart(&departure, now).await {
        Ok(target) => target,
        Err(error) => return Ok(refused(&web, name, next, &error)),
    };
    let title = title(&web, name);
    let mut response =
        rendered(&Page { frame: Frame::plain("On the way"), title: &title, target: &target });
    let sealed = web.api.images.seal.seal(Purpose::SignIn, &departure.written());
    let kept =
        format!("{NAME}={sealed}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={KEPT_FOR}");
    for (name, value) in [(SET_COOKIE, kept), (REFRESH, format!("0; url={target}"))] {
        let mut value = HeaderValue::try_from(value).map_err(|_| Problem::internal())?;
        value.set_sensitive(true);
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// Takes whoever comes back from there, and begins a session for them. What their browser kept is of
/// no use a second time.
pub(super) async fn arrive(
    State(web): State<Arc<Web>>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    Path(provider): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Trouble> {
    let issue = &web.api.issue;
    let occasion = Occasion { address, now: (issue.now)() };
    let opened =
        cookie(&headers, NAME).and_then(|sealed| web.api.images.seal.open(Purpose::SignIn, sealed));
    let departure = opened.and_then(|bytes| Departure::read(&bytes));
    let arrival = Arrival::read(query.as_deref().unwrap_or_default());
    let next = local(departure.as_ref().map_or("", Departure::next));
    let known = issue.authenticator.arrive(
        &provider,
        departure.as_ref(),
        arrival.as_ref(),
        address,
        occasion.now,
    );
    let mut response = match known.await {
        Err(error) => refused(&web, &provider, next, &error),
        Ok(known) => match begin(&web, &headers, &known, next, occasion).await? {
            Some(response) => response,
            // A provider vouches for nobody whose session would be one for some images alone.
            None => return Err(Problem::internal().into()),
        },
    };
    response.headers_mut().append(SET_COOKIE, HeaderValue::from_static(FORGOTTEN));
    Ok(response)
}

/// Has the browser forget what it kept.
const FORGOTTEN: &str =
    "__Host-portcullis-sign-in=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";

/// What people call a provider; its name here, where nobody signs in there.
fn title(web: &Web, name: &str) -> String {
    let is_it = |offer: &Offer<'_>| offer.name == name;
    let offer = web.api.issue.authenticator.sign_ins().find(is_it);
    offer.map_or_else(|| "the provider".to_owned(), |offer| offer.title.to_string())
}

/// The form, with what went wrong and what to do. What a provider says is shown only where this
/// browser asked it: others could have anything stand there.
fn refused(web: &Web, name: &str, next: &str, error: &SignInError) -> Response {
    let title = title(web, name);
    let (status, text) = match error {
        SignInError::UnknownProvider => {
            let text = "nobody can sign in here with this provider: use another way";
            (StatusCode::NOT_FOUND, text.to_owned())
        }
        SignInError::NotBegun
        | SignInError::Late
        | SignInError::Malformed
        | SignInError::State
        | SignInError::Issuer => (StatusCode::BAD_REQUEST, format!("{error}: begin again")),
        SignInError::Refused { error, description } => {
            let said = description.as_ref().unwrap_or(error);
            let text = format!(
                "{title} let nobody in, and says: “{said}”. Begin again, or ask whoever runs {title}"
            );
            (StatusCode::FORBIDDEN, text)
        }
        SignInError::Code { .. } => {
            let text = format!(
                "{title} does not confirm this sign-in: begin again. If it goes on, the log of the \
                 gate says why"
            );
            (StatusCode::BAD_GATEWAY, text)
        }
        SignInError::Discovery(_) | SignInError::Exchange(_) | SignInError::Secret(_) => {
            let text = format!(
                "{title} cannot be asked: try again in a moment. If it goes on, the log of the gate \
                 says why"
            );
            (StatusCode::SERVICE_UNAVAILABLE, text)
        }
        SignInError::NotLetIn(AuthError::Throttled { .. }) => {
            (StatusCode::TOO_MANY_REQUESTS, error.to_string())
        }
        SignInError::NotLetIn(AuthError::Busy | AuthError::Unavailable) => {
            (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
        }
        SignInError::NotLetIn(_) => {
            let text = format!(
                "{title} knows you, and this gate does not let you in: ask whoever keeps the gate, \
                 whose audit trail says why"
            );
            (StatusCode::FORBIDDEN, text)
        }
    };
    let mut response = again(web, "", next, status, text);
    if let SignInError::NotLetIn(error) = error
        && let Some(seconds) = error.retry_after()
    {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}
