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
use oci::RepositoryName;
use policy::{Action, Caller, Subject};
use serde_json::{Value, json};

use crate::identity::{
    Authenticated, Authenticator, Ceiling, ClientAddress, Credentials, GrantType, Principal,
    TokenEvent,
};
use crate::token::{Grant, Kind, Order, Scopes, Settings, mint};

use super::oauth::OauthError;
use super::parameters;

/// Whether policy allows a caller an action on anything in a repository.
pub type Grants = Box<dyn Fn(&Caller, Action, &RepositoryName) -> bool + Send + Sync>;

/// What time it is.
pub type Clock = fn() -> Timestamp;

/// Makes tokens for those who log in.
pub struct TokenService {
    authenticator: Arc<Authenticator>,
    settings: Settings,
    grants: Grants,
    clock: Clock,
}

impl TokenService {
    /// Takes who knows the callers, how long tokens live, and what policy allows.
    #[must_use]
    pub fn new(
        authenticator: Arc<Authenticator>,
        settings: Settings,
        grants: Grants,
        clock: Clock,
    ) -> Self {
        Self { authenticator, settings, grants, clock }
    }

    /// The GET of the Docker token specification: the credential in a header, or none.
    async fn by_header(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        address: ClientAddress,
    ) -> Result<Value, OauthError> {
        let scopes = parameters::from_query(uri, self.authenticator.issuer())?;
        let credentials = Credentials::from_headers(headers);
        let credentials = credentials
            .map_err(|error| OauthError::credential(&error, self.authenticator.issuer()))?;
        let known = match credentials {
            Some(credentials) => self.known(&credentials, address).await?,
            None => anonymous((self.clock)()),
        };
        self.issue(known, &scopes, address)
    }

    /// The POST of OAuth (RFC 6749, section 4.3): the credential in a form.
    async fn by_form(&self, request: Request, address: ClientAddress) -> Result<Value, OauthError> {
        let form = parameters::from_form(request, self.authenticator.issuer()).await?;
        let known = self.known(&form.credentials, address).await?;
        self.issue(known, &form.scopes, address)
    }

    async fn known(
        &self,
        credentials: &Credentials,
        address: ClientAddress,
    ) -> Result<Authenticated, OauthError> {
        self.authenticator
            .check(credentials, address.0, (self.clock)())
            .await
            .map_err(|error| OauthError::credential(&error, self.authenticator.issuer()))
    }

    fn issue(
        &self,
        known: Authenticated,
        scopes: &Scopes,
        address: ClientAddress,
    ) -> Result<Value, OauthError> {
        let Authenticated { principal, grant, family, by, expires } = known;
        let Principal { caller, ceiling, .. } = principal;
        let access = scopes.grant(&ceiling, |action, name| (self.grants)(&caller, action, name));
        let scope = crate::token::written(&access);
        let order = Order {
            grant,
            family,
            audience: None,
            access: Some(access),
            lifetime: self.settings.access_ttl,
            not_after: expires,
        };
        let now = (self.clock)();
        let (token, claims) =
            mint(order, self.authenticator.keys(), self.authenticator.issuer(), now)?;
        self.authenticator.observer().tell(TokenEvent::Issued {
            grant: by,
            subject: &caller.subject,
            token_id: claims.jti.as_str(),
            address: address.0,
        });
        let issued_at = Timestamp::from_second(claims.iat).unwrap_or(now);
        Ok(json!({
            "token": token.expose(),
            "access_token": token.expose(),
            "token_type": "Bearer",
            "expires_in": claims.exp - claims.iat,
            "issued_at": issued_at.to_string(),
            "scope": scope,
        }))
    }
}

/// Nobody in particular. What they get is what policy allows everyone.
fn anonymous(now: Timestamp) -> Authenticated {
    let caller =
        Caller { subject: Subject::Anonymous, groups: Vec::new(), granting: None, bounds: None };
    Authenticated {
        principal: Principal { caller, ceiling: Ceiling::Unlimited, token_id: None },
        grant: Grant::unlimited(Subject::Anonymous, Kind::Anonymous, now),
        family: None,
        by: GrantType::Anonymous,
        expires: None,
    }
}

/// `/token` and `/.well-known/jwks.json`. Each request needs a [`ClientAddress`] among its
/// extensions.
pub fn router(service: Arc<TokenService>) -> Router {
    Router::new()
        .route("/token", any(token))
        .route("/.well-known/jwks.json", get(jwks))
        .with_state(service)
}

const NOT_STORED: [(HeaderName, &str); 2] = [(CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")];

async fn token(State(service): State<Arc<TokenService>>, request: Request) -> Response {
    let Some(&address) = request.extensions().get::<ClientAddress>() else {
        tracing::error!("a token request came without its address");
        return OauthError::internal().into_response();
    };
    let answer = match *request.method() {
        Method::GET => service.by_header(request.uri(), request.headers(), address).await,
        Method::POST => service.by_form(request, address).await,
        _ => Err(OauthError::method()),
    };
    match answer {
        Ok(body) => (NOT_STORED, Json(body)).into_response(),
        Err(error) => error.into_response(),
    }
}

/// The keys that check our tokens. They may be kept for a while, as a new key is published when it
/// begins to sign.
async fn jwks(State(service): State<Arc<TokenService>>) -> Response {
    ([(CACHE_CONTROL, "public, max-age=60")], Json(service.authenticator.keys().jwks()))
        .into_response()
}

#[cfg(test)]
mod tests;
