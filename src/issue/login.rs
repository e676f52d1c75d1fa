//! What is kept of signing in: the identity token of `docker login`, and the session of a browser.

use std::time::Duration;

use super::{Issue, Occasion};
use crate::identity::{Authenticated, Ceiling};
use crate::store::StoreError;
use crate::token::{Family, FamilyKind, Kind, NoRandomBytes, RefreshToken, TokenId};

/// Why there is nothing to keep.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The system gives no random bytes.
    #[error(transparent)]
    Random(#[from] NoRandomBytes),
    /// The state does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One kind of it.
struct Kept {
    kind: FamilyKind,
    comment: String,
    idle: Duration,
    longest: Duration,
}

impl Issue {
    /// Makes an identity token for whoever signed in. docker keeps it and cannot keep a successor,
    /// so it does not change; it ends when it is not used, after a longest time in any case, and
    /// together with the credential that it was made with. Nobody in particular gets none, and neither
    /// does who shows a token for some repositories: what it is good for is not kept in a family, so
    /// the identity token would be good for everything that its holder may do.
    ///
    /// # Errors
    /// The state does not answer: then there is none, and nothing of it is kept.
    pub async fn login(
        &self,
        known: &Authenticated,
        client: &str,
        occasion: Occasion,
    ) -> Result<Option<RefreshToken>, LoginError> {
        let kept = Kept {
            kind: FamilyKind::Login,
            comment: format!("signed in with {client}"),
            idle: self.settings.login_idle,
            longest: self.settings.login_max,
        };
        self.remember(known, kept, occasion).await
    }

    /// Begins a session of the pages for whoever signed in, under a new name each time. It ends as
    /// an identity token does, sooner, and there is none for whom there is no identity token.
    ///
    /// # Errors
    /// The state does not answer: then there is none, and nothing of it is kept.
    pub async fn begin_session(
        &self,
        known: &Authenticated,
        occasion: Occasion,
    ) -> Result<Option<RefreshToken>, LoginError> {
        let kept = Kept {
            kind: FamilyKind::Session,
            comment: "signed in with a browser".to_owned(),
            idle: self.settings.session_idle,
            longest: self.settings.session_max,
        };
        self.remember(known, kept, occasion).await
    }

    async fn remember(
        &self,
        known: &Authenticated,
        kept: Kept,
        occasion: Occasion,
    ) -> Result<Option<RefreshToken>, LoginError> {
        let limited = known.principal.ceiling != Ceiling::Unlimited;
        // What another gate vouches for, it revokes by names that a family of ours does not carry.
        if limited || matches!(known.grant.kind, Kind::Anonymous | Kind::Peer) {
            return Ok(None);
        }
        let now = occasion.now;
        let longest = now.saturating_add(kept.longest).unwrap_or(now);
        let token = RefreshToken::random()?;
        let family = Family {
            id: TokenId::random()?,
            kind: kept.kind,
            grant: known.grant.clone(),
            audience: None,
            access_ttl: self.settings.access_ttl,
            made_at: now,
            made_by: known.grant.subject.to_string(),
            comment: kept.comment,
            parent: known.family.clone(),
            ends_at: known.expires.map_or(longest, |end| end.min(longest)),
            idle: Some(kept.idle),
            last_use: None,
            revoked_at: None,
        };
        let hash = token.hash();
        self.state
            .ask(move |store| async move { store.add_family(&family, Some(hash)).await })
            .await?;
        Ok(Some(token))
    }
}
