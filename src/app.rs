//! Builds the parts once; owns start-up and shutdown.

use crate::config::Config;

/// Why the gate does not run.
#[derive(Debug, thiserror::Error)]
#[error("this build has no gate in it yet")]
pub struct Error;

/// Serves until it is told to stop.
///
/// # Errors
/// The gate cannot start.
pub fn run(_config: Config) -> Result<(), Error> {
    Err(Error)
}
