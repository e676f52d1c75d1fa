//! JSON that every reader understands alike.
//!
//! Readers differ in two ways that matter. Where a key stands twice, some take the first value and
//! some the last. And the JSON reader of Go, in which most registries and clients are written,
//! finds `Layers` where it looks for `layers`. So both are refused.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Every key that some reader of manifests gives a meaning.
const KNOWN: [&str; 24] = [
    "annotations",
    "architecture",
    "artifactType",
    "blobs",
    "config",
    "data",
    "digest",
    "features",
    "fsLayers",
    "history",
    "layers",
    "manifests",
    "mediaType",
    "name",
    "os",
    "os.features",
    "os.version",
    "platform",
    "schemaVersion",
    "signatures",
    "size",
    "subject",
    "urls",
    "variant",
];

/// The keys whose values are read, and so are checked too.
const READ: [&str; 5] = ["config", "layers", "manifests", "platform", "subject"];

/// The most keys of one object. Real ones have a dozen.
const MAX_KEYS: usize = 64;

/// Reads any JSON value and keeps nothing. Fails where two readers could differ.
pub(super) struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Check)
    }
}

struct Check;

impl<'de> Visitor<'de> for Check {
    type Value = Unambiguous;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unambiguous, A::Error> {
        let mut keys = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let same = |known: &&str| **known != key && fold(known) == fold(&key);
            if let Some(known) = KNOWN.iter().find(|known| same(known)) {
                return Err(Error::custom(format_args!("a key is a misspelling of `{known}`")));
            }
            if READ.contains(&key.as_str()) {
                map.next_value::<Unambiguous>()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            if keys.contains(&key) {
                return Err(Error::custom("a key stands twice in one object"));
            }
            if keys.len() == MAX_KEYS {
                return Err(Error::custom(format_args!("an object has over {MAX_KEYS} keys")));
            }
            keys.push(key);
        }
        Ok(Unambiguous)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unambiguous, A::Error> {
        while items.next_element::<Unambiguous>()?.is_some() {}
        Ok(Unambiguous)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_unit<E>(self) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }
}

/// A key as Go compares it: without case, and with the two letters outside ASCII whose lower-case
/// forms are ASCII.
fn fold(key: &str) -> String {
    let letter = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    key.chars().map(letter).collect()
}
