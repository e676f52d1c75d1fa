//! Test cases: questions to a policy, with the answers that its writers expect.
//!
//! ```yaml
//! cases:
//!   - {as: user:alice, do: push, image: "team/backend/api:v1", expect: allow}
//! ```
//!
//! A case that speaks of several actions expects all of them to be allowed, or any of them to be
//! denied: `push` cannot be done where one half of it cannot. Several images are as many questions,
//! each of which has to be answered as expected.
//!
//! A case that says what is known of the image, as `facts`, is answered by release gates too, where
//! the rules allow it. Any other is answered by the rules alone.

mod facts;
mod read;
mod run;

use document::{Diagnostics, Place, Problems, SourceFile};
use jiff::Timestamp;

use crate::Action;
use crate::caller::Caller;
use crate::policy::Policy;
use crate::question::Target;

pub use facts::CaseFacts;
pub use read::EXAMPLE;
pub use run::{Question, Results};

/// The cases of a policy, in the order of their files.
#[derive(Debug)]
pub struct Cases {
    files: Vec<SourceFile>,
    list: Vec<Case>,
}

/// One case.
#[derive(Debug)]
pub struct Case {
    /// What it is called, where it has a name.
    pub name: Option<String>,
    /// Who asks, and in what circumstances.
    pub caller: Caller,
    /// What for; at least one.
    pub actions: Vec<Action>,
    /// About which images; at least one.
    pub images: Vec<Target>,
    /// What is known of the images, for release gates; none: these are not asked.
    pub facts: Option<CaseFacts>,
    /// What the answer is to be.
    pub expected: Expected,
    /// The name of the rule or the gate that has to decide, where that matters.
    pub by: Option<String>,
    place: Place,
    expected_place: Place,
    by_place: Option<Place>,
}

/// The answer that a case expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// All is allowed.
    Allow,
    /// Something is denied.
    Deny,
}

/// Cases that can be run, and what is odd about them.
#[derive(Debug)]
pub struct Read {
    /// The cases.
    pub cases: Cases,
    /// What is probably not meant as it was written.
    pub warnings: Diagnostics,
}

impl Cases {
    /// Reads the case files of a policy. `now` is when a case asks that names no time.
    ///
    /// # Errors
    /// Every mistake in every file, and the warnings too.
    pub fn read(
        files: Vec<SourceFile>,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Read, Diagnostics> {
        let mut problems = Problems::default();
        let mut list = Vec::new();
        for (index, file) in files.iter().enumerate() {
            list.extend(read::file(index, &file.text, policy, now, &mut problems));
        }
        let has_errors = problems.has_errors();
        let warnings = problems.into_diagnostics(&files);
        if has_errors { Err(warnings) } else { Ok(Read { cases: Self { files, list }, warnings }) }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl Expected {
    /// The word in case files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

#[cfg(test)]
mod tests;
