//! Package URLs (purl), as far as they tell which package is meant.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// A package URL, such as `pkg:deb/debian/zlib1g@1.2.13`.
///
/// Qualifiers and a path within the package are left out, as they tell for what it was built and not
/// what it is. All ways of writing one are the same: it is in lower case, and encoded alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PackageUrl {
    /// Kind, namespaces and name.
    name: String,
    version: Option<String>,
}

/// What stands for something else in a package URL. The separators of names stay as they are.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'?').add(b'@');
const ENCODED_IN_VERSION: &AsciiSet = &ENCODED.add(b'/');

impl PackageUrl {
    /// How each begins.
    pub const SCHEME: &'static str = "pkg:";

    /// Reads one; none where the text names no package.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_at_checked(Self::SCHEME.len())?;
        if !scheme.eq_ignore_ascii_case(Self::SCHEME) {
            return None;
        }
        let rest = rest.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
        // People write the scope of an npm package as it is, `pkg:npm/@angular/core`.
        let version =
            rest.rfind('@').filter(|at| !rest.get(..*at).is_none_or(|it| it.ends_with('/')));
        let (name, version) = match version.and_then(|at| rest.split_at_checked(at)) {
            Some((name, version)) => (name, version.trim_start_matches('@')),
            None => (rest, ""),
        };
        let name = plain(name);
        let parts: Vec<_> = name.split('/').filter(|part| !part.is_empty()).collect();
        let name = match parts.as_slice() {
            [] | [_] => return None,
            // Both stand for the same there, as the specification says.
            ["pypi", ..] => parts.join("/").replace('_', "-"),
            _ => parts.join("/"),
        };
        let version = Some(plain(version)).filter(|version| !version.is_empty());
        Some(Self { name, version })
    }

    /// The same of whatever version.
    #[must_use]
    pub fn without_version(&self) -> Self {
        Self { name: self.name.clone(), version: None }
    }
}

fn plain(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().to_lowercase()
}

/// In the one way in which it can be compared as text.
impl fmt::Display for PackageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::SCHEME, utf8_percent_encode(&self.name, ENCODED))?;
        match &self.version {
            Some(version) => write!(f, "@{}", utf8_percent_encode(version, ENCODED_IN_VERSION)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> Option<String> {
        PackageUrl::new(text).map(|read| read.to_string())
    }

    #[test]
    fn what_names_a_package_stays_and_is_written_in_one_way() {
        for (text, expected) in [
            ("pkg:deb/debian/zlib1g", "pkg:deb/debian/zlib1g"),
            (
                "pkg:deb/debian/zlib1g@1%3A1.2.13.dfsg-1?arch=amd64&distro=debian-12",
                "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1",
            ),
            ("pkg:npm/%40angular/core@1.2", "pkg:npm/%40angular/core@1.2"),
            ("pkg:npm/@angular/core@1.2", "pkg:npm/%40angular/core@1.2"),
            ("PKG:npm/@angular/core", "pkg:npm/%40angular/core"),
            ("pkg:pypi/Typing_Extensions", "pkg:pypi/typing-extensions"),
            ("pkg:golang/github.com/a/b@v1.0.0#sub/path", "pkg:golang/github.com/a/b@v1.0.0"),
            ("pkg:maven/org.apache/log4j@2%2F3", "pkg:maven/org.apache/log4j@2%2F3"),
            ("pkg://generic/a//b/", "pkg:generic/a/b"),
        ] {
            assert_eq!(written(text).as_deref(), Some(expected), "{text}");
        }
        for wrong in ["", "pkg:", "pkg:zlib", "zlib", "package:zlib", "pkg", "\u{1f4e6}\u{1f4e6}"] {
            assert_eq!(written(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn without_its_version_it_means_any() {
        let read = |text: &str| PackageUrl::new(text).unwrap();
        let (found, meant) =
            (read("pkg:deb/debian/zlib1g@1.2?arch=amd64"), "pkg:deb/Debian/zlib1g");
        assert_eq!(found.without_version(), read(meant));
        assert_ne!(found, read(meant));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(text in "pkg:[a-z]/[ -~\u{1}é/]{0,20}") {
            if let Some(read) = PackageUrl::new(&text) {
                prop_assert_eq!(PackageUrl::new(&read.to_string()), Some(read));
            }
        }
    }
}
