//! What else a rule may depend on: when, from where, with what.

use std::net::IpAddr;

use jiff::Timestamp;

/// When, from where and with what somebody asks. What is not known goes against the caller: an
/// allowance that depends on it does not hold, and a denial does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Circumstances {
    /// When.
    pub at: Option<Timestamp>,
    /// From which address.
    pub address: Option<IpAddr>,
    /// How the caller is known.
    pub credential: Option<Credential>,
}

/// How a caller is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Credential {
    /// As a user of this gate.
    User,
    /// As a service of this gate.
    Service,
    /// By the word of an identity provider.
    Federated,
    /// By the word of another gate.
    Peer,
    /// Not at all.
    Anonymous,
}

impl Circumstances {
    /// At this time; the rest is not known.
    #[must_use]
    pub fn at(at: Timestamp) -> Self {
        Self { at: Some(at), ..Self::default() }
    }
}

impl Credential {
    /// Those that a rule can ask for.
    pub const ALL: [Self; 4] = [Self::User, Self::Service, Self::Federated, Self::Peer];

    /// The word in policy files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Service => "service",
            Self::Federated => "federated",
            Self::Peer => "peer",
            Self::Anonymous => "anonymous",
        }
    }
}
