//! Release gates: what has to be known of an image before it may be pulled, or pushed.
//!
//! A policy says what each gate asks for; whoever serves the image gathers what is known of it, as
//! [`Facts`]; [`judge`] says whether it may pass. What is not known never passes by itself: each gap
//! is a [`Reason`] with a setting of its own, which blocks unless the policy says otherwise.

mod alike;
mod base;
mod compared;
mod compiled;
mod exception;
mod facts;
mod findings;
mod flag;
mod found;
mod image;
mod judge;
mod lasting;
mod package;
mod reason;
mod require;
mod told;
mod tree;
mod verdict;

pub use base::BaseImages;
pub use compared::{ReleaseChange, compare_releases};
pub use compiled::{Gate, Gates, Needs, Occasion};
pub(crate) use compiled::{GateIndex, GateText};
pub use exception::Exception;
pub(crate) use exception::{Covered, Exceptions};
pub use facts::{
    Child, Facts, FindingFact, FlagFact, Form, ReportFacts, Scan, ScanState, Shape, VexFact,
    VexScope, VexStatus,
};
pub use flag::Flag;
pub use found::Found;
pub use judge::judge;
pub(crate) use package::PackagePattern;
pub use reason::{Reason, Which, Why};
pub(crate) use require::{Grace, PlatformPattern, Require, ValuePattern, Vulnerabilities};
pub use require::{MaxSeverity, OnGap, OnUnknown};
pub use verdict::{Clearance, Cleared, Evidence, Held, InGrace, Judgement, Passed, Verdict};
