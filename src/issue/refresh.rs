//! Exchanging refresh tokens.

use super::{Issue, Occasion};
use crate::identity::{AuthError, Authenticated, Rejection, TokenEvent};
use crate::log::Causes;
use crate::store::{Rotation, StoreError};
use crate::token::{Family, FamilyKind, LastUse, RefreshToken};

/// In the place of the name that does not come with a refresh token; docker calls it so as well.
const NAMELESS: &str = "<token>";

/// What a refresh token was exchanged for.
#[derive(Debug)]
pub struct Refreshed {
    /// Its holder, as they stand now.
    pub known: Authenticated,
    /// Its family.
    pub family: Family,
    /// What to show next time: the successor, or the same one where it does not change.
    pub next: RefreshToken,
}

impl Issue {
    /// Exchanges a refresh token. Its subject is looked at anew: who is disabled or gone gets
    /// nothing, and what they get follows from what they are now.
    ///
    /// # Errors
    /// It does not hold, or the state does not answer. One that was replaced and comes back revokes
    /// all of its family.
    pub async fn refresh(
        &self,
        token: &RefreshToken,
        occasion: Occasion,
    ) -> Result<Refreshed, AuthError> {
        let refreshed = self.exchange(token, occasion).await;
        if let Err(error) = &refreshed {
            self.authenticator.login_failed(NAMELESS, occasion.address, error);
        }
        refreshed
    }

    async fn exchange(
        &self,
        token: &RefreshToken,
        occasion: Occasion,
    ) -> Result<Refreshed, AuthError> {
        let Occasion { address, now } = occasion;
        let family = self.authenticator.family_of(token).await?;
        let known = self.authenticator.of_family(&family, now)?;
        let next = match family.kind {
            FamilyKind::Login => token.clone(),
            FamilyKind::Rotating => self.rotate(token, &family, occasion).await?,
            FamilyKind::Access | FamilyKind::Session => {
                return Err(Rejection::UnknownToken.into());
            }
        };
        self.state.note_use(&family.id, LastUse { at: now, from: address });
        Ok(Refreshed { known, family, next })
    }

    async fn rotate(
        &self,
        token: &RefreshToken,
        family: &Family,
        occasion: Occasion,
    ) -> Result<RefreshToken, AuthError> {
        let next = self.succession.of(token);
        let (shown, successor, now) = (token.hash(), next.hash(), occasion.now);
        let rotated = self
            .state
            .ask(move |store| async move { store.rotate(shown, successor, now).await })
            .await;
        match rotated.map_err(|error| unavailable(&error))? {
            Rotation::Rotated => Ok(next),
            Rotation::Gone => Err(Rejection::UnknownToken.into()),
            Rotation::Reused { now: ended } => {
                // The family is revoked in the state; without this look, a moment later here.
                self.state.look().await.map_err(|error| unavailable(&error))?;
                if ended {
                    self.authenticator.observer().tell(TokenEvent::Reused {
                        subject: &family.grant.subject,
                        family: family.id.as_str(),
                        address: occasion.address,
                    });
                }
                Err(Rejection::Reused.into())
            }
        }
    }
}

fn unavailable(error: &StoreError) -> AuthError {
    tracing::error!(error = %Causes(error), "a refresh token could not be exchanged");
    AuthError::Unavailable
}
