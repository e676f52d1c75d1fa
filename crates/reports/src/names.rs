//! Names of vulnerabilities.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::lenient::once;

/// The name of a vulnerability, such as `CVE-2021-44228` or `GHSA-jfh8-c2jp-5v3q`.
///
/// Compared without regard to case, and shown as it was written.
#[derive(Debug, Clone, Serialize)]
pub struct VulnerabilityId(Box<str>);

/// The longest name that is kept. Those that are given out are below 40.
const MAX: usize = 128;

impl VulnerabilityId {
    /// A name: 1 to 128 printable ASCII characters without white space. None for anything else.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        (!text.is_empty() && text.len() <= MAX && printable).then(|| Self(text.into()))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is of the list that all others refer to.
    #[must_use]
    pub fn is_cve(&self) -> bool {
        self.has_prefix("CVE-")
    }

    /// Whether a name of this kind stands for one vulnerability. Advisories of distributors
    /// (`RHSA-…`, `ELSA-…`, `ALAS-…`, `DSA-…`) stand for several, so that what they are related to
    /// is no other name for the same.
    #[must_use]
    pub fn names_one(&self) -> bool {
        ["CVE-", "GHSA-", "PYSEC-", "RUSTSEC-", "GO-", "OSV-", "MAL-", "BIT-", "PSF-", "JVNDB-"]
            .into_iter()
            .any(|prefix| self.has_prefix(prefix))
    }

    fn has_prefix(&self, prefix: &str) -> bool {
        self.0.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    }
}

impl PartialEq for VulnerabilityId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for VulnerabilityId {}

impl Hash for VulnerabilityId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Many bytes at a time: a hasher takes about as long for one.
        for bytes in self.0.as_bytes().chunks(32) {
            let mut lower = [0; 32];
            lower.iter_mut().zip(bytes).for_each(|(to, from)| *to = from.to_ascii_lowercase());
            state.write(lower.get(..bytes.len()).unwrap_or_default());
        }
        // No name has this byte, so none is the beginning of another.
        state.write_u8(0xff);
    }
}

impl<'de> Deserialize<'de> for VulnerabilityId {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(input)?;
        Self::new(&text).ok_or_else(|| D::Error::custom("it is no name of a vulnerability"))
    }
}

impl fmt::Display for VulnerabilityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name to show, and the others: a CVE comes first, as people search for these.
pub(crate) fn named(
    id: VulnerabilityId,
    others: impl IntoIterator<Item = VulnerabilityId>,
) -> (VulnerabilityId, Vec<VulnerabilityId>) {
    let mut names = once(std::iter::once(id).chain(others));
    let first = names.iter().position(VulnerabilityId::is_cve).unwrap_or(0);
    let id = names.remove(first);
    (id, names)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn id(text: &str) -> VulnerabilityId {
        VulnerabilityId::new(text).unwrap()
    }

    #[test]
    fn a_name_is_printable_and_of_bounded_length() {
        assert_eq!(id(" CVE-2021-44228\n").as_str(), "CVE-2021-44228");
        for wrong in ["", "  ", "CVE 2021", "CVE-\u{202e}1", "a\u{7}b", &"a".repeat(129)] {
            assert_eq!(VulnerabilityId::new(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn case_does_not_matter() {
        assert_eq!(id("ghsa-JFH8-c2jp-5v3q"), id("GHSA-jfh8-c2jp-5v3q"));
        assert!(id("cve-2021-44228").is_cve());
        let names = ["ghsa-JFH8-c2jp-5v3q", "GHSA-jfh8-c2jp-5v3q", "GHSA-jfh8"].map(id);
        assert_eq!(HashSet::from(names).len(), 2);
    }

    #[test]
    fn a_cve_comes_first_and_no_name_is_told_twice() {
        let others = ["BIT-x-1", "CVE-2020-1", "ghsa-1", "CVE-2020-2"].map(id);
        let (first, rest) = named(id("GHSA-1"), others);
        assert_eq!(first, id("CVE-2020-1"));
        assert_eq!(rest, ["GHSA-1", "BIT-x-1", "CVE-2020-2"].map(id));
    }

    #[test]
    fn an_advisory_of_a_distributor_stands_for_several() {
        assert!(id("GHSA-1").names_one());
        assert!(!id("RHSA-2024:1").names_one());
    }
}
