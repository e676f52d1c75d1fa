//! One search: the tags that count, one after the other, and what they hold.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};
use tokio::time::sleep;

use super::super::graph::{Below, Clock, Found, Graph, Look, Walk};
use super::super::list::list_tags;
use super::super::many::{AT_ONCE, many};
use super::super::upstream::{Budget, fetch_tag, head_tag};
use super::super::{Inventory, MAX_STEPS, Sight, Undecided, lock};
use super::{Flight, Sought, Watch};
use crate::upstream::{Error, Upstream};

/// How many artifacts in a row may be about one another.
pub(super) const MAX_SUBJECTS: usize = 4;

/// What is looked for, and how.
pub(super) struct Search {
    pub(super) inventory: Inventory,
    pub(super) upstream: Arc<Upstream>,
    pub(super) repository: RepositoryName,
    pub(super) budget: Arc<Budget>,
    pub(super) watch: Watch,
    /// What is looked for, if anything: else everything is looked at.
    pub(super) digest: Option<Digest>,
    pub(super) looks_at_it: bool,
    /// Every tag that counts.
    pub(super) sights: HashMap<Tag, Sight>,
    /// Whether the first tag that vouches for it is enough.
    pub(super) stops: bool,
    pub(super) at_once: usize,
    /// Before each request.
    pub(super) pause: Duration,
    /// A background pass has none: others need not wait for it.
    pub(super) flight: Option<Flight>,
}

impl Search {
    pub(super) fn new(
        inventory: &Inventory,
        sought: Sought<'_>,
        flight: Option<Flight>,
    ) -> Arc<Self> {
        Arc::new(Self {
            inventory: inventory.clone(),
            upstream: Arc::clone(sought.upstream),
            repository: sought.repository.clone(),
            budget: Arc::clone(sought.budget),
            watch: Watch::start(sought.now),
            digest: Some(sought.digest.clone()),
            looks_at_it: sought.looks_at_it,
            sights: HashMap::new(),
            stops: false,
            at_once: AT_ONCE,
            pause: Duration::ZERO,
            flight,
        })
    }

    /// The same among these tags.
    pub(super) fn by(&self, sights: HashMap<Tag, Sight>, stops: bool) -> Self {
        Self {
            inventory: self.inventory.clone(),
            upstream: Arc::clone(&self.upstream),
            repository: self.repository.clone(),
            budget: Arc::clone(&self.budget),
            digest: self.digest.clone(),
            flight: self.flight.clone(),
            sights,
            stops,
            ..*self
        }
    }

    /// Reads the list of tags, if that was not done just before.
    pub(super) async fn list(self: Arc<Self>) -> Result<(), Undecided> {
        let since = self.fresh_since();
        if self.ask(Graph::listed).flatten().is_some_and(|listed| listed >= since) {
            return Ok(());
        }
        let list = list_tags(&self.upstream, &self.repository, &self.budget);
        let (at, tags) = self.requests(list).await.map_err(Undecided::Upstream)?;
        self.inventory.saw_list(&self.repository, &tags.unwrap_or_default(), at);
        Ok(())
    }

    /// Looks at everything that may vouch for the digest, until one does if that is enough. True if
    /// all that is there was understood.
    pub(super) async fn look(self: Arc<Self>) -> Result<bool, Undecided> {
        let held = self.digest.as_ref().map(|digest| self.ask(|g| g.tags_above(digest, MAX_STEPS)));
        let held: HashSet<Tag> = held.flatten().into_iter().flatten().collect();
        let is_open = |tag: &Tag| self.sight(tag) == Sight::Open;
        let (held, others) = self.stale(is_open).into_iter().partition(|tag| held.contains(tag));
        if self.look_at_tags(held).await?
            || self.look_at_itself().await?
            || self.look_at_tags(others).await?
        {
            return Ok(true);
        }
        // Each round may show images that further tags follow.
        let mut following: HashSet<Tag> = HashSet::new();
        loop {
            let counts = |tag: &Tag| is_open(tag) || following.contains(tag);
            let (below, enough) = self.descend(counts).await?;
            if enough || self.look_at_referrers(&below).await? || self.look_at_doubtful().await? {
                return Ok(true);
            }
            let more = self.following(&following)?;
            if more.is_empty() {
                return Ok(!below.is_unreadable);
            }
            if self.look_at_tags(self.stale(|tag| more.contains(tag))).await? {
                return Ok(true);
            }
            following.extend(more);
        }
    }

    /// Of these tags, those that were not looked at just before; first those of which nothing is
    /// known.
    fn stale(&self, counts: impl Fn(&Tag) -> bool) -> Vec<Tag> {
        let since = self.fresh_since();
        let look = |graph: &Graph| {
            let tags = self.sights.keys().filter(|tag| counts(tag));
            let looks = tags.map(|tag| (graph.look(tag, since), tag.clone()));
            looks.filter(|(look, _)| *look != Look::Fresh).collect::<Vec<_>>()
        };
        let mut tags = self.ask(look).unwrap_or_default();
        tags.sort_unstable();
        tags.into_iter().map(|(_, tag)| tag).collect()
    }

    /// Fallback tags that follow an image which is vouched for, beside those that are known.
    fn following(&self, known: &HashSet<Tag>) -> Result<HashSet<Tag>, Undecided> {
        let clock = self.clock();
        let mut walk = Walk::believing(MAX_STEPS);
        let silent = self
            .sights
            .iter()
            .filter(|(tag, sight)| **sight == Sight::Silent && !known.contains(*tag));
        let Some(graph) = self.inventory.0.room.graph(&self.repository) else {
            return Ok(HashSet::new());
        };
        let graph = lock(&graph);
        let mut following = HashSet::new();
        for (tag, _) in silent {
            if let Some(image) = tag.referrers_subject()
                && graph.is_vouched_for(&image, &|tag: &Tag| self.sight(tag), clock, &mut walk)?
            {
                following.insert(tag.clone());
            }
        }
        Ok(following)
    }

    pub(super) fn sight(&self, tag: &Tag) -> Sight {
        self.sights.get(tag).copied().unwrap_or(Sight::Closed)
    }

    async fn look_at_tags(self: &Arc<Self>, tags: Vec<Tag>) -> Result<bool, Undecided> {
        self.each(tags, |search, tag| async move { search.look_at_tag(&tag).await }).await
    }

    async fn look_at_tag(&self, tag: &Tag) -> Result<(), Error> {
        let (inventory, upstream, repository) = (&self.inventory, &self.upstream, &self.repository);
        let since = self.fresh_since();
        let (at, there) = if self.ask(|graph| graph.look(tag, since)) == Some(Look::Before) {
            // Most often it is what it was.
            let (at, there) = self.request(head_tag(upstream, repository, tag)).await?;
            if let Some(digest) = &there
                && !inventory.knows(repository, digest)
            {
                self.look_at_manifest(digest).await?;
            }
            (at, there)
        } else {
            let (at, there) = self.request(fetch_tag(upstream, repository, tag)).await?;
            let there = there.map(|(digest, manifest)| {
                self.learn(&digest, manifest.map_err(|_| Found::Unreadable), at);
                digest
            });
            (at, there)
        };
        inventory.checked_tag(repository, tag, there.as_ref(), at);
        Ok(())
    }

    /// Looks at the children of indexes, and theirs, below the tags that count.
    async fn descend(
        self: &Arc<Self>,
        counts: impl Fn(&Tag) -> bool,
    ) -> Result<(Below, bool), Undecided> {
        loop {
            let clock = self.clock();
            let since = self.fresh_since();
            let below = self.ask(|graph| graph.below(&counts, clock, since)).unwrap_or_default();
            if below.is_too_deep {
                let deep = "indexes are nested too deep".to_owned();
                return Err(Undecided::Upstream(Error::Wrong(deep)));
            }
            if below.missing.is_empty() {
                return Ok((below, false));
            }
            if self.look_at_manifests(below.missing.clone()).await? {
                return Ok((below, true));
            }
        }
    }

    /// Does it for each, until the digest is vouched for if that is enough.
    pub(super) async fn each<T, F>(
        self: &Arc<Self>,
        items: Vec<T>,
        act: impl Fn(Arc<Self>, T) -> F,
    ) -> Result<bool, Undecided>
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let act = |item| {
            let acting = act(Arc::clone(self), item);
            async move { acting.await.map_err(Undecided::Upstream) }
        };
        many(items, self.at_once, act, |()| self.is_enough()).await
    }

    fn is_enough(&self) -> Result<bool, Undecided> {
        let (Some(digest), true) = (&self.digest, self.stops) else { return Ok(false) };
        let (sight, now) = (|tag: &Tag| self.sight(tag), self.watch.began);
        Ok(self.inventory.is_vouched_for(&self.repository, digest, sight, now)?)
    }

    /// Sends one request, when there is room for it; and when that was.
    pub(super) async fn request<T>(
        &self,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<(Timestamp, T), Error> {
        self.budget.spend()?;
        self.requests(request).await
    }

    /// Likewise for one or several that are counted where they are sent.
    pub(super) async fn requests<T>(
        &self,
        requests: impl Future<Output = Result<T, Error>>,
    ) -> Result<(Timestamp, T), Error> {
        if !self.pause.is_zero() {
            sleep(self.pause).await;
        }
        // Nobody closes it.
        let _slot = self.inventory.0.slots.acquire().await.ok();
        let at = self.watch.now();
        Ok((at, requests.await?))
    }

    /// As of the beginning, so that nothing that is found is too old for what is found after it.
    pub(super) fn clock(&self) -> Clock {
        self.inventory.clock(self.watch.began)
    }

    pub(super) fn fresh_since(&self) -> Timestamp {
        let clock = self.clock();
        self.ask(|graph| graph.fresh_since(clock)).unwrap_or(clock.fresh_since())
    }

    pub(super) fn ask<T>(&self, question: impl FnOnce(&Graph) -> T) -> Option<T> {
        self.inventory.0.room.graph(&self.repository).map(|graph| question(&lock(&graph)))
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Graph)) {
        self.inventory.0.room.change(&self.repository, change);
    }
}
