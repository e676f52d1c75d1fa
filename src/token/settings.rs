//! How long tokens live.

use std::time::Duration;

/// The configuration's `tokens`.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// An access token of the token endpoint. Default 1 h; at least 1 min, as docker does not cope
    /// with less.
    pub access_ttl: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { access_ttl: Duration::from_secs(3600) }
    }
}
