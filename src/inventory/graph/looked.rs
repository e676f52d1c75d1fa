//! What was looked at, and what is yet to be looked at.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use oci::{Digest, Tag};

use super::{Clock, Graph, Id};

/// How deep indexes may be nested.
pub(crate) const MAX_DEPTH: usize = 4;

/// The most digests that are remembered as asked for: each takes as much room as a manifest.
const MAX_ASKED: usize = 4096;

/// What came of asking for a manifest by its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inventory) enum Found {
    /// It is known now.
    Manifest,
    /// There is none.
    Absent,
    /// There is one that nobody understands.
    Unreadable,
}

/// What the upstream was asked for, and when.
#[derive(Debug, Default)]
pub(super) struct Looked {
    asked: HashMap<Digest, (Timestamp, Found)>,
    /// What questions were about, and whether it was asked for as a blob too.
    sought: HashMap<Digest, (Timestamp, bool)>,
    referrers: HashMap<Id, Timestamp>,
    /// The upstream has no list of referrers.
    no_referrers: Option<Timestamp>,
    /// A pass over everything, from when to when.
    pass: Option<(Timestamp, Timestamp)>,
}

/// What hangs below some tags.
#[derive(Debug, Default)]
pub(in crate::inventory) struct Below {
    /// Manifests that were looked at.
    pub(in crate::inventory) known: Vec<Digest>,
    /// Manifests that are yet to be looked at.
    pub(in crate::inventory) missing: Vec<Digest>,
    /// Something is there that nobody understands, so it may hold anything.
    pub(in crate::inventory) is_unreadable: bool,
    /// Indexes are nested deeper than they may be.
    pub(in crate::inventory) is_too_deep: bool,
}

impl Looked {
    /// How many facts it holds.
    pub(super) fn len(&self) -> usize {
        self.asked.len() + self.sought.len() + self.referrers.len()
    }
}

impl Graph {
    /// Since when a finding counts as fresh. After a pass that took longer than findings stay fresh,
    /// all of it counts: else a large repository would never be known as a whole.
    pub(in crate::inventory) fn fresh_since(&self, clock: Clock) -> Timestamp {
        let since = clock.fresh_since();
        match self.looked.pass {
            Some((began, ended)) if ended >= since => since.min(began),
            _ => since,
        }
    }

    /// Everything was looked at in that time.
    pub(in crate::inventory) fn passed(&mut self, began: Timestamp, ended: Timestamp) {
        self.looked.pass = Some((began, ended));
    }

    /// The manifest was asked for by its digest.
    pub(in crate::inventory) fn asked(
        &mut self,
        digest: &Digest,
        found: Found,
        at: Timestamp,
        clock: Clock,
    ) {
        if self.looked.asked.len() >= MAX_ASKED {
            let since = clock.fresh_since();
            self.looked.asked.retain(|_, (at, _)| *at >= since);
        }
        // It is asked for again, and nothing else comes of it.
        if self.looked.asked.len() >= MAX_ASKED {
            self.looked.asked.clear();
        }
        self.looked.asked.insert(digest.clone(), (at, found));
    }

    /// What came of asking for the manifest, if anything did and that was not too long ago.
    pub(in crate::inventory) fn was_asked(
        &self,
        digest: &Digest,
        since: Timestamp,
    ) -> Option<Found> {
        self.looked.asked.get(digest).filter(|(at, _)| *at >= since).map(|&(_, found)| found)
    }

    /// A question was about the digest, and it was asked for. Kept apart from what came of it, which
    /// others may have found out on their way: of what is there more is found out so than of what is
    /// not, and the next question must cost the same.
    pub(in crate::inventory) fn sought(
        &mut self,
        digest: &Digest,
        at: Timestamp,
        as_blob_too: bool,
        clock: Clock,
    ) {
        if self.looked.sought.len() >= MAX_ASKED {
            let since = clock.fresh_since();
            self.looked.sought.retain(|_, (at, _)| *at >= since);
        }
        if self.looked.sought.len() >= MAX_ASKED {
            self.looked.sought.clear();
        }
        self.looked.sought.insert(digest.clone(), (at, as_blob_too));
    }

    /// Whether a question was about the digest, not too long ago; and if that matters, whether it was
    /// asked for as a blob too.
    pub(in crate::inventory) fn was_sought(
        &self,
        digest: &Digest,
        since: Timestamp,
        as_blob_too: bool,
    ) -> bool {
        let sought = self.looked.sought.get(digest);
        sought.is_some_and(|&(at, both)| at >= since && (both || !as_blob_too))
    }

    /// What refers to the manifest was asked for.
    pub(in crate::inventory) fn asked_referrers(&mut self, digest: &Digest, at: Timestamp) {
        if let Some(id) = self.names.find(digest) {
            self.looked.referrers.insert(id, at);
        }
    }

    /// The upstream has no list of what refers to a manifest.
    pub(in crate::inventory) fn no_referrers(&mut self, at: Timestamp) {
        self.looked.no_referrers = Some(at);
    }

    /// Of these manifests, those whose referrers are not known.
    pub(in crate::inventory) fn without_referrers(
        &self,
        digests: &[Digest],
        since: Timestamp,
    ) -> Vec<Digest> {
        if self.looked.no_referrers.is_some_and(|at| at >= since) {
            return Vec::new();
        }
        let is_known = |digest: &&Digest| {
            let at = self.names.find(digest).and_then(|id| self.looked.referrers.get(&id));
            at.is_none_or(|&at| at < since)
        };
        digests.iter().filter(is_known).cloned().collect()
    }

    /// Artifacts whose subject is one of these, and that are none of them.
    pub(in crate::inventory) fn artifacts_of(&self, digests: &[Digest]) -> Vec<Digest> {
        let ids: HashSet<Id> = digests.iter().filter_map(|d| self.names.find(d)).collect();
        let about = self.manifests.iter().filter(|(id, known)| {
            known.is_artifact
                && !ids.contains(id)
                && known.subject.is_some_and(|subject| ids.contains(&subject))
        });
        about.filter_map(|(&id, _)| self.names.digest(id)).cloned().collect()
    }

    /// The first of what the digest is about, what that is about, and so on, of which nothing is
    /// known, if it was not asked for just before.
    pub(in crate::inventory) fn unknown_subject(
        &self,
        digest: &Digest,
        since: Timestamp,
    ) -> Option<Digest> {
        let mut seen = HashSet::new();
        let mut at = self.names.find(digest)?;
        while let Some(known) = self.manifests.get(&at) {
            at = known.subject.filter(|&subject| seen.insert(subject))?;
        }
        let subject = self.names.digest(at).filter(|subject| *subject != digest)?;
        self.was_asked(subject, since).is_none().then(|| subject.clone())
    }

    /// Everything below the tags, as far as is known: what they point at, and the children of
    /// indexes, and so on. What any of it is about is missing, too, where nothing is known of it:
    /// that may be an artifact of something else.
    pub(in crate::inventory) fn below(
        &self,
        is_root: impl Fn(&Tag) -> bool,
        clock: Clock,
        since: Timestamp,
    ) -> Below {
        let roots = self.pointers.keys().copied();
        let mut level: Vec<Id> =
            roots.filter(|&id| self.pointing(id, clock).any(&is_root)).collect();
        let mut seen: HashSet<Id> = level.iter().copied().collect();
        let mut below = Below::default();
        let mut about = Vec::new();
        for depth in 0..=MAX_DEPTH {
            let mut next = Vec::new();
            for id in level {
                let Some(digest) = self.names.digest(id) else { continue };
                match (self.manifests.get(&id), self.was_asked(digest, since)) {
                    (Some(known), _) => {
                        below.known.push(digest.clone());
                        below.is_too_deep |= known.is_index && depth == MAX_DEPTH;
                        next.extend(known.children.iter().filter(|&&child| seen.insert(child)));
                        about.extend(known.subject);
                    }
                    (None, Some(Found::Absent)) => {}
                    (None, Some(_)) => below.is_unreadable = true,
                    (None, None) => below.missing.push(digest.clone()),
                }
            }
            level = next;
        }
        while let Some(id) = about.pop() {
            let Some(digest) = self.names.digest(id).filter(|_| seen.insert(id)) else { continue };
            match self.manifests.get(&id) {
                Some(known) => about.extend(known.children.iter().copied().chain(known.subject)),
                None if self.was_asked(digest, since).is_none() => {
                    below.missing.push(digest.clone());
                }
                None => {}
            }
        }
        below
    }
}
