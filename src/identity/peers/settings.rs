//! What the configuration says of a gate that is trusted.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::fetch::HttpsUrl;
use crate::jwks::JwksLocation;
use crate::public_url::PublicUrl;

/// One entry of `trust`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our name for it: the first part of `peer:NAME/…`.
    pub name: PeerName,
    /// Its public URL: the `iss` of its tokens. No two entries have the same.
    pub issuer: PublicUrl,
    /// Where its keys are.
    pub jwks: JwksLocation,
    /// The CA of its certificate; none: those that the system trusts.
    pub ca: Option<PathBuf>,
    /// What its groups are here.
    pub groups: GroupMapping,
    /// The longest life of a token of it.
    pub max_ttl: Duration,
    /// Where it tells what it has revoked; none: it is trusted without.
    pub revocations: Option<HttpsUrl>,
    /// How often that is looked at.
    pub poll: Duration,
}

/// Our name for another gate: 1 to 64 letters, digits and `._-`, all ASCII. With a slash or a colon
/// in it, `peer:NAME/SUBJECT` could be read in two ways.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerName(String);

/// The text is no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a name for a gate: 1 to 64 letters, digits and `._-`")]
pub struct InvalidPeerName;

impl PeerName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PeerName {
    type Err = InvalidPeerName;

    fn from_str(text: &str) -> Result<Self, InvalidPeerName> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPeerName)
        }
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which groups of another gate are honoured, and as what. A group that is not in it is nothing
/// here, also if one of ours has the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupMapping(BTreeMap<String, Vec<String>>);

impl GroupMapping {
    /// Our groups for a list of theirs, in order and each once.
    #[must_use]
    pub fn ours(&self, theirs: &[String]) -> Vec<String> {
        let mut ours: Vec<_> =
            theirs.iter().filter_map(|group| self.0.get(group)).flatten().cloned().collect();
        ours.sort_unstable();
        ours.dedup();
        ours
    }

    /// Each of their groups that counts, with ours, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(theirs, ours)| (theirs.as_str(), ours.as_slice()))
    }

    /// All of ours that somebody from there may be in, in order and each once.
    #[must_use]
    pub fn all_ours(&self) -> Vec<String> {
        let theirs: Vec<_> = self.0.keys().cloned().collect();
        self.ours(&theirs)
    }
}

impl FromIterator<(String, Vec<String>)> for GroupMapping {
    fn from_iter<I: IntoIterator<Item = (String, Vec<String>)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[test]
    fn a_name_never_reads_in_two_ways() {
        for text in ["eu", "EU-west_1.example", &"a".repeat(64)] {
            assert_eq!(text.parse::<PeerName>().unwrap().as_str(), text);
        }
        for text in ["", "eu/west", "eu:west", "e u", "é", "*", "a\n", &"a".repeat(65)] {
            assert_eq!(text.parse::<PeerName>(), Err(InvalidPeerName), "{text}");
        }
    }

    fn group() -> impl Strategy<Value = String> {
        select(vec!["ci", "release", "administrators", "a", "b"]).prop_map(str::to_owned)
    }

    proptest! {
        #[test]
        fn only_what_is_mapped_arrives(
            mapping in vec((group(), vec(group(), 0..3)), 0..4),
            theirs in vec(group(), 0..6),
        ) {
            let mapping: BTreeMap<_, _> = mapping.into_iter().collect();
            let ours = GroupMapping(mapping.clone()).ours(&theirs);
            for group in ["ci", "release", "administrators", "a", "b"] {
                let mapped = theirs.iter().any(|theirs| {
                    mapping.get(theirs).is_some_and(|ours| ours.iter().any(|our| our == group))
                });
                prop_assert_eq!(ours.iter().filter(|our| *our == group).count(), usize::from(mapped));
            }
        }
    }
}
