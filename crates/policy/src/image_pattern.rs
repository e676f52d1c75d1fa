//! Image patterns.

use std::fmt;
use std::sync::Arc;

use document::Mistake;

use crate::glob::{Bindings, Glob, Part};
use crate::image_text::{parse_repository, parse_tag, refuse_digest, written_out};
use crate::path::PathPattern;
use crate::regex::Regex;
use crate::versions::Versions;

/// Which images, as one pattern without alternatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImagePattern {
    pub(crate) repository: RepositoryPattern,
    pub(crate) tags: TagPattern,
    /// Whether `${user}` occurs in it.
    pub(crate) uses_user: bool,
    /// Whether `${group}` occurs in it.
    pub(crate) uses_group: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RepositoryPattern {
    /// With wildcards and variables: `team/*`.
    Path(PathPattern),
    Regex(Arc<Regex>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TagPattern {
    /// The whole repository: every tag, and what is untagged.
    Whole,
    /// The tags that match; nothing untagged.
    Matching(Glob),
    /// Likewise, by a regular expression.
    Regex(Arc<Regex>),
    /// The tags that are versions in a range; nothing untagged.
    Semver(Arc<Versions>),
}

/// What it comes to that a pattern cannot decide about a tag: whether `latest` is one of the
/// versions from 2 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undecided {
    Matches,
    Differs,
}

impl ImagePattern {
    pub(crate) fn new(repository: RepositoryPattern, tags: TagPattern) -> Self {
        let uses = |variable| repository.uses(variable) || tags.uses(variable);
        let (uses_user, uses_group) = (uses(&Part::User), uses(&Part::Group));
        Self { repository, tags, uses_user, uses_group }
    }

    /// Reads a pattern: several, if there are alternatives in it.
    pub(crate) fn parse(text: &str) -> Result<Vec<Self>, Mistake> {
        written_out(text, Self::parse_one)
    }

    fn parse_one(text: &str) -> Result<Self, Mistake> {
        refuse_digest(text)?;
        let (repository, tags) = match text.split_once(':') {
            Some((repository, tag)) if tag.contains('/') => {
                return Err(Mistake::new("a `/` cannot stand after the `:` of a tag").help(
                    format!(
                        "leave out the registry's address: `{}`",
                        text.split_once('/').map_or(repository, |(_, path)| path)
                    ),
                ));
            }
            Some((repository, tag)) => (repository, TagPattern::Matching(parse_tag(tag)?)),
            None => (text, TagPattern::Whole),
        };
        Ok(Self::new(RepositoryPattern::Path(parse_repository(repository)?), tags))
    }
}

impl RepositoryPattern {
    /// Reads the repository of a pattern alone: several, if there are alternatives in it.
    pub(crate) fn parse(text: &str) -> Result<Vec<Self>, Mistake> {
        written_out(text, |text| {
            refuse_digest(text)?;
            if let Some((repository, tag)) = text.split_once(':') {
                return Err(Mistake::new("a tag cannot stand in `repository`")
                    .help(format!("write `repository: \"{repository}\", tag: \"{tag}\"`")));
            }
            parse_repository(text).map(Self::Path)
        })
    }

    /// Whole segments that every match begins with, as far as they are known.
    pub(crate) fn literal_prefix(&self) -> &str {
        match self {
            Self::Path(path) => path.literal_prefix(),
            Self::Regex(regex) => regex.literal_prefix(),
        }
    }

    /// The one repository that matches, if it is written out.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self {
            Self::Path(path) => path.literal(),
            Self::Regex(_) => None,
        }
    }

    pub(crate) fn matches(&self, repository: &str, bindings: Bindings<'_>) -> bool {
        match self {
            Self::Path(path) => path.matches(repository, bindings),
            Self::Regex(regex) => regex.matches(repository),
        }
    }

    /// Whether what follows the literal beginning matches. `None`: nothing follows.
    pub(crate) fn matches_after_literal(&self, rest: Option<&str>, bindings: Bindings<'_>) -> bool {
        match self {
            Self::Path(path) => path.matches_after_literal(rest, bindings),
            Self::Regex(regex) => regex.matches_after_literal(rest),
        }
    }

    fn uses(&self, variable: &Part) -> bool {
        matches!(self, Self::Path(path) if path.uses(variable))
    }
}

impl TagPattern {
    /// Reads the tag of a pattern alone: several, if there are alternatives in it.
    pub(crate) fn parse(text: &str) -> Result<Vec<Self>, Mistake> {
        if text.is_empty() {
            return Err(Mistake::new("`tag` is empty")
                .help("`*` is every tag; without `tag` the pattern is the whole repository"));
        }
        written_out(text, |text| parse_tag(text).map(Self::Matching))
    }

    /// `None` stands for the repository as a whole and for what is untagged.
    pub(crate) fn matches(
        &self,
        tag: Option<&str>,
        bindings: Bindings<'_>,
        undecided: Undecided,
    ) -> bool {
        match (self, tag) {
            (Self::Whole, _) => true,
            (_, None) => false,
            (Self::Matching(glob), Some(tag)) => glob.matches(tag, bindings),
            (Self::Regex(regex), Some(tag)) => regex.matches(tag),
            (Self::Semver(versions), Some(tag)) => {
                versions.contain(tag).unwrap_or(undecided == Undecided::Matches)
            }
        }
    }

    /// Whether it cannot say of this tag that it matches or that it does not.
    pub(crate) fn is_undecided(&self, tag: &str) -> bool {
        matches!(self, Self::Semver(versions) if versions.contain(tag).is_none())
    }

    fn uses(&self, variable: &Part) -> bool {
        matches!(self, Self::Matching(glob) if glob.uses(variable))
    }
}

impl Undecided {
    pub(crate) fn opposite(self) -> Self {
        match self {
            Self::Matches => Self::Differs,
            Self::Differs => Self::Matches,
        }
    }
}

/// What an explanation quotes: the text of the pattern, the expression or the range.
impl fmt::Display for RepositoryPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{path}"),
            Self::Regex(regex) => f.write_str(regex.text()),
        }
    }
}

/// What an explanation quotes: empty for the whole repository.
impl fmt::Display for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Matching(glob) => write!(f, "{glob}"),
            Self::Regex(regex) => f.write_str(regex.text()),
            Self::Semver(versions) => f.write_str(versions.text()),
        }
    }
}

/// As policies write it: as a map, where an expression or a range is in it.
impl fmt::Display for ImagePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.repository, &self.tags) {
            (RepositoryPattern::Path(path), TagPattern::Whole) => write!(f, "{path}"),
            (RepositoryPattern::Path(path), TagPattern::Matching(tag)) => write!(f, "{path}:{tag}"),
            (repository, tags) => {
                match repository {
                    RepositoryPattern::Path(path) => write!(f, "{{repository: \"{path}\"")?,
                    RepositoryPattern::Regex(regex) => {
                        write!(f, "{{repository: {{regex: {:?}}}", regex.text())?;
                    }
                }
                match tags {
                    TagPattern::Whole => f.write_str("}"),
                    TagPattern::Matching(tag) => write!(f, ", tag: \"{tag}\"}}"),
                    TagPattern::Regex(regex) => {
                        write!(f, ", tag: {{regex: {:?}}}}}", regex.text())
                    }
                    TagPattern::Semver(versions) => {
                        write!(f, ", tag: {{semver: \"{}\"}}}}", versions.text())
                    }
                }
            }
        }
    }
}
