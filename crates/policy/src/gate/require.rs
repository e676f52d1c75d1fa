//! What a gate asks for.

use std::fmt;

use jiff::SignedDuration;
use oci::Platform;
use reports::Severity;

use super::base::BaseImages;
use crate::flag_name::FlagName;
use crate::glob::Bindings;
use crate::path::PathPattern;

/// What an image needs to pass. Everything that is named has to be there.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Require {
    pub(crate) flags: Vec<FlagName>,
    /// Each of these keys.
    pub(crate) signed_by: Vec<Box<str>>,
    pub(crate) labels: Vec<(Box<str>, ValuePattern)>,
    pub(crate) max_age: Option<SignedDuration>,
    /// In bytes.
    pub(crate) max_size: Option<u64>,
    pub(crate) media_types: Vec<ValuePattern>,
    /// On one of these; on anything, if empty.
    pub(crate) base_images: Vec<BaseImages>,
    /// Which children of an index are judged; all, if empty.
    pub(crate) platforms: Vec<PlatformPattern>,
    pub(crate) vulnerabilities: Option<Vulnerabilities>,
}

/// What may be known to be wrong with an image.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Vulnerabilities {
    pub(crate) max_severity: Option<MaxSeverity>,
    pub(crate) max_cvss: Option<f64>,
    pub(crate) only_fixable: bool,
    pub(crate) unknown_severity: OnUnknown,
    pub(crate) unscanned: OnGap,
    pub(crate) scan_pending: OnGap,
    pub(crate) scan_failed: OnGap,
    pub(crate) scan_incomplete: OnGap,
    pub(crate) max_report_age: Option<SignedDuration>,
}

/// How long what has passed before may go on to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Grace {
    pub(crate) new_finding: Option<SignedDuration>,
    pub(crate) report_too_old: Option<SignedDuration>,
    pub(crate) scan_failed: Option<SignedDuration>,
    pub(crate) flag_expired: Option<SignedDuration>,
}

/// The worst that may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxSeverity {
    /// Nothing may.
    None,
    /// This.
    Of(Severity),
}

/// What comes of it that a fact is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnGap {
    /// It passes.
    Allow,
    /// It passes, and that is told.
    Warn,
    /// It is held.
    #[default]
    Block,
}

/// What comes of a finding of which nobody knows how bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnknown {
    /// It passes.
    Ignore,
    /// It passes, and that is told.
    Warn,
    /// It is held.
    #[default]
    Block,
}

impl MaxSeverity {
    /// Whether a finding of this severity is worse. One that is not known is for [`OnUnknown`].
    pub(super) fn is_exceeded_by(self, severity: Severity) -> bool {
        match self {
            Self::None => severity > Severity::Unknown,
            Self::Of(max) => severity > max,
        }
    }

    /// The least severity that is held; none where all may pass.
    #[must_use]
    pub fn least_held(self) -> Option<Severity> {
        Severity::ALL.into_iter().find(|&severity| self.is_exceeded_by(severity))
    }
}

impl fmt::Display for MaxSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Of(severity) => write!(f, "{severity}"),
        }
    }
}

impl OnGap {
    /// The words of policy files.
    pub(crate) const WORDS: [(&str, Self); 3] =
        [("allow", Self::Allow), ("warn", Self::Warn), ("block", Self::Block)];
}

impl OnUnknown {
    /// The words of policy files.
    pub(crate) const WORDS: [(&str, Self); 3] =
        [("ignore", Self::Ignore), ("warn", Self::Warn), ("block", Self::Block)];

    pub(super) fn as_gap(self) -> OnGap {
        match self {
            Self::Ignore => OnGap::Allow,
            Self::Warn => OnGap::Warn,
            Self::Block => OnGap::Block,
        }
    }
}

impl Require {
    /// Whether a child of an index for these platforms is judged with it: that which the index says,
    /// or that which its config says. Where neither says any, it is.
    pub(super) fn judges(&self, said: [Option<&Platform>; 2]) -> bool {
        let mut known = said.into_iter().flatten().peekable();
        self.platforms.is_empty()
            || known.peek().is_none()
            || known.any(|platform| self.platforms.iter().any(|it| it.matches(platform)))
    }
}

impl Vulnerabilities {
    /// Whether everything passes.
    pub(crate) fn is_nothing(&self) -> bool {
        let gaps = [self.unscanned, self.scan_pending, self.scan_failed, self.scan_incomplete];
        self.max_severity.is_none()
            && self.max_cvss.is_none()
            && self.max_report_age.is_none()
            && gaps.iter().all(|&gap| gap == OnGap::Allow)
    }
}

/// A platform as people write it: `linux/amd64`, `linux/arm/v7`. Without a variant it is all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlatformPattern {
    os: Box<str>,
    architecture: Box<str>,
    variant: Option<Box<str>>,
}

impl PlatformPattern {
    pub(crate) fn new(text: &str) -> Option<Self> {
        let is_plain = |part: &str| {
            let plain =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            !part.is_empty() && part.bytes().all(plain)
        };
        if !text.split('/').all(is_plain) {
            return None;
        }
        let (os, architecture, variant) = match *text.split('/').collect::<Vec<_>>() {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant)),
            _ => return None,
        };
        let variant = variant.map(Into::into);
        Some(Self { os: os.into(), architecture: architecture.into(), variant })
    }

    fn matches(&self, platform: &Platform) -> bool {
        *self.os == *platform.os
            && *self.architecture == *platform.architecture
            && self.variant.as_deref().is_none_or(|variant| *variant == *platform.variant)
    }
}

impl fmt::Display for PlatformPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

/// What a value has to look like: `*` is anything up to the next `/`, `**` any number of parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ValuePattern(pub(crate) PathPattern);

impl ValuePattern {
    pub(super) fn matches(&self, value: &str) -> bool {
        self.0.matches(value, Bindings::default())
    }
}

impl fmt::Display for ValuePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
