//! Times in as little room as they need.

use std::time::Duration;

use jiff::Timestamp;

/// A time in milliseconds since 1970, which is as exact as the gate's clock. Half as large as a
/// `Timestamp`, and there are millions of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl Moment {
    /// Before everything else.
    pub(super) const NEVER: Self = Self(i64::MIN);

    /// Whether it is so long before the other, or longer.
    pub(super) fn is_past(self, span: Duration, now: Self) -> bool {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        now.0.saturating_sub(self.0) >= span
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at.as_millisecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_past_is_past_at_its_very_end() {
        let at = |text: &str| Moment::from(text.parse::<Timestamp>().unwrap());
        let (then, now) = (at("2026-01-02T03:04:05Z"), at("2026-01-02T03:05:05Z"));
        assert!(then.is_past(Duration::from_secs(60), now));
        assert!(!then.is_past(Duration::from_millis(60_001), now));
        assert!(!now.is_past(Duration::from_secs(1), then), "it is yet to come");
        assert!(Moment::NEVER.is_past(Duration::from_secs(u64::MAX), now));
        assert!(Moment::NEVER < then && then < now);
    }
}
