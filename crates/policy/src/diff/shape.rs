//! Patterns over segments as they are walked through: piece by piece, without variables.

use std::sync::Arc;

use crate::glob::{Bindings, Glob, Part};
use crate::path::{PathPattern, Segment};
use crate::regex::Regex;

/// A pattern without variables.
#[derive(Debug, Clone)]
pub(super) struct Shape(Vec<Piece>);

#[derive(Debug, Clone)]
pub(super) enum Piece {
    Text(Box<str>),
    Glob(Glob),
    Many,
    /// What follows of an expression behind the segments that it begins with; always the last piece.
    Expression(Arc<Regex>),
}

impl Shape {
    /// `None`: a variable stands for nothing, and nothing matches.
    pub(super) fn new(pattern: &PathPattern, bindings: Bindings<'_>) -> Option<Self> {
        Self::of_globs(pattern, |glob| glob.bind(bindings))
    }

    /// What a path pattern matches where its variables stand for any name.
    pub(super) fn of_anybody(pattern: &PathPattern) -> Option<Self> {
        Self::of_globs(pattern, |glob| Some(glob.of_anybody()))
    }

    fn of_globs(pattern: &PathPattern, read: impl Fn(Glob) -> Option<Glob>) -> Option<Self> {
        let piece = |segment| match segment {
            Segment::AnyNumber => Some(Piece::Many),
            Segment::One(glob) => {
                let glob = read(glob)?;
                let only_text = |part: &Part| matches!(part, Part::Text(_));
                Some(match glob.0.iter().all(only_text) {
                    true => Piece::Text(glob.to_string().into()),
                    false => Piece::Glob(glob),
                })
            }
        };
        pattern.segments().map(piece).collect::<Option<_>>().map(Self)
    }

    pub(super) fn of_expression(regex: &Arc<Regex>) -> Self {
        let literal = regex.literal_prefix().split('/').filter(|text| !text.is_empty());
        let mut pieces: Vec<Piece> = literal.map(|text| Piece::Text(text.into())).collect();
        pieces.push(Piece::Expression(Arc::clone(regex)));
        Self(pieces)
    }

    pub(super) fn piece(&self, at: usize) -> Option<&Piece> {
        self.0.get(at)
    }
}
