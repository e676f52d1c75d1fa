//! Globs letter by letter.

use crate::glob::{Glob, Part};

/// What a glob matches next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Letter(char),
    One,
    Any,
}

pub(super) fn steps(glob: &Glob) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in &glob.0 {
        match part {
            Part::Text(text) => steps.extend(text.chars().map(Step::Letter)),
            Part::Any => steps.push(Step::Any),
            // A variable that is still there stands for nothing that is known.
            Part::One | Part::User | Part::Group => steps.push(Step::One),
        }
    }
    steps
}

/// The glob of these steps.
pub(super) fn written(steps: &[Step]) -> Glob {
    let mut parts = Vec::new();
    let mut text = String::new();
    for step in steps {
        let part = match step {
            Step::Letter(letter) => {
                text.push(*letter);
                continue;
            }
            Step::One => Part::One,
            Step::Any => Part::Any,
        };
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text).into()));
        }
        parts.push(part);
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.into()));
    }
    Glob(parts)
}
