//! Patterns over segments joined by `/`: repositories and the names of subjects.

use std::fmt;

use crate::glob::{Bindings, Glob, Part};

/// A pattern over segments. Its literal beginning is kept apart, because patterns are found by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathPattern {
    /// The segments before the first that holds a wildcard; often all of them.
    literal: Box<str>,
    rest: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// `**`: any number of segments, also none.
    AnyNumber,
    One(Glob),
}

impl Segment {
    fn literal(&self) -> Option<&str> {
        match self {
            Self::AnyNumber => None,
            Self::One(glob) => glob.literal(),
        }
    }
}

impl PathPattern {
    pub(crate) fn new(mut segments: Vec<Segment>) -> Self {
        let literals: Vec<&str> = segments.iter().map_while(Segment::literal).collect();
        let (literal, count) = (literals.join("/"), literals.len());
        Self { literal: literal.into(), rest: segments.split_off(count) }
    }

    /// Reads the name of a subject, in which `*` and `**` are the only wildcards.
    pub(crate) fn of_name(text: &str) -> Self {
        let segments = text.split('/').map(|segment| match segment {
            "**" => Segment::AnyNumber,
            _ => Segment::One(Glob::of_name(segment)),
        });
        Self::new(segments.collect())
    }

    /// The text, if there are no wildcards.
    pub(crate) fn literal(&self) -> Option<&str> {
        self.rest.is_empty().then_some(&*self.literal)
    }

    /// All segments, those of the literal beginning included.
    pub(crate) fn segments(&self) -> impl Iterator<Item = Segment> {
        let literal = self.literal.split('/').filter(|text| !text.is_empty());
        let literal = literal.map(|text| Segment::One(Glob(vec![Part::Text(text.into())])));
        literal.chain(self.rest.iter().cloned())
    }

    /// The segments before the first wildcard; empty if that is the first.
    pub(crate) fn literal_prefix(&self) -> &str {
        &self.literal
    }

    /// What follows the literal beginning.
    pub(crate) fn wildcards(&self) -> &[Segment] {
        &self.rest
    }

    pub(crate) fn uses(&self, variable: &Part) -> bool {
        self.rest.iter().any(|segment| matches!(segment, Segment::One(glob) if glob.uses(variable)))
    }

    pub(crate) fn matches(&self, text: &str, bindings: Bindings<'_>) -> bool {
        let rest = if self.literal.is_empty() {
            Some(text)
        } else {
            match text.strip_prefix(&*self.literal) {
                Some("") => None,
                Some(rest) => match rest.strip_prefix('/') {
                    Some(rest) => Some(rest),
                    None => return false,
                },
                None => return false,
            }
        };
        self.matches_after_literal(rest, bindings)
    }

    /// Whether what follows the literal beginning matches. `None`: nothing follows.
    pub(crate) fn matches_after_literal(&self, text: Option<&str>, bindings: Bindings<'_>) -> bool {
        let mut segments = self.rest.as_slice();
        let mut rest = text;
        // As in `Glob::matches`, with `**` in the place of `*`.
        let mut retry: Option<(&[Segment], &str)> = None;
        loop {
            let step = match (segments, rest) {
                ([], None) | ([Segment::AnyNumber], _) => return true,
                ([Segment::AnyNumber, tail @ ..], _) => {
                    retry = rest.map(|rest| (tail, rest));
                    Some((tail, rest))
                }
                ([Segment::One(glob), tail @ ..], Some(text)) => {
                    let (first, after) = split_first(text);
                    glob.matches(first, bindings).then_some((tail, after))
                }
                ([Segment::One(_), ..], None) | ([], Some(_)) => None,
            };
            (segments, rest) = match (step, retry) {
                (Some(next), _) => next,
                (None, Some((tail, from))) => {
                    let (_, after) = split_first(from);
                    retry = after.map(|after| (tail, after));
                    (tail, after)
                }
                (None, None) => return false,
            };
        }
    }
}

/// The first segment, and what follows it.
fn split_first(text: &str) -> (&str, Option<&str>) {
    match text.split_once('/') {
        Some((first, after)) => (first, Some(after)),
        None => (text, None),
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.literal)?;
        for (index, segment) in self.rest.iter().enumerate() {
            if index > 0 || !self.literal.is_empty() {
                f.write_str("/")?;
            }
            match segment {
                Segment::AnyNumber => f.write_str("**")?,
                Segment::One(glob) => write!(f, "{glob}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        PathPattern::of_name(pattern).matches(text, Bindings::default())
    }

    #[test]
    fn a_star_stays_within_its_segment() {
        assert!(matches("team/*", "team/app"));
        assert!(!matches("team/*", "team/app/web"));
        assert!(!matches("team/*", "team"));
        assert!(matches("team/*-api/web", "team/x-api/web"));
    }

    #[test]
    fn two_stars_are_any_number_of_segments() {
        assert!(matches("**", "a"));
        assert!(matches("a/**", "a"));
        assert!(matches("a/**", "a/b/c"));
        assert!(!matches("a/**", "ab"));
        assert!(matches("**/c", "c"));
        assert!(matches("a/**/c", "a/c"));
        assert!(matches("a/**/b/**/c", "a/x/b/b/y/c"));
        assert!(!matches("a/**/b/**/c", "a/x/c"));
    }

    #[test]
    fn a_literal_beginning_ends_with_a_segment() {
        assert!(!matches("team/app", "team/application"));
        assert!(!matches("team/app", "team"));
        assert!(matches("team/app", "team/app"));
    }
}
