//! Conditions of a rule: when, from where and with what it holds.

use std::fmt;

use jiff::Timestamp;

use crate::circumstances::{Circumstances, Credential};
use crate::network::Network;
use crate::rule::Effect;

/// All of these have to hold; what is not written always does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Conditions {
    /// From this time on.
    pub(crate) starts: Option<Timestamp>,
    /// Until before this time.
    pub(crate) expires: Option<Timestamp>,
    /// From an address in one of these; empty: from anywhere.
    pub(crate) networks: Vec<Network>,
    /// With a credential of one of these kinds; empty: with any.
    pub(crate) credentials: Vec<Credential>,
}

/// A condition that does not hold, to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unmet<'p> {
    NotYet(Timestamp),
    Over(Timestamp),
    Elsewhere(&'p [Network]),
    OtherCredential(&'p [Credential]),
}

impl Conditions {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The first that does not hold, for an allowance or a denial. What is not known goes against the
    /// caller.
    pub(crate) fn unmet(&self, here: &Circumstances, effect: Effect) -> Option<Unmet<'_>> {
        let unknown = effect == Effect::Deny;
        let starts = |starts| here.at.map_or(unknown, |at| starts <= at);
        let lasts = |expires| here.at.map_or(unknown, |at| at < expires);
        let is_there = |networks: &[Network]| {
            let address = here.address;
            address.map_or(unknown, |it| networks.iter().any(|network| network.contains(it)))
        };
        let is_known = |kinds: &[Credential]| {
            here.credential.map_or(unknown, |credential| kinds.contains(&credential))
        };
        match self {
            Self { starts: Some(time), .. } if !starts(*time) => Some(Unmet::NotYet(*time)),
            Self { expires: Some(time), .. } if !lasts(*time) => Some(Unmet::Over(*time)),
            Self { networks, .. } if !networks.is_empty() && !is_there(networks) => {
                Some(Unmet::Elsewhere(networks))
            }
            Self { credentials, .. } if !credentials.is_empty() && !is_known(credentials) => {
                Some(Unmet::OtherCredential(credentials))
            }
            _ => None,
        }
    }
}

/// As the end of "the rule holds ...".
impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.starts.map(|time| format!("from {time} on")));
        parts.extend(self.expires.map(|time| format!("until {time}")));
        if !self.networks.is_empty() {
            parts.push(format!("for callers from {}", either(&self.networks)));
        }
        if !self.credentials.is_empty() {
            let kinds: Vec<_> = self.credentials.iter().map(|kind| kind.as_str()).collect();
            parts.push(format!("for credentials of the kind {}", either(&kinds)));
        }
        f.write_str(&parts.join(", "))
    }
}

/// As the end of "the rule would allow it but ...".
impl fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYet(time) => write!(f, "only from {time} on"),
            Self::Over(time) => write!(f, "it expired at {time}"),
            Self::Elsewhere(networks) => write!(f, "only from {}", either(networks)),
            Self::OtherCredential(kinds) => {
                let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
                write!(f, "only with a credential of the kind {}", either(&kinds))
            }
        }
    }
}

fn either(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(conditions: &Conditions, here: &Circumstances, effect: Effect) -> bool {
        conditions.unmet(here, effect).is_none()
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn here(at: Option<&str>, address: Option<&str>) -> Circumstances {
        Circumstances {
            at: at.map(time),
            address: address.map(|text| text.parse().unwrap()),
            credential: None,
        }
    }

    #[test]
    fn a_rule_holds_from_its_start_until_before_its_end() {
        let conditions = Conditions {
            starts: Some(time("2026-01-01T00:00:00Z")),
            expires: Some(time("2027-01-01T00:00:00Z")),
            ..Conditions::default()
        };
        for (at, holds) in [
            ("2025-12-31T23:59:59Z", false),
            ("2026-01-01T00:00:00Z", true),
            ("2026-12-31T23:59:59Z", true),
            ("2027-01-01T00:00:00Z", false),
        ] {
            for effect in [Effect::Allow, Effect::Deny] {
                assert_eq!(hold(&conditions, &here(Some(at), None), effect), holds, "{at}");
            }
        }
    }

    #[test]
    fn what_is_not_known_goes_against_the_caller() {
        let starts = Some(Timestamp::MIN);
        let networks = vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
        let credentials = Credential::ALL.to_vec();
        for conditions in [
            Conditions { starts, ..Conditions::default() },
            Conditions { expires: Some(Timestamp::MAX), ..Conditions::default() },
            Conditions { networks, ..Conditions::default() },
            Conditions { credentials, ..Conditions::default() },
        ] {
            let unknown = Circumstances::default();
            assert!(!hold(&conditions, &unknown, Effect::Allow), "{conditions:?}");
            assert!(hold(&conditions, &unknown, Effect::Deny), "{conditions:?}");
        }
        let nobody =
            Circumstances { credential: Some(Credential::Anonymous), ..Circumstances::default() };
        let credentials = Credential::ALL.to_vec();
        let conditions = Conditions { credentials, ..Conditions::default() };
        assert!(!hold(&conditions, &nobody, Effect::Deny), "that there is no credential is known");
    }

    #[test]
    fn conditions_are_told_in_the_order_in_which_they_are_judged() {
        let conditions = Conditions {
            starts: Some(time("2026-01-01T00:00:00Z")),
            expires: Some(time("2027-01-01T00:00:00Z")),
            networks: vec!["10.20.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()],
            credentials: vec![Credential::User, Credential::Federated],
        };
        insta::assert_snapshot!(conditions, @"from 2026-01-01T00:00:00Z on, until 2027-01-01T00:00:00Z, for callers from 10.20.0.0/16 or fd00::/8, for credentials of the kind user or federated");
    }

    #[test]
    fn the_condition_that_does_not_hold_is_told() {
        let conditions = Conditions {
            networks: vec!["10.20.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()],
            credentials: vec![Credential::Service, Credential::Federated],
            expires: Some(time("2027-01-01T00:00:00Z")),
            starts: Some(time("2026-01-01T00:00:00Z")),
        };
        let told = |here: Circumstances| {
            conditions.unmet(&here, Effect::Allow).map(|unmet| unmet.to_string())
        };
        let now = Some("2026-06-01T00:00:00Z");
        insta::assert_snapshot!(
            [
                told(here(Some("2025-06-01T00:00:00Z"), None)).unwrap(),
                told(here(Some("2027-06-01T00:00:00Z"), None)).unwrap(),
                told(here(now, Some("192.0.2.1"))).unwrap(),
                told(here(now, Some("10.20.1.1"))).unwrap(),
            ]
            .join("\n"),
            @r"
        only from 2026-01-01T00:00:00Z on
        it expired at 2027-01-01T00:00:00Z
        only from 10.20.0.0/16 or fd00::/8
        only with a credential of the kind service or federated
        "
        );
    }
}
