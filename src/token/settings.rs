//! How long tokens live.

use std::time::Duration;

use super::verify::LEEWAY;

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
    /// A session of the pages that is not used for so long ends. Default 12 h.
    pub session_idle: Duration,
    /// It ends after so long in any case. Default 7 d.
    pub session_max: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Settings {
    /// How long a key that does not sign any more still checks: as long as what it signed at last
    /// may hold.
    #[must_use]
    pub fn verify_for(&self) -> Duration {
        self.max_ttl.max(self.access_ttl).saturating_add(Duration::from_secs(LEEWAY.unsigned_abs()))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_ttl: Duration::from_secs(3600),
            max_ttl: 90 * DAY,
            login_idle: 30 * DAY,
            login_max: 90 * DAY,
            session_idle: DAY / 2,
            session_max: 7 * DAY,
        }
    }
}
