//! Finding out at the upstream which tags vouch for a digest, where memory does not know.

mod by_digest;
mod referrers;
mod search;
mod warm;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout};

use super::{Budget, Inventory, Lookup, MAX_STEPS, Sight, Undecided, Walk, lock};
use crate::upstream::Upstream;
use search::Search;
pub(super) use warm::Warming;

/// For a part of a search that goes on although nobody waits for it any more.
const LIFETIME: Duration = Duration::from_secs(60);

/// What a caller may read of a repository.
#[derive(Clone, Copy)]
pub(crate) struct View<'v> {
    /// What policy says of reading each tag.
    pub(crate) sight: &'v (dyn Fn(&Tag) -> Sight + Send + Sync),
    /// The whole repository is granted, but for some tags: what none of these vouches for may be
    /// read, too.
    pub(crate) includes_untagged: bool,
}

/// A question that memory could not answer.
#[derive(Clone, Copy)]
pub(crate) struct Sought<'s> {
    pub(crate) upstream: &'s Arc<Upstream>,
    pub(crate) repository: &'s RepositoryName,
    pub(crate) digest: &'s Digest,
    /// Whether the digest itself is asked for: it may be an artifact that no list names.
    pub(crate) looks_at_it: bool,
    pub(crate) budget: &'s Arc<Budget>,
    pub(crate) now: Timestamp,
}

impl Inventory {
    /// Whether the digest may be read, found out at the upstream. What was found out by others just
    /// before is not asked again, and a refusal costs the same whether there is such a digest.
    ///
    /// # Errors
    /// It could not be found out. It is gone on with in the background, so that a later try may
    /// succeed.
    pub(crate) async fn resolve(
        &self,
        sought: Sought<'_>,
        view: View<'_>,
    ) -> Result<bool, Undecided> {
        let (patience, watch) = (self.0.settings.patience, Watch::start(sought.now));
        let found = timeout(patience, self.search(sought, view)).await;
        let found = found.unwrap_or(Err(Undecided::Slow(patience)));
        self.looked_up(match &found {
            Ok(true) => Lookup::Found,
            Ok(false) => Lookup::Denied,
            Err(undecided) if undecided.is_bound() => Lookup::Bounded,
            Err(_) => Lookup::Failed,
        });
        if found.is_err() {
            self.warm(sought.upstream, sought.repository, watch);
        }
        found
    }

    async fn search(&self, sought: Sought<'_>, view: View<'_>) -> Result<bool, Undecided> {
        let flight = self.board(sought.repository).await;
        let is_open =
            || self.is_vouched_for(sought.repository, sought.digest, view.sight, sought.now);
        // Others may have found it while this waited for them.
        if is_open()? {
            return Ok(true);
        }
        let search = Search::new(self, sought, flight);
        carry(Arc::clone(&search).list()).await?;
        if view.includes_untagged {
            let against = |tag: &Tag| match (view.sight)(tag) {
                Sight::Open => Sight::Closed,
                Sight::Silent if tag.referrers_subject().is_some() => Sight::Silent,
                Sight::Silent | Sight::Closed => Sight::Open,
            };
            let closed = Arc::new(search.by(self.seen(sought.repository, against), false));
            let is_complete = carry(closed.look()).await?;
            let is_closed =
                self.may_be_vouched_for(sought.repository, sought.digest, against, sought.now)?;
            if is_complete && !is_closed && !self.is_of_two_kinds(sought, against)? {
                return Ok(true);
            }
        }
        let open = Arc::new(search.by(self.seen(sought.repository, view.sight), true));
        carry(open.look()).await?;
        Ok(is_open()?)
    }

    /// Whether what these tags hold has digests of another algorithm. A registry may serve the same
    /// content by both, so it cannot be told that they do not hold it.
    fn is_of_two_kinds(
        &self,
        sought: Sought<'_>,
        sight: impl Fn(&Tag) -> Sight,
    ) -> Result<bool, Undecided> {
        let Some(graph) = self.0.room.graph(sought.repository) else { return Ok(false) };
        let (clock, mut walk) = (self.clock(sought.now), Walk::believing(MAX_STEPS));
        Ok(lock(&graph).vouches_for_another_kind(sought.digest, &sight, clock, &mut walk)?)
    }

    /// Waits until nobody else asks the upstream about the repository.
    async fn board(&self, repository: &RepositoryName) -> Option<Flight> {
        let flight = self.0.room.flight(repository)?;
        Some(Arc::new(flight.lock_owned().await))
    }

    /// What counts for a search: every tag that is not closed.
    fn seen(
        &self,
        repository: &RepositoryName,
        sight: impl Fn(&Tag) -> Sight,
    ) -> HashMap<Tag, Sight> {
        let tags: Vec<Tag> = match self.0.room.graph(repository) {
            Some(graph) => lock(&graph).every_tag().cloned().collect(),
            None => Vec::new(),
        };
        let seen = tags.into_iter().map(|tag| (sight(&tag), tag));
        seen.filter(|(sight, _)| *sight != Sight::Closed).map(|(sight, tag)| (tag, sight)).collect()
    }
}

/// Held by whatever asks the upstream about a repository, until the last of its requests is done.
type Flight = Arc<OwnedMutexGuard<()>>;

/// Goes on although whoever asked goes away: what is learned is of use to the next one.
async fn carry<T: Send + 'static>(
    work: impl Future<Output = Result<T, Undecided>> + Send + 'static,
) -> Result<T, Undecided> {
    let carried = tokio::spawn(timeout(LIFETIME, work));
    match carried.await {
        Ok(done) => done.unwrap_or(Err(Undecided::Slow(LIFETIME))),
        Err(error) => {
            tracing::error!(%error, "a search for tags ended early");
            Err(Undecided::Broken)
        }
    }
}

/// The time of a question that goes on for a while.
#[derive(Debug, Clone, Copy)]
struct Watch {
    began: Timestamp,
    since: Instant,
}

impl Watch {
    fn start(now: Timestamp) -> Self {
        Self { began: now, since: Instant::now() }
    }

    fn now(self) -> Timestamp {
        self.began.checked_add(self.since.elapsed()).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests;
