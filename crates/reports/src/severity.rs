//! How bad a finding is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How bad a finding is, by the scale that Harbor and most scanners share.
///
/// Ordered, so that a gate can say "above medium". `Unknown` is the least: whether it blocks is a
/// setting of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nobody has judged it yet, or not in words that are known here.
    Unknown,
    /// A problem in theory; also what scanners call informational.
    Negligible,
    /// Hard to exploit, or little harm.
    Low,
    /// Exploitable for many.
    Medium,
    /// Exploitable for many in a default installation.
    High,
    /// For nearly all, with the worst harm.
    Critical,
}

/// The word names no severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no severity: use unknown, negligible, low, medium, high or critical")]
pub struct UnknownSeverity(String);

impl Severity {
    /// From the least to the worst.
    pub const ALL: [Self; 6] =
        [Self::Unknown, Self::Negligible, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// In lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Negligible => "negligible",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// What a scanner calls it, in any case. A word that is not known says nothing, so it is
    /// `Unknown`, and whatever is set for that applies.
    #[must_use]
    pub fn of_scanner(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "critical" => Self::Critical,
            // GitHub says "moderate"; Red Hat says "important".
            "high" | "important" => Self::High,
            "medium" | "moderate" => Self::Medium,
            "low" | "minor" => Self::Low,
            "negligible" | "unimportant" | "info" | "informational" | "none" => Self::Negligible,
            _ => Self::Unknown,
        }
    }

    /// By a CVSS base score, version 3 or 4 (CVSS v3.1 §5, v4.0 §6: the same bounds).
    #[must_use]
    pub fn of_score(score: f64) -> Self {
        match score {
            score if score >= 9.0 => Self::Critical,
            score if score >= 7.0 => Self::High,
            score if score >= 4.0 => Self::Medium,
            score if score > 0.0 => Self::Low,
            0.0 => Self::Negligible,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads the word that an administrator writes: exactly one of ours.
impl FromStr for Severity {
    type Err = UnknownSeverity;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let named = |severity: &Self| severity.as_str() == word;
        Self::ALL.into_iter().find(named).ok_or_else(|| UnknownSeverity(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_read_as_it_is_written_and_worse_is_more() {
        for severity in Severity::ALL {
            assert_eq!(severity.as_str().parse(), Ok(severity));
            assert_eq!(Severity::of_scanner(&severity.as_str().to_uppercase()), severity);
        }
        assert!(Severity::ALL.is_sorted());
    }

    #[test]
    fn administrators_must_write_a_word_that_is_known() {
        let error = "Moderate".parse::<Severity>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`Moderate` is no severity: use unknown, negligible, low, medium, high or critical"
        );
    }

    #[test]
    fn words_of_other_scanners_are_understood_and_no_word_is_taken_for_harmless() {
        assert_eq!(Severity::of_scanner("Moderate"), Severity::Medium);
        assert_eq!(Severity::of_scanner("IMPORTANT"), Severity::High);
        assert_eq!(Severity::of_scanner(""), Severity::Unknown);
        assert_eq!(Severity::of_scanner("catastrophic"), Severity::Unknown);
    }

    #[test]
    fn scores_have_the_bounds_of_the_specification() {
        let of = Severity::of_score;
        assert_eq!(
            [of(0.0), of(0.1), of(3.9)],
            [Severity::Negligible, Severity::Low, Severity::Low]
        );
        assert_eq!([of(4.0), of(6.9)], [Severity::Medium; 2]);
        assert_eq!([of(7.0), of(8.9)], [Severity::High; 2]);
        assert_eq!([of(9.0), of(10.0)], [Severity::Critical; 2]);
        assert_eq!([of(-1.0), of(f64::NAN)], [Severity::Unknown; 2]);
    }
}
