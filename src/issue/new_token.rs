//! What a token that somebody asks for is to be like.

use std::sync::Arc;
use std::time::Duration;

use http::uri::Authority;
use policy::{Bounds, Subject};

use super::refused::Refused;
use crate::authority;

/// The shortest life of an access token: docker does not cope with less.
pub const SHORTEST: Duration = Duration::from_secs(60);

/// The longest comment, in characters.
const MAX_COMMENT: usize = 256;

/// More do not fit into a token, unless they are very short.
const MAX_IMAGES: usize = 100;

/// The longest name of a group, in bytes.
const MAX_GROUP: usize = 128;

/// A token that somebody asks for.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Whom it is for; none: whoever asks.
    pub subject: Option<Subject>,
    /// The groups that it is to carry; none: all.
    pub groups: Option<Vec<String>>,
    /// How far it is to reach; none: as far as its subject does.
    pub bounds: Option<Arc<Bounds>>,
    /// How long each access token is to live.
    pub life: Duration,
    /// Whether it comes with a refresh token.
    pub refreshable: bool,
    /// The gate that it is for; none: this one.
    pub audience: Option<Audience>,
    /// What it is for, in words.
    pub comment: Comment,
}

/// Another gate as tokens name it: host and perhaps a port, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience(String);

/// A line of at most 256 characters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comment(String);

impl Audience {
    /// Reads host and port.
    ///
    /// # Errors
    /// The text is anything else.
    pub fn new(text: &str) -> Result<Self, Refused> {
        let name = text.to_ascii_lowercase();
        match name.parse::<Authority>() {
            Ok(authority) if authority::is_plain(&authority) => Ok(Self(name)),
            _ => Err(Refused::wrong(
                "`audience` has to be the host and port of a gate, such as `gate.example:5443`",
            )),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Comment {
    /// Reads a comment.
    ///
    /// # Errors
    /// It is too long, or more than one line.
    pub fn new(text: String) -> Result<Self, Refused> {
        if text.chars().count() > MAX_COMMENT || text.chars().any(char::is_control) {
            return Err(Refused::wrong(format!(
                "`comment` has to be one line of at most {MAX_COMMENT} characters"
            )));
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Bounds as they are asked for: of images and actions, either may be left out, and then it is all.
///
/// # Errors
/// One of them cannot be read.
pub fn bounds(
    images: Option<Vec<String>>,
    actions: Option<Vec<String>>,
) -> Result<Option<Arc<Bounds>>, Refused> {
    if images.is_none() && actions.is_none() {
        return Ok(None);
    }
    let images = images.unwrap_or_else(|| vec!["**".to_owned()]);
    let actions = actions.unwrap_or_else(|| vec!["all".to_owned()]);
    if images.len() > MAX_IMAGES {
        return Err(Refused::wrong(format!("`images` holds at most {MAX_IMAGES} patterns")));
    }
    match Bounds::new(images, actions) {
        Ok(bounds) => Ok(Some(Arc::new(bounds))),
        Err(mistake) => {
            let remedy = mistake.remedy().map(|remedy| format!(": {remedy}")).unwrap_or_default();
            Err(Refused::Wrong(format!("{}{remedy}", mistake.message())))
        }
    }
}

/// The groups that are asked for, each once.
///
/// # Errors
/// One of them is no name of a group.
pub fn groups(names: Vec<String>) -> Result<Vec<String>, Refused> {
    let mut groups: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        if let Some(bare) = name.strip_prefix("group:") {
            return Err(Refused::wrong(format!("`groups`: here `{name}` is written `{bare}`")));
        }
        let fits = |c: char| !c.is_control() && c != '*';
        if name.is_empty() || name.len() > MAX_GROUP || !name.chars().all(fits) {
            return Err(Refused::wrong(format!(
                "`groups`: `{}` is no name of a group",
                name.escape_debug()
            )));
        }
        if !groups.contains(&name) {
            groups.push(name);
        }
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_is_a_host_and_perhaps_a_port() {
        assert_eq!(Audience::new("Gate-B.example:5443").unwrap().as_str(), "gate-b.example:5443");
        for text in ["", "https://gate.example", "gate.example/", "a b", "gate.example:x", "u@g"] {
            assert!(matches!(Audience::new(text), Err(Refused::Wrong(_))), "{text}");
        }
    }

    #[test]
    fn a_comment_is_one_short_line() {
        assert_eq!(Comment::new("é".repeat(256)).unwrap().as_str().chars().count(), 256);
        assert!(Comment::new("é".repeat(257)).is_err());
        assert!(Comment::new("a\nb".to_owned()).is_err());
        assert!(Comment::new("a\u{1b}[2J".to_owned()).is_err());
    }

    #[test]
    fn what_is_left_out_of_bounds_is_all_of_it() {
        let written = |images: Option<&str>, actions: Option<&str>| {
            let list = |text: Option<&str>| text.map(|text| vec![text.to_owned()]);
            bounds(list(images), list(actions)).map(|bounds| {
                bounds.map(|bounds| {
                    let actions: Vec<_> =
                        bounds.actions().map(|action| action.to_string()).collect();
                    format!("{} {}", bounds.images().join(","), actions.join(","))
                })
            })
        };
        assert_eq!(written(None, None).unwrap(), None);
        assert_eq!(
            written(Some("team/**"), None).unwrap().unwrap(),
            "team/** pull,inspect,create,overwrite,attach,delete"
        );
        assert_eq!(written(None, Some("pull")).unwrap().unwrap(), "** pull,inspect");
        insta::assert_snapshot!(
            written(Some("team/**"), Some("pul")).unwrap_err(),
            @"unknown action `pul`: did you mean `pull`?"
        );
    }

    #[test]
    fn bounds_of_nothing_are_a_mistake_and_not_all() {
        assert!(bounds(Some(Vec::new()), None).is_err());
        assert!(bounds(None, Some(Vec::new())).is_err());
    }

    #[test]
    fn groups_are_names_and_each_counts_once() {
        let list = |names: &[&str]| groups(names.iter().map(ToString::to_string).collect());
        assert_eq!(list(&["a", "b", "a"]).unwrap(), ["a", "b"]);
        assert_eq!(list(&[]).unwrap(), Vec::<String>::new());
        for name in ["", "a*", "a\n", "group:a", &"x".repeat(129)] {
            assert!(list(&[name]).is_err(), "{name}");
        }
    }
}
