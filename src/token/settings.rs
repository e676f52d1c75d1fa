//! How long tokens live.

use std::time::Duration;

/// The configuration's `tokens`.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// An access token of the token endpoint. Default 1 h; at least 1 min, as docker does not cope
    /// with less.
    pub access_ttl: Duration,
    /// The longest life of what is made on purpose: access tokens, and families that are refreshed.
    /// Default 90 d.
    pub max_ttl: Duration,
    /// An identity token of `docker login` that is not used for so long ends. Default 30 d.
    pub login_idle: Duration,
    /// It ends after so long in any case. Default 90 d.
    pub login_max: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_ttl: Duration::from_secs(3600),
            max_ttl: 90 * DAY,
            login_idle: 30 * DAY,
            login_max: 90 * DAY,
        }
    }
}
