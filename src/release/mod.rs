//! The release gate: what is known of an image beside its bytes, and what follows from it.
//!
//! Policy grants; a gate of the policy may still hold back what was not flagged, scanned or signed as
//! it demands. What people and scanners said of a digest is kept in the state, as the records here.

mod exception;
mod flag;
mod kept;
mod report;
mod scan;
mod statement;

pub use exception::{Exception, ExceptionId, InvalidExceptionId};
pub use flag::Flag;
pub use kept::{Kept, PassedGate};
pub use report::{KeptFinding, KeptReport};
pub use scan::{Cause, Progress, Scan};
pub use statement::KeptStatements;
