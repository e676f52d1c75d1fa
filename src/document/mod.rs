//! YAML files that people write: the configuration and the users file.
//!
//! A file becomes a tree of nodes that know where they stand, and every reader of that tree notes
//! what it does not accept and goes on. So one run reports all mistakes of a file, each with its
//! place and a remedy. Scalars stay text until a reader says what they mean: `1.10` is never a
//! float and `no` is never false. Anchors, aliases and tags are refused; none of these files needs
//! them, and so nothing can expand.

mod node;
mod problem;
mod section;

pub use node::{Entry, Node, Value, parse};
pub use problem::{InvalidDocument, Mistake, Problem, Problems};
pub use section::{Located, Section};

/// What `text` was meant to be, if one of `known` is close enough.
pub fn closest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(text, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}
