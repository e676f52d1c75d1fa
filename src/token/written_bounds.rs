//! The `bounds` claim: `{"images": ["team/**"], "actions": ["pull"]}`.

use std::sync::Arc;

use policy::Bounds;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    images: Vec<String>,
    actions: Vec<String>,
}

impl From<&Bounds> for Written {
    fn from(bounds: &Bounds) -> Self {
        Self {
            images: bounds.images().to_vec(),
            actions: bounds.actions().map(|action| action.as_str().to_owned()).collect(),
        }
    }
}

pub(crate) fn serialize<S: Serializer>(
    bounds: &Option<Arc<Bounds>>,
    out: S,
) -> Result<S::Ok, S::Error> {
    bounds.as_deref().map(Written::from).serialize(out)
}

/// What is there must be bounds: `null` must not read as none.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    input: D,
) -> Result<Option<Arc<Bounds>>, D::Error> {
    let Written { images, actions } = Written::deserialize(input)?;
    let bounds =
        Bounds::new(images, actions).map_err(|mistake| D::Error::custom(mistake.message()))?;
    Ok(Some(Arc::new(bounds)))
}
