//! The token endpoint.
//!
//! A client that was challenged comes here with a name and a password, or with nothing, and leaves
//! with a token for what it asked for, as far as its credential reaches and policy allows anything
//! there. What the token is good for is decided again at each request.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use http::header::{CACHE_CONTROL, PRAGMA};
use http::{HeaderMap, HeaderName, Method, Uri};
use jiff::Timestamp;
use policy::Subject;
use serde_json::{Value, json};

use super::oauth::OauthError;
use super::parameters::{self, GrantRequest, TokenRequest};
use crate::identity::{
    AuthError, Authenticated, Ceiling, ClientAddress, Credentials, GrantType, Principal,
};
use crate::issue::{Issue, Issued, Occasion, Wanted};
use crate::token::{Grant, Kind, MintError, RefreshToken};

/// What an answer says of the kind of token that was made (RFC 8693, section 3).
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What a client is called that does not say.
const SOME_CLIENT: &str = "a registry client";

/// The GET of the Docker token specification: the credential in a header, or none.
async fn by_header(
    issue: &Issue,
    uri: &Uri,
    headers: &HeaderMap,
    address: ClientAddress,
) -> Result<Value, OauthError> {
    let issuer = issue.authenticator.issuer();
    let query = parameters::from_query(uri, issuer)?;
    let credentials = Credentials::from_headers(headers)
        .map_err(|error| OauthError::credential(&error, issuer))?;
    let occasion = Occasion { address: address.0, now: (issue.now)() };
    let known = match &credentials {
        Some(credentials) => known(issue, credentials, occasion).await?,
        None => anonymous(occasion.now),
    };
    let issued = access(issue, &known, Wanted::here(&query.scopes), occasion)?;
    let refresh = if query.offline {
        let client = query.client.as_deref();
        identity_token(issue, &known, credentials.as_ref(), client, occasion).await?
    } else {
        None
    };
    Ok(answer(&issued, refresh.as_ref()))
}

/// The POST of OAuth: the credential in a form.
async fn by_form(
    issue: &Issue,
    request: Request,
    address: ClientAddress,
) -> Result<Value, OauthError> {
    let issuer = issue.authenticator.issuer();
    let TokenRequest { scopes, offline, client, grant } =
        parameters::from_form(request, issuer).await?;
    let occasion = Occasion { address: address.0, now: (issue.now)() };
    match grant {
        // RFC 6749, section 4.3.
        GrantRequest::Password(credentials) => {
            let known = known(issue, &credentials, occasion).await?;
            let issued = access(issue, &known, Wanted::here(&scopes), occasion)?;
            let refresh = if offline {
                let shown = Some(&credentials);
                identity_token(issue, &known, shown, client.as_deref(), occasion).await?
            } else {
                None
            };
            Ok(answer(&issued, refresh.as_ref()))
        }
        // RFC 6749, section 6.
        GrantRequest::Refresh(token) => {
            let refused = |error| OauthError::credential(&error, issuer);
            let refreshed = issue.refresh(&token, occasion).await.map_err(refused)?;
            let family = &refreshed.family;
            let (audience, lifetime) = (family.audience.as_deref(), Some(family.access_ttl));
            let wanted = Wanted { scopes: &scopes, audience, lifetime };
            let issued = access(issue, &refreshed.known, wanted, occasion)?;
            Ok(answer(&issued, Some(&refreshed.next)))
        }
        // RFC 8693, section 2.
        GrantRequest::Exchange { token, is_id_token, audience } => {
            let known = if is_id_token {
                let (address, now) = (occasion.address, occasion.now);
                let known = issue.authenticator.any_id_token(&token, address, now).await;
                known.map_err(|error| OauthError::credential(&error, issuer))?
            } else {
                known(issue, &Credentials::Bearer(token), occasion).await?
            };
            let audience = audience.as_deref().filter(|&audience| audience != issuer.service());
            let issued = match audience {
                Some(audience) => issue.elsewhere(&known, &scopes, audience, occasion).await?,
                None => access(issue, &known, Wanted::here(&scopes), occasion)?,
            };
            let mut answer = answer(&issued, None);
            if let Value::Object(members) = &mut answer {
                members.insert("issued_token_type".to_owned(), json!(ACCESS_TOKEN));
            }
            Ok(answer)
        }
    }
}

async fn known(
    issue: &Issue,
    credentials: &Credentials,
    occasion: Occasion,
) -> Result<Authenticated, OauthError> {
    let authenticator = &issue.authenticator;
    authenticator
        .check(credentials, occasion.address, occasion.now)
        .await
        .map_err(|error| OauthError::credential(&error, authenticator.issuer()))
}

fn access(
    issue: &Issue,
    known: &Authenticated,
    wanted: Wanted<'_>,
    occasion: Occasion,
) -> Result<Issued, OauthError> {
    issue.access(known, wanted, occasion).map_err(|error| match error {
        // It still held, as clocks may differ, and leaves no time for another one.
        MintError::NoTime => {
            OauthError::credential(&AuthError::Expired, issue.authenticator.issuer())
        }
        error => error.into(),
    })
}

/// What `docker login` keeps: the identity token that was shown, or else a new one.
async fn identity_token(
    issue: &Issue,
    known: &Authenticated,
    shown: Option<&Credentials>,
    client: Option<&str>,
    occasion: Occasion,
) -> Result<Option<RefreshToken>, OauthError> {
    if let Some(Credentials::Basic { password, .. }) = shown
        && let Some(token) = RefreshToken::parse(password.expose())
    {
        return Ok(Some(token));
    }
    issue.login(known, client.unwrap_or(SOME_CLIENT), occasion).await.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "no identity token was made");
        OauthError::unavailable()
    })
}

fn answer(issued: &Issued, refresh: Option<&RefreshToken>) -> Value {
    let claims = &issued.claims;
    let issued_at = Timestamp::from_second(claims.iat).unwrap_or_default();
    let mut answer = json!({
        "token": issued.token.expose(),
        "access_token": issued.token.expose(),
        "token_type": "Bearer",
        "expires_in": claims.exp - claims.iat,
        "issued_at": issued_at.to_string(),
        "scope": crate::token::written(issued.access()),
    });
    if let (Value::Object(members), Some(refresh)) = (&mut answer, refresh) {
        members.insert("refresh_token".to_owned(), json!(refresh.written().expose()));
    }
    answer
}

/// Nobody in particular. What they get is what policy allows everyone.
fn anonymous(now: Timestamp) -> Authenticated {
    let grant = Grant::unlimited(Subject::Anonymous, Kind::Anonymous, now);
    let caller = grant.caller(Vec::new());
    Authenticated {
        principal: Principal { caller, ceiling: Ceiling::Unlimited, token_id: None },
        grant,
        family: None,
        by: GrantType::Anonymous,
        expires: None,
    }
}

/// `/token` and `/.well-known/jwks.json`. Each request needs a [`ClientAddress`] among its
/// extensions.
pub fn router(issue: Arc<Issue>) -> Router {
    Router::new()
        .route("/token", any(token))
        .route("/.well-known/jwks.json", get(jwks))
        .with_state(issue)
}

const NOT_STORED: [(HeaderName, &str); 2] = [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")];

async fn token(State(issue): State<Arc<Issue>>, request: Request) -> Response {
    let Some(&address) = request.extensions().get::<ClientAddress>() else {
        tracing::error!("a token request came without its address");
        return OauthError::internal().into_response();
    };
    let answer = match *request.method() {
        Method::GET => by_header(&issue, request.uri(), request.headers(), address).await,
        Method::POST => by_form(&issue, request, address).await,
        _ => Err(OauthError::method()),
    };
    match answer {
        Ok(body) => (NOT_STORED, Json(body)).into_response(),
        Err(error) => error.into_response(),
    }
}

/// The keys that check our tokens. They may be kept for a while, as a new key is published when it
/// begins to sign.
async fn jwks(State(issue): State<Arc<Issue>>) -> Response {
    ([(CACHE_CONTROL, "public, max-age=60")], Json(issue.authenticator.keys().jwks()))
        .into_response()
}

#[cfg(test)]
mod tests;
