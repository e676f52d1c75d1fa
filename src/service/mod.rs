//! What the gate itself answers.

pub mod management;
mod oauth;
mod parameters;
pub mod revocations;
pub mod token;
