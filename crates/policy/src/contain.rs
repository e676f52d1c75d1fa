//! Whether a pattern matches everything that another one matches, and whether two have anything in
//! common.
//!
//! "Yes" is never wrong. It may be "no" although it is so: where variables meet wildcards of a fixed
//! length, and where two patterns are so odd that the walk would take long.

mod walk;

use crate::glob::{Bindings, Glob, Part};
use crate::image_pattern::{ImagePattern, RepositoryPattern, TagPattern};
use crate::path::{PathPattern, Segment};
use crate::subject_pattern::SubjectPattern;
use walk::{includes, meet, path_steps, tag_steps};

impl ImagePattern {
    /// Whether everything that `inner` matches for a caller, this matches for the same caller. What
    /// either cannot decide has to come to the same, or this [`decides`](Self::decides).
    pub(crate) fn contains(&self, inner: &Self) -> bool {
        self.tags.contains(&inner.tags) && self.repository.contains(&inner.repository)
    }

    /// Whether it says of every tag whether that matches: a range of versions does not.
    pub(crate) fn decides(&self) -> bool {
        !matches!(self.tags, TagPattern::Semver(_))
    }

    /// Whether there may be something that both match.
    pub(crate) fn may_meet(&self, other: &Self) -> bool {
        let tags = match (&self.tags, &other.tags) {
            (TagPattern::Matching(one), TagPattern::Matching(other)) => {
                meet(&tag_steps(one), &tag_steps(other))
            }
            _ => true,
        };
        tags && self.repository.may_meet(&other.repository)
    }
}

impl RepositoryPattern {
    fn contains(&self, inner: &Self) -> bool {
        match (self, inner) {
            (Self::Path(outer), Self::Path(inner)) => outer.contains(inner),
            (Self::Path(outer), Self::Regex(_)) => {
                outer.wildcards() == [Segment::AnyNumber]
                    && is_beginning(outer.literal_prefix(), inner.literal_prefix())
            }
            (Self::Regex(outer), Self::Path(inner)) => {
                inner.literal().is_some_and(|name| outer.matches(name))
            }
            (Self::Regex(outer), Self::Regex(inner)) => outer == inner,
        }
    }

    fn may_meet(&self, other: &Self) -> bool {
        let (one, two) = (self.literal_prefix(), other.literal_prefix());
        (is_beginning(one, two) || is_beginning(two, one))
            && match (self, other) {
                (Self::Path(one), Self::Path(two)) => meet(&path_steps(one), &path_steps(two)),
                (Self::Regex(regex), Self::Path(path)) | (Self::Path(path), Self::Regex(regex)) => {
                    path.literal().is_none_or(|name| regex.matches(name))
                }
                (Self::Regex(_), Self::Regex(_)) => true,
            }
    }
}

impl TagPattern {
    fn contains(&self, inner: &Self) -> bool {
        match (self, inner) {
            (Self::Whole, _) => true,
            (_, Self::Whole) => false,
            (Self::Matching(outer), _) if outer.0 == [Part::Any] => true,
            (Self::Matching(outer), Self::Matching(inner)) => {
                outer == inner
                    || (outer.matches(&sample_text(inner), SAMPLE)
                        && includes(&tag_steps(outer), &tag_steps(inner)))
            }
            (Self::Regex(outer), Self::Matching(inner)) => {
                inner.literal().is_some_and(|tag| outer.matches(tag))
            }
            (Self::Semver(outer), Self::Matching(inner)) => {
                inner.literal().and_then(|tag| outer.contain(tag)) == Some(true)
            }
            (Self::Regex(outer), Self::Regex(inner)) => outer == inner,
            (Self::Semver(outer), Self::Semver(inner)) => outer.text() == inner.text(),
            (Self::Matching(_) | Self::Regex(_) | Self::Semver(_), _) => false,
        }
    }
}

impl PathPattern {
    /// Whether everything that `inner` matches, this matches, whatever the variables stand for.
    pub(crate) fn contains(&self, inner: &Self) -> bool {
        let begins_as_this = is_beginning(self.literal_prefix(), inner.literal_prefix());
        match self.wildcards() {
            _ if !begins_as_this => false,
            [Segment::AnyNumber] => true,
            [] => self == inner,
            _ => {
                self == inner
                    || (self.matches(&sample_path(inner), SAMPLE)
                        && includes(&path_steps(self), &path_steps(inner)))
            }
        }
    }

    fn may_meet(&self, other: &Self) -> bool {
        let (one, two) = (self.literal_prefix(), other.literal_prefix());
        (is_beginning(one, two) || is_beginning(two, one))
            && meet(&path_steps(self), &path_steps(other))
    }
}

impl SubjectPattern {
    /// Whether everybody that `inner` names by itself, this names: group membership apart.
    pub(crate) fn contains(&self, inner: &Self) -> bool {
        match (self, inner) {
            (Self::Anyone, _)
            | (Self::Authenticated, Self::Authenticated | Self::User(_) | Self::Service(_)) => true,
            (Self::User(outer), Self::User(inner))
            | (Self::Service(outer), Self::Service(inner))
            | (Self::Peer(outer), Self::Peer(inner))
            | (Self::Group(outer), Self::Group(inner)) => outer.contains(inner),
            _ => false,
        }
    }

    /// Whether there may be somebody whom both name.
    pub(crate) fn may_meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::User(one), Self::User(two))
            | (Self::Service(one), Self::Service(two))
            | (Self::Peer(one), Self::Peer(two)) => one.may_meet(two),
            (Self::User(_), Self::Service(_) | Self::Peer(_))
            | (Self::Service(_), Self::User(_) | Self::Peer(_))
            | (Self::Peer(_), Self::User(_) | Self::Service(_) | Self::Authenticated)
            | (Self::Authenticated, Self::Peer(_)) => false,
            // Anybody may be in a group.
            _ => true,
        }
    }
}

/// Whether `path` begins with the segments of `beginning`.
fn is_beginning(beginning: &str, path: &str) -> bool {
    beginning.is_empty()
        || path.strip_prefix(beginning).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What variables stand for in a sample: letters that no pattern names.
const SAMPLE: Bindings<'_> = Bindings { user: Some("\u{2}"), group: Some("\u{3}") };

/// One of the names that a pattern matches. Most patterns that do not contain another one do not
/// match it, and that is soon found out.
fn sample_path(pattern: &PathPattern) -> String {
    let literal = Some(pattern.literal_prefix().to_owned()).filter(|text| !text.is_empty());
    let segments = pattern.wildcards().iter().filter_map(|segment| match segment {
        Segment::AnyNumber => None,
        Segment::One(glob) => Some(sample_text(glob)),
    });
    let segments: Vec<_> = literal.into_iter().chain(segments).collect();
    if segments.is_empty() { "\u{1}".to_owned() } else { segments.join("/") }
}

fn sample_text(glob: &Glob) -> String {
    let mut text = String::new();
    for part in &glob.0 {
        text.push_str(match part {
            Part::Text(text) => text,
            Part::Any => "",
            Part::One => "\u{1}",
            Part::User => "\u{2}",
            Part::Group => "\u{3}",
        });
    }
    if text.is_empty() { "\u{1}".to_owned() } else { text }
}
#[cfg(test)]
mod tests;
