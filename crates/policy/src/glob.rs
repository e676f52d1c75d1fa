//! Text with wildcards: one segment of a repository, a tag, or a part of a subject's name.
//!
//! Matching never takes back more than its latest `*`, which is enough because what stands between
//! two `*` has a fixed length; so the time is at most the product of both lengths, whatever an
//! administrator writes or a client asks for.

use std::fmt;

/// Text with wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob(pub(crate) Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Itself.
    Text(Box<str>),
    /// `*`: any characters, or none.
    Any,
    /// `?`: one character.
    One,
    /// `${user}`
    User,
    /// `${group}`
    Group,
}

/// What the variables stand for. A pattern with a variable that stands for nothing matches
/// nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bindings<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) group: Option<&'a str>,
}

impl Glob {
    /// Reads the name of a subject, in which `*` is the only wildcard.
    pub(crate) fn of_name(text: &str) -> Self {
        let mut parts = Vec::new();
        for (index, piece) in text.split('*').enumerate() {
            if index > 0 && parts.last() != Some(&Part::Any) {
                parts.push(Part::Any);
            }
            if !piece.is_empty() {
                parts.push(Part::Text(piece.into()));
            }
        }
        Self(parts)
    }

    /// The text, if there are no wildcards.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    pub(crate) fn has_variables(&self) -> bool {
        self.uses(&Part::User) || self.uses(&Part::Group)
    }

    pub(crate) fn uses(&self, variable: &Part) -> bool {
        self.0.contains(variable)
    }

    /// The same with its variables replaced. `None`: one of them stands for nothing.
    pub(crate) fn bind(&self, bindings: Bindings<'_>) -> Option<Self> {
        let parts = self.0.iter().map(|part| match part {
            Part::User => bindings.user.map(|text| Part::Text(text.into())),
            Part::Group => bindings.group.map(|text| Part::Text(text.into())),
            Part::Text(_) | Part::Any | Part::One => Some(part.clone()),
        });
        parts.collect::<Option<_>>().map(Self)
    }

    /// The same where variables stand for any name.
    pub(crate) fn of_anybody(&self) -> Self {
        let part = |part: &Part| match part {
            Part::User | Part::Group => vec![Part::One, Part::Any],
            Part::Text(_) | Part::Any | Part::One => vec![part.clone()],
        };
        Self(self.0.iter().flat_map(part).collect())
    }

    /// The same where one of the variables stands for a name.
    pub(crate) fn with(&self, variable: &Part, name: &str) -> Self {
        let part = |part: &Part| match part == variable {
            true => Part::Text(name.into()),
            false => part.clone(),
        };
        Self(self.0.iter().map(part).collect())
    }

    pub(crate) fn matches(&self, text: &str, bindings: Bindings<'_>) -> bool {
        let mut parts = self.0.as_slice();
        let mut rest = text;
        // What follows the latest `*`, and the text from which it has to match next.
        let mut retry: Option<(&[Part], &str)> = None;
        loop {
            let step = match parts {
                [] if rest.is_empty() => return true,
                [Part::Any] => return true,
                [Part::Any, tail @ ..] => {
                    retry = Some((tail, rest));
                    Some((tail, rest))
                }
                [Part::One, tail @ ..] => without_first(rest).map(|rest| (tail, rest)),
                [Part::Text(text), tail @ ..] => {
                    rest.strip_prefix(&**text).map(|rest| (tail, rest))
                }
                [Part::User, tail @ ..] => {
                    bindings.user.and_then(|text| rest.strip_prefix(text)).map(|rest| (tail, rest))
                }
                [Part::Group, tail @ ..] => {
                    bindings.group.and_then(|text| rest.strip_prefix(text)).map(|rest| (tail, rest))
                }
                [] => None,
            };
            (parts, rest) = match step {
                Some(next) => next,
                // The latest `*` takes one character more.
                None => match retry.and_then(|(tail, from)| Some((tail, without_first(from)?))) {
                    Some(next) => {
                        retry = Some(next);
                        next
                    }
                    None => return false,
                },
            };
        }
    }
}

fn without_first(text: &str) -> Option<&str> {
    let mut chars = text.chars();
    chars.next().map(|_| chars.as_str())
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Any => f.write_str("*"),
            Part::One => f.write_str("?"),
            Part::User => f.write_str("${user}"),
            Part::Group => f.write_str("${group}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Glob::of_name(pattern).matches(text, Bindings::default())
    }

    #[test]
    fn a_star_is_any_text_and_none() {
        assert!(matches("*", ""));
        assert!(matches("a*", "a"));
        assert!(matches("*-rc", "1-rc-rc"));
        assert!(matches("a*b*c", "a-b-b-c"));
        assert!(!matches("a*b*c", "a-c-b"));
        assert!(!matches("a", "ab"));
        assert!(!matches("", "a"));
    }

    #[test]
    fn a_hostile_pattern_takes_no_exponential_time() {
        let pattern = "a*".repeat(200) + "b";
        assert!(!matches(&pattern, &"a".repeat(5000)));
    }

    #[test]
    fn a_variable_without_a_value_matches_nothing() {
        let pattern = Glob(vec![Part::Any, Part::User]);
        let alice = Bindings { user: Some("alice"), group: None };
        assert!(pattern.matches("x-alice", alice));
        assert!(!pattern.matches("x-alice", Bindings::default()));
        assert_eq!(pattern.bind(Bindings::default()), None);
        assert_eq!(pattern.bind(alice), Some(Glob::of_name("*alice")));
    }
}
