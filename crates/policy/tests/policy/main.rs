//! The policy crate from outside.

mod decisions;
mod mistakes;
mod properties;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod support;
