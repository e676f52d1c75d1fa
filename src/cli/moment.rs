//! Times as people read them: when it is, and how far that is from now.

use jiff::Timestamp;

/// `2026-01-02 03:04 UTC (in 8 hours)`.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", at.strftime("%Y-%m-%d %H:%M UTC"), relative(at, now))
}

/// `in 8 hours`, `3 days ago`, `now`.
pub(super) fn relative(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.as_second().saturating_sub(now.as_second());
    let (ahead, distance) = (seconds > 0, seconds.unsigned_abs());
    let (count, unit) = match distance {
        0..60 => return "now".to_owned(),
        60..7200 => (distance / 60, "minute"),
        7200..172_800 => (distance / 3600, "hour"),
        _ => (distance / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if ahead { format!("in {count} {unit}{plural}") } else { format!("{count} {unit}{plural} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_told_in_the_largest_unit_of_which_there_are_two() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        for (seconds, words) in [
            (0, "now"),
            (59, "now"),
            (-59, "now"),
            (60, "in 1 minute"),
            (-119, "1 minute ago"),
            (3600, "in 60 minutes"),
            (7200, "in 2 hours"),
            (-8 * 3600, "8 hours ago"),
            (47 * 3600, "in 47 hours"),
            (48 * 3600, "in 2 days"),
            (-90 * 86_400, "90 days ago"),
        ] {
            let at = Timestamp::from_second(now.as_second() + seconds).unwrap();
            assert_eq!(relative(at, now), words, "{seconds}");
        }
        assert_eq!(relative(Timestamp::MAX, Timestamp::MIN), "in 7304481 days");
        assert_eq!(moment(now, now), "2026-01-02 03:04 UTC (now)");
    }
}
