//! Measurements of Portcullis beside its peers.
//!
//! Each measurement has a workload here, which every contestant answers, and first asserts that
//! all of them give the same answers: a fast wrong answer is worth nothing.

pub mod first_match;
pub mod workload;
