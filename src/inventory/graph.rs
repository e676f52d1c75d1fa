//! One repository as a graph.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oci::{Digest, Kind, Manifest, Tag};
use policy::{Bounds, Caller, Subject};

/// What policy says of reading a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// It may be read.
    Open,
    /// No rule allows it and none denies it, or the credential does not reach as far. A fallback
    /// referrers tag then follows its image.
    Silent,
    /// A rule denies it.
    Closed,
}

/// Who pushes: a caller by its name and, where its credential has bounds, by these. What somebody
/// pushed is not thereby in the reach of every credential that was made narrower.
#[derive(Debug, Clone, Copy)]
pub struct Pusher<'a> {
    subject: &'a Subject,
    bounds: Option<&'a Arc<Bounds>>,
}

impl<'a> From<&'a Caller> for Pusher<'a> {
    fn from(caller: &'a Caller) -> Self {
        Self { subject: &caller.subject, bounds: caller.bounds.as_ref() }
    }
}

/// With a credential that has no bounds.
impl<'a> From<&'a Subject> for Pusher<'a> {
    fn from(subject: &'a Subject) -> Self {
        Self { subject, bounds: None }
    }
}

/// When something was pushed last: with whatever credential, and with each that has bounds.
type Pushed = Vec<(Option<Arc<Bounds>>, Instant)>;

/// What one request has found out while it asked about several digests, and how far it may go on.
#[derive(Debug)]
pub(super) struct Walk<'g> {
    steps: usize,
    open: HashSet<&'g Digest>,
    closed: HashSet<&'g Digest>,
}

impl Walk<'_> {
    /// A walk of so many steps.
    pub(super) fn new(steps: usize) -> Self {
        Self { steps, open: HashSet::new(), closed: HashSet::new() }
    }

    /// Whether it went as far as it may: what it said last was not decided.
    pub(super) fn is_exhausted(&self) -> bool {
        self.steps == 0
    }
}

/// What counts as recent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) now: Instant,
    pub(super) linger: Duration,
}

impl Clock {
    fn is_fresh(self, since: Instant) -> bool {
        self.now.saturating_duration_since(since) < self.linger
    }
}

/// Which tags point at which manifests, and what these name.
///
/// There is no "current" digest of a tag: a pointer has the time at which it was last seen, and
/// counts until it has lingered. So a tag that moves between a client's HEAD and its GET breaks no
/// pull, and a manifest that was shown for the same tag under another `Accept` replaces nothing.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pointers: HashMap<Digest, HashMap<Tag, Instant>>,
    manifests: HashMap<Digest, Known>,
    /// Content → the manifests that name it as child, config or layer.
    holders: HashMap<Digest, Vec<Digest>>,
    pushes: HashMap<Digest, HashMap<Subject, Pushed>>,
    edges: usize,
}

/// What a manifest says, as far as reading depends on it.
#[derive(Debug)]
struct Known {
    children: Box<[Digest]>,
    subject: Option<Digest>,
    is_artifact: bool,
    is_index: bool,
}

impl Graph {
    /// How much is held, in edges.
    pub(super) fn edges(&self) -> usize {
        self.edges
    }

    pub(super) fn point(&mut self, tag: &Tag, digest: &Digest, now: Instant) {
        let tags = self.pointers.entry(digest.clone()).or_default();
        if tags.insert(tag.clone(), now).is_none() {
            self.edges += 1;
        }
    }

    pub(super) fn add(&mut self, digest: &Digest, manifest: &Manifest) {
        if self.manifests.contains_key(digest) {
            return;
        }
        let named: HashSet<&Digest> = manifest.references().collect();
        self.edges += 1 + named.len();
        for content in named {
            self.holders.entry(content.clone()).or_default().push(digest.clone());
        }
        let known = Known {
            children: manifest.children.iter().map(|child| child.digest.clone()).collect(),
            subject: manifest.subject.as_ref().map(|subject| subject.digest.clone()),
            is_artifact: manifest.is_artifact_by_content(),
            is_index: manifest.kind() == Kind::Index,
        };
        self.manifests.insert(digest.clone(), known);
    }

    pub(super) fn pushed(&mut self, pusher: Pusher<'_>, digest: &Digest, now: Instant) {
        let pushers = self.pushes.entry(digest.clone()).or_default();
        let pushed = pushers.entry(pusher.subject.clone()).or_default();
        for bounds in std::iter::once(None).chain(pusher.bounds.map(Some)) {
            match pushed.iter_mut().find(|(with, _)| with.as_ref() == bounds) {
                Some((_, at)) => *at = now,
                None => {
                    pushed.push((bounds.cloned(), now));
                    self.edges += 1;
                }
            }
        }
    }

    pub(super) fn is_own(&self, pusher: Pusher<'_>, digest: &Digest, clock: Clock) -> bool {
        self.pushes
            .get(digest)
            .and_then(|pushers| pushers.get(pusher.subject))
            .and_then(|pushed| pushed.iter().find(|(with, _)| with.as_ref() == pusher.bounds))
            .is_some_and(|&(_, at)| clock.is_fresh(at))
    }

    /// The tag was deleted: whatever it pointed at, it vouches for no longer.
    pub(super) fn remove_tag(&mut self, tag: &Tag) {
        let edges = &mut self.edges;
        self.pointers.retain(|_, tags| {
            *edges -= usize::from(tags.remove(tag).is_some());
            !tags.is_empty()
        });
    }

    /// The manifest was deleted, and every tag on it.
    pub(super) fn remove_manifest(&mut self, digest: &Digest) {
        self.edges -= self.pointers.remove(digest).map_or(0, |tags| tags.len());
    }

    /// Walks from `digest` towards the tags: through the manifests that name it, and from an
    /// artifact to its subject. An artifact must be one by its content to take that last way, else
    /// a `subject` written into an image would open it.
    pub(super) fn is_vouched_for<'g>(
        &'g self,
        digest: &'g Digest,
        sight: &impl Fn(&Tag) -> Sight,
        clock: Clock,
        walk: &mut Walk<'g>,
    ) -> bool {
        let is_open = |at: &Digest| {
            let tags = self.pointers.get(at).into_iter().flatten();
            let mut fresh = tags.filter(|&(_, &since)| clock.is_fresh(since));
            fresh.any(|(tag, _)| sight(tag) == Sight::Open)
        };
        if walk.open.contains(digest) || is_open(digest) {
            walk.open.insert(digest);
            return true;
        }
        let mut seen = HashSet::from([digest]);
        let mut ahead = vec![digest];
        while let Some(at) = ahead.pop() {
            // What was made last is what is read most.
            let holders = self.holders.get(at).into_iter().flatten().rev();
            let subjects = self.is_artifact(at).then(|| self.subjects(at, sight, clock));
            for next in holders.chain(subjects.into_iter().flatten()) {
                walk.steps = walk.steps.saturating_sub(1);
                if walk.steps == 0 {
                    return false;
                }
                if walk.closed.contains(next) || !seen.insert(next) {
                    continue;
                }
                // Looked at as it is found: of many holders, most often one of the first will do.
                if walk.open.contains(next) || is_open(next) {
                    walk.open.extend([next, digest]);
                    return true;
                }
                ahead.push(next);
            }
        }
        // From none of these is there a way to an open tag.
        walk.closed.extend(seen);
        false
    }

    /// An artifact by content; or an index, such as that of a fallback referrers tag, whose
    /// children are all known to be artifacts.
    pub(super) fn is_artifact(&self, digest: &Digest) -> bool {
        self.manifests.get(digest).is_some_and(|known| {
            if known.is_index {
                !known.children.is_empty()
                    && known.children.iter().all(|child| {
                        self.manifests.get(child).is_some_and(|child| child.is_artifact)
                    })
            } else {
                known.is_artifact
            }
        })
    }

    /// What an artifact is about: by its `subject`, or by a fallback tag that points at it. An index
    /// has the second way alone: `subject` opens nothing that is not an artifact itself.
    fn subjects<'a>(
        &'a self,
        artifact: &'a Digest,
        sight: &impl Fn(&Tag) -> Sight,
        clock: Clock,
    ) -> impl Iterator<Item = &'a Digest> {
        let by_subject = self.manifests.get(artifact).filter(|known| !known.is_index);
        let by_tag = self
            .pointers
            .get(artifact)
            .into_iter()
            .flatten()
            .filter(move |&(tag, &since)| clock.is_fresh(since) && sight(tag) != Sight::Closed)
            .filter_map(|(tag, _)| self.known(&tag.referrers_subject()?));
        by_subject.and_then(|known| known.subject.as_ref()).into_iter().chain(by_tag)
    }

    /// The digest as the graph holds it, if a tag or a manifest names it or it is a manifest: there
    /// is no way to a tag from any other.
    fn known(&self, digest: &Digest) -> Option<&Digest> {
        let pointer = self.pointers.get_key_value(digest).map(|(key, _)| key);
        pointer
            .or_else(|| self.manifests.get_key_value(digest).map(|(key, _)| key))
            .or_else(|| self.holders.get_key_value(digest).map(|(key, _)| key))
    }

    pub(super) fn subject_of(&self, digest: &Digest) -> Option<&Digest> {
        self.manifests.get(digest).and_then(|known| known.subject.as_ref())
    }

    pub(super) fn knows(&self, digest: &Digest) -> bool {
        self.manifests.contains_key(digest)
    }

    /// Drops pointers and pushes that have lingered, and every manifest where no pointer is left.
    pub(super) fn expire(&mut self, clock: Clock) {
        let fresh = |at: &Instant| clock.is_fresh(*at);
        self.pointers.retain(|_, tags| {
            tags.retain(|_, at| fresh(at));
            !tags.is_empty()
        });
        self.pushes.retain(|_, pushers| {
            pushers.retain(|_, pushed| {
                pushed.retain(|(_, at)| fresh(at));
                !pushed.is_empty()
            });
            !pushers.is_empty()
        });
        if self.pointers.is_empty() {
            self.manifests.clear();
            self.holders.clear();
        }
        self.edges = self.pointers.values().map(HashMap::len).sum::<usize>()
            + self.pushes.values().flat_map(HashMap::values).map(Vec::len).sum::<usize>()
            + self.holders.values().map(Vec::len).sum::<usize>()
            + self.manifests.len();
    }
}

#[cfg(test)]
mod tests;
