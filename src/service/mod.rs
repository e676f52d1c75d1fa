//! What the gate itself answers.

pub mod api;
pub mod management;
mod oauth;
mod parameters;
pub mod revocations;
pub mod socket;
pub mod token;
