//! Reading what other programs write: members may be missing or `null`, and there may be more.

use std::collections::HashSet;
use std::hash::Hash;

use jiff::Timestamp;
use oci::Digest;
use serde::{Deserialize, Deserializer};

/// A list that may be missing, or `null` as Go writes one without entries.
pub(crate) fn list<'de, D, T>(input: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(input).map(Option::unwrap_or_default)
}

/// The text, unless it is empty, as it is where Go has nothing to say.
pub(crate) fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// A time in whatever RFC 3339 allows. Go's zero time is none.
pub(crate) fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse::<Timestamp>().ok().filter(|time| time.as_second() > 0)
}

/// The digest in `name@sha256:…`, or alone.
pub(crate) fn digest(text: &str) -> Option<Digest> {
    let digest = text.rsplit_once('@').map_or(text, |(_, digest)| digest);
    Digest::new(digest).ok()
}

/// The links among these texts, each once.
pub(crate) fn links(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let is_link = |text: &String| ["https://", "http://"].iter().any(|it| text.starts_with(it));
    once(texts.into_iter().filter(is_link))
}

/// Each of these once, where it comes first. There may be millions.
pub(crate) fn once<T: Clone + Eq + Hash>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    all.into_iter().filter(|one| seen.insert(one.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_is_a_script() {
        let texts = ["https://a.example/", "javascript:alert(1)", "https://a.example/", "ftp://b"];
        assert_eq!(links(texts.map(str::to_owned)), ["https://a.example/"]);
    }

    #[test]
    fn a_time_that_go_did_not_set_is_none() {
        assert_eq!(time(Some("0001-01-01T00:00:00Z")), None);
        assert_eq!(time(Some("soon")), None);
        assert!(time(Some("2025-06-19T04:12:38.123456789+02:00")).is_some());
    }

    #[test]
    fn a_digest_stands_alone_or_after_a_name() {
        let hex = "a".repeat(64);
        let expected = Digest::new(&format!("sha256:{hex}")).ok();
        assert_eq!(digest(&format!("registry.example/team/app@sha256:{hex}")), expected);
        assert_eq!(digest(&format!("sha256:{hex}")), expected);
        assert_eq!(digest("team/app:v1"), None);
    }
}
