//! The policy crate from outside.

mod decisions;
#[cfg(test)]
mod support;
