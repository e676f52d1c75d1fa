//! Access tokens.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use policy::Subject;

use super::authenticate::{Authenticated, Authenticator};
use super::failure::{AuthError, Rejection};
use super::observe::{CheckResult, GrantType, TokenEvent};
use super::peers::{PeerError, PeerToken};
use crate::secret::Secret;
use crate::token::{
    Claims, Grant, InvalidToken, KeyRing, Kind, LastUse, MAX_TOKEN, TokenId, verify, verify_expired,
};

/// A token whose signature and claims are right.
pub(super) struct Checked {
    claims: Claims,
    grant: Grant,
}

impl Checked {
    fn new(claims: Claims) -> Result<Self, InvalidToken> {
        let grant = claims.grant().ok_or(InvalidToken::Claims)?;
        Ok(Self { claims, grant })
    }
}

impl Authenticator {
    /// Whose token it is.
    pub(super) async fn bearer(
        &self,
        token: &Secret,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let keys = Arc::clone(&self.keys());
        let found = match self.checked_by(&keys, token.expose(), now) {
            Err(InvalidToken::Key) if self.peers.may_have_made(token.expose()) => {
                return self.peers_token(token, now);
            }
            // Its key may have been made a moment ago.
            Err(InvalidToken::Key) => match self.keys.other_than(&keys).await {
                Some(others) => self.checked_by(&others, token.expose(), now),
                None => Err(InvalidToken::Key),
            },
            checked => checked,
        };
        let found = found
            .map_err(AuthError::from)
            .and_then(|(checked, cached)| Ok((self.holder(&checked, now)?, checked, cached)));
        let result = match &found {
            Ok((.., true)) => CheckResult::Cached,
            found => checked(found),
        };
        self.observer.tell(TokenEvent::Checked { result });
        let (known, checked, _) = found?;
        // What the token endpoint made from no token is its own family, of which nothing is kept.
        // Anybody gets as many of these as they like, so they must cost nothing here.
        let Claims { jti, family, access, .. } = &checked.claims;
        if access.is_none() || family != jti {
            self.state.note_use(family, LastUse { at: now, from: address });
        }
        Ok(known)
    }

    /// Whose token it was, if it expired not longer ago than an upload may take.
    pub(super) fn expired(
        &self,
        token: &Secret,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let claims = verify_expired(token.expose(), &self.keys(), &self.issuer, now)?;
        self.holder(&Checked::new(claims)?, now)
    }

    /// Whose token of another gate it is.
    fn peers_token(&self, token: &Secret, now: Timestamp) -> Result<Authenticated, AuthError> {
        let held = self.peers.verify(token.expose(), now).map_err(Rejection::from);
        let known =
            held.map_err(AuthError::from).and_then(|PeerToken { claims, grant, .. }| {
                // Once more with what was revoked here: a peer's subject may be, too.
                let groups = self.stands(&grant, &[&claims.jti, &claims.family], now)?;
                Ok(Authenticated {
                    principal: claims.principal(&grant, groups),
                    grant,
                    family: Some(claims.family.clone()),
                    by: GrantType::Token,
                    expires: claims.expires(),
                })
            });
        self.observer.tell(TokenEvent::Checked { result: checked(&known) });
        known
    }

    /// The token by one set of keys, and whether it was remembered. What was remembered under
    /// another set does not count: a key that is taken away ends what it signed.
    fn checked_by(
        &self,
        keys: &KeyRing,
        token: &str,
        now: Timestamp,
    ) -> Result<(Arc<Checked>, bool), InvalidToken> {
        if token.len() > MAX_TOKEN {
            return Err(InvalidToken::TooLong);
        }
        let fingerprint = keys.verifying().fingerprint(token);
        if let Some(checked) = self.tokens.get(&fingerprint) {
            crate::token::in_time(&checked.claims, now)
                .inspect_err(|_| self.tokens.remove(&fingerprint))?;
            return Ok((checked, true));
        }
        let checked = Arc::new(Checked::new(verify(token, keys, &self.issuer, now)?)?);
        self.tokens.insert(fingerprint, Arc::clone(&checked));
        Ok((checked, false))
    }

    /// The subject of a token as it stands now.
    fn holder(&self, checked: &Checked, now: Timestamp) -> Result<Authenticated, AuthError> {
        let Checked { claims, grant } = checked;
        let groups = self.stands(grant, &[&claims.jti, &claims.family], now)?;
        Ok(Authenticated {
            principal: claims.principal(grant, groups),
            grant: grant.clone(),
            family: Some(claims.family.clone()),
            by: GrantType::Token,
            expires: claims.expires(),
        })
    }

    /// The groups that the subject of a credential has now.
    ///
    /// # Errors
    /// The subject is gone or disabled, or the credential, which goes by these names, is revoked.
    pub(crate) fn stands(
        &self,
        grant: &Grant,
        ids: &[&TokenId],
        now: Timestamp,
    ) -> Result<Vec<String>, AuthError> {
        if !self.state.is_fresh() {
            return Err(AuthError::Unavailable);
        }
        let refused = self.state.revocations(|revocations, _| {
            revocations.refuse(ids.iter().copied(), &grant.subject, grant.auth_time)
        });
        if refused {
            return Err(Rejection::Revoked.into());
        }
        match (&grant.subject, grant.kind) {
            (Subject::Anonymous, Kind::Anonymous) => Ok(Vec::new()),
            (Subject::User(name), Kind::User) => {
                let users = self.users.load();
                let user = users.get(name).filter(|user| !user.disabled);
                Ok(user.ok_or(Rejection::SubjectGone)?.groups.clone())
            }
            (Subject::Service(name), Kind::Service) if self.state.is_enabled(name) => {
                Ok(grant.asserted.clone())
            }
            (Subject::User(_) | Subject::Service(_), Kind::Federated) => {
                self.vouched_for(grant, now)
            }
            (Subject::Peer { .. }, Kind::Peer) => {
                self.peers.standing(grant, ids, now).map_err(|error| Rejection::from(error).into())
            }
            _ => Err(Rejection::SubjectGone.into()),
        }
    }
}

/// What is counted of a token that was shown and was not remembered.
fn checked<T>(found: &Result<T, AuthError>) -> CheckResult {
    match found {
        Ok(_) => CheckResult::Verified,
        Err(AuthError::Expired) => CheckResult::Expired,
        Err(AuthError::Invalid {
            reason: Rejection::Revoked | Rejection::Peer(PeerError::Revoked),
        }) => CheckResult::Revoked,
        Err(_) => CheckResult::Invalid,
    }
}
