//! The text of image patterns: `team/*/api:rc-*`.

use document::{Mistake, nearest};
use oci::{RepositoryName, Tag};

use crate::alternatives::alternatives;
use crate::glob::{Glob, Part};
use crate::path::{PathPattern, Segment};

/// Far beyond any repository and tag.
pub(crate) const MAX_LENGTH: usize = 1024;
/// Of a repository name and of a tag, in bytes.
pub(crate) const MAX_REPOSITORY: usize = 255;
pub(crate) const MAX_TAG: usize = 128;

/// Reads each choice of the alternatives in `text`.
pub(crate) fn written_out<T>(
    text: &str,
    read: impl Fn(&str) -> Result<T, Mistake>,
) -> Result<Vec<T>, Mistake> {
    if text.len() > MAX_LENGTH {
        return Err(Mistake::new(format!("a pattern has at most {MAX_LENGTH} characters")));
    }
    let texts = alternatives(text)?;
    // With room for no more: collecting into a `Result` would make room for four.
    let mut written = Vec::with_capacity(texts.len());
    for text in &texts {
        written.push(read(text)?);
    }
    Ok(written)
}

pub(crate) fn refuse_digest(text: &str) -> Result<(), Mistake> {
    if text.contains('@') {
        return Err(Mistake::new("an image pattern cannot name a digest").help(
            "name tags, or the whole repository; policy finds out which tags hold a digest",
        ));
    }
    Ok(())
}

pub(crate) fn parse_repository(text: &str) -> Result<PathPattern, Mistake> {
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

pub(crate) fn parse_tag(text: &str) -> Result<Glob, Mistake> {
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
    RepositoryName::is_segment(name)
}

/// Splits a segment or a tag at its wildcards and variables.
fn parts(text: &str) -> Result<Vec<Part>, Mistake> {
    // Each sign may have text before it and behind it.
    let signs = text.matches(['*', '?', '$']).count();
    let mut parts = Vec::with_capacity(2 * signs + 1);
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
