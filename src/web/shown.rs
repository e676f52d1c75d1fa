//! How times, sizes and digests are written for people.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use oci::Digest;

/// A time, to the minute, in UTC: people of several places talk about the same page.
pub(super) struct Moment(Timestamp);

impl Moment {
    pub(super) fn of(at: Timestamp) -> Self {
        Self(at)
    }

    /// The day alone, where there is no room for more.
    pub(super) fn day(&self) -> String {
        self.0.strftime("%Y-%m-%d").to_string()
    }

    /// As programs read it (RFC 3339).
    pub(super) fn exact(&self) -> String {
        self.0.to_string()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%d %H:%M"))
    }
}

/// The same to the second, as records of the audit trail have it.
pub(super) fn to_the_second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// "3 days 4 h", "4 h 12 min", "12 min", "7 s": two steps at most.
pub(super) fn span(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (1, 0, _) => "1 day".to_owned(),
        (1, hours, _) => format!("1 day {hours} h"),
        (days, 0, _) => format!("{days} days"),
        (days, hours, _) => format!("{days} days {hours} h"),
    }
}

/// "12.3 MB"; powers of ten, as registries count.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut units = UNITS.into_iter();
    let mut unit = units.next().unwrap_or_default();
    while value >= 999.95 {
        let Some(next) = units.next() else { break };
        (value, unit) = (value / 1000.0, next);
    }
    if value < 9.995 { format!("{value:.2} {unit}") } else { format!("{value:.1} {unit}") }
}

/// The beginning of a digest, which is enough to tell a few of them apart.
pub(super) fn short(digest: &Digest) -> String {
    short_text(&digest.to_string())
}

/// The same of one that is text already.
pub(super) fn short_text(digest: &str) -> String {
    match digest.split_once(':') {
        Some((algorithm, hex)) => format!("{algorithm}:{}", hex.get(..12).unwrap_or(hex)),
        None => digest.to_owned(),
    }
}

/// A field of a CSV file, between quotes. What a spreadsheet would compute begins with a quote of its own, so that
/// it stays what a stranger wrote.
pub(super) fn csv_cell(text: &str) -> String {
    let is_formula =
        text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let mark = if is_formula { "'" } else { "" };
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_places_or_so() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (9_994, "9.99 kB"),
            (9_996, "10.0 kB"),
            (12_345_678, "12.3 MB"),
            (999_949, "999.9 kB"),
            (999_950, "1.00 MB"),
            (u64::MAX, "18446744.1 TB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn a_span_has_two_steps_at_most() {
        let cases = [
            (-5, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_600, "1 h"),
            (3_660, "1 h 1 min"),
            (86_400, "1 day"),
            (90 * 86_400, "90 days"),
            (3 * 86_400 + 4 * 3600 + 7, "3 days 4 h"),
        ];
        for (seconds, text) in cases {
            assert_eq!(span(SignedDuration::from_secs(seconds)), text, "{seconds}");
        }
    }

    #[test]
    fn a_moment_is_short_for_people_and_exact_for_programs() {
        let moment = Moment::of("2026-11-22T23:41:05.25Z".parse().unwrap());
        assert_eq!(moment.to_string(), "2026-11-22 23:41");
        assert_eq!(moment.day(), "2026-11-22");
        assert_eq!(moment.exact(), "2026-11-22T23:41:05.25Z");
    }

    #[test]
    fn a_formula_is_text_and_quotes_end_no_field() {
        assert_eq!(csv_cell("plain"), r#""plain""#);
        assert_eq!(csv_cell(r#"a "b", c"#), r#""a ""b"", c""#);
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(csv_cell(formula), format!("\"'{formula}\""));
        }
    }
}
