//! A gate that is trusted, for tests: its keys, its tokens, its lists.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use jiff::Timestamp;
use policy::Subject;

use super::Peers;
use super::hearing::Heard;
use super::peer::Known;
use super::settings::{GroupMapping, Settings};
use crate::jwks::JwksLocation;
use crate::public_url::PublicUrl;
use crate::store::{Revoked, Sequence};
use crate::token::{Grant, KeyRing, Kind, Order, RevocationList, TokenId, VerifyingKeys, mint};

pub(super) const NOW: i64 = 1_800_000_000;

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

/// The gate at which the tests are.
pub(super) fn here() -> PublicUrl {
    PublicUrl::new("https://here.example").unwrap()
}

pub(super) struct Gate {
    pub(super) name: &'static str,
    pub(super) url: PublicUrl,
    pub(super) ring: KeyRing,
}

impl Gate {
    pub(super) fn new(name: &'static str) -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let url = PublicUrl::new(&format!("https://{name}.example")).unwrap();
        Self { name, url, ring: KeyRing::new(der.as_ref(), []).unwrap() }
    }

    /// As `trust` names it, with what its groups `ci` and `release` are here.
    pub(super) fn settings(&self) -> Settings {
        let groups = [("ci", vec!["builders"]), ("release", vec!["releasers", "readers"])];
        let groups = groups.map(|(theirs, ours)| {
            (theirs.to_owned(), ours.into_iter().map(str::to_owned).collect())
        });
        let at = |path: &str| format!("{}{path}", self.url).parse::<String>().unwrap();
        Settings {
            name: self.name.parse().unwrap(),
            issuer: self.url.clone(),
            jwks: JwksLocation::new(&at("/.well-known/jwks.json"), "".as_ref()).unwrap(),
            ca: None,
            groups: groups.into_iter().collect::<GroupMapping>(),
            max_ttl: Duration::from_secs(3600),
            revocations: Some(crate::fetch::HttpsUrl::new(&at("/list")).unwrap()),
            poll: Duration::from_secs(5),
        }
    }

    pub(super) fn keys(&self) -> Arc<VerifyingKeys> {
        Arc::new(self.ring.verifying().clone())
    }

    /// A token of alice, who is in `ci` and `admin` there, for the gate at which the tests are.
    pub(super) fn order(&self) -> Order {
        let alice = Subject::User("alice".to_owned());
        Order {
            grant: Grant {
                groups: Some(vec!["ci".to_owned(), "admin".to_owned()]),
                ..Grant::unlimited(alice, Kind::User, at(-100))
            },
            family: Some(TokenId::random().unwrap()),
            audience: Some(here().service().to_owned()),
            access: None,
            lifetime: Duration::from_secs(3600),
            not_after: None,
        }
    }

    pub(super) fn token(&self, order: Order) -> String {
        mint(order, &self.ring, &self.url, at(0)).unwrap().0.expose().to_owned()
    }

    pub(super) fn list(&self, revoked: Vec<Revoked>, sequence: i64) -> RevocationList {
        RevocationList::new(&self.url, revoked, [], Sequence(sequence), at(0))
    }

    /// Where this gate alone is trusted, and was heard of at the moment.
    pub(super) fn trusted(&self) -> Peers {
        let peers = Peers::new([self.settings()], &here()).unwrap();
        self.tells(&peers, vec![]);
        peers
    }

    /// Says to those who trust it what is revoked.
    pub(super) fn tells(&self, peers: &Peers, revoked: Vec<Revoked>) {
        let heard = Heard::List(Arc::new(self.list(revoked, 1)));
        let peer = peers.peers.iter().find(|peer| peer.settings().issuer == self.url).unwrap();
        peer.learn(Known { keys: Some(self.keys()), heard });
    }
}
