//! From a credential to a principal.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use http::HeaderMap;
use jiff::Timestamp;
use policy::Subject;

use super::address::ClientAddress;
use super::bearer::Checked;
use super::credentials::Credentials;
use super::failure::{AuthError, Rejection};
use super::federation::Federation;
use super::identity_token::Looked;
use super::observe::{GrantType, Observer, TokenEvent};
use super::peers::Peers;
use super::principal::Principal;
use super::throttle::Throttle;
use super::users::Users;
use super::verified::Passwords;
use crate::public_url::PublicUrl;
use crate::recent::Recent;
use crate::secret::Secret;
use crate::state::State;
use crate::token::{Grant, KeyError, KeyRing, Keys, ListedKey, RefreshToken, TokenHash, TokenId};

/// How many checked tokens are remembered in one generation.
const REMEMBERED: usize = 16_384;

/// Finds out who is asking.
///
/// Tokens that were checked are remembered until they expire, so a request with one costs a hash
/// and a look-up. Whether they are revoked and what their subject is at this moment is looked up
/// each time: who is disabled or removed is refused at the next request, and groups are those of now.
pub struct Authenticator {
    pub(super) issuer: PublicUrl,
    pub(super) keys: Keys,
    pub(super) users: Arc<ArcSwap<Users>>,
    pub(super) state: Arc<State>,
    pub(super) federation: Federation,
    pub(super) peers: Arc<Peers>,
    pub(super) tokens: Recent<[u8; 32], Arc<Checked>>,
    pub(super) families: Recent<TokenHash, Arc<Looked>>,
    pub(super) passwords: Passwords,
    pub(super) throttle: Throttle,
    pub(super) observer: Observer,
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
    /// Takes the gate's name, its keys and its users, which may both be exchanged while it runs, and what
    /// its state says.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(
        issuer: PublicUrl,
        keys: impl Into<Keys>,
        users: Arc<ArcSwap<Users>>,
        state: Arc<State>,
        observer: Observer,
    ) -> Result<Self, NoRandom> {
        Ok(Self {
            issuer,
            keys: keys.into(),
            users,
            federation: Federation::default(),
            peers: Arc::new(Peers::nobody()),
            state,
            tokens: Recent::new(REMEMBERED),
            families: Recent::new(REMEMBERED),
            passwords: Passwords::new().map_err(|_| NoRandom)?,
            throttle: Throttle::new(),
            observer,
        })
    }

    /// The same, with identity providers whose ID tokens count.
    #[must_use]
    pub fn federated(self, federation: Federation) -> Self {
        Self { federation, ..self }
    }

    /// The same, with other gates whose tokens count.
    #[must_use]
    pub fn trusting(self, peers: Arc<Peers>) -> Self {
        Self { peers, ..self }
    }

    /// The name under which tokens are taken.
    #[must_use]
    pub fn issuer(&self) -> &PublicUrl {
        &self.issuer
    }

    /// What the state says.
    pub(crate) fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// The keys in force.
    pub(crate) fn keys(&self) -> Guard<Arc<KeyRing>> {
        self.keys.current()
    }

    /// The signing keys, those that have retired too. Blocks.
    pub(crate) fn list_keys(&self, now: Timestamp) -> Result<Vec<ListedKey>, KeyError> {
        self.keys.list(now)
    }

    /// The providers whose ID tokens are taken.
    pub(crate) fn federation(&self) -> &Federation {
        &self.federation
    }

    /// Looks whether there are other keys by now. Blocks.
    pub(crate) fn poll_keys(&self) {
        self.keys.poll();
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
            Some(Credentials::Bearer(token)) => match self.bearer(&token, address, now).await {
                Err(AuthError::Expired) => Ok(Some(self.expired(&token, now)?.principal)),
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
        let (username, password) = match credentials {
            Credentials::Bearer(token) => return self.bearer(token, address, now).await,
            Credentials::Basic { username, password } => (username, password),
        };
        let known = self.basic(username, password, address, now).await;
        if let Err(error) = &known {
            self.login_failed(recorded(username), address, error);
        }
        known
    }

    /// Tells of a login that failed: with a password, or with what stands in its place.
    pub(crate) fn login_failed(&self, account: &str, address: IpAddr, error: &AuthError) {
        let reason = login_failure(error);
        self.observer.tell(TokenEvent::LoginFailed { account, address, reason });
    }

    /// A name, and a password or what stands in its place.
    async fn basic(
        &self,
        username: &str,
        password: &Secret,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Authenticated, AuthError> {
        let text = password.expose();
        if let Some(presented) = self.presented(username, password) {
            self.id_token(&presented, address, now).await
        } else if let Some(token) = RefreshToken::parse(text) {
            self.identity_token(username, &token, address, now).await
        } else if crate::token::looks_like_one(text) {
            let known = self.bearer(password, address, now).await?;
            named(username, known)
        } else {
            self.password(username, password, ClientAddress(address), now).await
        }
    }
}

/// A token in the place of a password comes under its subject's name, or as `token` from a client
/// that does not know it. docker says `<token>` where it keeps an identity token.
pub(super) fn named(username: &str, known: Authenticated) -> Result<Authenticated, AuthError> {
    let named = match &known.principal.caller.subject {
        Subject::User(name) | Subject::Service(name) if username == name => true,
        subject => username == subject.to_string(),
    };
    if named || matches!(username, "token" | "<token>") {
        Ok(known)
    } else {
        Err(Rejection::AnothersToken.into())
    }
}

/// Longer than any name, and shorter than any token that is signed.
const NO_NAME: usize = 256;

/// What an account that somebody tried is called in records. Some put a token where the name goes,
/// and no record holds one.
fn recorded(username: &str) -> &str {
    if username.len() > NO_NAME || RefreshToken::parse(username).is_some() {
        "a token in place of a name"
    } else {
        username
    }
}

pub(super) fn login_failure(error: &AuthError) -> &'static str {
    match error {
        AuthError::Malformed(_) => "malformed",
        AuthError::Invalid { reason } => reason.label(),
        AuthError::Expired => "expired",
        AuthError::Throttled { .. } => "throttled",
        AuthError::Busy => "busy",
        AuthError::Misused(_) => "misused",
        AuthError::Unavailable => "unavailable",
    }
}

#[cfg(test)]
mod tests;
