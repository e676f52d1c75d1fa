//! Access tokens for other gates, made from a credential of this one.

use std::time::Duration;

use super::{Issue, Issued, Occasion, Wanted};
use crate::identity::Authenticated;
use crate::store::StoreError;
use crate::token::{Family, FamilyKind, Grant, MintError, NoRandomBytes, Scopes, TokenId};

/// Why there is no token for another gate.
#[derive(Debug, thiserror::Error)]
pub enum ElsewhereError {
    /// It cannot be made.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The system gives no random bytes.
    #[error(transparent)]
    Random(#[from] NoRandomBytes),
    /// The state does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Issue {
    /// Exchanges a credential for an access token that is good at another gate and not here. It is
    /// kept as a family below the credential's own: that gate hears only of what is kept, when the
    /// token's subject is gone or has lost a group.
    ///
    /// # Errors
    /// See [`ElsewhereError`]; then nothing was given out.
    pub async fn elsewhere(
        &self,
        known: &Authenticated,
        scopes: &Scopes,
        audience: &str,
        occasion: Occasion,
    ) -> Result<Issued, ElsewhereError> {
        let id = TokenId::random()?;
        let below = Authenticated { family: Some(id.clone()), ..known.clone() };
        let wanted = Wanted { scopes, audience: Some(audience), lifetime: None };
        let issued = self.access(&below, wanted, occasion)?;
        let claims = &issued.claims;
        let ends_at = claims.expires().ok_or(MintError::NoTime)?;
        // Who asserts its groups is not in the token, and is needed to see whether they are left.
        let grant = Grant { groups: claims.groups.clone(), ..known.grant.clone() };
        let lifetime = Duration::try_from(ends_at.duration_since(occasion.now));
        let family = Family {
            id,
            kind: FamilyKind::Access,
            grant,
            audience: Some(audience.to_owned()),
            access_ttl: lifetime.unwrap_or(self.settings.access_ttl),
            made_at: occasion.now,
            made_by: known.grant.subject.to_string(),
            comment: "exchanged at the token endpoint".to_owned(),
            parent: known.family.clone(),
            ends_at,
            idle: None,
            last_use: None,
            revoked_at: None,
        };
        self.state.ask(move |store| async move { store.add_family(&family, None).await }).await?;
        Ok(issued)
    }
}
