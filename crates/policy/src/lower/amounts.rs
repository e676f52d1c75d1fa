//! Durations, sizes and scores as people write them.

use document::{Mistake, NoAmount, bytes, seconds};
use jiff::SignedDuration;

/// Reads `4h` or `90d`.
pub(crate) fn duration(text: &str) -> Result<SignedDuration, Mistake> {
    let refused = |why| match why {
        NoAmount::Unreadable => Mistake::new(format!("`{text}` is no duration"))
            .help("write a whole number and s, m, h or d, such as `14d`"),
        NoAmount::Nothing => Mistake::new("a duration of nothing").help("write at least `1s`"),
        NoAmount::TooMuch => {
            Mistake::new(format!("`{text}` is too long")).help("write at most `3650d`")
        }
    };
    let seconds = seconds(text).map_err(refused)?;
    Ok(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)))
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
    bytes(text).map_err(|why| match why {
        NoAmount::Unreadable => Mistake::new(format!("`{text}` is no size"))
            .help("write a whole number and a unit (kB, MB, GB, KiB, MiB, GiB), such as `500MiB`"),
        NoAmount::Nothing => Mistake::new("a size of nothing").help("write at least `1kB`"),
        NoAmount::TooMuch => Mistake::new(format!("`{text}` is too large")),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        for text in ["1s", "90m", "4h", "14d", "3650d"] {
            assert_eq!(written(duration(text).unwrap()), text);
        }
        assert_eq!(written(duration("48h").unwrap()), "2d");
    }

    #[test]
    fn what_is_no_amount_is_told_with_what_was_written() {
        for (text, told) in [
            ("14", "`14` is no duration"),
            ("0d", "a duration of nothing"),
            ("3651d", "`3651d` is too long"),
        ] {
            assert!(duration(text).unwrap_err().render(false).contains(told), "{text}");
        }
        for (text, told) in [("5", "`5` is no size"), ("0GB", "a size of nothing")] {
            assert!(size(text).unwrap_err().render(false).contains(told), "{text}");
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
