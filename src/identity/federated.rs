//! Signing in with an ID token.

use std::net::IpAddr;

use jiff::Timestamp;
use policy::Subject;

use super::address::ClientAddress;
use super::authenticate::{Authenticated, Authenticator};
use super::failure::{AuthError, Rejection};
use super::federation::{FederationError, Login, Presented};
use super::observe::GrantType;
use super::principal::{Ceiling, Principal};
use crate::log::Causes;
use crate::secret::Secret;
use crate::token::Grant;

impl Authenticator {
    /// The provider and the ID token that a name and a password are, where providers are trusted.
    pub(super) fn presented(&self, username: &str, password: &Secret) -> Option<Presented> {
        if self.federation.is_empty() { None } else { Presented::read(username, password) }
    }

    /// Whom an ID token of a provider stands for.
    pub(super) async fn id_token(
        &self,
        presented: &Presented,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let Presented { provider, id_token } = presented;
        let account = self.passwords.fingerprint(&["oidc", provider]);
        let client = ClientAddress(address);
        self.may_try(account, client, now)?;
        let attempt = self.throttle.attempt(account, client, now);
        let login = self.federation.login(provider, id_token, now).await;
        let known = self.logged_in(login, provider, now);
        attempt.ended(&known);
        known
    }

    /// Whom an ID token stands for, of whichever provider.
    ///
    /// # Errors
    /// No provider's configuration accepts it.
    pub(crate) async fn any_id_token(
        &self,
        id_token: &Secret,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let known = self.of_any_provider(id_token, address, now).await;
        if let Err(error) = &known {
            self.login_failed(super::federation::USERNAME, address, error);
        }
        known
    }

    async fn of_any_provider(
        &self,
        id_token: &Secret,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let account = self.passwords.fingerprint(&["oidc"]);
        let client = ClientAddress(address);
        self.may_try(account, client, now)?;
        let attempt = self.throttle.attempt(account, client, now);
        let login = self.federation.login_any(id_token, now).await;
        let known = self.logged_in(login, "any", now);
        attempt.ended(&known);
        known
    }

    pub(super) fn logged_in(
        &self,
        login: Result<Login, FederationError>,
        provider: &str,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let Login { mut grant, ends } = login.map_err(|error| {
            // What is no name of a provider may be a part of a password.
            let is_named = !matches!(error, FederationError::UnknownProvider);
            let provider = is_named.then_some(provider);
            tracing::info!(provider, error = %Causes(&error), "an ID token is not accepted");
            match error {
                FederationError::KeysUnavailable(_) => AuthError::Unavailable,
                error => Rejection::Federation(error.label()).into(),
            }
        })?;
        grant.auth_time =
            self.state.revocations(|revocations, _| revocations.begins(&grant.subject, now));
        let groups = self.stands(&grant, &[], now)?;
        Ok(Authenticated {
            principal: Principal {
                caller: grant.caller(groups),
                ceiling: Ceiling::Unlimited,
                token_id: None,
            },
            grant,
            family: None,
            by: GrantType::Federation,
            expires: Some(ends),
        })
    }

    /// The groups of somebody that a provider vouches for, as they are now.
    pub(super) fn vouched_for(
        &self,
        grant: &Grant,
        now: Timestamp,
    ) -> Result<Vec<String>, AuthError> {
        match &grant.subject {
            // Nobody becomes somebody else by what a provider calls them.
            Subject::User(name) if self.users.load().get(name).is_some() => {
                return Err(Rejection::NameTaken.into());
            }
            Subject::Service(name)
                if self.state.service(name).is_some_and(|service| service.disabled) =>
            {
                return Err(Rejection::SubjectGone.into());
            }
            _ => {}
        }
        let groups = self.federation.standing(grant, now);
        groups.map_err(|error| Rejection::Federation(error.label()).into())
    }
}
