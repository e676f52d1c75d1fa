//! What the gate is to a provider at which people sign in: a client of its.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::{Serializer, byte_serialize};
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;

use super::arrival::{Arrival, Outcome, readable};
use super::departure::Departure;
use super::discovery::Discovery;
use super::error::SignInError;
use super::settings::{Scope, SignIn};
use crate::fetch::{FetchError, Fetcher, HttpsUrl};
use crate::identity::federation::Settings;
use crate::public_url::PublicUrl;
use crate::secret::Secret;
use crate::upstream::{PasswordError, read_password};

/// The longest answer to a code, in bytes: several tokens, each of several KiB.
const MAX_ANSWER: usize = 128 * 1024;

#[derive(Debug)]
pub(in crate::identity::federation) struct Client {
    name: String,
    issuer: HttpsUrl,
    sign_in: SignIn,
    scope: String,
    fetcher: Fetcher,
    discovery: Discovery,
}

/// What of a token response counts (OpenID Connect Core, section 3.1.3.3). The access token is for
/// the provider's own services, and of no use here.
#[derive(Deserialize)]
struct Tokens {
    id_token: Option<String>,
}

/// RFC 6749, section 5.2.
#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    error: String,
}

impl Client {
    pub(in crate::identity::federation) fn new(
        settings: &Settings,
        sign_in: &SignIn,
    ) -> Result<Self, FetchError> {
        let fetcher = Fetcher::new(settings.ca.as_deref())?;
        let scopes = sign_in.scopes.iter().map(Scope::as_str);
        let scopes = scopes.filter(|scope| *scope != "openid");
        Ok(Self {
            name: settings.name.clone(),
            issuer: settings.issuer.clone(),
            sign_in: sign_in.clone(),
            scope: std::iter::once("openid").chain(scopes).collect::<Vec<_>>().join(" "),
            discovery: Discovery::new(settings.issuer.clone(), fetcher.clone()),
            fetcher,
        })
    }

    /// Where people come back. Each provider has a place of its own, so that none can have the
    /// answer of another taken for its own (RFC 9700, section 4.4.2).
    fn way_back(&self, here: &PublicUrl) -> String {
        format!("{here}/ui/sign-in/callback/{}", self.name)
    }

    /// The address of the request for a code (OpenID Connect Core, section 3.1.2.1).
    pub(in crate::identity::federation) async fn depart(
        &self,
        departure: &Departure,
        here: &PublicUrl,
        now: Timestamp,
    ) -> Result<String, SignInError> {
        let endpoints = self.discovery.endpoints(now).await?;
        Ok(endpoints.authorization.with_query(&[
            ("response_type", "code"),
            ("client_id", self.sign_in.client_id.as_str()),
            ("redirect_uri", &self.way_back(here)),
            ("scope", &self.scope),
            ("state", departure.state().expose()),
            ("nonce", departure.nonce().expose()),
            ("code_challenge", &departure.challenge()),
            ("code_challenge_method", "S256"),
        ]))
    }

    /// Takes the answer, and asks for the ID token.
    pub(in crate::identity::federation) async fn redeem(
        &self,
        departure: &Departure,
        arrival: &Arrival,
        here: &PublicUrl,
        now: Timestamp,
    ) -> Result<Secret, SignInError> {
        if !departure.is_answered_by(&arrival.state) {
            return Err(SignInError::State);
        }
        if departure.is_over(now) {
            return Err(SignInError::Late);
        }
        let endpoints = self.discovery.endpoints(now).await?;
        match &arrival.issuer {
            Some(issuer) if issuer != self.issuer.as_str() => return Err(SignInError::Issuer),
            None if endpoints.names_itself => return Err(SignInError::Issuer),
            Some(_) | None => {}
        }
        match &arrival.outcome {
            Outcome::Code(code) => {
                self.exchange(&endpoints.token, code, departure, &self.way_back(here)).await
            }
            Outcome::Refused { error, description } => {
                Err(SignInError::Refused { error: error.clone(), description: description.clone() })
            }
        }
    }

    /// Section 3.1.3 of the same.
    async fn exchange(
        &self,
        endpoint: &HttpsUrl,
        code: &Secret,
        departure: &Departure,
        way_back: &str,
    ) -> Result<Secret, SignInError> {
        let authorization = self.authorization().await?;
        let verifier = departure.verifier();
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", way_back),
            ("code_verifier", verifier.expose()),
        ];
        if authorization.is_none() {
            pairs.push(("client_id", self.sign_in.client_id.as_str()));
        }
        let form = Serializer::new(String::new()).extend_pairs(pairs).finish();
        let (status, body) = self.fetcher.post(endpoint, form, authorization, MAX_ANSWER).await?;
        let host = || endpoint.host();
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
            let Refusal { error } = serde_json::from_slice(&body).unwrap_or_default();
            let error = if error.is_empty() { status.to_string() } else { readable(&error) };
            return Err(SignInError::Code { host: host(), error });
        }
        if status != StatusCode::OK {
            return Err(FetchError::Status { host: host(), status }.into());
        }
        let Tokens { id_token } = serde_json::from_slice(&body)
            .map_err(|source| FetchError::NotJson { host: host(), source })?;
        let none = || SignInError::Code { host: host(), error: "no `id_token`".to_owned() };
        id_token.map(Secret::new).ok_or_else(none)
    }

    /// The client's name and its secret, each escaped before they become a pair (RFC 6749, section
    /// 2.3.1); none for a client without one.
    async fn authorization(&self) -> Result<Option<HeaderValue>, SignInError> {
        let Some(file) = &self.sign_in.client_secret_file else { return Ok(None) };
        let path = file.clone();
        let read = tokio::task::spawn_blocking(move || read_password(&path)).await;
        let secret = read.map_err(|error| PasswordError::Unreadable {
            path: file.clone(),
            source: std::io::Error::other(error),
        })??;
        let escaped = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair =
            format!("{}:{}", escaped(self.sign_in.client_id.as_str()), escaped(secret.expose()));
        let value = Secret::new(format!("Basic {}", STANDARD.encode(Secret::new(pair).expose())));
        let value = HeaderValue::try_from(value.expose());
        let mut value = value.map_err(|_| PasswordError::None(file.clone()))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}
