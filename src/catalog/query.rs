//! What somebody typed into the search box.

use super::Words;

/// How names of vulnerabilities begin, in the databases that scanners read.
const VULNERABILITIES: [&str; 22] = [
    "alas",
    "alpine-cve",
    "alsa",
    "asa",
    "avd",
    "cve",
    "debian-cve",
    "dla",
    "dsa",
    "elsa",
    "euvd",
    "ghsa",
    "go",
    "gms",
    "mal",
    "osv",
    "pysec",
    "rhsa",
    "rlsa",
    "rustsec",
    "ubuntu-cve",
    "usn",
];

/// What is looked for, word by word.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// What names, tags, digests and labels have to fit.
    pub(crate) words: Words,
    /// What has to be in the image.
    pub(crate) findings: Vec<Sought>,
}

/// Something that scanners report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sought {
    Vulnerability(String),
    /// By its name, or its package URL.
    Package(String),
}

impl Wanted {
    pub(crate) fn new(text: &str) -> Self {
        let (mut words, mut findings) = (Vec::new(), Vec::new());
        for word in text.split_whitespace() {
            match Sought::new(word) {
                Some(finding) => findings.push(finding),
                None => words.push(word),
            }
        }
        Self { words: Words::new(&words.join(" ")), findings }
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
        let is_name = VULNERABILITIES.iter().any(|prefix| {
            let rest = lower.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(['-', '_']));
            // `go-app` and `cve-scanner` are names of images.
            rest.is_some_and(|rest| is_numbered(rest) || *prefix == "ghsa")
        });
        is_name.then(|| Self::Vulnerability(word.to_owned()))
    }

    /// As somebody may write it, so that [`Sought::new`] reads it again.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Package(name) if !name.starts_with("pkg:") => format!("package:{name}"),
            Self::Vulnerability(name) | Self::Package(name) => name.clone(),
        }
    }
}

/// Such as `2021-44228`, `5678-1` or `2024:1234`.
fn is_numbered(rest: &str) -> bool {
    let mut parts = rest.split(['-', ':']);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.next().is_some_and(is_number) && parts.next().is_none_or(is_number)
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
            ("cve-2021-44228", Some(vulnerability("cve-2021-44228"))),
            ("GHSA-jfh8-c2jp-5v3q", Some(vulnerability("GHSA-jfh8-c2jp-5v3q"))),
            ("DSA-5678-1", Some(vulnerability("DSA-5678-1"))),
            ("RHSA-2024:1234", Some(vulnerability("RHSA-2024:1234"))),
            ("GO-2024-2611", Some(vulnerability("GO-2024-2611"))),
            ("pkg:deb/debian/zlib1g", Some(package("pkg:deb/debian/zlib1g"))),
            ("package:zlib1g", Some(package("zlib1g"))),
            ("package:", None),
            ("go-app", None),
            ("cve-scanner", None),
            ("cve", None),
            ("openssl", None),
            ("team/app:v1", None),
        ] {
            assert_eq!(Sought::new(word), expected, "{word}");
        }
    }

    #[test]
    fn the_other_words_are_of_names() {
        let asked = Wanted::new(" api CVE-2021-44228");
        assert_eq!(asked.words.single(), Some("api"));
        assert_eq!(asked.findings.iter().map(Sought::text).collect::<Vec<_>>(), ["CVE-2021-44228"]);
        assert!(Wanted::new("  ").is_empty() && !Wanted::new("x").is_empty());
    }
}
