//! Names for requests, so that one can be found in the answer, the log and the audit trail.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rand;

/// Makes names: a random part for this process, and a number.
#[derive(Debug)]
pub struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    /// Starts at 1 with a new random part.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new() -> Result<Self, aws_lc_rs::error::Unspecified> {
        let mut process = [0; 8];
        rand::fill(&mut process)?;
        Ok(Self { process: u64::from_be_bytes(process), next: AtomicU64::new(1) })
    }

    /// A name that no other request has.
    #[must_use]
    pub fn next(&self) -> String {
        format!("{:016x}-{}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }
}
