//! What all gates say of an image, in a word.

use crate::service::api::gate::verdict::Verdicts;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No gate stands before it.
    NoGate,
    Passed,
    Held,
    /// It could not be told.
    Unknown,
}

impl Verdict {
    pub(super) fn of(verdicts: &Verdicts) -> Self {
        match (verdicts.gates.is_empty(), verdicts.held) {
            (_, true) => Self::Held,
            (true, false) => Self::NoGate,
            (false, false) => Self::Passed,
        }
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
