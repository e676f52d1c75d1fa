//! Of what a manifest is made, as far as lists look at it.

use oci::Digest;

use crate::inventory::{Facts, Lesson};

/// The manifests of an index; of an image, none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Shape {
    pub(super) children: Box<[Digest]>,
}

impl From<&Facts> for Shape {
    fn from(facts: &Facts) -> Self {
        Self { children: facts.children.clone() }
    }
}

impl Shape {
    /// What a lesson says of a manifest, if it has children: of the others nothing need be kept.
    pub(super) fn learned(lesson: &Lesson) -> Option<(&Digest, Self)> {
        let Lesson::Manifest { digest, facts } = lesson else { return None };
        facts.is_index.then(|| (digest, Self::from(&**facts)))
    }
}
