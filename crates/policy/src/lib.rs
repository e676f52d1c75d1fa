//! The policy language: who may do what to which image.
//!
//! Denied unless a rule allows it, and any matching denial wins. The crate is pure: documents come
//! in as text, facts as arguments, and a decision goes out that names the rules which made it.

mod action;
mod caller;

pub use action::{Action, UnknownAction};
pub use caller::{Caller, Subject};
