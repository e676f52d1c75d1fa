//! Secrets in JSON.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::secret::Secret;

/// A secret that is written down on purpose: into the file of logins, or as the result of a
/// command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Kept(pub(in crate::cli) Secret);

impl Kept {
    pub(in crate::cli) fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input).map(|text| Self(Secret::new(text)))
    }
}
