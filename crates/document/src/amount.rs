//! Durations and sizes as people write them: a whole number and a unit.

/// Ten years. Longer ones are mistakes, and sums of these never overflow.
const MAX_SECONDS: u64 = 3650 * 86_400;

const SECONDS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];

const BYTES: [(&str, u64); 6] = [
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Why a text is no amount. What is expected instead depends on what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAmount {
    /// It is not a whole number and a unit.
    Unreadable,
    /// It is none of them: `0s`.
    Nothing,
    /// It is more than can be meant.
    TooMuch,
}

/// Reads `30s`, `5m`, `24h` or `90d`, up to ten years, as seconds.
///
/// # Errors
/// It is no duration, none at all, or longer.
pub fn seconds(text: &str) -> Result<u64, NoAmount> {
    let seconds = amount(text, &SECONDS)?;
    if seconds > MAX_SECONDS { Err(NoAmount::TooMuch) } else { Ok(seconds) }
}

/// Reads `100kB`, `4MiB` or `1GiB`, as bytes.
///
/// # Errors
/// It is no size, none at all, or too large to count.
pub fn bytes(text: &str) -> Result<u64, NoAmount> {
    amount(text, &BYTES)
}

fn amount(text: &str, units: &[(&str, u64)]) -> Result<u64, NoAmount> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or(NoAmount::Unreadable)?;
    let number: u64 = number.parse().map_err(|_| NoAmount::Unreadable)?;
    let found = units.iter().find(|(name, _)| *name == unit);
    let (_, factor) = found.ok_or(NoAmount::Unreadable)?;
    match number.checked_mul(*factor) {
        Some(0) => Err(NoAmount::Nothing),
        Some(amount) => Ok(amount),
        None => Err(NoAmount::TooMuch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit_up_to_ten_years() {
        for (text, expected) in
            [("30s", 30), ("5m", 300), ("24h", 86_400), ("90d", 7_776_000), ("3650d", MAX_SECONDS)]
        {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in ["", "30", "s", "-1s", "+1s", "1.5h", "5 m", "5M", "1h30m", "1w", "¼d"] {
            assert_eq!(seconds(text), Err(NoAmount::Unreadable), "{text}");
        }
        assert_eq!(seconds("0s"), Err(NoAmount::Nothing));
        for text in ["3651d", "99999999999999999d"] {
            assert_eq!(seconds(text), Err(NoAmount::TooMuch), "{text}");
        }
    }

    #[test]
    fn sizes_know_both_families_of_units() {
        for (text, expected) in [("100kB", 100_000), ("4MiB", 4 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "5", "MiB", "4M", "4mib", "-1kB", "1.5MiB", "99999999999999999999GiB"] {
            assert_eq!(bytes(text), Err(NoAmount::Unreadable), "{text}");
        }
        assert_eq!(bytes("0GB"), Err(NoAmount::Nothing));
        assert_eq!(bytes("99999999999999GiB"), Err(NoAmount::TooMuch));
    }
}
