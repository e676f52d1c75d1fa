//! Image patterns: `team/*/api:rc-*`.

use std::fmt;
use std::sync::Arc;

use document::{Mistake, nearest};
use oci::{RepositoryName, Tag};

use crate::alternatives::alternatives;
use crate::glob::{Bindings, Glob, Part};
use crate::path::{PathPattern, Segment};
use crate::regex::Regex;
use crate::versions::Versions;

/// Far beyond any repository and tag.
pub(crate) const MAX_LENGTH: usize = 1024;
/// Of a repository name and of a tag, in bytes.
pub(crate) const MAX_REPOSITORY: usize = 255;
pub(crate) const MAX_TAG: usize = 128;

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

/// Reads each choice of the alternatives in `text`.
fn written_out<T>(
    text: &str,
    read: impl Fn(&str) -> Result<T, Mistake>,
) -> Result<Vec<T>, Mistake> {
    if text.len() > MAX_LENGTH {
        return Err(Mistake::new(format!("a pattern has at most {MAX_LENGTH} characters")));
    }
    alternatives(text)?.iter().map(|text| read(text)).collect()
}

fn refuse_digest(text: &str) -> Result<(), Mistake> {
    if text.contains('@') {
        return Err(Mistake::new("an image pattern cannot name a digest").help(
            "name tags, or the whole repository; policy finds out which tags hold a digest",
        ));
    }
    Ok(())
}

fn parse_repository(text: &str) -> Result<PathPattern, Mistake> {
    if text.is_empty() {
        return Err(Mistake::new("no repository is named").help("`**` is every repository"));
    }
    let mut segments = Vec::new();
    let mut shortest = 0;
    for segment in text.split('/') {
        if segment == "**" {
            segments.push(Segment::AnyNumber);
            continue;
        }
        if segment.contains("**") {
            return Err(Mistake::new("`**` has to be a whole segment")
                .help("`*` is anything within one segment, `**` any number of segments"));
        }
        if segment.is_empty() {
            return Err(Mistake::new("a segment is empty")
                .help("a repository has no `/` at its ends, and no two in a row"));
        }
        let glob = Glob(parts(segment)?);
        check_segment(&glob, segment)?;
        shortest += fixed_length(&glob) + 1;
        segments.push(Segment::One(glob));
    }
    if shortest > MAX_REPOSITORY + 1 {
        return Err(Mistake::new(format!(
            "no repository matches: a name has at most {MAX_REPOSITORY} characters"
        )));
    }
    Ok(PathPattern::new(segments))
}

/// A segment that can match no part of any repository name is a mistake.
fn check_segment(glob: &Glob, written: &str) -> Result<(), Mistake> {
    if let Some(upper) = written.chars().find(char::is_ascii_uppercase) {
        return Err(Mistake::new(format!(
            "no repository matches `{written}`: `{upper}` is upper case"
        ))
        .help(format!("repository names are lower case: `{}`", written.to_lowercase())));
    }
    let impossible =
        |reason: String| Err(Mistake::new(format!("no repository matches `{written}`: {reason}")));
    if let Some(literal) = glob.literal() {
        return match RepositoryName::new(literal) {
            Ok(_) => Ok(()),
            Err(error) => impossible(error.to_string()),
        };
    }
    let is_letter = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    let is_joint = |char: char| matches!(char, '.' | '_' | '-');
    for part in &glob.0 {
        if let Part::Text(text) = part
            && let Some(wrong) = text.chars().find(|&char| !is_letter(char) && !is_joint(char))
        {
            return impossible(format!("`{wrong}` cannot be a part of its name"));
        }
    }
    if let Some(Part::Text(text)) = glob.0.first()
        && text.starts_with(is_joint)
    {
        return impossible("a segment begins with a letter or digit".to_owned());
    }
    if let Some(Part::Text(text)) = glob.0.last()
        && text.ends_with(is_joint)
    {
        return impossible("a segment ends with a letter or digit".to_owned());
    }
    Ok(())
}

fn parse_tag(text: &str) -> Result<Glob, Mistake> {
    if text.is_empty() {
        return Err(Mistake::new("nothing follows the `:`")
            .help("`:*` is every tag; without `:` the pattern is the whole repository"));
    }
    if text.contains("**") {
        return Err(Mistake::new("`**` has no meaning in a tag").help("in a tag `*` is anything"));
    }
    let glob = Glob(parts(text)?);
    let impossible = |reason: &str| Err(Mistake::new(format!("no tag matches `{text}`: {reason}")));
    if let Some(literal) = glob.literal() {
        return match Tag::new(literal) {
            Ok(_) => Ok(glob),
            Err(error) => impossible(&error.to_string()),
        };
    }
    let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
    for part in &glob.0 {
        if let Part::Text(text) = part
            && let Some(wrong) =
                text.chars().find(|&char| !is_word(char) && !matches!(char, '.' | '-'))
        {
            return impossible(&format!("`{wrong}` cannot be a part of a tag"));
        }
    }
    if let Some(Part::Text(text)) = glob.0.first()
        && !text.starts_with(is_word)
    {
        return impossible("a tag begins with a letter, a digit or `_`");
    }
    if fixed_length(&glob) > MAX_TAG {
        return impossible(&format!("a tag has at most {MAX_TAG} characters"));
    }
    Ok(glob)
}

/// Whether a name can stand in the place of a variable: as one segment of a repository.
pub(crate) fn is_segment(name: &str) -> bool {
    !name.contains('/') && RepositoryName::new(name).is_ok()
}

/// Splits a segment or a tag at its wildcards and variables.
fn parts(text: &str) -> Result<Vec<Part>, Mistake> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        rest = rest.get(char.len_utf8()..).unwrap_or_default();
        let part = match char {
            '*' => Part::Any,
            '?' => Part::One,
            '$' => {
                let (variable, after) = variable(rest)?;
                rest = after;
                variable
            }
            '{' | '}' => {
                return Err(Mistake::new(format!("a `{char}` without its partner"))
                    .help("alternatives are written `{a,b}`"));
            }
            _ => {
                literal.push(char);
                continue;
            }
        };
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal).into()));
        }
        parts.push(part);
    }
    if !literal.is_empty() {
        parts.push(Part::Text(literal.into()));
    }
    Ok(parts)
}

/// Reads what follows the `$` of a variable.
fn variable(text: &str) -> Result<(Part, &str), Mistake> {
    let Some((name, after)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) else {
        return Err(Mistake::new("a `$` that begins no variable")
            .help("variables are `${user}` and `${group}`"));
    };
    match name {
        "user" => Ok((Part::User, after)),
        "group" => Ok((Part::Group, after)),
        _ => {
            let help = nearest(name, ["user", "group"]).map_or_else(
                || "variables are `${user}` and `${group}`".to_owned(),
                |name| format!("did you mean `${{{name}}}`?"),
            );
            Err(Mistake::new(format!("unknown variable `${{{name}}}`")).help(help))
        }
    }
}

/// The characters that a match has at least.
fn fixed_length(glob: &Glob) -> usize {
    let length = |part: &Part| match part {
        Part::Text(text) => text.len(),
        Part::One | Part::User | Part::Group => 1,
        Part::Any => 0,
    };
    glob.0.iter().map(length).sum()
}
