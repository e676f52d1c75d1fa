//! What all gates say of an image, in a word.

use crate::service::api::gate::verdict::Verdicts;

/// The later, the more there is to be done about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// No gate stands before it.
    NoGate,
    Passed,
    /// It could not be told.
    Unknown,
    Held,
}

impl Verdict {
    pub(super) const ALL: [Self; 4] = [Self::Held, Self::Unknown, Self::Passed, Self::NoGate];

    pub(super) fn of(verdicts: &Verdicts) -> Self {
        match (verdicts.gates.is_empty(), verdicts.held) {
            (_, true) => Self::Held,
            (true, false) => Self::NoGate,
            (false, false) => Self::Passed,
        }
    }

    pub(super) fn is_held(&self) -> bool {
        *self == Self::Held
    }

    /// How it is coloured.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::NoGate => "",
            Self::Passed => "passed",
            Self::Held => "held",
            Self::Unknown => "warned",
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NoGate => "no gate",
            Self::Passed => "passed",
            Self::Held => "held",
            Self::Unknown => "not known",
        }
    }
}
