//! Who asks, as far as policy is concerned.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::Action;
use crate::bounds::Bounds;
use crate::circumstances::Circumstances;
use crate::policy::Image;

/// A caller and the groups that its identity source asserts. Membership that policy files declare
/// is added by the policy itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub subject: Subject,
    /// Every group that the identity source asserts.
    pub groups: Vec<String>,
    /// The groups that the credential carries, if it carries fewer than its holder has. They narrow
    /// grants alone: denials look at all groups, so that carrying less never allows more.
    pub granting: Option<Vec<String>>,
    /// How far the credential reaches at most; none: as far as its holder does.
    pub bounds: Option<Arc<Bounds>>,
    /// When, from where and with what it asks.
    pub circumstances: Circumstances,
}

impl Caller {
    /// A caller with a credential that carries all that its holder has, in circumstances that are
    /// not known.
    #[must_use]
    pub fn new(subject: Subject, groups: Vec<String>) -> Self {
        let circumstances = Circumstances::default();
        Self { subject, groups, granting: None, bounds: None, circumstances }
    }

    /// Whether the credential reaches as far as doing `action` to the image.
    pub(crate) fn reaches(&self, action: Action, image: Image<'_>) -> bool {
        self.bounds.as_ref().is_none_or(|bounds| bounds.cover(action, image))
    }
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

/// The text names no subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no subject; write `user:NAME`, `service:NAME`, `peer:GATE/NAME` or `anonymous`"
)]
pub struct InvalidSubject(pub String);

impl FromStr for Subject {
    type Err = InvalidSubject;

    fn from_str(text: &str) -> Result<Self, InvalidSubject> {
        let wrong = || InvalidSubject(text.to_owned());
        if text == "anonymous" {
            return Ok(Self::Anonymous);
        }
        let (kind, name) = text.split_once(':').ok_or_else(wrong)?;
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(wrong());
        }
        match kind {
            "user" => Ok(Self::User(name.to_owned())),
            "service" => Ok(Self::Service(name.to_owned())),
            "peer" => match name.split_once('/') {
                Some((gate, name)) if !gate.is_empty() && !name.is_empty() => {
                    Ok(Self::Peer { gate: gate.to_owned(), name: name.to_owned() })
                }
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_read_as_it_is_written() {
        for text in
            ["user:alice", "service:ci/build", "peer:eu/user:alice", "peer:eu/a/b", "anonymous"]
        {
            assert_eq!(text.parse::<Subject>().unwrap().to_string(), text);
        }
        for text in ["", "alice", "user:", "group:a", "peer:eu", "peer:/a", "peer:eu/", "user:a\n"]
        {
            assert!(text.parse::<Subject>().is_err(), "{text}");
        }
    }
}
