//! Tags that are versions, in a range: `>=2.0, <3`.

use std::fmt;

use document::Mistake;
use semver::{BuildMetadata, Prerelease, Version, VersionReq};

/// A range of versions (semver.org 2.0.0), by the rules that Cargo's manifests have for them: a
/// prerelease is in it only if the range names a prerelease of the same version.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Versions {
    text: Box<str>,
    range: VersionReq,
}

impl Versions {
    /// Reads a range.
    pub(crate) fn parse(text: &str) -> Result<Self, Mistake> {
        if text.is_empty() {
            return Err(Mistake::new("`semver` is empty").help(FORMS));
        }
        let range = VersionReq::parse(text).map_err(|error| {
            Mistake::new(format!("`{text}` is no range of versions: {error}")).help(FORMS)
        })?;
        let versions = Self { text: text.into(), range };
        if versions.is_empty() {
            let mistake = Mistake::new(format!("no version is in `{text}`"));
            return Err(mistake.help("a version has to be in each part of a range: `>=2.0, <3`"));
        }
        Ok(versions)
    }

    /// Whether no version is in the range.
    ///
    /// Each part of a range is about neighbouring versions. If any version is in all parts, so is
    /// one where a part begins, and the first of all where none begins later: the version that it
    /// names, or one of the next ones.
    fn is_empty(&self) -> bool {
        let named = self.range.comparators.iter().flat_map(|it| {
            let (major, minor) = (it.major, it.minor.unwrap_or(0));
            let patch = it.patch.unwrap_or(0);
            let version = Version { pre: it.pre.clone(), ..Version::new(major, minor, patch) };
            let next_patch = Version::new(major, minor, patch.saturating_add(1));
            let next_minor = Version::new(major, minor.saturating_add(1), 0);
            let next_major = Version::new(major.saturating_add(1), 0, 0);
            // Behind a prerelease: its release, and the prerelease right after it.
            let release = Version::new(major, minor, patch);
            let after = format!("{}.0", it.pre);
            let pre = Prerelease::new(&after).unwrap_or_default();
            let after = Version { pre, ..release.clone() };
            // The first prerelease of all.
            let pre = Prerelease::new("0").unwrap_or_default();
            let first = Version { pre, ..release.clone() };
            [version, after, first, release, next_patch, next_minor, next_major]
        });
        let first = Version::new(0, 0, 0);
        !std::iter::once(first).chain(named).any(|version| self.range.matches(&version))
    }

    /// As written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether a tag is one of these versions. `None`: it is no version.
    pub(crate) fn contain(&self, tag: &str) -> Option<bool> {
        let Tagged { numbers: (major, minor, patch), prerelease } = Tagged::read(tag)?;
        if prerelease.is_empty() {
            return Some(self.range.matches(&Version::new(major, minor, patch)));
        }
        // The rule for prereleases, ahead of time: a long one is copied to be compared, and hardly
        // any range names one.
        let is_named = self.range.comparators.iter().any(|it| {
            !it.pre.is_empty()
                && (it.major, it.minor, it.patch) == (major, Some(minor), Some(patch))
        });
        if !is_named {
            return Some(false);
        }
        let pre = Prerelease::new(prerelease).ok()?;
        let version = Version { major, minor, patch, pre, build: BuildMetadata::EMPTY };
        Some(self.range.matches(&version))
    }
}

const FORMS: &str = "ranges are `>=2.0, <3`, `^1.2`, `~1.2.3`, `1.x`, `=2.1.0` or `*`, \
                     with versions without `v`";

impl fmt::Debug for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Versions").field(&self.text).finish()
    }
}

/// A tag that is a version.
struct Tagged<'t> {
    numbers: (u64, u64, u64),
    /// Empty: a release.
    prerelease: &'t str,
}

impl<'t> Tagged<'t> {
    /// `v2.1.0-rc.1`, with or without `v`, and the short forms `2` and `2.1` of a release. What
    /// follows the dash of `2.1-alpine` is no prerelease: of which version?
    fn read(tag: &'t str) -> Option<Self> {
        let text = tag.strip_prefix('v').unwrap_or(tag);
        let (core, prerelease) = match text.split_once('-') {
            Some((core, prerelease)) => (core, Some(prerelease)),
            None => (text, None),
        };
        let mut parts = core.split('.');
        let major = number(parts.next()?)?;
        let minor = parts.next().map(number);
        let patch = parts.next().map(number);
        if parts.next().is_some() {
            return None;
        }
        let is_full = patch.is_some();
        let numbers = (major, minor.unwrap_or(Some(0))?, patch.unwrap_or(Some(0))?);
        match prerelease {
            None => Some(Self { numbers, prerelease: "" }),
            Some(prerelease) if is_full && prerelease.split('.').all(is_identifier) => {
                Some(Self { numbers, prerelease })
            }
            Some(_) => None,
        }
    }
}

/// Digits without a leading zero.
fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    (is_plain && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok())?
}

/// A part of a prerelease: letters, digits and dashes; a number without a leading zero.
fn is_identifier(text: &str) -> bool {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && (!is_number || text == "0" || !text.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contain(range: &str, tag: &str) -> Option<bool> {
        Versions::parse(range).unwrap().contain(tag)
    }

    #[test]
    fn a_leading_v_and_short_forms_are_versions() {
        for tag in ["2", "v2", "2.1", "v2.1", "2.1.7", "v2.1.7"] {
            assert_eq!(contain(">=2.0, <3", tag), Some(true), "{tag}");
            assert_eq!(contain("<2 ", tag), Some(false), "{tag}");
        }
        assert_eq!(contain("=2.1.0", "2.1"), Some(true));
        assert_eq!(contain(">=2", "2026.11.1"), Some(true));
    }

    #[test]
    fn what_only_resembles_a_version_is_none() {
        for tag in [
            "latest",
            "v",
            "vv1",
            "V1",
            "1.2.3.4",
            "1.",
            "1..2",
            "01",
            "1.02",
            "2026.01.05",
            "1.2-alpine",
            "2-rc1",
            "1.2.3_4",
            "1.2.3-",
            "1.2.3-a..b",
            "1.2.3-01",
            "1.2.3-a_b",
            "99999999999999999999",
            "x1",
            "1.x",
        ] {
            assert_eq!(contain("*", tag), None, "{tag}");
        }
    }

    #[test]
    fn a_prerelease_is_in_a_range_only_if_the_range_names_one() {
        assert_eq!(contain(">=2.0", "2.1.0-rc.1"), Some(false));
        assert_eq!(contain(">=2.1.0-rc.0", "2.1.0-rc.1"), Some(true));
        assert_eq!(contain(">=2.1.0-rc.2", "2.1.0-rc.1"), Some(false));
        assert_eq!(contain(">=2.1.0-rc.0", "2.2.0-rc.1"), Some(false));
        assert_eq!(
            contain("=2.1.0-a-very-long.prerelease", "v2.1.0-a-very-long.prerelease"),
            Some(true)
        );
    }

    #[test]
    fn a_range_without_versions_is_refused() {
        for range in [">=3, <2", ">3, <3.1, <2", "=1.2.3, =1.2.4", "<0.0.0", "^1, ~2", ">1.2, <1.3"]
        {
            let refused = Versions::parse(range).unwrap_err().render(false);
            assert!(refused.starts_with("error: no version is in"), "{range}: {refused}");
        }
        for range in [
            ">=2, <3",
            "*",
            "0.x",
            ">1.2.3, <1.2.5",
            ">0.9, <1.0.1",
            ">1, <3",
            "<0.0.1",
            "=1.2.3-rc.1",
            ">1.2.3-rc.1, <1.2.3-rc.2",
            ">1.2.3-rc.1, <1.2.3",
            "<0.0.0-b",
            ">=1.0.0, <=1.0.0",
        ] {
            assert!(Versions::parse(range).is_ok(), "{range}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_range_with_a_version_is_refused(
            parts in proptest::collection::vec(
                ("(=|<|<=|>|>=|\\^|~)", 0..4_u64, 0..4_u64, 0..4_u64, 1..4_usize, "(|-0|-a|-a[.]0|-b)"),
                1..4,
            ),
            versions in proptest::collection::vec(
                (0..5_u64, 0..5_u64, 0..5_u64, "(|-0|-0[.]0|-a|-a[.]0|-a[.]b|-b)"),
                20,
            ),
        ) {
            let part = |(op, major, minor, patch, length, pre): &(String, u64, u64, u64, usize, String)| {
                match length {
                    1 => format!("{op}{major}"),
                    2 => format!("{op}{major}.{minor}"),
                    _ => format!("{op}{major}.{minor}.{patch}{pre}"),
                }
            };
            let range = parts.iter().map(part).collect::<Vec<_>>().join(", ");
            let read = VersionReq::parse(&range).unwrap();
            let found = versions.iter().any(|(major, minor, patch, pre)| {
                read.matches(&Version::parse(&format!("{major}.{minor}.{patch}{pre}")).unwrap())
            });
            proptest::prop_assert!(!found || Versions::parse(&range).is_ok(), "{range}");
        }
    }

    #[test]
    fn full_versions_are_read_as_the_crate_reads_them() {
        for text in
            ["0.0.0", "1.2.3-0", "1.2.3-rc.1", "1.2.3-01", "1.2.3--", "1.2.3-0a", "1.2.3-a.b.0"]
        {
            let read = Tagged::read(text).is_some();
            assert_eq!(read, Version::parse(text).is_ok(), "{text}");
        }
    }
}
