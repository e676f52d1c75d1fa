//! How trusted gates are doing, for people.

use jiff::Timestamp;

use super::error::PeerError;
use super::hearing::Heard;
use super::peer::Peer;
use super::{Peers, Settings};
use crate::jwks::KeySetState;
use crate::store::Sequence;

/// What is known of one trusted gate at this moment.
#[derive(Debug, Clone)]
pub struct PeerState {
    /// Our name for it.
    pub name: String,
    /// Its public address.
    pub issuer: String,
    /// Its keys.
    pub keys: KeySetState,
    /// Whether it is asked what it has revoked.
    pub tells_revocations: bool,
    /// The last list of these that was had.
    pub list: Option<LastList>,
    /// Why its tokens are refused at this moment, if they are.
    pub refused: Option<PeerError>,
}

/// A list of revocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastList {
    /// Its number, which only grows.
    pub sequence: Sequence,
    /// When it was made.
    pub made_at: Timestamp,
    /// Until when it may be relied on.
    pub holds_until: Timestamp,
}

impl Peers {
    /// All of them, in the order of the configuration.
    #[must_use]
    pub fn states(&self, now: Timestamp) -> Vec<PeerState> {
        self.peers.iter().map(|peer| PeerState::of(peer, now)).collect()
    }
}

impl PeerState {
    fn of(peer: &Peer, now: Timestamp) -> Self {
        let Settings { name, issuer, revocations, .. } = peer.settings();
        let time = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MIN);
        let list = match &peer.known().heard {
            Heard::List(list) => Some(LastList {
                sequence: list.sequence(),
                made_at: time(list.made_at()),
                holds_until: time(list.ends_at()),
            }),
            Heard::Nothing | Heard::Backwards => None,
        };
        Self {
            name: name.to_string(),
            issuer: issuer.as_str().to_owned(),
            keys: peer.source.state(),
            tells_revocations: revocations.is_some(),
            list,
            refused: peer.usable(now).err(),
        }
    }
}
