//! What somebody typed into the search box.

use oci::{Digest, RepositoryName};

use super::Words;
use super::advisories::is_name;

/// So many findings may be looked for at once.
pub(crate) const MAX_FINDINGS: usize = 16;

/// What is looked for, word by word.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// What names, tags, digests and labels have to fit.
    pub(crate) words: Words,
    /// What has to be in the image.
    pub(crate) findings: Vec<Sought>,
    /// The one image that is named, by its digest.
    pub(crate) pinned: Option<(RepositoryName, Digest)>,
}

/// Something that scanners report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sought {
    Vulnerability(String),
    /// By its name, or its package URL.
    Package(String),
}

impl Wanted {
    /// Reads a query. Images may be named as clients do, who begin with the name of the gate.
    pub(crate) fn new(text: &str, gate: &str) -> Self {
        let (mut words, mut findings) = (Vec::new(), Vec::new());
        for word in text.split_whitespace().map(|word| without(gate, word)) {
            match Sought::new(word) {
                Some(finding) if findings.contains(&finding) => {}
                // One more than may be looked for tells that there are too many.
                Some(finding) if findings.len() <= MAX_FINDINGS => findings.push(finding),
                Some(_) => {}
                None => words.push(word),
            }
        }
        let pinned = match (words.as_slice(), findings.as_slice()) {
            ([word], []) => pinned(word),
            _ => None,
        };
        Self { words: Words::new(&words.join(" ")), findings, pinned }
    }

    /// More findings are named than are looked for.
    pub(crate) fn is_too_much(&self) -> bool {
        self.findings.len() > MAX_FINDINGS
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.findings.is_empty()
    }
}

impl Sought {
    /// What a word stands for, if it is none of a name.
    pub(crate) fn new(word: &str) -> Option<Self> {
        let lower = word.to_lowercase();
        if lower.starts_with("pkg:") {
            return Some(Self::Package(word.to_owned()));
        }
        if let Some((_, name)) = word.split_once(':').filter(|_| lower.starts_with("package:")) {
            return (!name.is_empty()).then(|| Self::Package(name.to_owned()));
        }
        is_name(word).then(|| Self::Vulnerability(word.to_owned()))
    }

    /// As somebody may write it, so that [`Sought::new`] reads it again.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Package(name) if !name.starts_with("pkg:") => format!("package:{name}"),
            Self::Vulnerability(name) | Self::Package(name) => name.clone(),
        }
    }
}

/// A word without the name of the gate before that of an image.
fn without<'w>(gate: &str, word: &'w str) -> &'w str {
    let name = word.strip_prefix("https://").unwrap_or(word);
    let image = name.split_at_checked(gate.len()).filter(|(it, _)| it.eq_ignore_ascii_case(gate));
    let image = image.and_then(|(_, image)| image.strip_prefix('/'));
    image.filter(|image| !image.is_empty()).unwrap_or(word)
}

/// `REPOSITORY@DIGEST`, as pages write it for clients.
fn pinned(word: &str) -> Option<(RepositoryName, Digest)> {
    let (repository, digest) = word.split_once('@')?;
    Some((RepositoryName::new(repository).ok()?, Digest::new(digest).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vulnerabilities_and_packages_are_told_from_names() {
        let vulnerability = |name: &str| Sought::Vulnerability(name.to_owned());
        let package = |name: &str| Sought::Package(name.to_owned());
        for (word, expected) in [
            ("CVE-2021-44228", Some(vulnerability("CVE-2021-44228"))),
            ("SUSE-SU-2023:1234-1", Some(vulnerability("SUSE-SU-2023:1234-1"))),
            ("pkg:deb/debian/zlib1g", Some(package("pkg:deb/debian/zlib1g"))),
            ("package:zlib1g", Some(package("zlib1g"))),
            ("package:", None),
            ("cve-scanner", None),
            ("openssl", None),
            ("team/app:v1", None),
        ] {
            assert_eq!(Sought::new(word), expected, "{word}");
        }
    }

    #[test]
    fn the_other_words_are_of_names() {
        let asked = Wanted::new(" api CVE-2021-44228", "gate");
        assert_eq!(asked.words.single(), Some("api"));
        assert_eq!(asked.findings.iter().map(Sought::text).collect::<Vec<_>>(), ["CVE-2021-44228"]);
        assert!(Wanted::new("  ", "").is_empty() && !Wanted::new("x", "").is_empty());
    }

    #[test]
    fn what_clients_write_before_the_name_of_an_image_is_left_out() {
        for (text, expected) in [
            ("gate:5443/prod/api", "prod/api"),
            ("GATE:5443/prod/api", "prod/api"),
            ("https://gate:5443/prod/api", "prod/api"),
            ("gate:5443/", "gate:5443/"),
            ("gate:5443", "gate:5443"),
            ("gate/prod/api", "gate/prod/api"),
            ("other:5443/prod/api", "other:5443/prod/api"),
            ("\u{1f6aa}", "\u{1f6aa}"),
        ] {
            assert_eq!(without("gate:5443", text), expected, "{text}");
        }
        let digest = format!("sha256:{}", "a".repeat(64));
        let asked = Wanted::new(&format!("gate/prod/api@{digest}"), "gate");
        let expected = (RepositoryName::new("prod/api").unwrap(), Digest::new(&digest).unwrap());
        assert_eq!(asked.pinned, Some(expected));
        for none in ["prod/api:v1", "prod/api@sha256:0", &format!("x prod/api@{digest}")] {
            assert_eq!(Wanted::new(none, "gate").pinned, None, "{none}");
        }
    }
}
