//! One repository as a graph.

mod looked;
mod tags;
mod walk;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oci::{Digest, Tag};

use super::lesson::{Facts, Lesson};
use super::moment::Moment;
use super::names::{Id, Names};
use super::pusher::Pusher;
use looked::Looked;
pub(crate) use looked::MAX_DEPTH;
pub(super) use looked::{Below, Found};
pub(super) use tags::Look;
use tags::Tagged;
pub use walk::Exhausted;
pub(super) use walk::Walk;

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

/// What counts as recent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) now: Timestamp,
    /// How long a pointer counts after it was last seen.
    pub(super) linger: Duration,
    /// How long what was found out at the upstream counts as what is there now.
    pub(super) freshness: Duration,
}

impl Clock {
    pub(super) fn lingers(self, since: impl Into<Moment>) -> bool {
        !since.into().is_past(self.linger, self.now.into())
    }

    /// What was found out before this has to be found out again.
    pub(super) fn fresh_since(self) -> Timestamp {
        self.now.checked_sub(self.freshness).unwrap_or(Timestamp::MIN)
    }
}

/// What is seen again within this time tells nothing new, so that an ordinary pull is seldom worth
/// writing down.
const RETELL: Duration = Duration::from_secs(60);

/// When something was seen last, and when that was worth telling.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Moment,
    told: Moment,
}

impl Seen {
    fn first(at: Moment) -> Self {
        Self { at, told: at }
    }

    /// Whether that is news.
    fn again(&mut self, at: Moment) -> bool {
        self.at = self.at.max(at);
        let is_news = self.told.is_past(RETELL, at);
        if is_news {
            self.told = at;
        }
        is_news
    }
}

/// Which tags point at which manifests, and what these name.
///
/// A pointer has the time at which it was last seen, and counts until it has lingered, or as long as
/// it is fresh that the tag points there. So a tag that
/// moves between a client's HEAD and its GET breaks no pull, and a manifest that was shown for the
/// same tag under another `Accept` replaces nothing. What a tag points at *now* is kept beside it,
/// and tells what need not be asked again.
#[derive(Debug, Default)]
pub(super) struct Graph {
    names: Names,
    tags: HashMap<Tag, Tagged>,
    pointers: HashMap<Id, Vec<Tag>>,
    manifests: HashMap<Id, Known>,
    holders: Holders,
    /// Artifacts that are certain to be stored as manifests. What is a manifest by its content may
    /// have come as a blob, which nobody judged, to a registry that serves either as the other.
    attested: HashSet<Id>,
    pushes: HashMap<Id, Vec<Push>>,
    /// Manifests that were deleted through the gate, and when.
    deleted: HashMap<Id, Moment>,
    /// When the list of tags was asked for that was read last, to its end.
    listed: Option<Timestamp>,
    looked: Looked,
    /// When what is kept beyond this process was taken in.
    pub(super) recalled: Option<Timestamp>,
    /// Pointers, pushes and children, all together.
    lengths: usize,
    /// Pushes, when those that have lingered were dropped last.
    pushes_kept: usize,
}

/// What a manifest says, as far as reading depends on it.
#[derive(Debug)]
struct Known {
    children: Box<[Id]>,
    subject: Option<Id>,
    is_artifact: bool,
    is_index: bool,
}

#[derive(Debug)]
struct Push {
    who: Box<str>,
    seen: Seen,
}

/// Content → the manifests that name it as child, config or layer; those that came last first.
#[derive(Debug, Default)]
struct Holders {
    /// For each content, where its chain begins: one more than the place in `links`.
    first: Vec<u32>,
    links: Vec<(Id, u32)>,
}

impl Holders {
    fn add(&mut self, content: Id, holder: Id) {
        // Four billion edges are beyond all the memory that there is.
        let Ok(link) = u32::try_from(self.links.len() + 1) else { return };
        if self.first.len() <= content.place() {
            self.first.resize(content.place() + 1, 0);
        }
        if let Some(first) = self.first.get_mut(content.place()) {
            self.links.push((holder, *first));
            *first = link;
        }
    }

    /// All content that one of these names.
    fn held_by(&self, holders: &HashSet<Id>) -> impl Iterator<Item = Id> {
        let contents = (0..self.first.len()).filter_map(Id::at);
        contents.filter(|&content| self.of(content).any(|holder| holders.contains(&holder)))
    }

    fn of(&self, content: Id) -> impl Iterator<Item = Id> {
        let link = |at: u32| self.links.get((at as usize).checked_sub(1)?).copied();
        let first = self.first.get(content.place()).and_then(|&first| link(first));
        std::iter::successors(first, move |&(_, next)| link(next)).map(|(holder, _)| holder)
    }
}

/// What a repository takes of which nothing is known, with its name and its place in the table.
const EMPTY: usize = 1024;

impl Graph {
    /// About how many bytes it takes. What is counted is what grows; the factors were measured
    /// (`memory.rs`), with the room that tables leave for more.
    pub(super) fn bytes(&self) -> usize {
        self.names.len() * 80
            + self.holders.links.len() * 12
            + self.manifests.len() * 72
            + self.tags.len() * 320
            + self.lengths * 64
            + self.looked.len() * 100
            + self.attested.len() * 16
            + EMPTY
    }

    /// Takes in what was learned; true if that is news. What is told late changes nothing that was
    /// seen after it.
    pub(super) fn learn(&mut self, lesson: &Lesson, linger: Duration) -> bool {
        let clock = |now: &Timestamp| Clock { now: *now, linger, freshness: Duration::ZERO };
        match lesson {
            Lesson::Tag { tag, digest, at } => self.point(tag, digest, clock(at)),
            Lesson::NoTag { tag, at, deleted } => self.no_tag(tag, (*at).into(), *deleted),
            Lesson::NoManifest { digest, at } => self.no_manifest(digest, (*at).into()),
            Lesson::Manifest { digest, facts } => self.add(digest, facts),
            Lesson::Push { digest, pusher, at } => self.pushed(pusher, digest, clock(at)),
        }
    }

    fn add(&mut self, digest: &Digest, facts: &Facts) -> bool {
        if self.knows(digest) {
            return false;
        }
        let Some(id) = self.names.number(digest) else { return false };
        let mut named = HashSet::new();
        let mut children = Vec::new();
        for (content, is_child) in facts
            .blobs
            .iter()
            .map(|blob| (blob, false))
            .chain(facts.children.iter().map(|c| (c, true)))
        {
            let Some(content) = self.names.number(content) else { continue };
            if named.insert(content) {
                self.holders.add(content, id);
            }
            if is_child {
                children.push(content);
            }
        }
        self.lengths += children.len();
        let known = Known {
            children: children.into(),
            subject: facts.subject.as_ref().and_then(|subject| self.names.number(subject)),
            is_artifact: facts.is_artifact,
            is_index: facts.is_index,
        };
        self.manifests.insert(id, known);
        true
    }

    fn pushed(&mut self, who: &str, digest: &Digest, clock: Clock) -> bool {
        let Some(id) = self.names.number(digest) else { return false };
        self.drop_old_pushes(clock);
        let (pushes, at) = (self.pushes.entry(id).or_default(), clock.now.into());
        match pushes.iter_mut().find(|push| *push.who == *who) {
            Some(push) => push.seen.again(at),
            None => {
                pushes.push(Push { who: who.into(), seen: Seen::first(at) });
                self.lengths += 1;
                true
            }
        }
    }

    /// Now and then, so that what was pushed long ago takes no room for ever.
    fn drop_old_pushes(&mut self, clock: Clock) {
        if self.pushes.len() < 1024.max(2 * self.pushes_kept) {
            return;
        }
        let lengths = &mut self.lengths;
        self.pushes.retain(|_, pushes| {
            let before = pushes.len();
            pushes.retain(|push| clock.lingers(push.seen.at));
            *lengths -= before - pushes.len();
            !pushes.is_empty()
        });
        self.pushes_kept = self.pushes.len();
    }

    pub(super) fn is_own(&self, pusher: Pusher<'_>, digest: &Digest, clock: Clock) -> bool {
        let pushes = self.names.find(digest).and_then(|id| self.pushes.get(&id));
        pushes.is_some_and(|pushes| {
            let who = pusher.to_string();
            pushes.iter().any(|push| *push.who == *who && clock.lingers(push.seen.at))
        })
    }

    /// An artifact by content; or an index, such as that of a fallback referrers tag, whose
    /// children are all known to be artifacts.
    pub(super) fn is_artifact(&self, digest: &Digest) -> bool {
        self.names.find(digest).is_some_and(|id| self.is_artifact_by_id(id))
    }

    fn is_artifact_by_id(&self, id: Id) -> bool {
        self.manifests.get(&id).is_some_and(|known| {
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

    /// The manifests that name the digest as child, config or layer.
    pub(super) fn holders_of(&self, digest: &Digest) -> Vec<Digest> {
        let Some(id) = self.names.find(digest) else { return Vec::new() };
        self.holders.of(id).filter_map(|holder| self.names.digest(holder).cloned()).collect()
    }

    /// The indexes that name the digest as a child.
    pub(super) fn indexes_of(&self, digest: &Digest) -> Vec<Digest> {
        let Some(id) = self.names.find(digest) else { return Vec::new() };
        let is_index = |holder: &Id| {
            self.manifests.get(holder).is_some_and(|known| known.children.contains(&id))
        };
        let indexes = self.holders.of(id).filter(is_index);
        indexes.filter_map(|holder| self.names.digest(holder).cloned()).collect()
    }

    pub(super) fn subject_of(&self, digest: &Digest) -> Option<&Digest> {
        let known = self.manifests.get(&self.names.find(digest)?)?;
        self.names.digest(known.subject?)
    }

    pub(super) fn knows(&self, digest: &Digest) -> bool {
        self.names.find(digest).is_some_and(|id| self.manifests.contains_key(&id))
    }
}

impl Lesson {
    /// What a push teaches, one lesson for each way in which it may be told apart later: what came
    /// with bounds is the caller's own with these and with none.
    pub(super) fn of_push(pusher: Pusher<'_>, digest: &Digest, at: Timestamp) -> Vec<Self> {
        let lesson = |who: Pusher<'_>| Self::Push {
            digest: digest.clone(),
            pusher: who.to_string().into(),
            at,
        };
        let bound = pusher.has_bounds().then(|| lesson(pusher));
        std::iter::once(lesson(pusher.unbounded())).chain(bound).collect()
    }

    /// What reading a manifest teaches.
    pub(super) fn of_manifest(digest: &Digest, manifest: &oci::Manifest) -> Self {
        Self::Manifest { digest: digest.clone(), facts: Arc::new(Facts::from(manifest)) }
    }
}

#[cfg(test)]
mod tests;
