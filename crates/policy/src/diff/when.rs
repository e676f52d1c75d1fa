//! When, from where and with what it makes a difference.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::caller::Subject;
use crate::circumstances::{Circumstances, Credential};
use crate::conditions::Conditions;
use crate::network::Network;

/// The circumstances in which a decision changes. Nothing is said where it always does.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct When {
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Until before this time.
    pub until: Option<Timestamp>,
    /// From these networks; `outside …` is any address that lies in none that the rules name.
    pub networks: Vec<String>,
    /// With these kinds of credential.
    pub credentials: Vec<&'static str>,
}

/// The circumstances that the conditions of some rules tell apart.
pub(super) struct Axes {
    /// The first moment that is alike, and the first that is not.
    times: Vec<(Timestamp, Option<Timestamp>)>,
    addresses: Vec<(Option<IpAddr>, String)>,
    by_credential: bool,
    now: Timestamp,
}

/// One of the circumstances, by its place on each axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Moment {
    address: usize,
    credential: Credential,
    time: usize,
}

impl Axes {
    /// Only what comes from `now` on matters.
    pub(super) fn new<'a>(
        conditions: impl Iterator<Item = &'a Conditions>,
        now: Timestamp,
    ) -> Self {
        let mut starts = BTreeSet::from([now]);
        let mut networks: Vec<Network> = Vec::new();
        let mut by_credential = false;
        for condition in conditions {
            let ends = [condition.starts, condition.expires];
            starts.extend(ends.into_iter().flatten().filter(|time| *time > now));
            by_credential |= !condition.credentials.is_empty();
            for network in &condition.networks {
                if !networks.contains(network) {
                    networks.push(*network);
                }
            }
        }
        let ends = starts.iter().skip(1).copied().map(Some).chain([None]);
        let times = starts.iter().copied().zip(ends).collect();
        Self { times, addresses: addresses(&networks), by_credential, now }
    }

    pub(super) fn moments(&self, subject: &Subject) -> Vec<Moment> {
        let credentials: &[Credential] = match subject {
            Subject::User(_) if self.by_credential => &[Credential::User, Credential::Federated],
            Subject::Service(_) if self.by_credential => {
                &[Credential::Service, Credential::Federated]
            }
            Subject::User(_) => &[Credential::User],
            Subject::Service(_) => &[Credential::Service],
            Subject::Peer { .. } => &[Credential::Peer],
            Subject::Anonymous => &[Credential::Anonymous],
        };
        let mut moments = Vec::new();
        for address in 0..self.addresses.len() {
            for &credential in credentials {
                let times = 0..self.times.len();
                moments.extend(times.map(|time| Moment { address, credential, time }));
            }
        }
        moments
    }

    pub(super) fn circumstances(&self, moment: Moment) -> Circumstances {
        Circumstances {
            at: self.times.get(moment.time).map(|(from, _)| *from),
            address: self.addresses.get(moment.address).and_then(|(address, _)| *address),
            credential: Some(moment.credential),
        }
    }

    /// Some of the moments of a subject in as few words as describe them.
    pub(super) fn describe(&self, subject: &Subject, some: &[Moment]) -> Vec<When> {
        let all = self.moments(subject);
        if some.len() == all.len() {
            return vec![When::default()];
        }
        // Runs of times, then who has the same runs.
        let mut places: Vec<((usize, Credential), Vec<usize>)> = Vec::new();
        for moment in &all {
            let place = (moment.address, moment.credential);
            let times = some.iter().filter(|it| (it.address, it.credential) == place);
            if !places.iter().any(|(known, _)| *known == place) {
                places.push((place, times.map(|it| it.time).collect()));
            }
        }
        let mut kinds: Vec<Vec<usize>> = Vec::new();
        for (_, times) in places.iter().filter(|(_, times)| !times.is_empty()) {
            if !kinds.contains(times) {
                kinds.push(times.clone());
            }
        }
        let mut described = Vec::new();
        for times in kinds {
            let alike: Vec<_> =
                places.iter().filter(|(_, own)| *own == times).map(|(place, _)| *place).collect();
            for place in self.places(&alike, &places) {
                described.extend(self.runs(&times).map(|(from, until)| When {
                    from,
                    until,
                    ..place.clone()
                }));
            }
        }
        described
    }

    fn places(
        &self,
        alike: &[(usize, Credential)],
        all: &[((usize, Credential), Vec<usize>)],
    ) -> Vec<When> {
        if alike.len() == all.len() {
            return vec![When::default()];
        }
        let addresses: BTreeSet<usize> = alike.iter().map(|(address, _)| *address).collect();
        let kinds: BTreeSet<Credential> = alike.iter().map(|(_, kind)| *kind).collect();
        let all_kinds: BTreeSet<Credential> = all.iter().map(|((_, kind), _)| *kind).collect();
        let name = |address: &usize| {
            self.addresses.get(*address).map(|(_, name)| name.clone()).unwrap_or_default()
        };
        let when = |addresses: &BTreeSet<usize>, kinds: &BTreeSet<Credential>| When {
            networks: match addresses.len() == self.addresses.len() {
                true => Vec::new(),
                false => {
                    let mut names: Vec<_> = addresses.iter().map(name).collect();
                    names.dedup();
                    names
                }
            },
            credentials: match *kinds == all_kinds {
                true => Vec::new(),
                false => kinds.iter().map(|kind| kind.as_str()).collect(),
            },
            ..When::default()
        };
        if addresses.len() * kinds.len() == alike.len() {
            return vec![when(&addresses, &kinds)];
        }
        alike.iter().map(|(address, kind)| when(&[*address].into(), &[*kind].into())).collect()
    }

    fn runs(
        &self,
        times: &[usize],
    ) -> impl Iterator<Item = (Option<Timestamp>, Option<Timestamp>)> + use<> {
        let mut runs: Vec<(Option<Timestamp>, Option<Timestamp>)> = Vec::new();
        let mut latest = None;
        for &time in times {
            let Some(&(from, until)) = self.times.get(time) else { continue };
            match runs.last_mut() {
                Some(run) if latest == Some(time.wrapping_sub(1)) => run.1 = until,
                _ => runs.push(((from > self.now).then_some(from), until)),
            }
            latest = Some(time);
        }
        runs.into_iter()
    }
}

/// An address for every network that is in no smaller one, and some that are in none.
fn addresses(networks: &[Network]) -> Vec<(Option<IpAddr>, String)> {
    if networks.is_empty() {
        return vec![(None, String::new())];
    }
    let inside = |address: IpAddr| networks.iter().filter(move |it| it.contains(address));
    let edges: Vec<IpAddr> = networks
        .iter()
        .flat_map(|network| {
            let (first, last) = network.ends();
            [Some(first), Some(last), neighbour(first, false), neighbour(last, true)]
        })
        .flatten()
        .collect();
    let mut addresses = Vec::new();
    for network in networks {
        let (first, last) = network.ends();
        let within = |other: &Network| network.contains(other.ends().0);
        let is_own = |address: &IpAddr| {
            network.contains(*address)
                && inside(*address).all(|other| !within(other) || other == network)
        };
        if let Some(address) = [first, last].into_iter().chain(edges.iter().copied()).find(is_own) {
            addresses.push((Some(address), network.to_string()));
        }
    }
    let known = ["192.0.2.1", "198.51.100.1", "2001:db8::1"];
    let known = known.iter().filter_map(|text| text.parse::<IpAddr>().ok());
    let outside: Vec<IpAddr> =
        known.chain(edges).filter(|address| inside(*address).next().is_none()).collect();
    let names: Vec<String> = networks.iter().map(ToString::to_string).collect();
    let outside_name = format!("outside {}", names.join(" and "));
    for is_v4 in [true, false] {
        if let Some(address) = outside.iter().find(|address| address.is_ipv4() == is_v4) {
            addresses.push((Some(*address), outside_name.clone()));
        }
    }
    addresses
}

fn neighbour(address: IpAddr, above: bool) -> Option<IpAddr> {
    match (address, above) {
        (IpAddr::V4(it), true) => it.to_bits().checked_add(1).map(|bits| IpAddr::V4(bits.into())),
        (IpAddr::V4(it), false) => it.to_bits().checked_sub(1).map(|bits| IpAddr::V4(bits.into())),
        (IpAddr::V6(it), true) => it.to_bits().checked_add(1).map(|bits| IpAddr::V6(bits.into())),
        (IpAddr::V6(it), false) => it.to_bits().checked_sub(1).map(|bits| IpAddr::V6(bits.into())),
    }
}

/// "from 2027-01-01 on, from 10.20.0.0/16"
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match (self.from.map(day), self.until.map(day)) {
            (Some(from), Some(until)) => parts.push(format!("from {from} until {until}")),
            (Some(from), None) => parts.push(format!("from {from} on")),
            (None, Some(until)) => parts.push(format!("until {until}")),
            (None, None) => {}
        }
        if !self.networks.is_empty() {
            parts.push(format!("from {}", self.networks.join(" or ")));
        }
        if !self.credentials.is_empty() {
            let kinds = self.credentials.join(" or ");
            parts.push(format!("with a credential of the kind {kinds}"));
        }
        f.write_str(&parts.join(", "))
    }
}

/// A date where it is its 00:00 UTC, as policy files may write it.
fn day(time: Timestamp) -> String {
    let civil = time.to_zoned(TimeZone::UTC).datetime();
    match civil.time() == jiff::civil::Time::midnight() {
        true => civil.date().to_string(),
        false => time.to_string(),
    }
}
