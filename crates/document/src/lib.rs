//! YAML documents as trees with places, and mistakes shown at their place.
//!
//! Everything that people write for the gate is read here: configuration, users, policies. A file
//! becomes a tree of nodes that know where they stand, and every reader of that tree notes what it
//! does not accept and goes on. So one run reports all mistakes of all files, each with its line,
//! an underline and a remedy, and all of them in one look.
//!
//! Deserializing with serde would stop at the first mistake and forget where the others were, so
//! files are read from the parser's events. Scalars stay text until a reader says what they mean:
//! a tag `1.10` is never a float and `no` is never false. What none of these files needs is refused
//! rather than ignored: anchors and aliases (and with them alias bombs), type tags, directives,
//! several documents in a file, deep nesting.

mod amount;
mod diagnostic;
mod mistake;
mod node;
mod parse;
mod place;
mod problems;
mod section;
mod suggest;
mod text;

pub use amount::{NoAmount, bytes, seconds};
pub use diagnostic::{Diagnostic, Diagnostics, Position, Severity};
pub use mistake::Mistake;
pub use node::{Entry, Node, Value};
pub use parse::{Kind, parse};
pub use place::{Located, Place, SourceFile};
pub use problems::Problems;
pub use section::Section;
pub use suggest::{did_you_mean, listed, nearest};
pub use text::{Causes, is_unsafe, printable};
