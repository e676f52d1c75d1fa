//! Reading the parameters of a token request.

use std::time::Duration;

use axum::Form;
use axum::extract::{DefaultBodyLimit, FromRequest, Query, Request};
use http::{StatusCode, Uri};
use tokio::time::timeout;

use crate::identity::Credentials;
use crate::public_url::PublicUrl;
use crate::secret::Secret;
use crate::token::Scopes;

use super::oauth::OauthError;

/// The longest body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// For a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Names that would put a secret into a URL, and so into logs.
const SECRETS: [&str; 5] =
    ["access_token", "password", "refresh_token", "subject_token", "client_secret"];

/// The parameters that clients send, each at most once. Others are ignored (RFC 6749, section 3.2).
const KNOWN: [&str; 8] = [
    "service",
    "account",
    "client_id",
    "offline_token",
    "access_type",
    "grant_type",
    "username",
    "password",
];

type Pairs = Vec<(String, String)>;

/// A form with the credential in it.
#[derive(Debug)]
pub(super) struct TokenForm {
    pub(super) scopes: Scopes,
    pub(super) credentials: Credentials,
}

/// Reads the query of a GET.
pub(super) fn from_query(uri: &Uri, issuer: &PublicUrl) -> Result<Scopes, OauthError> {
    scopes(&query(uri)?, issuer)
}

/// Reads the form of a POST.
pub(super) async fn from_form(
    mut request: Request,
    issuer: &PublicUrl,
) -> Result<TokenForm, OauthError> {
    query(request.uri())?;
    DefaultBodyLimit::max(MAX_BODY).apply(&mut request);
    let form = timeout(BODY_TIMEOUT, Form::<Pairs>::from_request(request, &()))
        .await
        .map_err(|_| OauthError::timeout("the token request did not arrive in time"))?;
    let Form(pairs) = form.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            OauthError::too_large("a token request has at most 64 KiB")
        }
        _ => OauthError::invalid_request(
            "a token request is a form of the type application/x-www-form-urlencoded",
        ),
    })?;
    let scopes = scopes(&pairs, issuer)?;
    match one(&pairs, "grant_type")? {
        Some("password") => {}
        Some("refresh_token") => {
            return Err(OauthError::unsupported_grant(
                "this gate gives no refresh tokens; log in again with a password",
            ));
        }
        Some(_) => {
            return Err(OauthError::unsupported_grant(
                "this gate knows the grant type `password` alone",
            ));
        }
        None => return Err(OauthError::invalid_request("`grant_type` is missing")),
    }
    let wanted = |name: &'static str| {
        one(&pairs, name)?
            .ok_or_else(|| OauthError::invalid_request(format!("`{name}` is missing")))
    };
    let credentials = Credentials::Basic {
        username: wanted("username")?.to_owned(),
        password: Secret::new(wanted("password")?.to_owned()),
    };
    Ok(TokenForm { scopes, credentials })
}

fn query(uri: &Uri) -> Result<Pairs, OauthError> {
    let Query(pairs) = Query::<Pairs>::try_from_uri(uri)
        .map_err(|_| OauthError::invalid_request("the query cannot be read"))?;
    match pairs.iter().find(|(name, _)| SECRETS.contains(&name.as_str())) {
        Some((name, _)) => Err(OauthError::invalid_request(format!(
            "`{name}` does not belong in a URL; send it in the Authorization header or a form"
        ))),
        None => Ok(pairs),
    }
}

fn scopes(pairs: &Pairs, issuer: &PublicUrl) -> Result<Scopes, OauthError> {
    for name in KNOWN {
        one(pairs, name)?;
    }
    // A client that names no service can mean only this one.
    if let Some(service) = one(pairs, "service")?.filter(|&service| service != issuer.service()) {
        let named: String = service.chars().take(100).filter(|c| !c.is_control()).collect();
        return Err(OauthError::invalid_request(format!(
            "there is no service `{named}` here; this gate is `{}`",
            issuer.service()
        )));
    }
    let texts = pairs.iter().filter(|(name, _)| name == "scope").map(|(_, value)| value.as_str());
    Scopes::parse(texts).map_err(|error| OauthError::invalid_scope(error.to_string()))
}

/// The value of a parameter that may come once.
fn one<'a>(pairs: &'a Pairs, name: &str) -> Result<Option<&'a str>, OauthError> {
    let mut values = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(OauthError::invalid_request(format!("`{name}` came more than once"))),
        (value, None) => Ok(value),
    }
}
