//! Vulnerabilities that hold an image, told shortly.

use std::fmt;

use document::printable;
use reports::Severity;

use super::facts::FindingFact;

/// How many of them are told one by one.
pub(super) const TOLD: usize = 10;

/// Vulnerabilities that are more than a gate lets pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// How many there are, each under all its names once.
    pub count: usize,
    /// The worst of them, the worst first, at most ten: each with all its names, and as bad as the
    /// reports together say.
    pub worst: Vec<FindingFact>,
    /// From which severity on the gate holds, where it does by severity.
    pub from: Option<Severity>,
    /// Above which score, where it does by score.
    pub above: Option<f64>,
}

impl Found {
    /// Of those that are held for what is not known of them.
    pub(super) fn without_bounds(self) -> Self {
        Self { from: None, above: None, ..self }
    }

    /// "of severity high or above, or scored above 8.9"
    fn bounds(&self) -> String {
        let severity = self.from.map(|from| match from {
            Severity::Critical => "of severity critical".to_owned(),
            from => format!("of severity {from} or above"),
        });
        let score = self.above.map(|above| format!("scored above {above}"));
        match severity.into_iter().chain(score).collect::<Vec<_>>() {
            none if none.is_empty() => "of unknown severity".to_owned(),
            some => some.join(", or "),
        }
    }
}

/// "CVE-2024-1234 (critical) in zlib 1.2.11, fixed in 1.2.12"
impl fmt::Display for FindingFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, severity, package, version, .. } = self;
        write!(f, "{id} ({severity}) in {}", printable(package))?;
        if !version.is_empty() {
            write!(f, " {}", printable(version))?;
        }
        self.fixed_in.iter().try_for_each(|fixed| write!(f, ", fixed in {}", printable(fixed)))
    }
}

/// One is told in full; of several their number, their bounds and the worst.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.worst.first(), self.count) {
            (None, count) => write!(f, "{count} vulnerabilities {}", self.bounds()),
            (Some(worst), 0 | 1) => write!(f, "{worst}"),
            (Some(worst), count) => {
                let (bounds, more) = (self.bounds(), count - 1);
                write!(f, "{count} vulnerabilities {bounds} ({worst}, +{more})")
            }
        }
    }
}
