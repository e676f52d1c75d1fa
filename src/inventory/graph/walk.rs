//! From a digest up to the tags that vouch for it.

use std::collections::HashSet;

use oci::{Digest, Tag};

use super::{Clock, Graph, Id, Sight};

/// So many manifests share content that it was not found out in time who may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

/// What one request has found out while it asked about several digests, and how far it may go on.
#[derive(Debug)]
pub(in crate::inventory) struct Walk {
    pub(super) steps: usize,
    open: HashSet<Id>,
    closed: HashSet<Id>,
}

impl Walk {
    /// A walk of so many steps.
    pub(in crate::inventory) fn new(steps: usize) -> Self {
        Self { steps, open: HashSet::new(), closed: HashSet::new() }
    }
}

impl Graph {
    /// Walks from `digest` towards the tags: through the manifests that name it, and from an
    /// artifact to its subject. An artifact must be one by its content to take that last way, else
    /// a `subject` written into an image would open it.
    pub(in crate::inventory) fn is_vouched_for(
        &self,
        digest: &Digest,
        sight: &impl Fn(&Tag) -> Sight,
        clock: Clock,
        walk: &mut Walk,
    ) -> Result<bool, Exhausted> {
        let Some(asked) = self.names.find(digest) else { return Ok(false) };
        let is_open = |at: Id| self.pointing(at, clock).any(|tag| sight(tag) == Sight::Open);
        if walk.open.contains(&asked) || is_open(asked) {
            walk.open.insert(asked);
            return Ok(true);
        }
        let mut seen = HashSet::from([asked]);
        let mut ahead = vec![asked];
        while let Some(at) = ahead.pop() {
            let subjects = self.is_artifact_by_id(at).then(|| self.subjects(at, sight, clock));
            for next in self.holders.of(at).chain(subjects.into_iter().flatten()) {
                walk.steps = walk.steps.saturating_sub(1);
                if walk.steps == 0 {
                    return Err(Exhausted);
                }
                if walk.closed.contains(&next) || !seen.insert(next) {
                    continue;
                }
                // Looked at as it is found: of many holders, most often one of the first will do.
                if walk.open.contains(&next) || is_open(next) {
                    walk.open.extend([next, asked]);
                    return Ok(true);
                }
                ahead.push(next);
            }
        }
        // From none of these is there a way to an open tag.
        walk.closed.extend(seen);
        Ok(false)
    }

    /// What an artifact is about: by its `subject`, or by a fallback tag that points at it. An index
    /// has the second way alone: `subject` opens nothing that is not an artifact itself.
    fn subjects(
        &self,
        artifact: Id,
        sight: &impl Fn(&Tag) -> Sight,
        clock: Clock,
    ) -> impl Iterator<Item = Id> {
        let by_subject = self.manifests.get(&artifact).filter(|known| !known.is_index);
        let by_tag = self
            .pointing(artifact, clock)
            .filter(move |tag| sight(tag) != Sight::Closed)
            .filter_map(|tag| self.names.find(&tag.referrers_subject()?));
        by_subject.and_then(|known| known.subject).into_iter().chain(by_tag)
    }

    /// Every tag that ever pointed at the digest or at something that holds it, however long ago;
    /// within so many steps.
    pub(in crate::inventory) fn tags_above(&self, digest: &Digest, steps: usize) -> Vec<Tag> {
        let Some(asked) = self.names.find(digest) else { return Vec::new() };
        let mut tags = Vec::new();
        let mut seen = HashSet::from([asked]);
        let mut ahead = vec![asked];
        while let Some(at) = ahead.pop() {
            tags.extend(self.pointers.get(&at).into_iter().flatten().cloned());
            let subject = self.manifests.get(&at).and_then(|known| known.subject);
            for next in self.holders.of(at).chain(subject) {
                if seen.len() < steps && seen.insert(next) {
                    ahead.push(next);
                }
            }
        }
        tags
    }
}
