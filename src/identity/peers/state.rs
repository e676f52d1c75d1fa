//! How trusted gates are doing, for people.

use std::time::Duration;

use jiff::Timestamp;

use super::error::PeerError;
use super::hearing::Heard;
use super::peer::Peer;
use super::{GroupMapping, Peers, Settings};
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
    /// Which of its groups count here, and as what.
    pub groups: GroupMapping,
    /// The longest life of a token of it.
    pub max_ttl: Duration,
    /// How often it is asked, while it answers.
    pub poll: Duration,
    /// Whether it is asked what it has revoked.
    pub tells_revocations: bool,
    /// The last list of these that was had.
    pub list: Option<LastList>,
    /// What came of asking it; none before the first time ended.
    pub looks: Option<Looks>,
    /// Why its tokens are refused at this moment, if they are.
    pub refused: Option<PeerError>,
}

/// What came of asking a gate for its revocations, or for its keys alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looks {
    /// When it was asked last.
    pub at: Timestamp,
    /// When it is asked next, at the latest.
    pub next_at: Timestamp,
    /// Since when asking came to nothing, and why the last time; none while it answers.
    pub failing: Option<(Timestamp, String)>,
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
    /// Whether asking it came to nothing, the last time.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.looks.as_ref().is_some_and(|looks| looks.failing.is_some())
    }

    fn of(peer: &Peer, now: Timestamp) -> Self {
        let Settings { name, issuer, revocations, groups, max_ttl, poll, .. } = peer.settings();
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
            groups: groups.clone(),
            max_ttl: *max_ttl,
            poll: *poll,
            tells_revocations: revocations.is_some(),
            list,
            looks: peer.looks(),
            refused: peer.usable(now).err(),
        }
    }
}
