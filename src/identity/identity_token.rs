//! Refresh tokens as credentials: the identity token that `docker login` leaves behind.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::address::ClientAddress;
use super::authenticate::{Authenticated, Authenticator, named};
use super::failure::{AuthError, Rejection};
use super::observe::GrantType;
use super::principal::{Ceiling, Principal};
use crate::log::Causes;
use crate::token::{Ended, Family, FamilyKind, LastUse, RefreshToken, TokenId};

/// How long a family need not be looked up again. Whether it is revoked is known without that.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// A family that was looked up.
pub(super) struct Looked {
    pub(super) family: Family,
    until: Timestamp,
}

/// What somebody hears who shows a token that the next use would replace where nobody could keep
/// its successor.
const ROTATES: &str = "this refresh token is replaced at each use, which a password cannot be: use \
    an access token as the password, or sign in with `docker login` and your own password, or with \
    `portcullis login`";

impl Authenticator {
    /// A refresh token in the place of a password.
    pub(super) async fn identity_token(
        &self,
        username: &str,
        token: &RefreshToken,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let account = self.passwords.fingerprint(&[username]);
        let client = ClientAddress(address);
        self.may_try(account, client, now)?;
        let attempt = self.throttle.attempt(account, client, now);
        let found = self.held_by(username, token, now).await;
        attempt.ended(&found);
        let (known, family) = found?;
        self.state.note_use(&family, LastUse { at: now, from: address });
        Ok(known)
    }

    /// Whose identity token it is, and of which family.
    async fn held_by(
        &self,
        username: &str,
        token: &RefreshToken,
        now: Timestamp,
    ) -> Result<(Authenticated, TokenId), AuthError> {
        let looked = self.looked(token, now).await?;
        let known = self.of_family(&looked.family, now)?;
        if looked.family.kind != FamilyKind::Login {
            return Err(AuthError::Misused(ROTATES));
        }
        Ok((named(username, known)?, looked.family.id.clone()))
    }

    pub(super) async fn looked(
        &self,
        token: &RefreshToken,
        now: Timestamp,
    ) -> Result<Arc<Looked>, AuthError> {
        let hash = token.hash();
        if let Some(looked) = self.families.get(&hash).filter(|looked| looked.until > now) {
            return Ok(looked);
        }
        let family = self.family_of(token).await?;
        let until = now.saturating_add(REMEMBERED_FOR).unwrap_or(now);
        let looked = Arc::new(Looked { family, until });
        self.families.insert(hash, Arc::clone(&looked));
        Ok(looked)
    }

    /// The family that a refresh token stands for, as the state has it.
    ///
    /// # Errors
    /// There is none, or the state does not answer.
    pub(crate) async fn family_of(&self, token: &RefreshToken) -> Result<Family, AuthError> {
        let hash = token.hash();
        let found = self.state.ask(move |store| async move { store.family_of(hash).await }).await;
        match found {
            Ok(family) => Ok(family.ok_or(Rejection::UnknownToken)?),
            Err(error) => {
                tracing::error!(error = %Causes(&error), "a refresh token could not be looked up");
                Err(AuthError::Unavailable)
            }
        }
    }

    /// Who holds a family, as they stand now.
    ///
    /// # Errors
    /// The family has ended, or its subject is gone.
    pub(crate) fn of_family(
        &self,
        family: &Family,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let mut family_now = family.clone();
        // What is noted and not written down yet counts as well.
        family_now.last_use = self.state.noted_use(&family.id).or(family.last_use);
        family_now.holds(now).map_err(|ended| match ended {
            Ended::Expired => AuthError::Expired,
            Ended::Revoked | Ended::Idle => Rejection::Ended(ended).into(),
        })?;
        let groups = self.stands(&family.grant, &[&family.id], now)?;
        Ok(Authenticated {
            principal: Principal {
                caller: family.grant.caller(groups),
                ceiling: Ceiling::Unlimited,
                token_id: Some(family.id.to_string()),
            },
            grant: family.grant.clone(),
            family: Some(family.id.clone()),
            by: GrantType::Refresh,
            expires: Some(family.ends_at),
        })
    }
}
