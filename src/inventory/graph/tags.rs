//! What tags point at: now, as far as that was looked at, and before.

use std::collections::HashSet;

use jiff::Timestamp;
use oci::{Digest, Tag};

use super::{Clock, Graph, Id, Moment, Seen};

/// Of what a tag pointed at longer ago than it lingers, so much is kept, to be looked at first.
const FORMER: usize = 8;

/// What is known of one tag.
#[derive(Debug)]
pub(super) struct Tagged {
    now: Now,
    /// When `now` was seen.
    at: Moment,
    /// When the upstream was asked for exactly this, if what came counts for the whole truth.
    checked: Moment,
    /// When it was deleted through the gate: what was seen before counts no longer.
    deleted: Moment,
    pointers: Vec<Pointer>,
}

/// What a tag points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Now {
    /// There is such a tag, and nobody has looked at it.
    Unknown,
    /// There is no such tag.
    Absent,
    /// This manifest.
    At(Id),
}

/// How much of a tag is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::inventory) enum Look {
    /// Nothing but its name.
    Never,
    /// What it pointed at some time ago.
    Before,
    /// What it points at, or that it is gone.
    Fresh,
}

#[derive(Debug)]
struct Pointer {
    manifest: Id,
    seen: Seen,
}

impl Default for Tagged {
    fn default() -> Self {
        Self {
            now: Now::Unknown,
            at: Moment::NEVER,
            checked: Moment::NEVER,
            deleted: Moment::NEVER,
            pointers: Vec::new(),
        }
    }
}

impl Tagged {
    #[cfg(test)]
    pub(super) fn pointers(&self) -> usize {
        self.pointers.len()
    }

    /// Notes what it is now, unless something later is known; true if that is news.
    fn is_now(&mut self, now: Now, at: Moment) -> bool {
        if at < self.at {
            return false;
        }
        self.at = at;
        if self.now == now {
            return false;
        }
        (self.now, self.checked) = (now, Moment::NEVER);
        true
    }
}

impl Graph {
    /// The tag was seen to point at the digest.
    pub(super) fn point(&mut self, tag: &Tag, digest: &Digest, clock: Clock) -> bool {
        let at = Moment::from(clock.now);
        let Some(manifest) = self.names.number(digest) else { return false };
        let tagged = self.tags.entry(tag.clone()).or_default();
        let deleted = self.deleted.get(&manifest).copied().unwrap_or(Moment::NEVER);
        if at < tagged.deleted.max(deleted) {
            return false;
        }
        let moved = tagged.is_now(Now::At(manifest), at);
        if let Some(pointer) = tagged.pointers.iter_mut().find(|p| p.manifest == manifest) {
            return pointer.seen.again(at) || moved;
        }
        // Most tags point at one manifest, and most manifests have one tag.
        tagged.pointers.reserve_exact(1);
        tagged.pointers.push(Pointer { manifest, seen: Seen::first(at) });
        self.lengths += 1;
        let tags = self.pointers.entry(manifest).or_insert_with(|| Vec::with_capacity(1));
        tags.push(tag.clone());
        self.drop_old_pointers(tag, clock);
        true
    }

    /// A tag that moves often takes no more room for ever.
    fn drop_old_pointers(&mut self, tag: &Tag, clock: Clock) {
        let Some(tagged) = self.tags.get_mut(tag) else { return };
        let mut spare = tagged.pointers.len().saturating_sub(FORMER);
        let mut dropped = Vec::new();
        // In the order in which they came.
        tagged.pointers.retain(|pointer| {
            let stays = spare == 0 || clock.lingers(pointer.seen.at);
            if !stays {
                spare -= 1;
                dropped.push(pointer.manifest);
            }
            stays
        });
        self.unlink(tag, &dropped);
    }

    /// Whatever of the tag's pointers was seen until then, it counts no longer.
    fn drop_pointers(&mut self, tag: &Tag, manifest: Option<Id>, until: Moment) -> bool {
        let Some(tagged) = self.tags.get_mut(tag) else { return false };
        let mut dropped = Vec::new();
        tagged.pointers.retain(|pointer| {
            let goes = manifest.is_none_or(|manifest| manifest == pointer.manifest)
                && pointer.seen.at <= until;
            if goes {
                dropped.push(pointer.manifest);
            }
            !goes
        });
        self.unlink(tag, &dropped);
        !dropped.is_empty()
    }

    fn unlink(&mut self, tag: &Tag, manifests: &[Id]) {
        self.lengths -= manifests.len();
        for manifest in manifests {
            if let Some(tags) = self.pointers.get_mut(manifest) {
                tags.retain(|other| other != tag);
                if tags.is_empty() {
                    self.pointers.remove(manifest);
                }
            }
        }
    }

    /// There is no such tag.
    pub(super) fn no_tag(&mut self, tag: &Tag, at: Moment, deleted: bool) -> bool {
        // Worth remembering even where nothing is known: what is told late must not count.
        if !deleted && !self.tags.contains_key(tag) {
            return false;
        }
        let tagged = self.tags.entry(tag.clone()).or_default();
        let vanished = tagged.is_now(Now::Absent, at);
        if !deleted {
            return vanished;
        }
        let is_later = tagged.deleted < at;
        tagged.deleted = tagged.deleted.max(at);
        self.drop_pointers(tag, None, at) || vanished || is_later
    }

    /// The manifest is deleted, and every tag on it with it.
    pub(super) fn no_manifest(&mut self, digest: &Digest, at: Moment) -> bool {
        let Some(manifest) = self.names.number(digest) else { return false };
        let before = self.deleted.get(&manifest).copied();
        if before.is_none_or(|before| before < at) {
            self.deleted.insert(manifest, at);
        }
        for tag in self.pointers.get(&manifest).cloned().unwrap_or_default() {
            self.drop_pointers(&tag, Some(manifest), at);
            if let Some(tagged) = self.tags.get_mut(&tag)
                && tagged.now == Now::At(manifest)
            {
                tagged.is_now(Now::Absent, at);
            }
        }
        before.is_none_or(|before| before < at)
    }

    /// The upstream was asked for the tag at that time, and what it said was learned before this: it
    /// is the whole truth, unless something else was learned meanwhile.
    pub(in crate::inventory) fn checked(&mut self, tag: &Tag, digest: &Digest, at: Timestamp) {
        let Some(id) = self.names.find(digest) else { return };
        if let Some(tagged) = self.tags.get_mut(tag)
            && tagged.now == Now::At(id)
        {
            tagged.checked = tagged.checked.max(at.into());
        }
    }

    /// These were all the tags when the list was asked for; gives those that are gone. What was
    /// learned since then counts for more.
    pub(in crate::inventory) fn saw_list(&mut self, tags: &[Tag], clock: Clock) -> Vec<Tag> {
        let at = Moment::from(clock.now);
        if self.listed.is_some_and(|listed| listed > clock.now) {
            return Vec::new();
        }
        self.listed = Some(clock.now);
        for tag in tags {
            let tagged = self.tags.entry(tag.clone()).or_default();
            if tagged.now == Now::Absent {
                tagged.is_now(Now::Unknown, at);
            }
        }
        let there: HashSet<&Tag> = tags.iter().collect();
        let (mut gone, mut forgotten) = (Vec::new(), Vec::new());
        let is_old = |at: Moment| !clock.lingers(at);
        for (tag, tagged) in self.tags.iter_mut().filter(|(tag, _)| !there.contains(tag)) {
            if tagged.is_now(Now::Absent, at) {
                gone.push(tag.clone());
            } else if tagged.now == Now::Absent
                && is_old(tagged.deleted)
                && tagged.pointers.iter().all(|pointer| is_old(pointer.seen.at))
            {
                forgotten.push(tag.clone());
            }
        }
        for tag in forgotten {
            self.drop_pointers(&tag, None, Timestamp::MAX.into());
            self.tags.remove(&tag);
        }
        gone
    }

    /// When the list of tags was asked for that was read last, to its end.
    pub(in crate::inventory) fn listed(&self) -> Option<Timestamp> {
        self.listed
    }

    /// Every tag that there is or was, as far as is known.
    pub(in crate::inventory) fn every_tag(&self) -> impl Iterator<Item = &Tag> {
        self.tags.keys()
    }

    /// Every tag that there is, as far as is known.
    pub(in crate::inventory) fn present_tags(&self) -> impl Iterator<Item = &Tag> {
        let present = self.tags.iter().filter(|(_, tagged)| tagged.now != Now::Absent);
        present.map(|(tag, _)| tag)
    }

    /// How much is known of a tag, if what was found out since then is fresh.
    pub(in crate::inventory) fn look(&self, tag: &Tag, since: Timestamp) -> Look {
        self.tags.get(tag).map_or(Look::Never, |tagged| match (tagged.now, tagged.checked) {
            // It is not in the list of tags.
            (Now::Absent, _) => Look::Fresh,
            (_, checked) if checked >= since.into() => Look::Fresh,
            (Now::Unknown, _) if tagged.pointers.is_empty() => Look::Never,
            _ => Look::Before,
        })
    }

    /// The tags that point at the digest now, as far as that was seen not long ago.
    pub(in crate::inventory) fn tags_of(
        &self,
        digest: &Digest,
        clock: Clock,
    ) -> impl Iterator<Item = &Tag> {
        let at = self.names.find(digest);
        let pointing = at.into_iter().flat_map(move |at| self.pointing(at, clock));
        pointing.filter(move |tag| {
            let now = self.tags.get(*tag).map(|tagged| tagged.now);
            now.is_some_and(|now| at.is_some_and(|at| now == Now::At(at)))
        })
    }

    /// The tags that point at the manifest, or did so not long ago. Where that is fresh, it counts
    /// even if nothing lingers: a tag that need not be asked again is where it was found.
    pub(super) fn pointing(&self, manifest: Id, clock: Clock) -> impl Iterator<Item = &Tag> {
        let tags = self.pointers.get(&manifest).into_iter().flatten();
        tags.filter(move |tag| {
            let Some(tagged) = self.tags.get(*tag) else { return false };
            let mut pointers = tagged.pointers.iter();
            let pointer = pointers.find(|pointer| pointer.manifest == manifest);
            pointer.is_some_and(|pointer| clock.lingers(pointer.seen.at))
                || tagged.now == Now::At(manifest)
                    && tagged.checked >= self.fresh_since(clock).into()
        })
    }
}
