//! From a credential to a principal.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use http::HeaderMap;
use jiff::Timestamp;
use policy::{Caller, Subject};

use crate::public_url::PublicUrl;
use crate::secret::Secret;
use crate::token::{
    Claims, Grant, InvalidToken, KeyRing, Kind, MAX_TOKEN, TokenId, verify, verify_expired,
};

use super::address::ClientAddress;
use super::credentials::Credentials;
use super::failure::{AuthError, Rejection};
use super::observe::{CheckResult, GrantType, Observer, TokenEvent};
use super::password::MAX_PASSWORD;
use super::principal::{Ceiling, Principal};
use super::recent::Recent;
use super::throttle::Throttle;
use super::users::Users;
use super::verified::Passwords;

/// How many checked tokens are remembered in one generation.
const REMEMBERED: usize = 16_384;

/// Finds out who is asking.
///
/// Tokens that were checked are remembered until they expire, so a request with one costs a hash
/// and a look-up. Their subject is looked up among the users of this moment each time: who is
/// disabled or removed is refused at the next request, and groups are those of now.
pub struct Authenticator {
    issuer: PublicUrl,
    keys: Arc<KeyRing>,
    users: Arc<ArcSwap<Users>>,
    tokens: Recent<[u8; 32], Arc<Claims>>,
    passwords: Passwords,
    throttle: Throttle,
    observer: Observer,
}

/// The system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no random numbers are to be had from the system")]
pub struct NoRandom;

/// A caller that is known, and how.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// Who it is and how far the credential reaches.
    pub principal: Principal,
    /// What tokens that are made from the credential have in common.
    pub grant: Grant,
    /// The family of the credential, to which they belong too; a password has none.
    pub family: Option<TokenId>,
    /// What kind of credential it was.
    pub by: GrantType,
    /// When the credential ends; a password does not.
    pub expires: Option<Timestamp>,
}

impl Authenticator {
    /// Takes the gate's name, its keys and its users, which may be exchanged while it runs.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(
        issuer: PublicUrl,
        keys: Arc<KeyRing>,
        users: Arc<ArcSwap<Users>>,
        observer: Observer,
    ) -> Result<Self, NoRandom> {
        Ok(Self {
            issuer,
            keys,
            users,
            tokens: Recent::new(REMEMBERED),
            passwords: Passwords::new().map_err(|_| NoRandom)?,
            throttle: Throttle::new(),
            observer,
        })
    }

    /// The name under which tokens are taken.
    #[must_use]
    pub fn issuer(&self) -> &PublicUrl {
        &self.issuer
    }

    pub(crate) fn keys(&self) -> &KeyRing {
        &self.keys
    }

    pub(crate) fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Who sent a request with these headers; none where it shows no credential.
    ///
    /// # Errors
    /// See [`AuthError`]. A credential that came and was not accepted is never taken for none.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Option<Principal>, AuthError> {
        match Credentials::from_headers(headers)? {
            None => Ok(None),
            Some(credentials) => {
                self.check(&credentials, address, now).await.map(|known| Some(known.principal))
            }
        }
    }

    /// As [`Self::authenticate`], but a token that has expired still holds: for the steps of an
    /// upload that began while it did, so that no push stops in the middle. Everything else about
    /// the token and its subject is looked at as ever.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn authenticate_upload(
        &self,
        headers: &HeaderMap,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Option<Principal>, AuthError> {
        match Credentials::from_headers(headers)? {
            Some(Credentials::Bearer(token)) => match self.bearer(&token, now) {
                Err(AuthError::Expired) => {
                    let claims = verify_expired(token.expose(), &self.keys, &self.issuer, now)?;
                    Ok(Some(self.token_holder(&claims)?.principal))
                }
                known => known.map(|known| Some(known.principal)),
            },
            _ => self.authenticate(headers, address, now).await,
        }
    }

    /// Who has these credentials.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub async fn check(
        &self,
        credentials: &Credentials,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        match credentials {
            Credentials::Bearer(token) => self.bearer(token, now),
            Credentials::Basic { username, password } => {
                let known = if crate::token::looks_like_one(password.expose()) {
                    self.token_as_password(username, password, now)
                } else {
                    self.password(username, password, ClientAddress(address), now).await
                };
                if let Err(error) = &known {
                    let reason = login_failure(error);
                    let account = username.as_str();
                    self.observer.tell(TokenEvent::LoginFailed { account, address, reason });
                }
                known
            }
        }
    }

    fn bearer(&self, token: &Secret, now: Timestamp) -> Result<Authenticated, AuthError> {
        let found = self
            .claims(token.expose(), now)
            .and_then(|(claims, cached)| Ok((self.token_holder(&claims)?, cached)));
        let result = match &found {
            Ok((_, true)) => CheckResult::Cached,
            Ok((_, false)) => CheckResult::Verified,
            Err(AuthError::Expired) => CheckResult::Expired,
            Err(_) => CheckResult::Invalid,
        };
        self.observer.tell(TokenEvent::Checked { result });
        found.map(|(known, _)| known)
    }

    /// The claims of a token, and whether they were remembered.
    fn claims(&self, token: &str, now: Timestamp) -> Result<(Arc<Claims>, bool), AuthError> {
        if token.len() > MAX_TOKEN {
            return Err(InvalidToken::TooLong.into());
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        if let Some(claims) = self.tokens.get(&fingerprint) {
            crate::token::in_time(&claims, now)
                .inspect_err(|_| self.tokens.remove(&fingerprint))?;
            return Ok((claims, true));
        }
        let claims = Arc::new(verify(token, &self.keys, &self.issuer, now)?);
        self.tokens.insert(fingerprint, Arc::clone(&claims));
        Ok((claims, false))
    }

    /// The subject of a token as it stands now.
    fn token_holder(&self, claims: &Claims) -> Result<Authenticated, AuthError> {
        let grant = claims.grant().ok_or(InvalidToken::Claims)?;
        let groups = self.standing(&grant)?;
        Ok(Authenticated {
            principal: claims.principal(&grant, groups),
            grant,
            family: Some(claims.family.clone()),
            by: GrantType::Token,
            expires: claims.expires(),
        })
    }

    /// The groups that the subject of a credential has now.
    fn standing(&self, grant: &Grant) -> Result<Vec<String>, Rejection> {
        match (&grant.subject, grant.kind) {
            (Subject::Anonymous, Kind::Anonymous) => Ok(Vec::new()),
            (Subject::User(name), Kind::User) => {
                let users = self.users.load();
                let user = users.get(name).filter(|user| !user.disabled);
                Ok(user.ok_or(Rejection::SubjectGone)?.groups.clone())
            }
            _ => Err(Rejection::SubjectGone),
        }
    }

    /// A token in the place of a password, under its subject's name, or as `token` by a client that
    /// does not know it.
    fn token_as_password(
        &self,
        username: &str,
        token: &Secret,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let known = self.bearer(token, now)?;
        let named = match &known.principal.caller.subject {
            Subject::User(name) => username == name,
            subject => username == subject.to_string(),
        };
        if named || username == "token" { Ok(known) } else { Err(Rejection::AnothersToken.into()) }
    }

    async fn password(
        &self,
        username: &str,
        password: &Secret,
        address: ClientAddress,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let users = self.users.load_full();
        let account = self.passwords.fingerprint(&[username]);
        if password.expose().len() > MAX_PASSWORD {
            self.may_try(account, address, now)?;
            drop(self.throttle.attempt(account, address, now));
            return Err(Rejection::PasswordTooLong.into());
        }
        let fingerprint = self.passwords.fingerprint(&[username, password.expose()]);
        if self.passwords.was_right(&fingerprint, &users, now) {
            return user(&users, username, now);
        }
        self.may_try(account, address, now)?;
        let turn = self.passwords.turn().await?;
        // While this one waited, others with the same name may have failed, or succeeded.
        if self.passwords.was_right(&fingerprint, &users, now) {
            return user(&users, username, now);
        }
        self.may_try(account, address, now)?;
        let attempt = self.throttle.attempt(account, address, now);
        if !Passwords::check(turn, &users, username, password).await? {
            let known = users.get(username).is_some();
            let reason = if known { Rejection::WrongPassword } else { Rejection::UnknownUser };
            return Err(reason.into());
        }
        let known = user(&users, username, now)?;
        attempt.succeeded();
        self.passwords.remember(fingerprint, &users, now);
        Ok(known)
    }

    fn may_try(
        &self,
        account: [u8; 32],
        address: ClientAddress,
        now: Timestamp,
    ) -> Result<(), AuthError> {
        match self.throttle.wait(account, address, now) {
            Some(retry_after) => Err(AuthError::Throttled { retry_after }),
            None => Ok(()),
        }
    }
}

/// A user whose password was right.
fn user(users: &Users, name: &str, now: Timestamp) -> Result<Authenticated, AuthError> {
    let user = users.get(name).ok_or(Rejection::UnknownUser)?;
    if user.disabled {
        return Err(Rejection::Disabled.into());
    }
    let subject = Subject::User(name.to_owned());
    let groups = user.groups.clone();
    let caller = Caller { subject: subject.clone(), groups, granting: None, bounds: None };
    Ok(Authenticated {
        principal: Principal { caller, ceiling: Ceiling::Unlimited, token_id: None },
        grant: Grant::unlimited(subject, Kind::User, now),
        family: None,
        by: GrantType::Password,
        expires: None,
    })
}

fn login_failure(error: &AuthError) -> &'static str {
    match error {
        AuthError::Malformed(_) => "malformed",
        AuthError::Invalid { reason } => reason.label(),
        AuthError::Expired => "expired",
        AuthError::Throttled { .. } => "throttled",
        AuthError::Busy => "busy",
    }
}

#[cfg(test)]
mod tests;
