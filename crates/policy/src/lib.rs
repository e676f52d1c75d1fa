//! The policy language: who may do what to which image.
//!
//! Denied unless a rule allows it, and any matching denial wins. The crate is pure: documents come
//! in as text, facts as arguments, and a decision goes out that names the rules which made it.
//!
//! A file passes these stations: text, a tree that knows its places (the crate `document`), what was
//! written (`written`, made by `lower`), the whole without contradictions (`check`), and the form
//! that decides (`policy`, made by `compile`). All mistakes of all stations are reported together.

mod access;
mod action;
mod actions;
mod alternatives;
mod automaton;
mod bounds;
mod caller;
pub mod cases;
mod check;
mod check_flags;
mod circumstances;
mod clauses;
mod compile;
mod conditions;
mod contain;
mod crowd;
mod decide;
mod delegate;
mod diff;
mod explanation;
mod expressions;
mod flag_name;
pub mod gate;
mod glob;
mod image_pattern;
mod image_text;
mod include;
mod involved;
mod lower;
mod name_grammar;
mod network;
mod outline;
mod path;
mod plain_ends;
mod pointless;
mod policy;
mod prefix_map;
pub mod question;
mod regex;
mod rule;
pub mod schema;
mod subject_pattern;
mod subjects;
mod tags;
mod versions;
mod vouched;
mod warn;
mod warn_gates;
mod written;

pub use access::{Access, Condition, Permission};
pub use action::{Action, UnknownAction};
pub use bounds::Bounds;
pub use caller::{Caller, InvalidSubject, Subject};
pub use circumstances::{Circumstances, Credential};
pub use decide::{Decision, RuleRef};
pub use diff::{
    Administrators, Change, Comparison, Delegated, DelegationChange, Example, Limit, Progress,
    When, compare, compare_watched,
};
pub use document::{Diagnostic, Diagnostics, Position, Severity, SourceFile};
pub use flag_name::{FlagName, InvalidFlagName};
pub use involved::{Involved, Party};
pub use network::{InvalidNetwork, Network};
pub use outline::{Group, Members};
pub use policy::{Compiled, Delegation, Image, Policy};
pub use tags::{TagFilter, Tags};
pub use vouched::{Vouched, VouchedRule};
