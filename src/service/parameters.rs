//! Reading the parameters of a token request.

use std::time::Duration;

use axum::Form;
use axum::extract::{DefaultBodyLimit, FromRequest, Query, Request};
use http::{StatusCode, Uri};
use tokio::time::timeout;

use crate::identity::{Credentials, Rejection};
use crate::public_url::PublicUrl;
use crate::secret::Secret;
use crate::token::{RefreshToken, Scopes};

use super::oauth::OauthError;

/// The longest body, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// For a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Names that would put a secret into a URL, and so into logs.
const SECRETS: [&str; 5] =
    ["access_token", "password", "refresh_token", "subject_token", "client_secret"];

/// The parameters that clients send, each at most once. Others are ignored (RFC 6749, section 3.2).
const KNOWN: [&str; 13] = [
    "service",
    "account",
    "client_id",
    "offline_token",
    "access_type",
    "grant_type",
    "username",
    "password",
    "refresh_token",
    "audience",
    "subject_token",
    "subject_token_type",
    "requested_token_type",
];

type Pairs = Vec<(String, String)>;

/// The longest name of a client that is kept.
const MAX_CLIENT: usize = 64;

/// A token for this client, in a query.
#[derive(Debug)]
pub(super) struct TokenQuery {
    pub(super) scopes: Scopes,
    /// Whether an identity token is asked for.
    pub(super) offline: bool,
    /// What the client calls itself, made safe to be shown.
    pub(super) client: Option<String>,
}

/// The same with the credential, in a form.
#[derive(Debug)]
pub(super) struct TokenRequest {
    pub(super) scopes: Scopes,
    pub(super) offline: bool,
    pub(super) client: Option<String>,
    pub(super) grant: GrantRequest,
}

/// What the token is asked for with.
#[derive(Debug)]
pub(super) enum GrantRequest {
    /// A name and a password.
    Password(Credentials),
    /// A refresh token.
    Refresh(RefreshToken),
    /// Another token, perhaps for another gate.
    Exchange {
        token: Secret,
        /// Whether it is an ID token of an identity provider.
        is_id_token: bool,
        /// The service of the gate that the new one is for.
        audience: Option<String>,
    },
}

/// The grant type of RFC 8693, section 2.1, and the types of token that may be exchanged.
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const EXCHANGED: [&str; 3] = [
    "urn:ietf:params:oauth:token-type:access_token",
    "urn:ietf:params:oauth:token-type:jwt",
    ID_TOKEN,
];
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// Reads the query of a GET.
pub(super) fn from_query(uri: &Uri, issuer: &PublicUrl) -> Result<TokenQuery, OauthError> {
    let pairs = query(uri)?;
    Ok(TokenQuery {
        scopes: scopes(&pairs, issuer)?,
        offline: offline(&pairs)?,
        client: client(&pairs)?,
    })
}

/// Reads the form of a POST.
pub(super) async fn from_form(
    mut request: Request,
    issuer: &PublicUrl,
) -> Result<TokenRequest, OauthError> {
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
    let wanted = |name: &'static str| {
        one(&pairs, name)?
            .ok_or_else(|| OauthError::invalid_request(format!("`{name}` is missing")))
    };
    let grant = match wanted("grant_type")? {
        "password" => GrantRequest::Password(Credentials::Basic {
            username: wanted("username")?.to_owned(),
            password: Secret::new(wanted("password")?.to_owned()),
        }),
        "refresh_token" => {
            let token = RefreshToken::parse(wanted("refresh_token")?);
            let unknown = || {
                let error = Rejection::UnknownToken.into();
                OauthError::credential(&error, issuer)
            };
            GrantRequest::Refresh(token.ok_or_else(unknown)?)
        }
        TOKEN_EXCHANGE => exchange(&pairs)?,
        _ => {
            return Err(OauthError::unsupported_grant(format!(
                "this gate knows the grant types `password`, `refresh_token` and `{TOKEN_EXCHANGE}`"
            )));
        }
    };
    Ok(TokenRequest { scopes, offline: offline(&pairs)?, client: client(&pairs)?, grant })
}

fn exchange(pairs: &Pairs) -> Result<GrantRequest, OauthError> {
    let wanted = |name: &'static str| {
        one(pairs, name)?.ok_or_else(|| OauthError::invalid_request(format!("`{name}` is missing")))
    };
    let token = Secret::new(wanted("subject_token")?.to_owned());
    let kind = wanted("subject_token_type")?;
    if !EXCHANGED.contains(&kind) {
        return Err(OauthError::invalid_request(format!(
            "`subject_token_type` is none of {}",
            EXCHANGED.join(", ")
        )));
    }
    let made = one(pairs, "requested_token_type")?;
    if made.is_some_and(|made| !EXCHANGED.iter().take(2).any(|kind| *kind == made)) {
        return Err(OauthError::invalid_request("this gate makes access tokens alone"));
    }
    if pairs.iter().any(|(name, _)| name.starts_with("actor_token")) {
        return Err(OauthError::invalid_request("this gate knows no actor tokens"));
    }
    let audience = one(pairs, "audience")?;
    let is_service =
        |text: &str| text.parse().is_ok_and(|authority| crate::authority::is_plain(&authority));
    if audience.is_some_and(|audience| !is_service(audience)) {
        return Err(OauthError::invalid_request(
            "`audience` is no gate: write its host and port as in its public URL",
        ));
    }
    Ok(GrantRequest::Exchange {
        token,
        is_id_token: kind == ID_TOKEN,
        audience: audience.map(str::to_ascii_lowercase),
    })
}

/// Whether an identity token is asked for, in either of its spellings.
fn offline(pairs: &Pairs) -> Result<bool, OauthError> {
    Ok(one(pairs, "offline_token")? == Some("true")
        || one(pairs, "access_type")? == Some("offline"))
}

fn client(pairs: &Pairs) -> Result<Option<String>, OauthError> {
    let named = one(pairs, "client_id")?.map(|name| {
        name.chars().filter(|&char| !crate::log::is_unsafe(char)).take(MAX_CLIENT).collect()
    });
    Ok(named.filter(|name: &String| !name.is_empty()))
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
