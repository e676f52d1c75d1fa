//! Who asks, as far as policy is concerned.

use std::fmt;

/// A caller and the groups that its identity source asserts. Membership that policy files declare
/// is added by the policy itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    /// Who it is.
    pub subject: Subject,
    /// Every group that the identity source asserts.
    pub groups: Vec<String>,
    /// The groups that the credential carries, if it carries fewer than its holder has. They narrow
    /// grants alone: denials look at all groups, so that carrying less never allows more.
    pub granting: Option<Vec<String>>,
}

/// The name of a caller, by kind. `Display` writes it as policy files do: `user:alice`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A person.
    User(String),
    /// CI and other non-people.
    Service(String),
    /// Someone that another gate vouches for.
    Peer {
        /// Our name for that gate.
        gate: String,
        /// Its name for the caller.
        name: String,
    },
    /// Nobody in particular.
    Anonymous,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{name}"),
            Self::Service(name) => write!(f, "service:{name}"),
            Self::Peer { gate, name } => write!(f, "peer:{gate}/{name}"),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}
