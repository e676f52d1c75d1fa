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
    /// Manifests that a tag opens with all that they name.
    open: HashSet<Id>,
    closed: HashSet<Id>,
    /// Whether a `subject` counts of which it is not certain that it was ever judged.
    believes: bool,
    /// Artifacts of which that was so.
    doubtful: Vec<Id>,
}

impl Walk {
    /// A walk of so many steps.
    pub(in crate::inventory) fn new(steps: usize) -> Self {
        let (open, closed) = (HashSet::new(), HashSet::new());
        Self { steps, open, closed, believes: false, doubtful: Vec::new() }
    }

    /// One that tells what may be, not what is certain: for denying, and to know what to look at.
    pub(in crate::inventory) fn believing(steps: usize) -> Self {
        Self { believes: true, ..Self::new(steps) }
    }
}

impl Graph {
    /// Walks from `digest` towards the tags: through the manifests that name it, and from an
    /// artifact to its subject. An artifact must be one by its content to take that last way, else
    /// a `subject` written into an image would open it; and it must be certain that it was stored as
    /// a manifest. Of what is named as a blob, nobody has judged what it names itself.
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
            return Ok(true);
        }
        let mut seen = HashSet::from([asked]);
        let mut ahead = vec![asked];
        while let Some(at) = ahead.pop() {
            let is_artifact = self.is_artifact_by_id(at);
            let is_doubtful = is_artifact && !self.is_attested_by_id(at);
            if is_doubtful {
                walk.doubtful.push(at);
            }
            let is_believed = walk.believes || !is_doubtful;
            let subjects = is_artifact.then(|| self.subjects(at, is_believed, sight, clock));
            let holders = self.holders.of(at).filter(|holder| {
                let known = self.manifests.get(holder);
                at == asked || known.is_some_and(|known| known.children.contains(&at))
            });
            for next in holders.chain(subjects.into_iter().flatten()) {
                walk.steps = walk.steps.saturating_sub(1);
                if walk.steps == 0 {
                    return Err(Exhausted);
                }
                if walk.closed.contains(&next) || !seen.insert(next) {
                    continue;
                }
                // Looked at as it is found: of many holders, most often one of the first will do.
                if walk.open.contains(&next) || is_open(next) {
                    walk.open.insert(next);
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
        is_believed: bool,
        sight: &impl Fn(&Tag) -> Sight,
        clock: Clock,
    ) -> impl Iterator<Item = Id> {
        let by_subject =
            self.manifests.get(&artifact).filter(|known| !known.is_index && is_believed);
        let by_tag = self
            .pointing(artifact, clock)
            .filter(move |tag| sight(tag) != Sight::Closed)
            .filter_map(|tag| self.names.find(&tag.referrers_subject()?));
        by_subject.and_then(|known| known.subject).into_iter().chain(by_tag)
    }

    /// The artifacts whose `subject` would open the digest, if it were certain that somebody judged
    /// it.
    pub(in crate::inventory) fn doubtful(
        &self,
        digest: &Digest,
        sight: &impl Fn(&Tag) -> Sight,
        clock: Clock,
        steps: usize,
    ) -> Result<Vec<Digest>, Exhausted> {
        let mut walk = Walk::believing(steps);
        if !self.is_vouched_for(digest, sight, clock, &mut walk)? {
            return Ok(Vec::new());
        }
        Ok(walk.doubtful.into_iter().filter_map(|id| self.names.digest(id).cloned()).collect())
    }

    /// It is certain that the artifact was stored as a manifest.
    pub(in crate::inventory) fn attest(&mut self, artifact: &Digest) {
        if let Some(id) = self.names.number(artifact) {
            self.attested.insert(id);
        }
    }

    /// A tag points at manifests alone.
    fn is_attested_by_id(&self, artifact: Id) -> bool {
        self.attested.contains(&artifact) || self.pointers.contains_key(&artifact)
    }

    /// The children of these manifests, and all that they name, as far as that is known.
    pub(in crate::inventory) fn named_by(&self, above: &[Digest]) -> (Vec<Digest>, Vec<Digest>) {
        let above: HashSet<Id> =
            above.iter().filter_map(|digest| self.names.find(digest)).collect();
        let called = |id: Id| self.names.digest(id).cloned();
        let known = above.iter().filter_map(|id| self.manifests.get(id));
        let children = known.flat_map(|known| &known.children).filter_map(|&id| called(id));
        let named = self.holders.held_by(&above).filter_map(called);
        (children.collect(), named.collect())
    }

    /// Whether something that is vouched for has a digest of another kind than this one: that may be
    /// the same content, and nobody can tell.
    pub(in crate::inventory) fn vouches_for_another_kind(
        &self,
        digest: &Digest,
        sight: &impl Fn(&Tag) -> Sight,
        clock: Clock,
        walk: &mut Walk,
    ) -> Result<bool, Exhausted> {
        for other in self.names.of_another_kind(digest) {
            if self.is_vouched_for(other, sight, clock, walk)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the manifest `at` is `digest` or holds it at any depth. None if not all that it holds
    /// is known.
    pub(in crate::inventory) fn holds(&self, at: &Digest, digest: &Digest) -> Option<bool> {
        let (top, asked) = (self.names.find(at)?, self.names.find(digest));
        let (mut seen, mut ahead) = (HashSet::from([top]), vec![top]);
        let mut is_known = true;
        while let Some(at) = ahead.pop() {
            if Some(at) == asked {
                return Some(true);
            }
            match self.manifests.get(&at) {
                Some(known) => {
                    ahead.extend(known.children.iter().filter(|&&child| seen.insert(child)));
                }
                None => is_known = false,
            }
        }
        is_known.then_some(false)
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
