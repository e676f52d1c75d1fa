//! Signing in to the pages at an identity provider.

use std::net::IpAddr;

use jiff::Timestamp;

use super::address::ClientAddress;
use super::authenticate::{Authenticated, Authenticator, login_failure};
use super::federation::{Arrival, Departure, Offer, SignInError};
use super::observe::TokenEvent;
use crate::log::Causes;

impl Authenticator {
    /// The providers at which people can sign in.
    pub(crate) fn sign_ins(&self) -> impl Iterator<Item = Offer<'_>> {
        self.federation.sign_ins()
    }

    /// To which address a browser departs.
    ///
    /// # Errors
    /// There is no such provider, or it is not to be reached.
    pub(crate) async fn depart(
        &self,
        departure: &Departure,
        now: Timestamp,
    ) -> Result<String, SignInError> {
        let target = self.federation.depart(departure, &self.issuer, now).await;
        target.inspect_err(|error| {
            let provider = departure.provider();
            tracing::warn!(provider, error = %Causes(error), "nobody can sign in there");
        })
    }

    /// Who arrives from the provider of this name, having departed for it from this browser.
    ///
    /// # Errors
    /// It is not known who that is, or they are not let in.
    pub(crate) async fn arrive(
        &self,
        provider: &str,
        departure: Option<&Departure>,
        arrival: Option<&Arrival>,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Authenticated, SignInError> {
        let known = match departure {
            None => Err(SignInError::NotBegun),
            // The way back is another one for each provider: somebody mixes them up.
            Some(departure) if departure.provider() != provider => Err(SignInError::Issuer),
            Some(departure) => self.arrived(departure, arrival, address, now).await,
        };
        if let Err(error) = &known {
            let provider = departure.map(Departure::provider);
            tracing::info!(provider, error = %Causes(error), "a sign-in came to nothing");
            let account = provider.map_or_else(|| "oidc".to_owned(), |name| format!("oidc:{name}"));
            let reason = label(error);
            self.observer.tell(TokenEvent::LoginFailed { account: &account, address, reason });
        }
        known
    }

    async fn arrived(
        &self,
        departure: &Departure,
        arrival: Option<&Arrival>,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Authenticated, SignInError> {
        let arrival = arrival.ok_or(SignInError::Malformed)?;
        // Whoever begins a sign-in could have the gate ask about any number of codes.
        let account = self.passwords.fingerprint(&["oidc", departure.provider(), "sign-in"]);
        let client = ClientAddress(address);
        self.may_try(account, client, now)?;
        let attempt = self.throttle.attempt(account, client, now);
        let known = self.redeemed(departure, arrival, now).await;
        match &known {
            // Left as it is, it counts as failed.
            Err(SignInError::Code { .. }) => {}
            Err(SignInError::NotLetIn(error)) => attempt.ended::<()>(&Err(error.clone())),
            _ => attempt.succeeded(),
        }
        known
    }

    async fn redeemed(
        &self,
        departure: &Departure,
        arrival: &Arrival,
        now: Timestamp,
    ) -> Result<Authenticated, SignInError> {
        let id_token = self.federation.redeem(departure, arrival, &self.issuer, now).await?;
        let login = self.federation.login_of(departure, &id_token, now).await;
        Ok(self.logged_in(login, departure.provider(), now)?)
    }
}

/// A word of a fixed set, for metrics and the audit trail.
fn label(error: &SignInError) -> &'static str {
    match error {
        SignInError::UnknownProvider => "unknown_provider",
        SignInError::NotBegun => "sign_in_not_begun",
        SignInError::Late => "sign_in_late",
        SignInError::Malformed => "sign_in_malformed",
        SignInError::State => "sign_in_state",
        SignInError::Issuer => "sign_in_issuer",
        SignInError::Refused { .. } => "sign_in_refused",
        SignInError::Code { .. } => "sign_in_code",
        SignInError::Discovery(_) | SignInError::Exchange(_) | SignInError::Secret(_) => {
            "provider_unavailable"
        }
        SignInError::NotLetIn(error) => login_failure(error),
    }
}
