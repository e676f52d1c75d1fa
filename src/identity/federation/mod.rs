//! ID tokens of OpenID Connect providers in the place of passwords, so that jobs store no secret.
//!
//! A provider is trusted for what the configuration says and no further: its tokens must be for this
//! gate, must say what is required of them, and stand for the names and groups that the
//! configuration makes of their claims. What a token says of its issuer never decides where anything
//! is fetched from.

mod claim;
mod error;
mod id_token;
mod provider;
mod recycled;
mod settings;
mod sign_in;
mod template;

use jiff::Timestamp;

pub use claim::{ClaimPath, Condition};
pub use error::FederationError;
pub use provider::{Login, ProviderState};
pub use recycled::Forge;
pub use settings::{Part, SESSION, Settings, check_name, no_requirement};
pub use sign_in::{
    Arrival, ClientId, Departure, DiscoveryError, Offer, Scope, SignIn, SignInError, Title,
};
pub use template::{SubjectKind, Template};

use crate::fetch::FetchError;
use crate::public_url::PublicUrl;
use crate::secret::Secret;
use crate::token::Grant;
use id_token::Unverified;
use provider::Provider;

/// The user name in front of the provider's own, with a colon between them.
pub(super) const USERNAME: &str = "oidc";

/// The providers whose ID tokens are taken.
#[derive(Debug, Default)]
pub struct Federation {
    providers: Vec<Provider>,
}

/// A user name and a password that are a provider and an ID token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// The provider's name, as it was typed.
    pub provider: String,
    /// What is said to be its token.
    pub id_token: Secret,
}

impl Presented {
    /// Reads `oidc:NAME` and an ID token; none for any other user name.
    ///
    /// A user name with a colon does not survive Basic authentication (RFC 7617, section 2): what
    /// docker sends for `oidc:github` and a token arrives as the name `oidc` and the password
    /// `github:TOKEN`, and what it keeps is cut there as well. Neither providers' names nor tokens
    /// have colons, so that both mean the same.
    #[must_use]
    pub fn read(username: &str, password: &Secret) -> Option<Self> {
        let (provider, id_token) = match username.strip_prefix(USERNAME)? {
            "" => password.expose().split_once(':')?,
            rest => (rest.strip_prefix(':')?, password.expose()),
        };
        Some(Self { provider: provider.to_owned(), id_token: Secret::new(id_token.to_owned()) })
    }
}

impl Federation {
    /// Takes the providers. None of them is asked for anything yet.
    ///
    /// # Errors
    /// A CA file cannot be used.
    pub fn new(providers: Vec<Settings>) -> Result<Self, FetchError> {
        let providers = providers.into_iter().map(Provider::new).collect::<Result<_, _>>()?;
        Ok(Self { providers })
    }

    /// Whether no provider is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.providers.is_empty()
    }

    /// Whom an ID token stands for, which was shown as one of the provider of that name.
    ///
    /// # Errors
    /// See [`FederationError`].
    pub async fn login(
        &self,
        provider: &str,
        id_token: &Secret,
        now: Timestamp,
    ) -> Result<Login, FederationError> {
        let provider = self.provider(provider).ok_or(FederationError::UnknownProvider)?;
        let unverified = Unverified::read(id_token.expose())?;
        provider.login(id_token.expose(), &unverified, now).await
    }

    /// As [`Self::login`], for one who does not say which provider it is: those with the issuer that
    /// the token names are tried in the order of the configuration. The error is that of the last.
    ///
    /// # Errors
    /// See [`FederationError`].
    pub async fn login_any(
        &self,
        id_token: &Secret,
        now: Timestamp,
    ) -> Result<Login, FederationError> {
        let unverified = Unverified::read(id_token.expose())?;
        let mut failed = FederationError::Issuer;
        for provider in self.providers.iter().filter(|p| p.issuer() == unverified.issuer) {
            match provider.login(id_token.expose(), &unverified, now).await {
                Ok(login) => return Ok(login),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// The groups, at `now`, of one who logged in before.
    ///
    /// # Errors
    /// [`FederationError::UnknownProvider`] if the provider is no longer configured,
    /// [`FederationError::SessionOver`], and [`FederationError::Subject`] if its callers are now of
    /// another kind.
    pub fn standing(&self, grant: &Grant, now: Timestamp) -> Result<Vec<String>, FederationError> {
        let provider = grant.via.as_deref().and_then(|name| self.provider(name));
        provider.ok_or(FederationError::UnknownProvider)?.standing(grant, now)
    }

    /// Where people can sign in to the pages, in the order of the configuration.
    pub fn sign_ins(&self) -> impl Iterator<Item = Offer<'_>> {
        self.providers.iter().filter_map(|provider| {
            let sign_in = provider.sign_in()?;
            Some(Offer { name: provider.name(), title: &sign_in.title })
        })
    }

    /// The address to which a browser goes to sign in; the gate is `here`.
    ///
    /// # Errors
    /// There is no such provider, or it does not say where.
    pub async fn depart(
        &self,
        departure: &Departure,
        here: &PublicUrl,
        now: Timestamp,
    ) -> Result<String, SignInError> {
        self.of(departure)?.depart(departure, here, now).await
    }

    /// Has the provider give out the ID token of whoever came back from it.
    ///
    /// # Errors
    /// They did not come back from there, from this sign-in, or with a success; or the provider does
    /// not give one out.
    pub async fn redeem(
        &self,
        departure: &Departure,
        arrival: &Arrival,
        here: &PublicUrl,
        now: Timestamp,
    ) -> Result<Secret, SignInError> {
        self.of(departure)?.redeem(departure, arrival, here, now).await
    }

    /// Whom the ID token of a sign-in stands for.
    ///
    /// # Errors
    /// See [`FederationError`].
    pub async fn login_of(
        &self,
        departure: &Departure,
        id_token: &Secret,
        now: Timestamp,
    ) -> Result<Login, FederationError> {
        let provider = self.provider(departure.provider());
        let provider = provider.ok_or(FederationError::UnknownProvider)?;
        provider.login_of(departure, id_token.expose(), now).await
    }

    fn of(&self, departure: &Departure) -> Result<&Provider, SignInError> {
        self.provider(departure.provider()).ok_or(SignInError::UnknownProvider)
    }

    /// All of them, in the order of the configuration.
    #[must_use]
    pub fn states(&self) -> Vec<ProviderState> {
        self.providers.iter().map(Provider::state).collect()
    }

    fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name() == name)
    }
}

#[cfg(test)]
mod tests;
