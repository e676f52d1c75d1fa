//! Durations and sizes as people write them.

use std::time::Duration;

use document::Mistake;

/// Ten years. Longer waits are mistakes, and sums of these never overflow.
const MAX_SECONDS: u64 = 3650 * 86_400;

/// Reads `30s`, `5m`, `24h` or `90d`.
pub(crate) fn duration(text: &str) -> Result<Duration, Mistake> {
    let no_duration = || {
        Mistake::new("not a duration").help("write a whole number and s, m, h or d, such as `30s`")
    };
    let (number, unit) = split(text);
    let number: u64 = number.parse().map_err(|_| no_duration())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(no_duration()),
    };
    match number.checked_mul(seconds) {
        Some(0) => Err(Mistake::new("a duration of nothing").help("write at least `1s`")),
        Some(seconds) if seconds <= MAX_SECONDS => Ok(Duration::from_secs(seconds)),
        _ => Err(Mistake::new("too long").help("write at most `3650d`")),
    }
}

/// Reads `4096`, `100kB`, `4MiB` or `1GiB`, as bytes.
pub(super) fn size(text: &str) -> Result<u64, Mistake> {
    let no_size = || {
        Mistake::new("not a size")
            .help("write a whole number and a unit (kB, MB, GB, KiB, MiB, GiB), such as `4MiB`")
    };
    let (number, unit) = split(text);
    let number: u64 = number.parse().map_err(|_| no_size())?;
    let factor: u64 = match unit {
        "" | "B" => 1,
        "kB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(no_size()),
    };
    match number.checked_mul(factor) {
        Some(0) => Err(Mistake::new("a size of nothing").help("write at least `1`")),
        Some(bytes) => Ok(bytes),
        None => Err(Mistake::new("too large")),
    }
}

/// Reads a whole number within bounds.
pub(super) fn number(text: &str, least: usize, most: usize) -> Result<usize, Mistake> {
    text.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        Mistake::new("not a number that fits here")
            .help(format!("write a whole number from {least} to {most}"))
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
