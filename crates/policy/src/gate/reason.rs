//! Why an image is held.

use std::fmt;

use document::printable;
use jiff::Timestamp;
use oci::{Digest, Platform};

use super::found::Found;
use crate::flag_name::FlagName;

/// Something that a gate asks for and that is not there.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// Of which child of an index; none: of the manifest itself.
    pub of: Option<Which>,
    /// What it is.
    pub why: Why,
}

/// A child of an index.
#[derive(Debug, Clone, PartialEq)]
pub struct Which {
    /// Its digest.
    pub digest: Digest,
    /// Its platform, if it is known.
    pub platform: Option<Platform>,
}

/// What is missing, or too much.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// It could not be read, and why.
    Unreadable(String),
    /// An index without a child that runs on a platform which is judged.
    NoRunnablePlatform,
    /// Nobody set this flag, or not where it counts.
    FlagMissing(FlagName),
    /// This flag has expired.
    FlagExpired {
        /// Which.
        flag: FlagName,
        /// When.
        since: Timestamp,
    },
    /// This key did not sign it.
    NotSigned(Box<str>),
    /// Its labels are not known.
    LabelsUnknown,
    /// A label is not as it has to be.
    Label {
        /// Which.
        name: Box<str>,
        /// As the gate writes it.
        wanted: Box<str>,
        /// What it is, if it is there.
        found: Option<String>,
    },
    /// It is too old.
    TooOld {
        /// When the gate saw it first.
        first_seen: Timestamp,
    },
    /// Nobody knows since when it is there.
    AgeUnknown,
    /// It is too large.
    TooLarge {
        /// In bytes.
        size: u64,
        /// What it may have.
        max: u64,
    },
    /// Nobody knows how large it is, or what its layers are.
    ShapeUnknown,
    /// A layer of a type that may not be.
    MediaType(Box<str>),
    /// It is not known to be built on one of the images that it may be built on.
    OtherBase {
        /// As the gate writes them.
        wanted: Box<str>,
    },
    /// It was never scanned.
    Unscanned,
    /// It is being scanned.
    ScanPending,
    /// It could not be scanned.
    ScanFailed {
        /// The first failure.
        since: Timestamp,
        /// Why.
        reason: String,
    },
    /// No scanner recognized anything in it.
    ScanIncomplete,
    /// Its newest report is too old.
    ReportTooOld {
        /// When it was made.
        made_at: Timestamp,
    },
    /// There are vulnerabilities in it.
    Vulnerabilities(Found),
    /// There are vulnerabilities in it of which nobody knows how bad they are.
    UnknownSeverity(Found),
}

impl Why {
    /// A word for metrics and the audit trail.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::NoRunnablePlatform => "no_runnable_platform",
            Self::FlagMissing(_) => "flag_missing",
            Self::FlagExpired { .. } => "flag_expired",
            Self::NotSigned(_) => "not_signed",
            Self::LabelsUnknown => "labels_unknown",
            Self::Label { .. } => "label",
            Self::TooOld { .. } => "too_old",
            Self::AgeUnknown => "age_unknown",
            Self::TooLarge { .. } => "too_large",
            Self::ShapeUnknown => "shape_unknown",
            Self::MediaType(_) => "media_type",
            Self::OtherBase { .. } => "other_base",
            Self::Unscanned => "unscanned",
            Self::ScanPending => "scan_pending",
            Self::ScanFailed { .. } => "scan_failed",
            Self::ScanIncomplete => "scan_incomplete",
            Self::ReportTooOld { .. } => "report_too_old",
            Self::Vulnerabilities(_) => "vulnerabilities",
            Self::UnknownSeverity(_) => "unknown_severity",
        }
    }
}

/// "it was never scanned"
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "it could not be read: {}", printable(why)),
            Self::NoRunnablePlatform => {
                f.write_str("it holds no image for a platform that is judged")
            }
            Self::FlagMissing(flag) => write!(f, "it is not flagged {flag}"),
            Self::FlagExpired { flag, since } => write!(f, "its flag {flag} expired at {since}"),
            Self::NotSigned(key) => write!(f, "it is not signed by {key}"),
            Self::LabelsUnknown => f.write_str("its labels could not be read"),
            Self::Label { name, wanted, found: None } => {
                write!(f, "its label {name} is missing, which has to be {wanted}")
            }
            Self::Label { name, wanted, found: Some(found) } => {
                write!(f, "its label {name} is \"{}\" and has to be {wanted}", printable(found))
            }
            Self::TooOld { first_seen } => {
                write!(f, "it is too old: it was first seen at {first_seen}")
            }
            Self::AgeUnknown => f.write_str("it is not known how old it is"),
            Self::TooLarge { size, max } => {
                write!(f, "it has {size} bytes, and {max} are the most that may be")
            }
            Self::ShapeUnknown => f.write_str("it is not known what its layers are"),
            Self::MediaType(found) => {
                write!(f, "it has a layer of the type {}", printable(found))
            }
            Self::OtherBase { wanted } => {
                write!(f, "its first layers are not those of {wanted}, as far as is known")
            }
            Self::Unscanned => f.write_str("it was never scanned"),
            Self::ScanPending => f.write_str("it is being scanned"),
            Self::ScanFailed { since, reason } => {
                write!(f, "it could not be scanned since {since}: {}", printable(reason))
            }
            Self::ScanIncomplete => f.write_str("no scanner recognized what is in it"),
            Self::ReportTooOld { made_at } => {
                write!(f, "its newest report is of {made_at}, which is too old")
            }
            Self::Vulnerabilities(found) => write!(f, "{found}"),
            Self::UnknownSeverity(found) => write!(f, "{found}"),
        }
    }
}

/// "it was never scanned (linux/arm64)"
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.why)?;
        self.of.iter().try_for_each(|which| write!(f, " ({which})"))
    }
}

/// "linux/arm64", or the digest.
impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.platform {
            Some(Platform { os, architecture, variant }) if !os.is_empty() => {
                write!(f, "{}/{}", printable(os), printable(architecture))?;
                if variant.is_empty() { Ok(()) } else { write!(f, "/{}", printable(variant)) }
            }
            _ => write!(f, "{}", self.digest),
        }
    }
}

/// Several reasons in one line: what is said of several children is said once, flags together, and
/// the worst first.
pub(super) fn summary(reasons: &[Reason]) -> String {
    let mut missing: Vec<String> = Vec::new();
    let mut told: Vec<(u8, String, Vec<&Which>)> = Vec::new();
    for reason in reasons {
        if let Why::FlagMissing(flag) = &reason.why {
            missing.push(flag.to_string());
            continue;
        }
        let text = reason.why.to_string();
        match told.iter_mut().find(|(_, known, _)| *known == text) {
            Some((_, _, of)) => of.extend(&reason.of),
            None => told.push((rank(&reason.why), text, reason.of.iter().collect())),
        }
    }
    if !missing.is_empty() {
        missing.dedup();
        told.push((3, format!("it is not flagged {}", and(&missing)), Vec::new()));
    }
    told.sort_by_key(|(rank, ..)| *rank);
    let lines = told.iter().map(|(_, text, of)| {
        let of: Vec<_> = of.iter().map(ToString::to_string).collect();
        if of.is_empty() { text.clone() } else { format!("{text} ({})", of.join(", ")) }
    });
    lines.collect::<Vec<_>>().join("; ")
}

/// What whoever asks has to hear first comes first.
fn rank(why: &Why) -> u8 {
    match why {
        Why::Unreadable(_) | Why::NoRunnablePlatform => 0,
        Why::Vulnerabilities(_) => 1,
        Why::UnknownSeverity(_) => 2,
        Why::FlagMissing(_) | Why::FlagExpired { .. } | Why::NotSigned(_) => 3,
        _ => 4,
    }
}

fn and(words: &[String]) -> String {
    match words {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => words.concat(),
    }
}
