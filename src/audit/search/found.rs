//! A line of the trail, read back.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// A record that was found. Fields that this version of the gate does not know are there, too.
#[derive(Debug, Clone)]
pub struct Found {
    time: Timestamp,
    fields: Vec<(String, Value)>,
    /// As it was written, with its escapes.
    written: Box<RawValue>,
}

impl Found {
    /// The record of a line; none where it is not one that a gate wrote.
    pub(in crate::audit) fn read(line: &[u8]) -> Option<Self> {
        let Fields(fields) = serde_json::from_slice(line).ok()?;
        let time = named(&fields, "time")?.parse().ok()?;
        named(&fields, "event")?;
        Some(Self { time, fields, written: serde_json::from_slice(line).ok()? })
    }

    /// When it happened; of a request, when it began.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// When it was over, and so when it was written.
    pub(super) fn end(&self) -> Timestamp {
        let milliseconds = self.number("duration_ms").and_then(|it| i64::try_from(it).ok());
        let lasted = SignedDuration::from_millis(milliseconds.unwrap_or_default());
        self.time.checked_add(lasted).unwrap_or(self.time)
    }

    /// A field that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        named(&self.fields, name)
    }

    /// A field that is a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.fields.iter().find(|(field, _)| field == name)?.1.as_u64()
    }

    /// All fields, in the order in which they were written.
    #[must_use]
    pub fn fields(&self) -> &[(String, Value)] {
        &self.fields
    }

    /// The line.
    #[must_use]
    pub fn written(&self) -> &str {
        self.written.get()
    }
}

impl Serialize for Found {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

fn named<'a>(fields: &'a [(String, Value)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(field, _)| field == name)?.1.as_str()
}

/// An object, with its fields in their order.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::with_capacity(24);
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
