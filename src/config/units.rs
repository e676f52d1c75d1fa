//! Durations and sizes as people write them.

use std::time::Duration;

use document::{Mistake, NoAmount, bytes, seconds};

/// Reads `30s`, `5m`, `24h` or `90d`.
pub(crate) fn duration(text: &str) -> Result<Duration, Mistake> {
    seconds(text).map(Duration::from_secs).map_err(|why| match why {
        NoAmount::Unreadable => Mistake::new("not a duration")
            .help("write a whole number and s, m, h or d, such as `30s`"),
        NoAmount::Nothing => Mistake::new("a duration of nothing").help("write at least `1s`"),
        NoAmount::TooMuch => Mistake::new("too long").help("write at most `3650d`"),
    })
}

/// Reads `4096`, `100kB`, `4MiB` or `1GiB`, as bytes.
pub(super) fn size(text: &str) -> Result<u64, Mistake> {
    let plain = text.strip_suffix('B').unwrap_or(text);
    let size = match plain.bytes().all(|byte| byte.is_ascii_digit()) {
        true => match plain.parse() {
            Ok(0) => Err(NoAmount::Nothing),
            Ok(size) => Ok(size),
            Err(_) => Err(NoAmount::Unreadable),
        },
        false => bytes(text),
    };
    size.map_err(|why| match why {
        NoAmount::Unreadable => Mistake::new("not a size")
            .help("write a whole number and a unit (kB, MB, GB, KiB, MiB, GiB), such as `4MiB`"),
        NoAmount::Nothing => Mistake::new("a size of nothing").help("write at least `1`"),
        NoAmount::TooMuch => Mistake::new("too large"),
    })
}

/// Reads a whole number within bounds.
pub(super) fn number(text: &str, least: usize, most: usize) -> Result<usize, Mistake> {
    text.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        Mistake::new("not a number that fits here")
            .help(format!("write a whole number from {least} to {most}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("24h", 86_400), ("90d", 7_776_000)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "30",
            "s",
            "-1s",
            "1.5h",
            "5 m",
            "5M",
            "1h30m",
            "0s",
            "3651d",
            "99999999999999999d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_know_both_families_of_units() {
        for (text, bytes) in
            [("4096", 4096), ("100kB", 100_000), ("4MiB", 4 << 20), ("1GiB", 1 << 30), ("7B", 7)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "4M", "4mib", "-1", "0", "1.5MiB", "99999999999999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
