//! Image patterns: `team/*/api:rc-*`.

use std::fmt;

use document::{Mistake, nearest};
use oci::{RepositoryName, Tag};

use crate::glob::{Bindings, Glob, Part};
use crate::path::{PathPattern, Segment};

/// Far beyond any repository and tag.
const MAX_LENGTH: usize = 1024;
/// Alternatives multiply; a list that long belongs into several patterns.
const MAX_ALTERNATIVES: usize = 256;
/// Of a repository name and of a tag, in bytes.
const MAX_REPOSITORY: usize = 255;
const MAX_TAG: usize = 128;

/// Which images, as one pattern without alternatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImagePattern {
    pub(crate) repository: PathPattern,
    pub(crate) tags: TagPattern,
    /// Whether `${user}` occurs in it.
    pub(crate) uses_user: bool,
    /// Whether `${group}` occurs in it.
    pub(crate) uses_group: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TagPattern {
    /// The whole repository: every tag, and what is untagged.
    Whole,
    /// The tags that match; nothing untagged.
    Matching(Glob),
}

impl ImagePattern {
    /// Reads a pattern: several, if there are alternatives in it.
    pub(crate) fn parse(text: &str) -> Result<Vec<Self>, Mistake> {
        if text.len() > MAX_LENGTH {
            return Err(Mistake::new(format!("a pattern has at most {MAX_LENGTH} characters")));
        }
        alternatives(text)?.iter().map(|text| Self::parse_one(text)).collect()
    }

    fn parse_one(text: &str) -> Result<Self, Mistake> {
        if text.contains('@') {
            return Err(Mistake::new("an image pattern cannot name a digest").help(
                "name tags, or the whole repository; policy finds out which tags hold a digest",
            ));
        }
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
        let repository = parse_repository(repository)?;
        let uses = |variable| {
            repository.uses(variable)
                || matches!(&tags, TagPattern::Matching(glob) if glob.uses(variable))
        };
        let (uses_user, uses_group) = (uses(&Part::User), uses(&Part::Group));
        Ok(Self { repository, tags, uses_user, uses_group })
    }
}

impl TagPattern {
    /// `None` stands for the repository as a whole and for what is untagged.
    pub(crate) fn matches(&self, tag: Option<&str>, bindings: Bindings<'_>) -> bool {
        match (self, tag) {
            (Self::Whole, _) => true,
            (Self::Matching(glob), Some(tag)) => glob.matches(tag, bindings),
            (Self::Matching(_), None) => false,
        }
    }
}

/// As in the pattern: empty or the text after the colon.
impl fmt::Display for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Matching(glob) => write!(f, "{glob}"),
        }
    }
}

impl fmt::Display for ImagePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tags {
            TagPattern::Whole => write!(f, "{}", self.repository),
            TagPattern::Matching(tag) => write!(f, "{}:{tag}", self.repository),
        }
    }
}

/// Writes `{a,b}` out: one text for each choice.
fn alternatives(text: &str) -> Result<Vec<String>, Mistake> {
    let mut open = vec![text.to_owned()];
    let mut done = Vec::new();
    while let Some(text) = open.pop() {
        let Some((before, choices, after)) = first_braces(&text)? else {
            done.push(text);
            continue;
        };
        if open.len() + done.len() + choices.len() > MAX_ALTERNATIVES {
            return Err(Mistake::new(format!(
                "the alternatives make more than {MAX_ALTERNATIVES} patterns"
            ))
            .help("write several patterns, or use `*`"));
        }
        // Backwards, so that they are taken off in the order in which they are written.
        open.extend(choices.iter().rev().map(|choice| format!("{before}{choice}{after}")));
    }
    Ok(done)
}

type Braces<'a> = (&'a str, Vec<&'a str>, &'a str);

/// The first `{a,b}` that is no variable: what is before it, its choices, what is after it.
fn first_braces(text: &str) -> Result<Option<Braces<'_>>, Mistake> {
    let opening = text.char_indices().find(|&(index, char)| {
        char == '{' && !text.get(..index).is_some_and(|before| before.ends_with('$'))
    });
    let Some((start, _)) = opening else { return Ok(None) };
    let before = text.get(..start).unwrap_or_default();
    let inside = text.get(start + 1..).unwrap_or_default();
    let mut depth = 0_usize;
    let mut choices = Vec::new();
    let mut from = 0;
    for (index, char) in inside.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                choices.push(inside.get(from..index).unwrap_or_default());
                from = index + 1;
                if char == '}' {
                    return Ok(Some((before, choices, inside.get(from..).unwrap_or_default())));
                }
            }
            _ => {}
        }
    }
    Err(Mistake::new("a `{` without its `}`"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_are_written_out_in_order() {
        let written = |text| {
            let patterns = ImagePattern::parse(text).unwrap();
            patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(written("team/{a,b}/{c,d}"), "team/a/c team/a/d team/b/c team/b/d");
        assert_eq!(written("app:{v{1,2},latest}"), "app:v1 app:v2 app:latest");
        assert_eq!(written("{home/${user},app:x}"), "home/${user} app:x");
        assert_eq!(written("app{,-test}"), "app app-test");
    }

    #[test]
    fn alternatives_cannot_multiply_without_bound() {
        let error = ImagePattern::parse(&"{a,b}".repeat(20)).unwrap_err();
        assert!(error.render(false).contains("256"), "{}", error.render(false));
    }
}
