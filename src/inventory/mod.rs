//! What the upstream holds, as far as the gate has seen it: tags → manifests → blobs.
//!
//! Rights speak of tags, and clients go by digest. This is the graph that tells which tags vouch
//! for a digest. It learns from what passes the gate, and it only ever *adds*: a registry that
//! converts manifests by `Accept` shows several manifests for one tag, and each of them is the
//! tag's. What it does not know is not readable, so forgetting is always safe.

mod blob;
mod crawl;
mod graph;
mod held;
mod journal;
mod ledger;
mod lesson;
mod list;
mod many;
mod moment;
mod names;
mod packed_facts;
mod pusher;
mod recall;
mod resolve;
mod room;
mod tagged;
mod undecided;
mod upstream;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use oci::{Digest, Manifest, RepositoryName, Tag};

use crate::metrics::Metrics;
pub(crate) use blob::fetch_blob;
pub use crawl::{Crawl, Pace};
pub(crate) use graph::MAX_DEPTH;
use graph::{Clock, Graph, Walk};
pub use graph::{Exhausted, Sight};
pub(crate) use held::{any_holds, blob_is_there};
pub use journal::{Forgetful, Journal};
pub use ledger::Ledger;
pub use lesson::{Facts, Lesson};
pub(crate) use list::{PageEnd, ask_list, ends_early, entry_text, not_a_list, read_page};
pub use packed_facts::Damaged;
pub use pusher::Pusher;
use resolve::Warming;
pub(crate) use resolve::{Sought, View};
use room::Room;
use tokio::sync::Semaphore;
pub use undecided::{Lookup, Undecided};
pub use upstream::Budget;
pub(crate) use upstream::{
    MANIFEST_TYPES, each_referrer, fetch, fetch_bytes, fetch_tagged, head_digest, head_tag,
    learn_manifests, tag_digests,
};

/// The configuration's `inventory`.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long after it was last seen at a tag a manifest still counts as the tag's, and how long
    /// content is readable to whoever pushed it. Default 24 h.
    pub linger: Duration,
    /// How long what was not found need not be looked for again: the list of tags, and what each of
    /// them points at now. Default 30 s.
    pub freshness: Duration,
    /// About how many bytes of memory it may take, for all repositories together. Default 1 GiB.
    pub max_bytes: usize,
    /// The most requests to the upstream that one question may cost. Default 2000.
    pub max_requests: usize,
    /// How long a question waits for the upstream. Default 30 s.
    pub patience: Duration,
    /// Whether it looks at the upstream by itself, one request at a time. Default true.
    pub crawl: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            linger: Duration::from_secs(24 * 3600),
            freshness: Duration::from_secs(30),
            max_bytes: 1 << 30,
            max_requests: 2000,
            patience: Duration::from_secs(30),
            crawl: true,
        }
    }
}

/// Bounds the walks from digests up to the tags that hold them, for all that one request asks.
const MAX_STEPS: usize = 2_000_000;

/// How many requests of all searches together may be under way at once.
const MAX_SLOTS: usize = 32;

/// The graph of every repository that was seen. Cheap to clone: all clones are the same.
#[derive(Clone)]
pub struct Inventory(Arc<Shared>);

struct Shared {
    settings: Settings,
    journal: Arc<dyn Journal>,
    metrics: Option<Arc<Metrics>>,
    room: Room,
    /// One for each request of any search that may be under way.
    slots: Semaphore,
    warming: Mutex<Warming>,
}

impl std::fmt::Debug for Inventory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inventory").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl Inventory {
    /// An empty one, which tells the journal what it learns.
    #[must_use]
    pub fn new(settings: Settings, journal: Arc<dyn Journal>) -> Self {
        Self::counted(settings, journal, None)
    }

    /// The same, with what comes of its searches counted.
    #[must_use]
    pub fn with_metrics(
        settings: Settings,
        journal: Arc<dyn Journal>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self::counted(settings, journal, Some(metrics))
    }

    fn counted(
        settings: Settings,
        journal: Arc<dyn Journal>,
        metrics: Option<Arc<Metrics>>,
    ) -> Self {
        let room = Room::new(settings.max_bytes);
        let (slots, warming) = (Semaphore::new(MAX_SLOTS), Mutex::default());
        Self(Arc::new(Shared { settings, journal, metrics, room, slots, warming }))
    }

    /// Counts what came of a search.
    pub(crate) fn looked_up(&self, result: Lookup) {
        if let Some(metrics) = &self.0.metrics {
            metrics.inventory_lookup(result.as_str());
        }
    }

    /// How it was set up.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// `tag` was seen to point at `digest`. What passes the gate may have been converted for the
    /// client that asked, so this does not say that it points at nothing else.
    pub fn saw_tag(&self, repository: &RepositoryName, tag: &Tag, digest: &Digest, now: Timestamp) {
        let lesson = Lesson::Tag { tag: tag.clone(), digest: digest.clone(), at: now };
        self.learn(repository, lesson);
    }

    /// `tag` points at `digest` and at nothing else: it was set through the gate then, or the
    /// upstream was asked then, by a question that leaves it no choice. None: there is no such tag.
    pub fn checked_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: Option<&Digest>,
        at: Timestamp,
    ) {
        let tag = tag.clone();
        match digest {
            Some(digest) => {
                let lesson = Lesson::Tag { tag: tag.clone(), digest: digest.clone(), at };
                self.learn(repository, lesson);
                self.0.room.change(repository, |graph| graph.checked(&tag, digest, at));
            }
            None => self.learn(repository, Lesson::NoTag { tag, at, deleted: false }),
        }
    }

    /// These are all the tags of the repository, as of `at`. Those that are missing are gone; what
    /// they pointed at lingers.
    pub fn saw_list(&self, repository: &RepositoryName, tags: &[Tag], at: Timestamp) {
        let clock = self.clock(at);
        let gone = self.0.room.change(repository, |graph| graph.saw_list(tags, clock));
        for tag in gone {
            let lesson = Lesson::NoTag { tag, at, deleted: false };
            self.0.journal.learned(repository, &lesson);
        }
    }

    /// Whether one of the repository's tags is such a tag, where the list of them is fresh; nothing
    /// where that is not known.
    #[must_use]
    pub fn has_tag(
        &self,
        repository: &RepositoryName,
        is_such: impl Fn(&Tag) -> bool,
        now: Timestamp,
    ) -> Option<bool> {
        let graph = self.0.room.graph(repository)?;
        let graph = lock(&graph);
        let age = now.duration_since(graph.listed()?);
        let is_fresh = age.unsigned_abs() < self.0.settings.freshness;
        is_fresh.then(|| graph.present_tags().any(is_such))
    }

    /// The manifest `digest` is in `repository`, and this is what it says.
    pub fn saw_manifest(&self, repository: &RepositoryName, digest: &Digest, manifest: &Manifest) {
        if !self.knows(repository, digest) {
            self.learn(repository, Lesson::of_manifest(digest, manifest));
        }
    }

    /// The manifest was judged and stored as one, which makes what it names count. What is only seen
    /// may have come as a blob: docker-registry 2.8 serves that as a manifest, too.
    pub(crate) fn attest(&self, repository: &RepositoryName, digest: &Digest) {
        self.0.room.change(repository, |graph| graph.attest(digest));
    }

    /// `pusher` itself brought `digest` into `repository`: pushed, uploaded or mounted it.
    pub fn saw_push<'p>(
        &self,
        repository: &RepositoryName,
        pusher: impl Into<Pusher<'p>>,
        digest: &Digest,
        now: Timestamp,
    ) {
        for lesson in Lesson::of_push(pusher.into(), digest, now) {
            self.learn(repository, lesson);
        }
    }

    /// The tag was deleted through the gate.
    pub fn tag_deleted(&self, repository: &RepositoryName, tag: &Tag, now: Timestamp) {
        self.learn(repository, Lesson::NoTag { tag: tag.clone(), at: now, deleted: true });
    }

    /// The manifest was deleted through the gate, and with it every tag on it.
    pub fn manifest_deleted(&self, repository: &RepositoryName, digest: &Digest, now: Timestamp) {
        self.learn(repository, Lesson::NoManifest { digest: digest.clone(), at: now });
    }

    /// Takes in what the state or another replica knows. The journal is not told.
    pub fn apply(&self, repository: &RepositoryName, lesson: &Lesson) {
        let linger = self.0.settings.linger;
        self.0.room.change(repository, |graph| graph.learn(lesson, linger));
    }

    #[expect(clippy::needless_pass_by_value, reason = "it was made for this")]
    fn learn(&self, repository: &RepositoryName, lesson: Lesson) {
        let linger = self.0.settings.linger;
        if self.0.room.change(repository, |graph| graph.learn(&lesson, linger)) {
            self.0.journal.learned(repository, &lesson);
        }
    }

    /// Whether `pusher` itself brought `digest` into `repository`, not longer than `linger` ago:
    /// with bounds, whether it did so with a credential that has the same.
    #[must_use]
    pub fn is_own<'p>(
        &self,
        repository: &RepositoryName,
        pusher: impl Into<Pusher<'p>>,
        digest: &Digest,
        now: Timestamp,
    ) -> bool {
        let pusher = pusher.into();
        self.ask(repository, |graph| graph.is_own(pusher, digest, self.clock(now)))
    }

    /// Whether `digest` is known to be reachable from the manifest of a tag that is open to the
    /// caller.
    ///
    /// # Errors
    /// It would take too long to find out.
    pub fn is_vouched_for(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        sight: impl Fn(&Tag) -> Sight,
        now: Timestamp,
    ) -> Result<bool, Exhausted> {
        Ok(self.first_unvouched(repository, &[digest], sight, now)?.is_none())
    }

    /// The first of several digests that is not known to be reachable from the manifest of a tag
    /// that is open to the caller. Memory alone is asked.
    ///
    /// # Errors
    /// All of them together may cost so many steps and no more.
    pub fn first_unvouched<'d>(
        &self,
        repository: &RepositoryName,
        digests: &[&'d Digest],
        sight: impl Fn(&Tag) -> Sight,
        now: Timestamp,
    ) -> Result<Option<&'d Digest>, Exhausted> {
        let Some(graph) = self.0.room.graph(repository) else {
            return Ok(digests.first().copied());
        };
        let graph = lock(&graph);
        let mut walk = Walk::new(MAX_STEPS);
        let clock = self.clock(now);
        for &digest in digests {
            if !graph.is_vouched_for(digest, &sight, clock, &mut walk)? {
                return Ok(Some(digest));
            }
        }
        Ok(None)
    }

    /// Whether it may be that a tag which is open by that sight leads to `digest`: more than
    /// [`Self::is_vouched_for`], as what is uncertain counts. For denying, never for allowing.
    fn may_be_vouched_for(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        sight: impl Fn(&Tag) -> Sight,
        now: Timestamp,
    ) -> Result<bool, Exhausted> {
        let Some(graph) = self.0.room.graph(repository) else { return Ok(false) };
        let mut walk = Walk::believing(MAX_STEPS);
        lock(&graph).is_vouched_for(digest, &sight, self.clock(now), &mut walk)
    }

    /// The children of these manifests, and all that they name, as far as that is known.
    pub(crate) fn named_by(
        &self,
        repository: &RepositoryName,
        above: &[Digest],
    ) -> (Vec<Digest>, Vec<Digest>) {
        self.0.room.graph(repository).map(|graph| lock(&graph).named_by(above)).unwrap_or_default()
    }

    /// Whether `digest` is known to be an artifact by its content: no index, no filesystem layer.
    #[must_use]
    pub fn is_artifact(&self, repository: &RepositoryName, digest: &Digest) -> bool {
        self.ask(repository, |graph| graph.is_artifact(digest))
    }

    /// The subject of an artifact, if the manifest is known.
    #[must_use]
    pub fn subject_of(&self, repository: &RepositoryName, digest: &Digest) -> Option<Digest> {
        self.0.room.graph(repository).and_then(|graph| lock(&graph).subject_of(digest).cloned())
    }

    /// The manifests that are known to name the digest as a part, those that came last first.
    #[must_use]
    pub fn holders(&self, repository: &RepositoryName, digest: &Digest) -> Vec<Digest> {
        let graph = self.0.room.graph(repository);
        graph.map(|graph| lock(&graph).holders_of(digest)).unwrap_or_default()
    }

    /// The indexes that are known to name the digest as a child, those that came last first.
    #[must_use]
    pub fn indexes(&self, repository: &RepositoryName, digest: &Digest) -> Vec<Digest> {
        let graph = self.0.room.graph(repository);
        graph.map(|graph| lock(&graph).indexes_of(digest)).unwrap_or_default()
    }

    /// Whether the manifest is known.
    #[must_use]
    pub fn knows(&self, repository: &RepositoryName, digest: &Digest) -> bool {
        self.ask(repository, |graph| graph.knows(digest))
    }

    fn ask(&self, repository: &RepositoryName, question: impl Fn(&Graph) -> bool) -> bool {
        self.0.room.graph(repository).is_some_and(|graph| question(&lock(&graph)))
    }

    fn clock(&self, now: Timestamp) -> Clock {
        let Settings { linger, freshness, .. } = self.0.settings;
        Clock { now, linger, freshness }
    }
}

/// A graph is valid after every step of its methods, so a panic elsewhere does not spoil it.
fn lock(graph: &Mutex<Graph>) -> MutexGuard<'_, Graph> {
    graph.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod memory;
#[cfg(test)]
mod tests;
