//! What an image says of itself.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// What the configuration of an image says, as far as people look for images by it (image spec,
/// "Image Configuration"). Strangers write it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// When it was built, if it says that.
    pub created_at: Option<Timestamp>,
    /// What it runs on, such as `linux/arm64`, if it says that.
    pub platform: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}
