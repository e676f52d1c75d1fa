//! Durations, sizes and scores as people write them.

use document::Mistake;
use jiff::SignedDuration;

/// Ten years: sums of these and times are times.
const MAX_SECONDS: i64 = 3650 * 86_400;

/// Reads `4h` or `90d`.
pub(crate) fn duration(text: &str) -> Result<SignedDuration, Mistake> {
    let no_duration = || {
        Mistake::new(format!("`{text}` is no duration"))
            .help("write a whole number and s, m, h or d, such as `14d`")
    };
    let (number, unit) = split(text);
    let number: i64 = number.parse().map_err(|_| no_duration())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(no_duration()),
    };
    match number.checked_mul(seconds) {
        Some(0) => Err(Mistake::new("a duration of nothing").help("write at least `1s`")),
        Some(seconds) if seconds <= MAX_SECONDS => Ok(SignedDuration::from_secs(seconds)),
        _ => Err(Mistake::new(format!("`{text}` is too long")).help("write at most `3650d`")),
    }
}

/// A duration as [`duration`] reads it.
pub(crate) fn written(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let whole = units.into_iter().find(|(unit, _)| seconds % unit == 0);
    let (unit, name) = whole.unwrap_or((1, "s"));
    format!("{}{name}", seconds / unit)
}

/// Reads `100kB`, `4MiB` or `1GiB`, as bytes.
pub(crate) fn size(text: &str) -> Result<u64, Mistake> {
    let no_size = || {
        Mistake::new(format!("`{text}` is no size"))
            .help("write a whole number and a unit (kB, MB, GB, KiB, MiB, GiB), such as `500MiB`")
    };
    let (number, unit) = split(text);
    let number: u64 = number.parse().map_err(|_| no_size())?;
    let factor: u64 = match unit {
        "kB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(no_size()),
    };
    match number.checked_mul(factor) {
        Some(0) => Err(Mistake::new("a size of nothing").help("write at least `1kB`")),
        Some(bytes) => Ok(bytes),
        None => Err(Mistake::new(format!("`{text}` is too large"))),
    }
}

/// Reads a CVSS score, 0 to 10.
pub(crate) fn score(text: &str) -> Result<f64, Mistake> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let score = text.parse().ok().filter(|score| plain && (0.0..=10.0).contains(score));
    score.ok_or_else(|| {
        Mistake::new(format!("`{text}` is no score"))
            .help("write a number from 0 to 10, such as `8.9`")
    })
}

/// The digits at the start, and the rest.
fn split(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(digits).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        for text in ["1s", "90m", "4h", "14d", "3650d"] {
            assert_eq!(written(duration(text).unwrap()), text);
        }
        assert_eq!(written(duration("48h").unwrap()), "2d");
        for wrong in ["", "14", "d", "1.5h", "-1d", "0d", "1w", "3651d", "99999999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_size_has_a_unit() {
        assert_eq!(size("2MiB").unwrap(), 2 << 20);
        assert_eq!(size("3kB").unwrap(), 3000);
        for wrong in ["", "5", "5mb", "0GB", "99999999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_score_is_within_its_scale() {
        assert_eq!(score("8.9").unwrap(), 8.9);
        for wrong in ["", "11", "-1", "nan", "inf", "1e1", "8,9"] {
            assert!(score(wrong).is_err(), "{wrong}");
        }
    }
}
