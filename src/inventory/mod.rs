//! What the upstream holds, as far as the gate has seen it: tags → manifests → blobs.
//!
//! Rights speak of tags, and clients go by digest. This is the graph that tells which tags vouch
//! for a digest. It learns from what passes the gate, and it only ever *adds*: a registry that
//! converts manifests by `Accept` shows several manifests for one tag, and each of them is the
//! tag's. What it does not know is not readable, so forgetting is always safe.

mod graph;
mod lesson;
mod list;
mod resolve;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use oci::{Digest, Manifest, RepositoryName, Tag};

use graph::{Clock, Graph, Walk};
pub use graph::{Pusher, Sight};
pub use lesson::{Facts, Lesson};
pub(crate) use list::{ListPage, list_page, list_tags, read_page};
pub(crate) use resolve::{
    Budget, MANIFEST_TYPES, fetch_bytes, head_digest, head_tag, holds, learn_manifests, tag_digests,
};

/// The configuration's `inventory`.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long after it was last seen at a tag a manifest still counts as the tag's, and how long
    /// content is readable to whoever pushed it. Default 24 h.
    pub linger: Duration,
    /// How many edges (tag to manifest, manifest to content) are kept in memory, of all
    /// repositories together. Default 4 million, about 1 GiB.
    pub max_edges: usize,
    /// The most requests to the upstream that one question may cost. Default 2000.
    pub max_requests: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { linger: Duration::from_secs(24 * 3600), max_edges: 4_000_000, max_requests: 2000 }
    }
}

/// Bounds the walks from digests up to the tags that hold them, for all that one request asks.
const MAX_STEPS: usize = 2_000_000;

/// The graph of every repository that was seen.
#[derive(Debug)]
pub struct Inventory {
    settings: Settings,
    repositories: DashMap<RepositoryName, Arc<Mutex<Graph>>>,
    edges: AtomicUsize,
}

impl Inventory {
    /// An empty one.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, repositories: DashMap::new(), edges: AtomicUsize::new(0) }
    }

    /// How it was set up.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// `tag` was seen to point at `digest`.
    pub fn saw_tag(&self, repository: &RepositoryName, tag: &Tag, digest: &Digest, now: Instant) {
        self.learn(repository, |graph| graph.point(tag, digest, now));
    }

    /// The manifest `digest` is in `repository`, and this is what it says.
    pub fn saw_manifest(&self, repository: &RepositoryName, digest: &Digest, manifest: &Manifest) {
        self.learn(repository, |graph| graph.add(digest, manifest));
    }

    /// `pusher` itself brought `digest` into `repository`: pushed, uploaded or mounted it.
    pub fn saw_push<'p>(
        &self,
        repository: &RepositoryName,
        pusher: impl Into<Pusher<'p>>,
        digest: &Digest,
        now: Instant,
    ) {
        let pusher = pusher.into();
        self.learn(repository, |graph| graph.pushed(pusher, digest, now));
    }

    /// Whether `pusher` itself brought `digest` into `repository`, not longer than `linger` ago:
    /// with bounds, whether it did so with a credential that has the same.
    #[must_use]
    pub fn is_own<'p>(
        &self,
        repository: &RepositoryName,
        pusher: impl Into<Pusher<'p>>,
        digest: &Digest,
        now: Instant,
    ) -> bool {
        let pusher = pusher.into();
        self.ask(repository, |graph| graph.is_own(pusher, digest, self.clock(now)))
    }

    /// Whether `digest` is reachable from the manifest of a tag that is open to the caller.
    #[must_use]
    pub fn is_vouched_for(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        sight: impl Fn(&Tag) -> Sight,
        now: Instant,
    ) -> bool {
        self.first_unvouched(repository, &[digest], sight, now).is_none()
    }

    /// The first of several digests that is not reachable from the manifest of a tag that is open
    /// to the caller. All of them together may cost so many steps and no more; what was not decided
    /// by then is not vouched for.
    pub fn first_unvouched<'d>(
        &self,
        repository: &RepositoryName,
        digests: &[&'d Digest],
        sight: impl Fn(&Tag) -> Sight,
        now: Instant,
    ) -> Option<&'d Digest> {
        let mut digests = digests.iter().copied();
        let Some(graph) = self.graph(repository) else { return digests.next() };
        let graph = lock(&graph);
        let mut walk = Walk::new(MAX_STEPS);
        let clock = self.clock(now);
        let found = digests.find(|digest| !graph.is_vouched_for(digest, &sight, clock, &mut walk));
        if walk.is_exhausted() {
            tracing::warn!(%repository, "too many manifests share content to tell who may read it");
        }
        found
    }

    /// The tag was deleted through the gate.
    pub fn tag_deleted(&self, repository: &RepositoryName, tag: &Tag) {
        self.learn(repository, |graph| graph.remove_tag(tag));
    }

    /// The manifest was deleted through the gate, and with it every tag on it.
    pub fn manifest_deleted(&self, repository: &RepositoryName, digest: &Digest) {
        self.learn(repository, |graph| graph.remove_manifest(digest));
    }

    fn clock(&self, now: Instant) -> Clock {
        Clock { now, linger: self.settings.linger }
    }

    /// Whether `digest` is known to be an artifact by its content: no index, no filesystem layer.
    #[must_use]
    pub fn is_artifact(&self, repository: &RepositoryName, digest: &Digest) -> bool {
        self.ask(repository, |graph| graph.is_artifact(digest))
    }

    /// The subject of an artifact, if the manifest is known.
    #[must_use]
    pub fn subject_of(&self, repository: &RepositoryName, digest: &Digest) -> Option<Digest> {
        self.graph(repository).and_then(|graph| lock(&graph).subject_of(digest).cloned())
    }

    /// Whether the manifest is known.
    #[must_use]
    pub fn knows(&self, repository: &RepositoryName, digest: &Digest) -> bool {
        self.ask(repository, |graph| graph.knows(digest))
    }

    fn graph(&self, repository: &RepositoryName) -> Option<Arc<Mutex<Graph>>> {
        self.repositories.get(repository).map(|entry| Arc::clone(entry.value()))
    }

    fn ask(&self, repository: &RepositoryName, question: impl Fn(&Graph) -> bool) -> bool {
        self.graph(repository).is_some_and(|graph| question(&lock(&graph)))
    }

    fn learn(&self, repository: &RepositoryName, lesson: impl FnOnce(&mut Graph)) {
        let graph = Arc::clone(self.repositories.entry(repository.clone()).or_default().value());
        let (before, after) = {
            let mut graph = lock(&graph);
            let before = graph.edges();
            lesson(&mut graph);
            (before, graph.edges())
        };
        let shrunk = before.saturating_sub(after);
        let grown = after.saturating_sub(before);
        let count = |total: usize| Some(total.saturating_sub(shrunk) + grown);
        let counted = self.edges.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        let (Ok(total) | Err(total)) = counted;
        if total + grown > self.settings.max_edges {
            self.forget();
        }
    }

    /// Makes room: what has expired first, then whole repositories, any of them. Forgetting can
    /// only deny, and the next pull of a tag teaches the gate again.
    fn forget(&self) {
        let now = Instant::now();
        let mut kept = 0;
        let target = self.settings.max_edges / 2;
        self.repositories.retain(|_, graph| {
            let mut graph = lock(graph);
            graph.expire(self.clock(now));
            let fits = graph.edges() > 0 && kept + graph.edges() <= target;
            kept += if fits { graph.edges() } else { 0 };
            fits
        });
        self.edges.store(kept, Ordering::Relaxed);
    }
}

/// A graph is valid after every step of its methods, so a panic elsewhere does not spoil it.
fn lock(graph: &Mutex<Graph>) -> MutexGuard<'_, Graph> {
    graph.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
