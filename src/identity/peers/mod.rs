//! The circle of trust: other gates whose tokens are accepted here.
//!
//! Trust is one-way, and nothing follows from it by itself. A token of another gate stands for a
//! subject of its own, `peer:NAME/…`, with those groups that our configuration maps. What the gate
//! has revoked, it tells in a signed list; while that list is not to be had, or is older than one
//! that was seen, nobody from there gets in.

mod error;
mod hearing;
mod peer;
mod polling;
#[cfg(test)]
mod sample;
mod settings;
mod state;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use policy::Subject;
use serde::Deserialize;
use std::sync::Arc;

pub use error::PeerError;
pub use polling::Polling;
pub use settings::{GroupMapping, InvalidPeerName, PeerName, Settings};
pub use state::{LastList, Looks, PeerState};

use crate::fetch::FetchError;
use crate::public_url::PublicUrl;
use crate::token::{Claims, Grant, MAX_TOKEN, TokenId};
use peer::Peer;

/// All gates that are trusted.
#[derive(Debug)]
pub struct Peers {
    /// Few, so that looking through them costs nothing.
    peers: Vec<Arc<Peer>>,
    /// Our own service, for which their tokens must be.
    audience: String,
}

/// A token of another gate that holds here, now.
#[derive(Debug, Clone)]
pub struct PeerToken {
    /// What it says. Its names are those of the other gate.
    pub claims: Arc<Claims>,
    /// On whose behalf it is, in our words. Tokens that are made from it carry this, with its family
    /// and until its end at most.
    pub grant: Grant,
    /// The groups of its subject here.
    pub groups: Vec<String>,
}

impl Peers {
    /// Takes the entries of `trust`, and our own name.
    ///
    /// # Errors
    /// A CA file cannot be used.
    pub fn new(
        trust: impl IntoIterator<Item = Settings>,
        own: &PublicUrl,
    ) -> Result<Self, FetchError> {
        let peers = trust.into_iter().map(|settings| Peer::new(settings).map(Arc::new));
        Ok(Self { peers: peers.collect::<Result<_, _>>()?, audience: own.service().to_owned() })
    }

    /// Trusts nobody.
    #[must_use]
    pub fn nobody() -> Self {
        Self { peers: Vec::new(), audience: String::new() }
    }

    /// Whether a text claims to be a token of a gate that is trusted. Nothing of it was checked.
    #[must_use]
    pub fn may_have_made(&self, token: &str) -> bool {
        self.issuer(token).is_some()
    }

    /// Checks a token of another gate. The issuer that it names chooses among those of the
    /// configuration, and nothing else: no address is ever taken from a token. Nothing is fetched
    /// here.
    ///
    /// # Errors
    /// See [`PeerError`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<PeerToken, PeerError> {
        let peer = self.issuer(token).ok_or(PeerError::NotTrusted)?;
        let claims = peer.verify(token, &self.audience, now)?;
        let grant = peer.grant(&claims)?;
        let groups = self.standing(&grant, &[&claims.family, &claims.jti], now)?;
        Ok(PeerToken { claims, grant, groups })
    }

    /// The groups that a peer's subject has here at this moment, for a token of the peer or one that
    /// we made from it, which is known by the names `ids`.
    ///
    /// # Errors
    /// The peer is not trusted any more, or not at this moment, or has revoked it.
    pub fn standing(
        &self,
        grant: &Grant,
        ids: &[&TokenId],
        now: Timestamp,
    ) -> Result<Vec<String>, PeerError> {
        let Subject::Peer { gate, name } = &grant.subject else {
            return Err(PeerError::NotTrusted);
        };
        let peer = self.peers.iter().find(|peer| peer.settings().name.as_str() == gate);
        let peer = peer.ok_or(PeerError::NotTrusted)?;
        peer.holds(name, grant.auth_time, ids, now)?;
        Ok(peer.settings().groups.ours(&grant.asserted))
    }

    fn issuer(&self, token: &str) -> Option<&Peer> {
        let issuer = claimed_issuer(token)?;
        let peer = self.peers.iter().find(|peer| peer.settings().issuer.as_str() == issuer);
        peer.map(|peer| &**peer)
    }
}

/// The issuer that a token names. Anyone may have written it.
fn claimed_issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claimed {
        iss: String,
    }
    if token.len() > MAX_TOKEN {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok().map(|Claimed { iss }| iss)
}

#[cfg(test)]
mod tests;
