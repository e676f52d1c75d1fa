//! One gate that is trusted, and what is known of it at this moment.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use policy::Subject;

use super::error::PeerError;
use super::hearing::Heard;
use super::settings::Settings;
use super::state::Looks;
use crate::fetch::{FetchError, Fetcher};
use crate::jwks::JwksSource;
use crate::recent::Recent;
use crate::token::{
    Claims, Grant, InvalidToken, Kind, TokenId, VerifyingKeys, in_time, verify_from,
};

/// A trusted gate. Requests read what is known of it and wait for nothing; a task keeps that up to
/// date.
pub(super) struct Peer {
    settings: Settings,
    pub(super) source: JwksSource,
    pub(super) fetcher: Fetcher,
    known: ArcSwap<Known>,
    /// For people: nothing is decided by it.
    looks: ArcSwapOption<Looks>,
    /// The claims of tokens that were checked, by token and keys.
    checked: Recent<[u8; 32], Arc<Claims>>,
}

/// How many tokens of one gate are remembered in one generation.
const REMEMBERED: usize = 4096;

/// What was last learnt.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Its keys; none before they were first had.
    pub(super) keys: Option<Arc<VerifyingKeys>>,
    /// What it has revoked.
    pub(super) heard: Heard,
}

impl Peer {
    pub(super) fn new(settings: Settings) -> Result<Self, FetchError> {
        let ca = settings.ca.as_deref();
        Ok(Self {
            source: JwksSource::new(settings.jwks.clone(), ca)?,
            fetcher: Fetcher::new(ca)?,
            settings,
            known: ArcSwap::default(),
            looks: ArcSwapOption::empty(),
            checked: Recent::new(REMEMBERED),
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn known(&self) -> Arc<Known> {
        self.known.load_full()
    }

    /// Takes what the task of this gate has learnt; nobody else calls it.
    pub(super) fn learn(&self, known: Known) {
        self.known.store(Arc::new(known));
    }

    /// What came of asking it.
    pub(super) fn looks(&self) -> Option<Looks> {
        self.looks.load().as_deref().cloned()
    }

    /// As [`Self::learn`], of the asking itself.
    pub(super) fn looked(&self, looks: Looks) {
        self.looks.store(Some(Arc::new(looks)));
    }

    /// Whether the gate as a whole is to be trusted at this moment.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn usable(&self, now: Timestamp) -> Result<(), PeerError> {
        let known = self.known.load();
        if self.settings.revocations.is_some() {
            known.heard.list(now)?;
        }
        known.keys.as_ref().map(|_| ()).ok_or(PeerError::NoKeys)
    }

    /// The claims of a token of this gate, checked as our own are, and then for what is asked of
    /// others besides. Those of a token that was checked before, with the same keys, are remembered.
    pub(super) fn verify(
        &self,
        token: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<Arc<Claims>, PeerError> {
        self.usable(now)?;
        let keys = self.known.load().keys.clone().ok_or(PeerError::NoKeys)?;
        let fingerprint = keys.fingerprint(token);
        if let Some(claims) = self.checked.get(&fingerprint) {
            in_time(&claims, now).inspect_err(|_| self.checked.remove(&fingerprint))?;
            return Ok(claims);
        }
        let claims = verify_from(token, &keys, self.settings.issuer.as_str(), audience, now)?;
        self.acceptable(&claims)?;
        let claims = Arc::new(claims);
        self.checked.insert(fingerprint, Arc::clone(&claims));
        Ok(claims)
    }

    fn acceptable(&self, claims: &Claims) -> Result<(), PeerError> {
        if matches!(claims.kind, Kind::Peer | Kind::Anonymous) {
            return Err(PeerError::SecondHand);
        }
        let longest = i64::try_from(self.settings.max_ttl.as_secs()).unwrap_or(i64::MAX);
        if claims.exp.saturating_sub(claims.iat) > longest {
            return Err(PeerError::LongLived);
        }
        if claims.groups.is_none() {
            return Err(PeerError::Groups);
        }
        Ok(())
    }

    /// What a token of this gate stands for here. Its groups are kept as the gate writes them: our
    /// configuration maps them at each use. What the gate was told by others about its subject (the
    /// claims `via` and `asserted`) is no business of ours.
    pub(super) fn grant(&self, claims: &Claims) -> Result<Grant, PeerError> {
        let theirs = claims.grant().ok_or(InvalidToken::Claims)?;
        let gate = self.settings.name.to_string();
        Ok(Grant {
            subject: Subject::Peer { gate: gate.clone(), name: claims.sub.clone() },
            kind: Kind::Peer,
            via: Some(gate),
            asserted: theirs.groups.ok_or(PeerError::Groups)?,
            groups: None,
            bounds: theirs.bounds,
            auth_time: theirs.auth_time,
        })
    }

    /// Whether the gate still stands by a token of this name, or of one of these families, for
    /// `subject` in its words, that began at `auth_time`.
    ///
    /// # Errors
    /// It has revoked it, or is not to be trusted at this moment.
    pub(super) fn holds(
        &self,
        subject: &str,
        auth_time: Timestamp,
        ids: &[&TokenId],
        now: Timestamp,
    ) -> Result<(), PeerError> {
        if self.settings.revocations.is_none() {
            return Ok(());
        }
        let known = self.known.load();
        let list = known.heard.list(now)?;
        if list.revokes(subject, auth_time, ids.iter().copied()) {
            return Err(PeerError::Revoked);
        }
        Ok(())
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peer").field(&self.settings.name).finish()
    }
}
