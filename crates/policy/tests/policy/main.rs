//! The policy crate from outside.

mod decisions;
mod properties;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod support;
