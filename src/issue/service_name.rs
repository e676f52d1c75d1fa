//! What services are called.

use std::fmt;
use std::str::FromStr;

/// The name of a service: 1 to 128 letters, digits and `._@+-$`, all ASCII, in parts between
/// slashes. It never holds a colon, which ends the name in Basic authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName(String);

/// The text is no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a service: 1 to 128 letters, digits and `._@+-$`, in parts between `/`")]
pub struct InvalidServiceName;

impl ServiceName {
    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServiceName {
    type Err = InvalidServiceName;

    fn from_str(text: &str) -> Result<Self, InvalidServiceName> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._@+-$".contains(&byte);
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(fits);
        if text.len() > 128 || !text.split('/').all(is_part) {
            return Err(InvalidServiceName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parts_between_slashes() {
        for text in ["ci", "ci/backend", "robot$team+build", "a@b", &"x".repeat(128)] {
            assert_eq!(text.parse::<ServiceName>().unwrap().to_string(), text);
        }
        for text in ["", "/", "a/", "/a", "a//b", "a:b", "a b", "a\n", "é", &"x".repeat(129)] {
            assert_eq!(text.parse::<ServiceName>(), Err(InvalidServiceName), "{text}");
        }
    }
}
