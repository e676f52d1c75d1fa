//! What can be done to an image.

use std::fmt;
use std::str::FromStr;

use crate::flag_name::FlagName;

/// One thing that policy decides. `push` and `all` in a policy file are short for several of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Read it.
    Pull,
    /// Read it although a release gate holds it back: for signers, scanners, QA.
    Inspect,
    /// Make a tag that does not exist.
    Create,
    /// Move a tag that exists.
    Overwrite,
    /// Add signatures, SBOMs and attestations to an image that the caller may read.
    Attach,
    /// Remove it.
    Delete,
    /// Hand in a report of a vulnerability scanner about it.
    Report,
    /// Have it scanned.
    Scan,
    /// Let it through a release gate for some hours, whatever the gate says.
    BreakGlass,
    /// Say this of it, for release gates that ask for it.
    Flag(FlagName),
}

/// The text names no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no action")]
pub struct UnknownAction(pub String);

impl Action {
    /// Every action but those of setting a flag, whose names a policy declares.
    pub const ALL: [Self; 9] = [
        Self::Pull,
        Self::Inspect,
        Self::Create,
        Self::Overwrite,
        Self::Attach,
        Self::Delete,
        Self::Report,
        Self::Scan,
        Self::BreakGlass,
    ];

    /// Those that clients of a registry know of. The others are asked for at the gate's own API.
    pub const REGISTRY: [Self; 6] =
        [Self::Pull, Self::Inspect, Self::Create, Self::Overwrite, Self::Attach, Self::Delete];

    /// The name in policy files, denials and the audit trail.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pull => "pull",
            Self::Inspect => "inspect",
            Self::Create => "create",
            Self::Overwrite => "overwrite",
            Self::Attach => "attach",
            Self::Delete => "delete",
            Self::Report => "report",
            Self::Scan => "scan",
            Self::BreakGlass => "break-glass",
            Self::Flag(name) => name.word(),
        }
    }
}

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        let plain = Self::ALL.into_iter().find(|action| action.as_str() == text);
        let flag = || Some(Self::Flag(FlagName::new(FlagName::in_word(text)?).ok()?));
        plain.or_else(flag).ok_or_else(|| UnknownAction(text.to_owned()))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_read_as_it_is_written() {
        let flag = Action::Flag(FlagName::new("qa-passed").unwrap());
        for action in Action::ALL.into_iter().chain([flag]) {
            assert_eq!(action.to_string().parse(), Ok(action));
        }
        for wrong in ["", "push", "flag", "flag:", "flag:*", "flag:A", "Pull"] {
            assert!(wrong.parse::<Action>().is_err(), "{wrong}");
        }
    }
}
