//! Sessions as credentials: what a browser keeps of signing in to the pages.

use std::net::IpAddr;

use jiff::Timestamp;

use super::address::ClientAddress;
use super::authenticate::{Authenticated, Authenticator};
use super::failure::{AuthError, Rejection};
use crate::token::{FamilyKind, LastUse, RefreshToken, TokenId};

impl Authenticator {
    /// Whose session it is, and what it is called. A session is good for the pages alone, and what
    /// stands in the place of a password elsewhere is none.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn session(
        &self,
        token: &RefreshToken,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(Authenticated, TokenId), AuthError> {
        // A browser shows no name. Whoever guesses sessions is slowed down by where they are.
        let account = self.passwords.fingerprint(&["session"]);
        let client = ClientAddress(address);
        self.may_try(account, client, now)?;
        let attempt = self.throttle.attempt(account, client, now);
        let found = self.in_session(token, now).await;
        attempt.ended(&found);
        let (known, session) = found?;
        self.state.note_use(&session, LastUse { at: now, from: address });
        Ok((known, session))
    }

    async fn in_session(
        &self,
        token: &RefreshToken,
        now: Timestamp,
    ) -> Result<(Authenticated, TokenId), AuthError> {
        let looked = self.looked(token, now).await?;
        let known = self.of_family(&looked.family, now)?;
        if looked.family.kind != FamilyKind::Session {
            return Err(Rejection::UnknownToken.into());
        }
        let session = looked.family.id.clone();
        let known = match (&looked.family.parent, &looked.family.grant.via) {
            // What is made in a session comes of what its holder signed in with: a token, with which
            // it ends; a provider's word, which lasts as long as the session; or a password, and
            // then it outlives the session as it would outlive a visit of the command line.
            (Some(parent), _) => Authenticated { family: Some(parent.clone()), ..known },
            (None, Some(_)) => known,
            (None, None) => Authenticated { family: None, expires: None, ..known },
        };
        Ok((known, session))
    }
}
